//! `train.optimizer`: what PyTorch has, with PyTorch's defaults and formulas.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why `eps` has a lower bound: messages say so after the legal range.
pub(super) const EPS_REASON: &str =
    "below 1e-38 it is 0 in single precision, and a step may divide by it";

/// How gradients become parameter updates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum OptimizerConfig {
    /// Kingma and Ba 2015, as `torch.optim.Adam`.
    Adam(AdamConfig),
    /// Loshchilov and Hutter 2019, as `torch.optim.AdamW`: the weight decay is decoupled from the gradients.
    AdamW(AdamWConfig),
    /// Gradient descent, as `torch.optim.SGD`.
    Sgd(SgdConfig),
    /// Gradients divided by the root of the mean of their squares, as `torch.optim.RMSprop` and Torch7's `optim.rmsprop`.
    RmsProp(RmsPropConfig),
    /// Duchi, Hazan and Singer 2011, as `torch.optim.Adagrad` or as min-char-rnn.
    Adagrad(AdagradConfig),
}

impl OptimizerConfig {
    /// The learning rate, before the schedule.
    pub const fn lr(&self) -> f64 {
        match self {
            Self::Adam(config) => config.lr,
            Self::AdamW(config) => config.lr,
            Self::Sgd(config) => config.lr,
            Self::RmsProp(config) => config.lr,
            Self::Adagrad(config) => config.lr,
        }
    }

    /// What is added to a divisor, in the optimizers that divide.
    pub(super) const fn eps(&self) -> Option<f64> {
        match self {
            Self::Adam(config) => Some(config.eps),
            Self::AdamW(config) => Some(config.eps),
            Self::Sgd(_) => None,
            Self::RmsProp(config) => Some(config.eps),
            Self::Adagrad(config) => Some(config.eps),
        }
    }
}

/// Adam.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Learning rate, before the schedule
    #[schemars(range(max = 10.0), extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Decay rate of the first moment
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay rate of the second moment
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Added to the root of the second moment
    #[schemars(range(min = 1e-38, max = 1.0), extend("x-reason" = EPS_REASON))]
    pub eps: f64,
    /// L2 penalty, added to the gradients
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    /// PyTorch's defaults.
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Learning rate, before the schedule
    #[schemars(range(max = 10.0), extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Decay rate of the first moment
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta1: f64,
    /// Decay rate of the second moment
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub beta2: f64,
    /// Added to the root of the second moment
    #[schemars(range(min = 1e-38, max = 1.0), extend("x-reason" = EPS_REASON))]
    pub eps: f64,
    /// Decoupled weight decay, times the learning rate
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Whether biases decay too, as in PyTorch
    pub decay_biases: bool,
}

impl Default for AdamWConfig {
    /// PyTorch's defaults.
    fn default() -> Self {
        let (lr, eps, weight_decay) = (1e-3, 1e-8, 1e-2);
        Self { lr, beta1: 0.9, beta2: 0.999, eps, weight_decay, decay_biases: true }
    }
}

/// Stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Learning rate, before the schedule
    #[schemars(range(max = 10.0), extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Momentum, 0 for none
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Dampening of the momentum
    #[schemars(range(min = 0.0, max = 1.0))]
    pub dampening: f64,
    /// Nesterov momentum; asks for a momentum without dampening
    pub nesterov: bool,
    /// L2 penalty, added to the gradients
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
}

impl Default for SgdConfig {
    /// PyTorch's defaults.
    fn default() -> Self {
        Self { lr: 1e-3, momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

/// RMSprop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RmsPropConfig {
    /// Learning rate, before the schedule
    #[schemars(range(max = 10.0), extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// Decay rate of the mean of squares
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub alpha: f64,
    /// Added to the root of the mean of squares
    #[schemars(range(min = 1e-38, max = 1.0), extend("x-reason" = EPS_REASON))]
    pub eps: f64,
    /// Momentum, 0 for none
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// Divide by the root of the variance instead
    pub centered: bool,
    /// L2 penalty, added to the gradients
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
}

impl Default for RmsPropConfig {
    /// PyTorch's defaults.
    fn default() -> Self {
        Self { lr: 1e-2, alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

/// Adagrad.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdagradConfig {
    /// Learning rate, before the schedule
    #[schemars(range(max = 10.0), extend("exclusiveMinimum" = 0.0))]
    pub lr: f64,
    /// The rate of step t is lr / (1 + (t - 1) · lr_decay)
    #[schemars(range(min = 0.0, max = 1.0))]
    pub lr_decay: f64,
    /// Added to the root of the sum of squares, or inside it
    #[schemars(range(min = 1e-38, max = 1.0), extend("x-reason" = EPS_REASON))]
    pub eps: f64,
    /// L2 penalty, added to the gradients
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Where `eps` stands: "pytorch" (outside the root) or "min-char-rnn" (inside)
    pub form: AdagradForm,
}

impl Default for AdagradConfig {
    /// PyTorch's defaults.
    fn default() -> Self {
        Self { lr: 1e-2, lr_decay: 0.0, eps: 1e-10, weight_decay: 0.0, form: AdagradForm::PyTorch }
    }
}

/// Where Adagrad adds epsilon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdagradForm {
    /// `p -= lr · g / (√m + eps)`.
    #[default]
    #[serde(rename = "pytorch")]
    PyTorch,
    /// `p -= lr · g / √(m + eps)`; takes neither `lr_decay` nor `weight_decay`.
    #[serde(rename = "min-char-rnn")]
    MinCharRnn,
}
