//! How gradients become steps: what PyTorch has of it, with PyTorch's defaults and formulas.
//!
//! Burn's optimizers compute what PyTorch's do once they are told PyTorch's numbers, which their
//! own defaults are not. The one that neither has is [`AdagradInside`].

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, LearningRate, ModuleOptimizer, RecordState,
    RmsPropConfig, SgdConfig, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};

/// How gradients become steps. `lr` is the learning rate, before any schedule, throughout.
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
    /// Loshchilov and Hutter 2019, as `torch.optim.AdamW` computes it: the decay shrinks the
    /// parameters themselves and passes by the means.
    AdamW {
        /// Learning rate.
        lr: f64,
        /// Decay of the mean of the gradients.
        beta1: f64,
        /// Decay of the mean of their squares.
        beta2: f64,
        /// Added to the root of the latter.
        eps: f64,
        /// What of a parameter goes each step, times the learning rate.
        weight_decay: f64,
    },
    /// Gradient descent, as `torch.optim.SGD` computes it.
    Sgd {
        /// Learning rate.
        lr: f64,
        /// Part of the last step that is made again; 0 for none.
        momentum: f64,
        /// Part of the gradient that does not go into it.
        dampening: f64,
        /// Nesterov's form: a step further along the momentum. Asks for a momentum, undampened.
        nesterov: bool,
        /// L2 penalty, added to the gradients.
        weight_decay: f64,
    },
    /// Gradients by the root of the mean of their squares, as `torch.optim.RMSprop` and Torch7's
    /// `optim.rmsprop` compute it.
    RmsProp {
        /// Learning rate.
        lr: f64,
        /// Decay of the mean of the squares.
        alpha: f64,
        /// Added to its root.
        eps: f64,
        /// Part of the last step that is made again; 0 for none.
        momentum: f64,
        /// By the root of the variance instead: the square of the mean is taken away.
        centered: bool,
        /// L2 penalty, added to the gradients.
        weight_decay: f64,
    },
    /// Duchi, Hazan and Singer 2011, as `torch.optim.Adagrad` computes it: gradients by the root of
    /// the sum of all their squares.
    Adagrad {
        /// Learning rate.
        lr: f64,
        /// The rate of step t is `lr / (1 + (t - 1) * lr_decay)`.
        lr_decay: f64,
        /// Added to the root.
        eps: f64,
        /// L2 penalty, added to the gradients.
        weight_decay: f64,
    },
    /// The same as min-char-rnn has it, with epsilon inside the root: `p -= lr * g / sqrt(m + eps)`
    /// with `m` the sum of the squares.
    AdagradInside {
        /// Learning rate.
        lr: f64,
        /// Added to the sum.
        eps: f64,
    },
}

impl Optimizer {
    /// Adam with PyTorch's defaults.
    pub const fn adam(lr: f64) -> Self {
        Self::Adam { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }

    /// AdamW with PyTorch's defaults.
    pub const fn adamw(lr: f64) -> Self {
        Self::AdamW { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 1e-2 }
    }

    /// Gradient descent with PyTorch's defaults: nothing beside the gradient.
    pub const fn sgd(lr: f64) -> Self {
        Self::Sgd { lr, momentum: 0.0, dampening: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    /// RMSprop with PyTorch's defaults.
    pub const fn rmsprop(lr: f64) -> Self {
        let (alpha, eps, momentum) = (0.99, 1e-8, 0.0);
        Self::RmsProp { lr, alpha, eps, momentum, centered: false, weight_decay: 0.0 }
    }

    /// Adagrad with PyTorch's defaults.
    pub const fn adagrad(lr: f64) -> Self {
        Self::Adagrad { lr, lr_decay: 0.0, eps: 1e-10, weight_decay: 0.0 }
    }

    /// Adagrad with min-char-rnn's epsilon.
    pub const fn adagrad_inside(lr: f64) -> Self {
        Self::AdagradInside { lr, eps: 1e-8 }
    }

    /// The learning rate.
    pub const fn lr(&self) -> f64 {
        match *self {
            Self::Adam { lr, .. }
            | Self::AdamW { lr, .. }
            | Self::Sgd { lr, .. }
            | Self::RmsProp { lr, .. }
            | Self::Adagrad { lr, .. }
            | Self::AdagradInside { lr, .. } => lr,
        }
    }

    /// Burn's optimizer of these numbers. The learning rate is given to each of its steps.
    pub fn init(&self) -> ModuleOptimizer {
        let decay = |penalty: f64| (penalty > 0.0).then(|| WeightDecayConfig::new(penalty as f32));
        match *self {
            Self::Adam { lr: _, beta1, beta2, eps, weight_decay } => AdamConfig::new()
                .with_beta_1(beta1 as f32)
                .with_beta_2(beta2 as f32)
                .with_epsilon(eps as f32)
                .with_weight_decay(decay(weight_decay))
                .init(),
            Self::AdamW { lr: _, beta1, beta2, eps, weight_decay } => AdamWConfig::new()
                .with_beta_1(beta1 as f32)
                .with_beta_2(beta2 as f32)
                .with_epsilon(eps as f32)
                .with_weight_decay(weight_decay as f32)
                .init(),
            Self::Sgd { lr: _, momentum, dampening, nesterov, weight_decay } => {
                let momentum = (momentum > 0.0).then(|| {
                    MomentumConfig::new()
                        .with_momentum(momentum)
                        .with_dampening(dampening)
                        .with_nesterov(nesterov)
                });
                SgdConfig::new()
                    .with_momentum(momentum)
                    .with_weight_decay(decay(weight_decay))
                    .init()
            }
            Self::RmsProp { lr: _, alpha, eps, momentum, centered, weight_decay } => {
                RmsPropConfig::new()
                    .with_alpha(alpha as f32)
                    .with_epsilon(eps as f32)
                    .with_momentum(momentum as f32)
                    .with_centered(centered)
                    .with_weight_decay(decay(weight_decay))
                    .init()
            }
            Self::Adagrad { lr: _, lr_decay, eps, weight_decay } => AdaGradConfig::new()
                .with_lr_decay(lr_decay)
                .with_epsilon(eps as f32)
                .with_weight_decay(decay(weight_decay))
                .init(),
            Self::AdagradInside { lr: _, eps } => AdagradInside { eps }.into(),
        }
    }
}

/// Adagrad with epsilon inside the root.
#[derive(Clone)]
struct AdagradInside {
    eps: f64,
}

/// The sum of a parameter's squared gradients.
#[derive(Clone)]
struct SumOfSquares<const D: usize>(Tensor<D>);

impl burn::optim::Optimizer for AdagradInside {
    type State<const D: usize> = SumOfSquares<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        grad: Tensor<D>,
        state: Option<SumOfSquares<D>>,
    ) -> (Tensor<D>, Option<SumOfSquares<D>>) {
        let squares = grad.clone().square();
        let sum = match state {
            Some(SumOfSquares(sum)) => sum + squares,
            None => squares,
        };
        let step = grad.div(sum.clone().add_scalar(self.eps).sqrt()).mul_scalar(lr);
        (parameter - step, Some(SumOfSquares(sum)))
    }

    fn to_device<const D: usize>(state: SumOfSquares<D>, device: &Device) -> SumOfSquares<D> {
        SumOfSquares(state.0.to_device(device))
    }
}

/// What the derive macro of Burn would write, which works within Burn only.
impl<const D: usize> RecordState for SumOfSquares<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "sum", self.0.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self(Tensor::from_data(source.take_tensor(prefix, "sum")?, device)))
    }
}
