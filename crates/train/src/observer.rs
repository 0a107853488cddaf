//! What a training reports while it runs.

use std::path::Path;

use crate::{CheckpointError, MetricsRow, TrainError};

/// Receives the events of a training; each method may be left out. All calls come from the thread that trains.
pub trait Observer {
    /// Training starts or is resumed.
    fn started(&mut self, _info: &TrainInfo) {}
    /// A checkpoint can't be read, and the one before it is taken.
    fn skipped_checkpoint(&mut self, _error: &CheckpointError) {}
    /// An optimizer step was taken.
    fn step(&mut self, _report: &StepReport) {}
    /// So much of the validation part is evaluated, of so much.
    fn evaluating(&mut self, _done: usize, _total: usize) {}
    /// The model was evaluated; `sample` is what it generates now.
    fn evaluated(&mut self, _report: &EvalReport, _sample: &str) {}
    /// The training diverged and has gone back.
    fn recovered(&mut self, _report: &RecoveryReport<'_>) {}
    /// A checkpoint is on disk.
    fn saved(&mut self, _checkpoint: &Path) {}
}

/// Ignores everything.
impl Observer for () {}

/// What is trained, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainInfo {
    /// Number of parameters.
    pub parameters: usize,
    /// Vocabulary size V.
    pub vocab_size: usize,
    /// Characters of the training part.
    pub train_chars: usize,
    /// Characters of the validation part.
    pub valid_chars: usize,
    /// Batches of an epoch, of the size that they have at this step.
    pub batches: usize,
    /// Phases of the batch schedule: 1 where the batches keep their size.
    pub phases: usize,
    /// Optimizer steps of the whole training.
    pub total_steps: usize,
    /// Number of epochs.
    pub epochs: usize,
    /// The epoch under way, from 1.
    pub epoch: usize,
    /// Optimizer steps taken: 0 unless the run is resumed.
    pub step: usize,
}

/// One optimizer step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The batch within the epoch, from 1.
    pub batch: usize,
    /// Batches of an epoch, of the size that this one has.
    pub batches: usize,
    /// Optimizer steps of the whole run.
    pub step: usize,
    /// Loss of this batch, nats per character.
    pub loss: f64,
    /// Running mean of the loss, as min-char-rnn keeps it: ln V at first, then 0.999 of itself and 0.001 of each loss.
    pub smooth_loss: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Global norm of the gradients before clipping, where clipping computes it.
    pub gradient_norm: Option<f64>,
    /// Training characters by training time, since the last evaluation.
    pub chars_per_second: f64,
    /// The fraction of the step in which the gradients were summed over several processes, the wait for the slowest
    /// included; 0 with one process.
    pub communication: f64,
    /// Characters in the batches that are still to come.
    pub chars_left: usize,
}

/// A training that diverged, and continues from an earlier checkpoint.
#[derive(Debug)]
pub struct RecoveryReport<'a> {
    /// What became NaN or infinite, and when.
    pub error: &'a TrainError,
    /// Optimizer steps of the run at the checkpoint.
    pub step: usize,
    /// How often the learning rate has been halved.
    pub recoveries: usize,
    /// How often it may be.
    pub most: usize,
}

/// One evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvalReport {
    /// What `metrics.csv` records of it.
    pub metrics: MetricsRow,
    /// The running mean of the loss (see [`StepReport`]).
    pub smooth_loss: f64,
    /// Whether no earlier evaluation had a lower validation loss.
    pub is_best: bool,
}
