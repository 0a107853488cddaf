//! Which model a command means, and how it is loaded.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use charloom_model::{ModelFileError, TrainedModel};
use charloom_train::{RunError, RunFolder};

use crate::args::ModelArgs;
use crate::report::{Failure, Result, command};
use crate::settings::{Layer, Layers};

/// The model that was asked for.
pub struct Chosen {
    pub model: TrainedModel,
    pub path: PathBuf,
    /// The run that it is from, if it was found by that.
    run: Option<RunFolder>,
}

impl Chosen {
    /// Loads the file, the run's model or the newest run's.
    pub fn load(args: &ModelArgs, device: &Device) -> Result<Self> {
        let ModelArgs { model, run, runs_dir } = args;
        if let Some(path) = model {
            let model = load(path, device)?;
            return Ok(Self { model, path: path.clone(), run: None });
        }
        let run = find_run(runs_dir, run.as_deref())?;
        let path = run.model();
        if !path.exists() {
            let failure = Failure::request(format!("the run `{}` has no model yet", run.name()));
            return Err(match run.has_checkpoint() {
                true => failure.hint(format!(
                    "a model is written after each epoch; `{} train --resume --run {}` goes on with the run",
                    command(),
                    run.name()
                )),
                false => failure.hint("a model is written after each epoch"),
            });
        }
        Ok(Self { model: load(&path, device)?, path, run: Some(run) })
    }

    /// The settings that the model was trained with, over the defaults.
    pub fn settings(&self) -> Result<Layers> {
        let layers = Layers::new();
        if let Some(run) = self.run.as_ref().filter(|run| run.config().exists()) {
            return Ok(layers.over(Layer::saved(&run.config())?));
        }
        let Some(text) = &self.model.summary.run_config else { return Ok(layers) };
        // Another version may have written it. The model is good all the same, and has the default settings then.
        match Layer::saved_text(&self.path, text.clone()) {
            Ok(layer) => Ok(layers.over(layer)),
            Err(_) => Ok(layers),
        }
    }
}

/// The run of that name, or the newest.
pub fn find_run(runs_dir: &Path, name: Option<&str>) -> Result<RunFolder> {
    match name {
        Some(name) => RunFolder::open(runs_dir, name).map_err(|error| run_failure(&error)),
        None => {
            RunFolder::newest(runs_dir).map_err(|error| run_failure(&error))?.ok_or_else(|| {
                Failure::request(format!("there is no run in `{}`", runs_dir.display()))
                    .hint(format!("`{} train --text FILE` makes one", command()))
            })
        }
    }
}

/// A run folder that can't be used.
pub fn run_failure(error: &RunError) -> Failure {
    match error {
        RunError::Exists { name, folder } => {
            let goes_on = RunFolder::open(folder, name).is_ok_and(|run| run.has_checkpoint());
            let resume = match goes_on {
                true => format!("`--resume --run {name}` goes on with it, and "),
                false => String::new(),
            };
            Failure::request_error(error)
                .hint(format!("{resume}another `--run NAME` begins a new one"))
        }
        RunError::Missing { folder, .. } => {
            let failure = Failure::request_error(error);
            match names(folder) {
                names if names.is_empty() => failure.hint("it has no runs at all"),
                names => failure.hint(format!("it has {}", names.join(", "))),
            }
        }
        RunError::NoMetrics { .. } => Failure::request_error(error)
            .hint("a row is written after each epoch's validation, and when a run ends"),
        RunError::Name { .. } | RunError::Metrics { .. } | RunError::Busy { .. } => {
            Failure::request_error(error)
        }
        RunError::Io { .. } => Failure::work_error(error),
    }
}

/// Some of the runs in a folder.
fn names(runs_dir: &Path) -> Vec<String> {
    const LISTED: usize = 12;
    let Ok(entries) = std::fs::read_dir(runs_dir) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .flatten()
        .filter_map(|entry| RunFolder::open(runs_dir, entry.file_name().to_str()?).ok())
        .map(|run| format!("`{}`", run.name()))
        .collect();
    names.sort();
    names.truncate(LISTED);
    names
}

/// Loads a model file.
pub fn load(path: &Path, device: &Device) -> Result<TrainedModel> {
    // Every way in which this fails is the file's.
    TrainedModel::load(path, device).map_err(|error| {
        let hint = match &error {
            ModelFileError::NotSafetensors { .. } => {
                Some("the file was cut short, or is something else")
            }
            ModelFileError::Version { .. } => Some("a newer charloom may read it"),
            _ => None,
        };
        Failure::request_error(&error).maybe_hint(hint)
    })
}
