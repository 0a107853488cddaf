//! [`LoadOnCpu`]: an optimizer whose state is loaded without Burn's default device.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// An optimizer that loads its state on the CPU.
///
/// [`ModuleOptimizer::load_record`](burn::optim::ModuleOptimizer::load_record) takes no device. It creates the state on
/// Burn's default device, which is a GPU wherever a GPU backend is built in, and panics without such a device. The first step
/// moves the state to the device of the gradient, wherever it was created. So it is created on the CPU, if a CPU backend
/// is built in.
#[derive(Clone)]
pub(crate) struct LoadOnCpu<O>(pub O);

/// The state of the optimizer inside.
#[derive(Clone)]
pub(crate) struct CpuLoaded<S>(S);

impl<O: Optimizer> Optimizer for LoadOnCpu<O> {
    type State<const D: usize> = CpuLoaded<O::State<D>>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        parameter: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (parameter, state) = self.0.step(lr, parameter, grad, state.map(|state| state.0));
        (parameter, state.map(CpuLoaded))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        CpuLoaded(O::to_device(state.0, device))
    }
}

impl<S: RecordState> RecordState for CpuLoaded<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        S::state_unflatten(prefix, source, &cpu().unwrap_or_else(|| device.clone())).map(Self)
    }
}

#[cfg(feature = "flex")]
fn cpu() -> Option<Device> {
    Some(Device::flex())
}

#[cfg(all(feature = "ndarray", not(feature = "flex")))]
#[allow(deprecated, reason = "kept for as long as Burn ships it")]
fn cpu() -> Option<Device> {
    Some(Device::ndarray())
}

#[cfg(not(any(feature = "flex", feature = "ndarray")))]
fn cpu() -> Option<Device> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers on which device it was loaded.
    struct Probe(Device);

    impl RecordState for Probe {
        fn state_flatten(&self, _prefix: &str, _out: &mut StateSink) {}

        fn state_unflatten(_: &str, _: &mut StateSource, device: &Device) -> Option<Self> {
            Some(Self(device.clone()))
        }
    }

    #[test]
    fn state_is_not_loaded_on_the_device_that_burn_gives() {
        let given = Device::flex().autodiff();
        let loaded = CpuLoaded::<Probe>::state_unflatten("", &mut StateSource::default(), &given);
        // Only autodiff differs between the two: there is one CPU.
        assert!(!loaded.unwrap().0.0.is_autodiff());
    }
}
