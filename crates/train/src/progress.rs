//! [`TrainProgress`]: how far a training is, and what it has to remember to continue exactly.

use serde::{Deserialize, Serialize};

use crate::TrainConfig;
use crate::lr_schedule::PlateauState;

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainProgress {
    /// The epoch under way, from 1.
    pub epoch: usize,
    /// Batches of it that are done.
    pub batch: usize,
    /// The phase of the batch schedule whose batches these are, from 0.
    #[serde(default)]
    pub phase: usize,
    /// Optimizer steps of the whole run.
    pub step: usize,
    /// The steps since the last scheduled evaluation.
    pub window: LossWindow,
    /// The step of the last evaluation that the settings asked for.
    pub last_scheduled_eval_step: usize,
    /// The step of the last evaluation of all. The one that a training ends with may fall between two scheduled ones: it
    /// is not repeated, and counts for nothing when training continues but that a better model is kept.
    pub last_eval_step: usize,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// What the schedule `plateau` remembers.
    pub plateau: PlateauState,
    /// Running mean of the loss, as min-char-rnn keeps it: ln V at first, then 0.999 of itself and 0.001 of each loss.
    pub smooth_loss: f64,
    /// Seconds that the run took.
    pub seconds: f64,
    /// Lowest validation loss: that of the model that is kept.
    pub best_valid_loss: Option<f64>,
    /// Lowest validation loss of the scheduled evaluations.
    pub best_scheduled_loss: Option<f64>,
    /// Scheduled evaluations since then.
    pub evals_without_improvement: usize,
    /// The step of the checkpoint that a diverging training goes back to.
    #[serde(default)]
    pub recovery_step: Option<usize>,
    /// How often it did, at this learning rate.
    #[serde(default)]
    pub recoveries: usize,
}

/// Steps between two evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossWindow {
    pub steps: usize,
    /// Characters in their batches; checkpoints of earlier versions have none.
    #[serde(default)]
    pub chars: usize,
    /// Sum of their losses, nats per character.
    pub loss_sum: f64,
    /// Seconds that they took.
    pub seconds: f64,
    /// Seconds of these in which the gradients were summed over several processes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub communication_seconds: f64,
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

impl TrainProgress {
    /// Before the first step, when each of V characters is as likely as another.
    pub fn start(vocab_size: usize) -> Self {
        Self {
            epoch: 1,
            batch: 0,
            phase: 0,
            step: 0,
            window: LossWindow::default(),
            last_scheduled_eval_step: 0,
            last_eval_step: 0,
            learning_rate: 0.0,
            plateau: PlateauState::default(),
            smooth_loss: (vocab_size as f64).ln(),
            seconds: 0.0,
            best_valid_loss: None,
            best_scheduled_loss: None,
            evals_without_improvement: 0,
            recovery_step: None,
            recoveries: 0,
        }
    }

    pub fn record_step(&mut self, loss: f64, learning_rate: f64, chars: usize, seconds: f64) {
        self.step += 1;
        self.batch += 1;
        self.learning_rate = learning_rate;
        self.smooth_loss = self.smooth_loss * 0.999 + loss * 0.001;
        self.window.steps += 1;
        self.window.chars += chars;
        self.window.loss_sum += loss;
        self.window.seconds += seconds;
    }

    /// Takes note of a validation loss; only a scheduled evaluation counts for early stopping and the schedule.
    pub fn record_evaluation(&mut self, valid_loss: f64, scheduled: bool, config: &TrainConfig) {
        let lower_than = |best: Option<f64>| best.is_none_or(|best| valid_loss < best);
        self.last_eval_step = self.step;
        if lower_than(self.best_valid_loss) {
            self.best_valid_loss = Some(valid_loss);
        }
        if scheduled {
            if lower_than(self.best_scheduled_loss) {
                self.best_scheduled_loss = Some(valid_loss);
                self.evals_without_improvement = 0;
            } else {
                self.evals_without_improvement += 1;
            }
            self.plateau.observe(&config.schedule, config.optimizer.lr(), valid_loss);
            self.last_scheduled_eval_step = self.step;
            self.window = LossWindow::default();
        }
    }

    /// The factor of the learning rate that recoveries leave.
    pub fn lr_factor(&self) -> f64 {
        0.5f64.powi(self.recoveries as i32)
    }

    /// The fraction of the training time since the last evaluation in which gradients were summed over several processes;
    /// 0 with one process.
    pub fn communication(&self) -> f64 {
        self.window.communication_seconds / self.window.seconds
    }

    /// Epochs that are done, of so many batches each.
    pub fn epochs_done(&self, batches: usize) -> usize {
        if self.batch == batches { self.epoch } else { self.epoch - 1 }
    }

    pub fn epoch_of_last_step(&self) -> usize {
        if self.batch == 0 { self.epoch - 1 } else { self.epoch }
    }

    /// Whether all steps are done. Epochs are no measure of it: where batches change, they are rounded to whole batches.
    pub fn steps_are_done(&self, total_steps: usize) -> bool {
        self.step >= total_steps
    }

    /// Whether the validation loss has not improved for as many evaluations as the settings tolerate.
    pub fn stopped_improving(&self, config: &TrainConfig) -> bool {
        config.patience > 0 && self.evals_without_improvement >= config.patience
    }

    /// Whether nothing is left to do, the last evaluation included.
    pub fn is_finished(&self, config: &TrainConfig, total_steps: usize) -> bool {
        (self.steps_are_done(total_steps) && self.last_eval_step == self.step)
            || self.stopped_improving(config)
    }
}
