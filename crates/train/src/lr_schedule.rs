//! The learning rate of a step.
//!
//! It is a pure function of the step's number and, for `plateau`, of the validation losses so far: a resumed run follows
//! the same schedule as an uninterrupted one.

use serde::{Deserialize, Serialize};

use crate::LrSchedule;

/// What [`LrSchedule::Plateau`] remembers of the validation losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    /// The lowest loss.
    pub(crate) best: Option<f64>,
    /// Evaluations since the loss improved or the rate was reduced.
    pub(crate) bad_evals: usize,
    /// The rate, once it has been reduced.
    pub(crate) lr: Option<f64>,
}

/// How much lower than the lowest a loss must be, relative to it, to count as an improvement (PyTorch's default).
const THRESHOLD: f64 = 1e-4;
/// A reduction of the rate by no more than this is left out (PyTorch's default).
const MIN_DECAY: f64 = 1e-8;

impl LrSchedule {
    /// The learning rate of a step.
    ///
    /// `lr` is the optimizer's rate; `epoch` counts from 1 and `step` from 0; `total_steps` are those of the whole
    /// training: a run that is resumed for more of them continues along the longer curve.
    pub fn lr(
        &self,
        lr: f64,
        epoch: usize,
        step: usize,
        total_steps: usize,
        plateau: &PlateauState,
    ) -> f64 {
        match *self {
            Self::Constant(_) => lr,
            Self::Exponential { gamma, from_epoch } => {
                lr * powi(gamma, decay_count(epoch, from_epoch, 1))
            }
            Self::Step { gamma, every, from_epoch } => {
                lr * powi(gamma, decay_count(epoch, from_epoch.unwrap_or(every), every))
            }
            Self::Linear { warmup_steps, .. } | Self::Cosine { warmup_steps, .. }
                if step < warmup_steps =>
            {
                lr * (step + 1) as f64 / (warmup_steps + 1) as f64
            }
            Self::Linear { end_factor, warmup_steps } => {
                let done = fraction(step - warmup_steps, total_steps.saturating_sub(warmup_steps));
                lr * (1.0 + (end_factor - 1.0) * done)
            }
            Self::Cosine { end_factor, warmup_steps } => {
                let done = fraction(step - warmup_steps, total_steps.saturating_sub(warmup_steps));
                let cosine = (std::f64::consts::PI * done).cos();
                lr * (end_factor + (1.0 - end_factor) * (1.0 + cosine) / 2.0)
            }
            Self::Plateau { .. } => plateau.lr.unwrap_or(lr),
        }
    }
}

impl PlateauState {
    /// Takes note of a validation loss, and reduces the rate where that is due.
    pub fn observe(&mut self, schedule: &LrSchedule, lr: f64, loss: f64) {
        let LrSchedule::Plateau { factor, patience } = *schedule else { return };
        if self.best.is_none_or(|best| loss < best * (1.0 - THRESHOLD)) {
            (self.best, self.bad_evals) = (Some(loss), 0);
        } else {
            self.bad_evals += 1;
        }
        if self.bad_evals > patience {
            let now = self.lr.unwrap_or(lr);
            if now - now * factor > MIN_DECAY {
                self.lr = Some(now * factor);
            }
            self.bad_evals = 0;
        }
    }
}

/// How often the rate has decayed before `epoch`, if it does after epochs `from`, `from + every`, …
fn decay_count(epoch: usize, from: usize, every: usize) -> usize {
    if epoch <= from { 0 } else { (epoch - from - 1) / every.max(1) + 1 }
}

fn powi(gamma: f64, exponent: usize) -> f64 {
    gamma.powi(i32::try_from(exponent).unwrap_or(i32::MAX))
}

fn fraction(step: usize, steps: usize) -> f64 {
    step.min(steps) as f64 / steps.max(1) as f64
}
