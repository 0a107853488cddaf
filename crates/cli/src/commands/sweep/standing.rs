//! How far a run of a sweep has come already.

use std::path::Path;

use charloom_data::Corpus;
use charloom_train::{CheckpointError, RunError, RunFolder, TrainConfig};

use crate::config::{self, Layer, Layers, Planned};
use crate::report::{Failure, Result};

/// How far.
pub enum Standing {
    /// It has no folder.
    New,
    /// It was stopped before its first checkpoint.
    Begun(RunFolder),
    /// It has a checkpoint.
    Saved(RunFolder),
    /// Nothing is left to do.
    Ended(RunFolder),
}

/// How far a run in the sweep's folder has come. What stands there must have been trained with the settings, and on
/// the text, that the sweep file asks for now.
pub fn standing(
    sweep: &Path,
    planned: &Planned,
    config: &TrainConfig,
    corpus: &Corpus,
) -> Result<Standing> {
    let run = match RunFolder::open(sweep, &planned.name) {
        Ok(run) => run,
        Err(RunError::Missing { .. }) => return shell(&sweep.join(&planned.name)),
        Err(error) => return Err(Failure::request_error(&error)),
    };
    let path = run.path().display().to_string();
    let anew = format!(
        "`name = \"…\"` at the top of the sweep file begins a sweep of another name; without the folder `{path}` this one trains the run anew"
    );
    if !run.config().is_file() {
        return Err(
            Failure::request(format!("the run in `{path}` has no `config.toml`")).hint(anew)
        );
    }
    let trained = config::resolve(&Layers::new().over(Layer::saved(&run.config())?))?;
    if trained != planned.resolved {
        return Err(Failure::request(format!(
            "the run in `{path}` was trained with other settings than the sweep file has now"
        ))
        .hint(anew));
    }
    match run.has_ended(config, corpus.sha256()) {
        Ok(true) => Ok(Standing::Ended(run)),
        Ok(false) if run.checkpoint_exists() => Ok(Standing::Saved(run)),
        Ok(false) if run.model().exists() || run.metrics().exists() => {
            let problem = format!("the run in `{path}` has no checkpoint to go on from");
            Err(Failure::request(problem).hint(anew))
        }
        Ok(false) => Ok(Standing::Begun(run)),
        Err(error @ CheckpointError::OtherText { .. }) => {
            Err(Failure::request_error(&error).hint(anew))
        }
        Err(error) => Err(Failure::work_error(&error).hint(anew)),
    }
}

/// A run that was stopped while its folder was made has nothing but empty folders, and can be made again. Of anything
/// else nothing is removed.
fn shell(folder: &Path) -> Result<Standing> {
    if !folder.exists() {
        return Ok(Standing::New);
    }
    for inner in ["checkpoints", "samples", "logs"] {
        let _ = std::fs::remove_dir(folder.join(inner));
    }
    let _ = std::fs::remove_file(folder.join(".lock"));
    match std::fs::remove_dir(folder) {
        Ok(()) => Ok(Standing::New),
        Err(_) => Err(Failure::request(format!(
            "`{}` is in the way of a run of that name, and is none",
            folder.display()
        ))),
    }
}
