//! The optimizers that settings name, as Burn's with PyTorch's numbers.
//!
//! Burn's optimizers compute what PyTorch's do once they are given PyTorch's numbers, which their own defaults are not.
//! The one that neither has is [`MinCharRnnAdagrad`].

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, LearningRate, ModuleOptimizer, RecordState, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};

use crate::OptimizerConfig;
use crate::fused_adam::FusedAdam;
use crate::load_on_cpu::LoadOnCpu;
use crate::settings::AdagradForm;

impl OptimizerConfig {
    /// The optimizer. Each of its steps is given the learning rate.
    pub fn init(&self) -> ModuleOptimizer {
        let decay = |penalty: f64| (penalty > 0.0).then(|| WeightDecayConfig::new(penalty as f32));
        match self {
            Self::Adam(config) => {
                let (beta1, beta2, eps) =
                    (config.beta1 as f32, config.beta2 as f32, config.eps as f32);
                let burn = burn::optim::AdamConfig::new()
                    .with_beta_1(beta1)
                    .with_beta_2(beta2)
                    .with_epsilon(eps)
                    .with_weight_decay(decay(config.weight_decay))
                    .build();
                match config.weight_decay > 0.0 {
                    // Rarely used, and Burn's way: a term of the gradient.
                    true => LoadOnCpu(burn).into(),
                    false => {
                        LoadOnCpu(FusedAdam { burn, beta1, beta2, eps, weight_decay: 0.0 }).into()
                    }
                }
            }
            Self::AdamW(config) => {
                let (beta1, beta2, eps) =
                    (config.beta1 as f32, config.beta2 as f32, config.eps as f32);
                let with_decay = |decay: f64| {
                    let weight_decay = decay as f32;
                    let burn = burn::optim::AdamWConfig::new()
                        .with_beta_1(beta1)
                        .with_beta_2(beta2)
                        .with_epsilon(eps)
                        .with_weight_decay(weight_decay)
                        .build();
                    FusedAdam { burn, beta1, beta2, eps, weight_decay }
                };
                let matrices = with_decay(config.weight_decay);
                match config.decay_biases {
                    true => LoadOnCpu(matrices).into(),
                    false => LoadOnCpu(ByRank { matrices, vectors: with_decay(0.0) }).into(),
                }
            }
            Self::Sgd(config) => {
                let momentum = (config.momentum > 0.0).then(|| {
                    MomentumConfig::new()
                        .with_momentum(config.momentum)
                        .with_dampening(config.dampening)
                        .with_nesterov(config.nesterov)
                });
                LoadOnCpu(
                    burn::optim::SgdConfig::new()
                        .with_momentum(momentum)
                        .with_weight_decay(decay(config.weight_decay))
                        .build(),
                )
                .into()
            }
            Self::RmsProp(config) => LoadOnCpu(
                burn::optim::RmsPropConfig::new()
                    .with_alpha(config.alpha as f32)
                    .with_epsilon(config.eps as f32)
                    .with_momentum(config.momentum as f32)
                    .with_centered(config.centered)
                    .with_weight_decay(decay(config.weight_decay))
                    .build(),
            )
            .into(),
            Self::Adagrad(config) => match config.form {
                AdagradForm::PyTorch => LoadOnCpu(
                    AdaGradConfig::new()
                        .with_lr_decay(config.lr_decay)
                        .with_epsilon(config.eps as f32)
                        .with_weight_decay(decay(config.weight_decay))
                        .build(),
                )
                .into(),
                AdagradForm::MinCharRnn => LoadOnCpu(MinCharRnnAdagrad { eps: config.eps }).into(),
            },
        }
    }
}

/// An optimizer with other settings for vectors (biases) than for matrices.
#[derive(Clone)]
struct ByRank<O> {
    matrices: O,
    vectors: O,
}

impl<O: burn::optim::Optimizer> burn::optim::Optimizer for ByRank<O> {
    type State<const D: usize> = O::State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        grad: Tensor<D>,
        state: Option<O::State<D>>,
    ) -> (Tensor<D>, Option<O::State<D>>) {
        let optimizer = if D == 1 { &self.vectors } else { &self.matrices };
        optimizer.step(lr, parameter, grad, state)
    }

    fn to_device<const D: usize>(state: O::State<D>, device: &Device) -> O::State<D> {
        O::to_device(state, device)
    }
}

/// Adagrad with epsilon inside the root: `p -= lr · g / √(m + eps)`, with `m` the sum of the squared gradients.
#[derive(Clone)]
struct MinCharRnnAdagrad {
    eps: f64,
}

/// The sum of a parameter's squared gradients.
#[derive(Clone)]
struct SumOfSquares<const D: usize>(Tensor<D>);

impl burn::optim::Optimizer for MinCharRnnAdagrad {
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

/// What Burn's derive macro would write, which works within Burn only.
impl<const D: usize> RecordState for SumOfSquares<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "sum", self.0.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        Some(Self(Tensor::from_data(source.take_tensor(prefix, "sum")?, device)))
    }
}
