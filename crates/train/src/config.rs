//! What a training is told.

use charloom_data::{BatchConfig, Fractions};
use charloom_infer::Sampling;
use charloom_model::CharRnnConfig;

/// Everything that decides what is trained and how.
#[derive(Clone, Debug)]
pub struct TrainConfig {
    /// The network; its vocabulary size is taken from the corpus.
    pub model: CharRnnConfig,
    /// Rows, steps and the last target of a row.
    pub batch: BatchConfig,
    /// How much of the text validates.
    pub fractions: Fractions,
    /// Passes over the training part.
    pub epochs: usize,
    /// Optimizer steps after which training ends whatever the epoch; 0 means no limit.
    pub max_steps: usize,
    /// Governs everything random.
    pub seed: u64,
    /// How gradients become steps.
    pub optimizer: Optimizer,
    /// What large gradients are cut to.
    pub clip: Clip,
    /// Epochs without a better validation loss after which training ends; 0 means never.
    pub patience: usize,
    /// The text written after each epoch.
    pub sample: SampleConfig,
    /// What the text is called in the model file.
    pub text_name: String,
    /// The resolved configuration as TOML: goes into `config.toml` and into the model file.
    pub toml: String,
}

/// How gradients become steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Kingma and Ba 2015, as `torch.optim.Adam` computes it.
    Adam {
        /// Learning rate.
        lr: f64,
        /// Decay of the mean of the gradients.
        beta1: f64,
        /// Decay of the mean of their squares.
        beta2: f64,
        /// Added to the root of the latter.
        eps: f64,
        /// L2 penalty, added to the gradients.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// Adam with PyTorch's defaults.
    pub const fn adam(lr: f64) -> Self {
        Self::Adam { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }

    /// The learning rate.
    pub const fn lr(&self) -> f64 {
        match *self {
            Self::Adam { lr, .. } => lr,
        }
    }
}

/// What large gradients are cut to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Clip {
    /// Nothing.
    #[default]
    None,
    /// The norm over all parameters together (`torch.nn.utils.clip_grad_norm_`).
    Norm(f64),
    /// Each number on its own, to ± this (`torch.nn.utils.clip_grad_value_`).
    Value(f64),
}

/// The text written after each epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleConfig {
    /// What it goes on from.
    pub prime: String,
    /// Characters to write; 0 writes none.
    pub length: usize,
    /// How characters are picked.
    pub sampling: Sampling,
}
