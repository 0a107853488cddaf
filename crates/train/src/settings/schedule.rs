//! `train.schedule`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the learning rate changes over a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LrSchedule {
    /// Not at all.
    Constant(Constant),
    /// Times `gamma` after epochs `from_epoch`, `from_epoch + 1`, … (with `from_epoch` 1
    /// `torch.optim.lr_scheduler.ExponentialLR`; char-rnn's `learning_rate_decay` and `learning_rate_decay_after`).
    Exponential {
        /// The factor
        #[serde(rename = "exponential")]
        #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
        gamma: f64,
        /// The first epoch after which it applies
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1_000_000_000))]
        from_epoch: usize,
    },
    /// Times `gamma` after epochs `from_epoch`, `from_epoch + every`, … (with `from_epoch` = `every`
    /// `torch.optim.lr_scheduler.StepLR`).
    Step {
        /// The factor
        #[serde(rename = "step")]
        #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
        gamma: f64,
        /// Epochs from one decay to the next
        #[schemars(range(min = 1, max = 1_000_000_000))]
        every: usize,
        /// The first epoch after which it applies [default: `every`]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "usize", range(min = 1, max = 1_000_000_000))]
        from_epoch: Option<usize>,
    },
    /// Linear warm-up for `warmup_steps` steps, then linear to `end_factor` times the learning rate over all other steps of
    /// the training (`LinearLR` from 1/(w + 1) and `LinearLR` of `torch.optim.lr_scheduler`, one after the other).
    Linear {
        /// The factor at the end
        #[serde(rename = "linear")]
        #[schemars(range(min = 0.0, max = 1.0))]
        end_factor: f64,
        /// Steps before the full rate is reached
        #[serde(default)]
        #[schemars(range(min = 0, max = 1_000_000_000))]
        warmup_steps: usize,
    },
    /// Linear warm-up for `warmup_steps` steps, then half a cosine down to `end_factor` times the learning rate over all
    /// other steps of the training (`LinearLR` from 1/(w + 1) and `CosineAnnealingLR` of `torch.optim.lr_scheduler`, one
    /// after the other; nanoGPT's schedule).
    Cosine {
        /// The factor at the end
        #[serde(rename = "cosine")]
        #[schemars(range(min = 0.0, max = 1.0))]
        end_factor: f64,
        /// Steps before the full rate is reached
        #[serde(default)]
        #[schemars(range(min = 0, max = 1_000_000_000))]
        warmup_steps: usize,
    },
    /// Times `factor` when the validation loss has not improved for more than `patience` evaluations
    /// (`torch.optim.lr_scheduler.ReduceLROnPlateau` with its defaults).
    Plateau {
        /// The factor
        #[serde(rename = "plateau")]
        #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
        factor: f64,
        /// Evaluations without an improvement that are tolerated
        #[serde(default = "ten")]
        #[schemars(range(min = 0, max = 1_000_000_000))]
        patience: usize,
    },
}

/// The word for a constant learning rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Constant {
    /// The learning rate stays as it is.
    #[default]
    Constant,
}

impl Default for LrSchedule {
    fn default() -> Self {
        Self::Constant(Constant::Constant)
    }
}

fn one() -> usize {
    1
}

fn ten() -> usize {
    10
}
