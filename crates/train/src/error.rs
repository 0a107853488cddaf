//! Why a training can't begin, or ends before its time.

use std::path::PathBuf;

use charloom_data::{BatchError, UnknownCharacters};
use charloom_model::{ModelFileError, RemapError};

/// Why a run folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A run of that name stands there already.
    #[error("the run `{name}` exists already in `{}`", folder.display())]
    Exists {
        /// Its name.
        name: String,
        /// The folder of runs.
        folder: PathBuf,
    },
    /// Somebody is training it.
    #[error("the run `{name}` in `{}` is being trained by another process", folder.display())]
    Busy {
        /// Its name.
        name: String,
        /// The folder of runs.
        folder: PathBuf,
    },
    /// There is no run of that name.
    #[error("there is no run `{name}` in `{}`", folder.display())]
    Missing {
        /// The name.
        name: String,
        /// The folder of runs.
        folder: PathBuf,
    },
    /// Not a name for a folder.
    #[error(
        "`{name}` cannot name a run: a name is one folder name, with no `/` and no leading `.`"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// It was never validated.
    #[error("the run `{name}` has no metrics yet")]
    NoMetrics {
        /// Its name.
        name: String,
    },
    /// `metrics.csv` is not what this crate writes.
    #[error("`{}`, line {line}: {problem}", path.display())]
    Metrics {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
    /// The system said no.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a checkpoint can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// There is none.
    #[error("the run in `{}` has no checkpoint to go on from", run.display())]
    None {
        /// The run folder.
        run: PathBuf,
    },
    /// A part of it can't be written.
    #[error("cannot write the checkpoint `{}`: {problem}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What happened.
        problem: String,
    },
    /// A part of it is missing, cut short or of another model.
    #[error("cannot read the checkpoint `{}`: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It was written under other settings.
    #[error(
        "`{name}` is `{now}`, but was `{then}` when the checkpoint `{}` was written",
        path.display()
    )]
    OtherSettings {
        /// The checkpoint.
        path: PathBuf,
        /// The setting.
        name: String,
        /// Its value in the checkpoint.
        then: String,
        /// Its value now.
        now: String,
    },
    /// It belongs to another text.
    #[error("the text has changed since the checkpoint `{}` was written", path.display())]
    OtherText {
        /// The checkpoint.
        path: PathBuf,
    },
}

/// Why a training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The run folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model file.
    #[error(transparent)]
    Model(#[from] ModelFileError),
    /// Too little text.
    #[error(transparent)]
    Batches(#[from] BatchError),
    /// The samples' prime has characters that the text has not.
    #[error("the sample's prime cannot be used: {0}")]
    Prime(UnknownCharacters),
    /// The model to start from is of another kind or size.
    #[error(transparent)]
    Start(#[from] RemapError),
    /// The loss is no longer a number.
    #[error("the loss became {loss} at step {step} (epoch {epoch}, batch {batch})")]
    NotFinite {
        /// The step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch within the epoch, from 1.
        batch: usize,
        /// Infinite or not a number.
        loss: f64,
    },
    /// The sample could not be written.
    #[error("cannot write a sample: {0}")]
    Sample(#[from] charloom_infer::GenerateError),
    /// burn-train stopped.
    #[error("training stopped: {0}")]
    Burn(String),
}
