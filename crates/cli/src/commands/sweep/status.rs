//! The state of a sweep's run before the sweep starts or resumes.

use std::path::Path;

use burn::tensor::Device;
use charloom_data::Corpus;
use charloom_train::settings::PrecisionConfig;
use charloom_train::{CheckpointError, RunError, RunFolder};

use crate::recipe;
use crate::report::{Failure, Result};
use crate::settings::{self, Layer, Layers, PlannedRun};

/// The state of a run.
pub enum RunStatus {
    /// The run has no folder.
    New,
    /// The run was stopped before its first checkpoint.
    Started(RunFolder),
    /// The run has a checkpoint.
    Resumable(RunFolder),
    /// Nothing is left to train.
    Finished(RunFolder),
}

/// Settles what is left open in the settings of a run: what the recipe chose when the run was started, and the precision, where
/// it is left to the machine: that which the run was started with, or the fastest.
pub fn settle(sweep: &Path, planned: &mut PlannedRun, device: &Device) -> Result<()> {
    let started = RunFolder::open(sweep, &planned.name).ok().map(|run| run.config());
    let saved = match started.filter(|config| config.is_file()) {
        Some(config) => Some(settings::resolve(&Layers::new().over(Layer::saved(&config)?))?),
        None => None,
    };
    if recipe::applies_for_minutes(&planned.layers, &planned.config)? {
        let Some(saved) = &saved else {
            planned.by_recipe = true;
            return Ok(());
        };
        planned.layers = recipe::over(planned.layers.clone(), saved)?;
        planned.config = settings::resolve(&planned.layers)?;
    }
    let precision = &mut planned.config.train.precision;
    if let (PrecisionConfig::Auto, Some(saved)) = (*precision, &saved) {
        *precision = saved.train.precision;
    }
    let resolved = precision.resolve(device).map_err(|error| Failure::request_error(&error))?;
    *precision = resolved.into();
    Ok(())
}

/// The state of a run in the sweep's folder. An existing run must have been trained on the text and with the settings
/// that the sweep file has now; only the length of its training and its samples may differ.
pub fn run_status(sweep: &Path, planned: &PlannedRun, corpus: &Corpus) -> Result<RunStatus> {
    let run = match RunFolder::open(sweep, &planned.name) {
        Ok(run) => run,
        Err(RunError::Missing { .. }) => return remove_empty(&sweep.join(&planned.name)),
        Err(error) => return Err(Failure::request_error(&error)),
    };
    let path = run.path().display().to_string();
    let again = format!(
        "`name = \"…\"` at the top of the sweep file starts another sweep; without the folder `{path}` this one trains the run again"
    );
    if !run.config().is_file() {
        let problem = format!("the run in `{path}` has no `config.toml`");
        return Err(Failure::request(problem).hint(again));
    }
    let trained = settings::resolve(&Layers::new().over(Layer::saved(&run.config())?))?;
    if !trained.is_same_training(&planned.config) {
        let problem = format!(
            "the run in `{path}` was trained with settings that differ from the sweep file's"
        );
        return Err(Failure::request(problem).hint(again));
    }
    match run.is_finished(&planned.config, corpus) {
        Ok(true) => Ok(RunStatus::Finished(run)),
        Ok(false) if run.has_checkpoint() => Ok(RunStatus::Resumable(run)),
        Ok(false) if was_evaluated(&run) => {
            let problem = format!("the run in `{path}` has no checkpoint to resume from");
            Err(Failure::request(problem).hint(again))
        }
        Ok(false) => Ok(RunStatus::Started(run)),
        Err(error @ CheckpointError::OtherText { .. }) => {
            Err(Failure::request_error(&error).hint(again))
        }
        Err(error) => Err(Failure::work_error(&error).hint(again)),
    }
}

/// Whether there is anything of a run that training it again would lose.
fn was_evaluated(run: &RunFolder) -> bool {
    // The file is there before its first row is.
    let no_metrics = matches!(run.read_metrics(), Err(RunError::NoMetrics { .. }));
    run.model().exists() || !no_metrics
}

/// A run that was stopped while its folder was created has nothing but empty folders in it: they are removed and the run
/// is new. Nothing else is ever removed.
fn remove_empty(folder: &Path) -> Result<RunStatus> {
    if !folder.exists() {
        return Ok(RunStatus::New);
    }
    for inner in ["checkpoints", "samples"] {
        _ = std::fs::remove_dir(folder.join(inner));
    }
    _ = std::fs::remove_file(folder.join(".lock"));
    match std::fs::remove_dir(folder) {
        Ok(()) => Ok(RunStatus::New),
        Err(_) => {
            let problem = format!("`{}` exists but is not a run folder", folder.display());
            Err(Failure::request(problem))
        }
    }
}
