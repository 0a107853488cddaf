//! How the learning rate changes over a training.
//!
//! The rate of a step is a pure function of its place in the training and, for
//! [`Schedule::Plateau`], of what the validation losses so far have led to: so a resumed run has the
//! rates of an unbroken one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::optim::LearningRate;
use burn::optim::lr_scheduler::{LrScheduler, LrSchedulerRecord};
use serde::{Deserialize, Serialize};

use crate::exact;

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// Times `gamma` after epochs `from_epoch`, `from_epoch + 1`, … (with `from_epoch` 1
    /// `torch.optim.lr_scheduler.ExponentialLR`; char-rnn's `learning_rate_decay` and
    /// `learning_rate_decay_after`).
    Exponential {
        /// The factor.
        gamma: f64,
        /// The first epoch after which it applies, from 1.
        from_epoch: usize,
    },
    /// Times `gamma` after epochs `from_epoch`, `from_epoch + every`, … (with `from_epoch` = `every`
    /// `torch.optim.lr_scheduler.StepLR`).
    Step {
        /// The factor.
        gamma: f64,
        /// Epochs from one to the next, at least 1.
        every: usize,
        /// The first epoch after which it applies, from 1.
        from_epoch: usize,
    },
    /// On a line from the learning rate to `end_factor` times it, over all steps of the training
    /// (`torch.optim.lr_scheduler.LinearLR`).
    Linear {
        /// What the rate is multiplied with at the end.
        end_factor: f64,
    },
    /// Up a line for `warmup_steps` steps, then down half a cosine to `end_factor` times the
    /// learning rate over all other steps of the training (`LinearLR` from 1/(w + 1) and
    /// `CosineAnnealingLR` of `torch.optim.lr_scheduler`, one after the other; nanoGPT's schedule).
    Cosine {
        /// What the rate is multiplied with at the end.
        end_factor: f64,
        /// Steps before the full rate is reached.
        warmup_steps: usize,
    },
    /// Times `factor` when the validation loss has not fallen for more than `patience` evaluations
    /// (`torch.optim.lr_scheduler.ReduceLROnPlateau` with its defaults: lower by a
    /// ten-thousandth at least counts as fallen).
    Plateau {
        /// The factor.
        factor: f64,
        /// Evaluations without a fall that are put up with.
        patience: usize,
    },
}

/// The place of a step in its training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The epoch that the step belongs to, from 1.
    pub epoch: usize,
    /// Steps taken before.
    pub step: usize,
    /// Steps of the whole training. A run that is resumed for more of them goes on along the longer
    /// curve.
    pub steps: usize,
}

/// Where the validation losses have led: what [`Schedule::Plateau`] has to remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// The lowest loss.
    #[serde(with = "exact::option")]
    best: Option<f64>,
    /// Evaluations since the loss fell or the rate did.
    bad: usize,
    /// The rate, once it has fallen.
    #[serde(with = "exact::option")]
    lr: Option<f64>,
}

/// How much lower than the lowest a loss must be, relative to it, to count as lower.
const THRESHOLD: f64 = 1e-4;
/// A fall of the rate by no more than this is let be.
const LEAST_FALL: f64 = 1e-8;

impl Schedule {
    /// The rate of a step, with `lr` that of the optimizer.
    pub fn rate(&self, lr: f64, at: Moment, plateau: &Plateau) -> f64 {
        let Moment { epoch, step, steps } = at;
        match *self {
            Self::Constant => lr,
            Self::Exponential { gamma, from_epoch } => {
                lr * power(gamma, falls(epoch, from_epoch, 1))
            }
            Self::Step { gamma, every, from_epoch } => {
                lr * power(gamma, falls(epoch, from_epoch, every))
            }
            Self::Linear { end_factor } => lr * (1.0 + (end_factor - 1.0) * part(step, steps)),
            Self::Cosine { end_factor: _, warmup_steps } if step < warmup_steps => {
                lr * (step + 1) as f64 / (warmup_steps + 1) as f64
            }
            Self::Cosine { end_factor, warmup_steps } => {
                let part = part(step - warmup_steps, steps.saturating_sub(warmup_steps));
                let cosine = (std::f64::consts::PI * part).cos();
                lr * (end_factor + (1.0 - end_factor) * (1.0 + cosine) / 2.0)
            }
            Self::Plateau { .. } => plateau.lr.unwrap_or(lr),
        }
    }
}

impl Plateau {
    /// Takes note of a validation loss, and lowers the rate where that is due.
    pub fn observe(&mut self, schedule: &Schedule, lr: f64, loss: f64) {
        let Schedule::Plateau { factor, patience } = *schedule else { return };
        if self.best.is_none_or(|best| loss < best * (1.0 - THRESHOLD)) {
            (self.best, self.bad) = (Some(loss), 0);
        } else {
            self.bad += 1;
        }
        if self.bad > patience {
            let now = self.lr.unwrap_or(lr);
            if now - now * factor > LEAST_FALL {
                self.lr = Some(now * factor);
            }
            self.bad = 0;
        }
    }
}

/// How often the rate has fallen before `epoch`, if it falls after epochs `from`, `from + every`, …
fn falls(epoch: usize, from: usize, every: usize) -> usize {
    if epoch <= from { 0 } else { (epoch - from - 1) / every.max(1) + 1 }
}

fn power(gamma: f64, exponent: usize) -> f64 {
    gamma.powi(i32::try_from(exponent).unwrap_or(i32::MAX))
}

fn part(step: usize, steps: usize) -> f64 {
    step.min(steps) as f64 / steps.max(1) as f64
}

/// What burn-train takes for a scheduler: it says what the training loop has set. The loop keeps all
/// there is to remember.
#[derive(Clone, Debug)]
pub(crate) struct Rate(Arc<AtomicU64>);

impl Rate {
    pub fn new(lr: f64) -> Self {
        Self(Arc::new(AtomicU64::new(lr.to_bits())))
    }

    pub fn set(&self, lr: f64) {
        self.0.store(lr.to_bits(), Ordering::Relaxed);
    }
}

impl LrScheduler for Rate {
    fn step(&mut self) -> LearningRate {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new()
    }

    fn load_record(&mut self, _: LrSchedulerRecord) {}
}
