//! [`FusedAdam`]: the update of Adam and AdamW in one pass over a parameter, on all threads.
//!
//! Burn's optimizers take a pass for each operation, about twelve of them, on one thread: for a small batch a third of a
//! training step. The arithmetic here is theirs, operation for operation, and so are the state and its file format.

use burn::optim::{
    Adam, AdamState, AdamW, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer,
};
use burn::tensor::{DType, Device, Tensor};
use charloom_model::has_cpu_kernels;
use rayon::prelude::*;

/// Elements of a parameter that a thread takes at a time.
pub(crate) const CHUNK: usize = 1 << 14;

/// Adam or AdamW; in one pass where the parameters are in main memory, else as Burn has it.
#[derive(Clone)]
pub(crate) struct FusedAdam<O> {
    /// Burn's, for the first step and for other devices.
    pub burn: O,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    /// Decoupled weight decay (AdamW).
    pub weight_decay: f32,
}

/// The factors of a step, in the order in which Burn's optimizer applies them.
pub(crate) struct Factors {
    /// m is multiplied by this,
    moment_1: f32,
    /// or divided by this.
    moment_1_divisor: f32,
    /// v is divided by this,
    moment_2_divisor: f32,
    /// and this is added to its root.
    eps: f32,
}

/// What differs between the two.
pub(crate) trait Variant: Optimizer {
    fn factors(beta1: f32, beta2: f32, eps: f32, time: i32) -> Factors;
    fn momentum<const D: usize>(state: Self::State<D>) -> AdaptiveMomentumState<D>;
    fn state<const D: usize>(momentum: AdaptiveMomentumState<D>) -> Self::State<D>;
}

impl Variant for Adam {
    fn factors(beta1: f32, beta2: f32, eps: f32, time: i32) -> Factors {
        let root = (1.0 - beta2.powi(time)).sqrt();
        let moment_1 = root / (1.0 - beta1.powi(time));
        Factors { moment_1, moment_1_divisor: 1.0, moment_2_divisor: 1.0, eps: eps * root }
    }

    fn momentum<const D: usize>(state: AdamState<D>) -> AdaptiveMomentumState<D> {
        state.momentum
    }

    fn state<const D: usize>(momentum: AdaptiveMomentumState<D>) -> AdamState<D> {
        AdamState::new(momentum)
    }
}

impl Variant for AdamW {
    fn factors(beta1: f32, beta2: f32, eps: f32, time: i32) -> Factors {
        let (moment_1_divisor, moment_2_divisor) = (1.0 - beta1.powi(time), 1.0 - beta2.powi(time));
        Factors { moment_1: 1.0, moment_1_divisor, moment_2_divisor, eps }
    }

    fn momentum<const D: usize>(state: AdamWState<D>) -> AdaptiveMomentumState<D> {
        state.momentum
    }

    fn state<const D: usize>(momentum: AdaptiveMomentumState<D>) -> AdamWState<D> {
        AdamWState::new(momentum)
    }
}

impl<O: Variant> Optimizer for FusedAdam<O> {
    type State<const D: usize> = O::State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        grad: Tensor<D>,
        state: Option<O::State<D>>,
    ) -> (Tensor<D>, Option<O::State<D>>) {
        let device = parameter.device();
        let state = match state {
            Some(state) if in_main_memory(&parameter) => state,
            state => return self.burn.step(lr, parameter, grad, state),
        };
        let mut momentum = O::momentum(state);
        momentum.time += 1;
        let Factors { moment_1: factor, moment_1_divisor, moment_2_divisor, eps } =
            O::factors(self.beta1, self.beta2, self.eps, momentum.time as i32);
        let kept = (1.0 - lr * f64::from(self.weight_decay)) as f32;
        let lr = lr as f32;
        let (beta1, beta2) = (self.beta1, self.beta2);

        let grad = grad.into_data();
        let mut data = [parameter, momentum.moment_1, momentum.moment_2].map(Tensor::into_data);
        let [p, m, v] = data.each_mut().map(|data| {
            let numbers = data.as_mut_slice::<f32>();
            numbers.expect("parameters and their moments are in f32").par_chunks_mut(CHUNK)
        });
        let g = grad.as_slice::<f32>().expect("gradients are in f32").par_chunks(CHUNK);
        p.zip(m).zip(v).zip(g).for_each(|(((p, m), v), g)| {
            for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
                *m = *m * beta1 + g * (1.0 - beta1);
                *v = *v * beta2 + (g * g) * (1.0 - beta2);
                let moment_1 = *m * factor / moment_1_divisor;
                let delta = moment_1 / ((*v / moment_2_divisor).sqrt() + eps);
                *p = *p * kept - delta * lr;
            }
        });
        let [parameter, moment_1, moment_2] = data.map(|data| Tensor::from_data(data, &device));
        let momentum = AdaptiveMomentumState { moment_1, moment_2, ..momentum };
        (parameter, Some(O::state(momentum)))
    }

    fn to_device<const D: usize>(state: O::State<D>, device: &Device) -> O::State<D> {
        O::to_device(state, device)
    }
}

/// Whether a parameter consists of `f32` in main memory.
pub(crate) fn in_main_memory<const D: usize>(parameter: &Tensor<D>) -> bool {
    has_cpu_kernels(&parameter.device()) && parameter.dtype() == DType::F32
}

#[cfg(test)]
mod tests {
    use burn::optim::{AdamConfig, AdamWConfig};
    use burn::tensor::Distribution;

    use super::*;

    /// Both optimizers on the same gradients, over a parameter of more than a thread's chunk.
    fn assert_same_bytes<O: Variant>(burn: O, weight_decay: f32) {
        let device = Device::flex();
        let random = || Tensor::<2>::random([150, 333], Distribution::Default, &device) - 0.5;
        let (beta1, beta2, eps) = (0.9, 0.99, 1e-8);
        let fused = FusedAdam { burn: burn.clone(), beta1, beta2, eps, weight_decay };
        let start = random();
        let (mut ours, mut theirs) = (start.clone(), start);
        let (mut our_state, mut their_state) = (None, None);
        for step in 1..=5 {
            let (grad, lr) = (random(), 0.01 / f64::from(step));
            (ours, our_state) = fused.step(lr, ours, grad.clone(), our_state);
            (theirs, their_state) = burn.step(lr, theirs, grad, their_state);
            assert_eq!(ours.to_data().as_bytes(), theirs.to_data().as_bytes(), "step {step}");
        }
        let states = [our_state, their_state].map(|state| O::momentum(state.expect("a state")));
        let [ours, theirs] = states.map(|m| (m.time, m.moment_1.to_data(), m.moment_2.to_data()));
        assert!(ours == theirs);
    }

    #[test]
    fn one_pass_gives_the_bytes_of_burns_adam() {
        let config = AdamConfig::new().with_beta_2(0.99).with_epsilon(1e-8);
        assert_same_bytes(config.build(), 0.0);
    }

    #[test]
    fn one_pass_gives_the_bytes_of_burns_adamw() {
        let config = AdamWConfig::new().with_beta_2(0.99).with_epsilon(1e-8);
        assert_same_bytes(config.with_weight_decay(0.1).build(), 0.1);
    }
}
