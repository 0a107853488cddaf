//! Why a training can't start, or fails.

use std::path::PathBuf;

use charloom_data::{BatchError, FractionError, TooShort, UnknownCharacters};
use charloom_infer::{EvaluateError, GenerateError};
use charloom_model::{ConfigError, ModelFileError, RemapError};

use crate::settings::InvalidSetting;

/// Why a run folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A run of that name exists.
    #[error("a run `{name}` already exists in `{}`", folder.display())]
    Exists {
        /// Its name.
        name: String,
        /// The folder of runs.
        folder: PathBuf,
    },
    /// Another process trains it.
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
    #[error("`{name}` is not a run name: it must be one folder name, without `/` or a leading `.`")]
    Name {
        /// What was given.
        name: String,
    },
    /// It was never evaluated.
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
    /// The file system failed.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Why a checkpoint can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder has no checkpoint.
    #[error("there is no checkpoint in `{}`", folder.display())]
    None {
        /// The folder of checkpoints.
        folder: PathBuf,
    },
    /// A file of it can't be written.
    #[error("cannot write the checkpoint `{}`: {source}", path.display())]
    Write {
        /// The checkpoint.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of it is missing, truncated or of another model.
    #[error("cannot read the checkpoint `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It was written with settings that make it another training.
    #[error("`{key}` is {now}, but was {then} when the checkpoint `{}` was written", path.display())]
    OtherSettings {
        /// The checkpoint.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value in the checkpoint.
        then: String,
        /// Its value now.
        now: String,
    },
    /// It belongs to another text.
    #[error("the text is not the one that the checkpoint `{}` was written for", path.display())]
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
    /// Two settings don't fit each other.
    #[error(transparent)]
    Settings(#[from] InvalidSetting),
    /// No network can be made of the settings.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// Too little text.
    #[error(transparent)]
    Batches(#[from] BatchError),
    /// Too little text for the batches after a change of `data.batch_schedule`.
    #[error("`data.batch_schedule[{change}]`: {source}")]
    BatchSchedule {
        /// Index of the change.
        change: usize,
        /// How many characters one batch needs.
        source: TooShort,
    },
    /// Too little text to evaluate on.
    #[error(
        "the validation part has {chars} character{}, but an evaluation needs at least 2",
        if *chars == 1 { "" } else { "s" }
    )]
    NothingToValidate {
        /// How many it has.
        chars: usize,
    },
    /// A process would have nothing to compute.
    #[error("a batch has {rows} rows, but {ranks} processes need at least one each")]
    FewerRowsThanRanks {
        /// Rows of the smallest batch.
        rows: usize,
        /// Number of processes.
        ranks: usize,
    },
    /// Nothing is left to train on.
    #[error(transparent)]
    Fractions(#[from] FractionError),
    /// The sample's prompt has characters that the text lacks.
    #[error("the sample's prompt cannot be used: {0}")]
    Prompt(UnknownCharacters),
    /// The model to initialise from has another cell or other sizes.
    #[error(transparent)]
    InitFrom(#[from] RemapError),
    /// Training diverged.
    #[error("the {what} became NaN or infinite at step {step} (epoch {epoch}, batch {batch})")]
    NotFinite {
        /// What: the loss, the norm of the gradients, the weights, the validation loss.
        what: &'static str,
        /// The step, from 1.
        step: usize,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch within the epoch, from 1.
        batch: usize,
    },
    /// The evaluation failed.
    #[error("cannot evaluate: {0}")]
    Evaluate(#[from] EvaluateError),
    /// The sample could not be generated.
    #[error("cannot generate a sample: {0}")]
    Sample(#[from] GenerateError),
}

impl TrainError {
    /// Whether the training diverged: something became NaN or infinite.
    pub(crate) fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::NotFinite { .. }
                | Self::Evaluate(EvaluateError::NotFinite { .. })
                | Self::Sample(GenerateError::NonFiniteLogits(_))
        )
    }
}
