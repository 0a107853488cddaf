//! What a training tells whoever started it.

use std::path::Path;

/// Is told of a training as it goes; each part may be left out. All calls come from the thread
/// that trains.
pub trait Observer: Send {
    /// Training begins, or goes on.
    fn started(&mut self, _info: &Started) {}
    /// A step was taken.
    fn step(&mut self, _step: &StepReport) {}
    /// The model was validated; `sample` is what it writes now.
    fn epoch(&mut self, _epoch: &EpochReport, _sample: &str) {}
    /// A checkpoint stands on disk.
    fn saved(&mut self, _checkpoint: &Path) {}
}

/// Says nothing to nobody.
impl Observer for () {}

/// What is about to be trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// Number of parameters.
    pub parameters: usize,
    /// Number of different characters V.
    pub vocab_size: usize,
    /// Characters in the training part.
    pub train_chars: usize,
    /// Characters in the validation part.
    pub valid_chars: usize,
    /// Batches of an epoch.
    pub batches: usize,
    /// Batches of a validation.
    pub valid_batches: usize,
    /// The epoch that comes first, from 1.
    pub epoch: usize,
    /// Steps taken before: 0 unless the run is resumed.
    pub step: usize,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// How many there will be.
    pub epochs: usize,
    /// The batch within the epoch, from 1.
    pub batch: usize,
    /// How many there are.
    pub batches: usize,
    /// Steps taken in the whole run.
    pub step: usize,
    /// Nats per character on this batch.
    pub loss: f64,
    /// The same, smoothed as min-char-rnn does: ln V at first, and at each step 0.999 of what it was
    /// and 0.001 of the loss.
    pub smooth_loss: f64,
    /// Training characters by training time, since the last evaluation.
    pub chars_per_second: f64,
}

/// One evaluation, after each epoch if nothing else was asked for: a row of `metrics.csv`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// How many there will be.
    pub epochs: usize,
    /// Steps taken in the whole run.
    pub step: usize,
    /// Mean over the batches since the last evaluation, nats per character.
    pub train_loss: f64,
    /// The smoothed loss of the last step (see [`StepReport`]).
    pub smooth_loss: f64,
    /// On the validation part, nats per character.
    pub valid_loss: f64,
    /// `exp(valid_loss)`.
    pub valid_perplexity: f64,
    /// `valid_loss / ln 2`.
    pub valid_bits_per_char: f64,
    /// Of the last step.
    pub learning_rate: f64,
    /// Training characters by training time, since the last evaluation.
    pub chars_per_second: f64,
    /// Since the run began, validation and samples included, pauses not.
    pub seconds: f64,
    /// Whether no evaluation before had a lower validation loss.
    pub best: bool,
}
