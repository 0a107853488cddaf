//! The backends whose tensors are in main memory: flex and ndarray, with the kernels of [`cpu`].

use std::sync::Arc;

use burn::backend::tensor::{Device, FloatTensor, IntTensor};
use burn::backend::{Backend, TensorData, TensorMetadata};

use super::{
    LayerArgs, LayerGrads, LayerInput, LayerSpec, LayerWeights, LossArgs, LossGrads,
    RecurrentKernels,
};
use crate::{Precision, cpu};

/// A backend whose tensors the CPU can read.
pub trait CpuBackend: Backend {
    /// A contiguous float tensor.
    type Floats: Clone + Send + std::fmt::Debug;

    /// Makes a tensor in f32 contiguous.
    fn floats(tensor: &FloatTensor<Self>) -> Self::Floats;

    /// The elements of a contiguous tensor.
    fn slice(floats: &Self::Floats) -> &[f32];

    /// The elements of an integer tensor.
    fn integers(tensor: &IntTensor<Self>) -> Vec<i32>;

    /// A tensor with these elements.
    fn tensor(values: Vec<f32>, shape: &[usize], device: &Device<Self>) -> FloatTensor<Self> {
        Self::float_from_data(TensorData::new(values, shape.to_vec()), device)
    }
}

impl<B: CpuBackend> RecurrentKernels for B {
    type Saved = Arc<cpu::SavedActivations>;

    fn layer(args: LayerArgs<Self>) -> FloatTensor<Self> {
        Layer::<B>::new(&args).forward(None)
    }

    fn layer_saving(args: LayerArgs<Self>) -> (FloatTensor<Self>, Self::Saved) {
        let layer = Layer::<B>::new(&args);
        let cpu::Dims { t, n, h, .. } = layer.dims;
        let mut saved = cpu::SavedActivations::new(layer.spec.cell, t, n, h);
        let out = layer.forward(Some(&mut saved));
        (out, Arc::new(saved))
    }

    fn layer_backward(
        args: LayerArgs<Self>,
        saved: Self::Saved,
        grad: FloatTensor<Self>,
        want_input: bool,
    ) -> LayerGrads<Self> {
        Layer::<B>::new(&args).backward(&saved, &grad, want_input)
    }

    fn loss(args: LossArgs<Self>) -> FloatTensor<Self> {
        let inputs = LossInputs::<B>::new(&args);
        let (hidden, linear, targets) = inputs.slices();
        let loss = cpu::linear_cross_entropy(hidden, linear, targets, cpu::Reduction::Mean);
        B::tensor(vec![loss as f32], &[1], &args.hidden.device())
    }

    fn loss_with_grads(args: LossArgs<Self>) -> (FloatTensor<Self>, LossGrads<Self>) {
        let device = args.hidden.device();
        let inputs = LossInputs::<B>::new(&args);
        let (hidden, linear, targets) = inputs.slices();
        let mean = cpu::Reduction::Mean;
        let (loss, grads) = cpu::linear_cross_entropy_training(hidden, linear, targets, mean);
        let cpu::Linear { h, v, .. } = linear;
        let grads = LossGrads {
            hidden: B::tensor(grads.hidden, &[hidden.len() / h, h], &device),
            weight: B::tensor(grads.weight, &[v, h], &device),
            bias: B::tensor(grads.bias, &[v], &device),
        };
        (B::tensor(vec![loss as f32], &[1], &device), grads)
    }

    fn scores(args: LossArgs<Self>) -> FloatTensor<Self> {
        let inputs = LossInputs::<B>::new(&args);
        let (hidden, linear, targets) = inputs.slices();
        let scores = cpu::linear_scores(hidden, linear, targets);
        B::tensor(vec![scores.nll as f32, scores.hits as f32], &[2], &args.hidden.device())
    }
}

/// The tensors of the loss as the kernels take them.
struct LossInputs<B: CpuBackend> {
    hidden: B::Floats,
    weight: B::Floats,
    bias: B::Floats,
    targets: Vec<i32>,
    size: [usize; 2],
    precision: Precision,
}

impl<B: CpuBackend> LossInputs<B> {
    fn new(LossArgs { hidden, weight, bias, targets, precision }: &LossArgs<B>) -> Self {
        Self {
            precision: *precision,
            hidden: B::floats(hidden),
            weight: B::floats(weight),
            bias: B::floats(bias),
            targets: B::integers(targets),
            size: weight.shape().dims(),
        }
    }

    /// The hidden states, the linear layer and the targets.
    fn slices(&self) -> (&[f32], cpu::Linear<'_>, &[i32]) {
        let [v, h] = self.size;
        let (weight, bias) = (B::slice(&self.weight), B::slice(&self.bias));
        let linear = cpu::Linear { h, v, weight, bias, precision: self.precision };
        (B::slice(&self.hidden), linear, &self.targets)
    }
}

/// A layer's tensors as the kernels take them.
struct Layer<B: CpuBackend> {
    spec: LayerSpec,
    dims: cpu::Dims,
    input: Input<B>,
    weights: [B::Floats; 4],
    state: B::Floats,
    device: Device<B>,
}

enum Input<B: CpuBackend> {
    Ids(Vec<i32>),
    Dense(B::Floats),
}

impl<B: CpuBackend> Layer<B> {
    fn new(LayerArgs { input, weights, state, spec }: &LayerArgs<B>) -> Self {
        let [_, n, h] = state.shape().dims();
        let [_, d] = weights.ih.shape().dims();
        let LayerWeights { ih, hh, bias_ih, bias_hh } = weights;
        Self {
            spec: *spec,
            dims: cpu::Dims { t: spec.steps, n, d, h },
            input: match input {
                LayerInput::Ids(ids) => Input::Ids(B::integers(ids)),
                LayerInput::Dense(x) => Input::Dense(B::floats(x)),
            },
            weights: [ih, hh, bias_ih, bias_hh].map(B::floats),
            state: B::floats(state),
            device: state.device(),
        }
    }

    fn args(&self) -> cpu::SequenceArgs<'_> {
        let [w_ih, w_hh, b_ih, b_hh] = self.weights.each_ref().map(B::slice);
        cpu::SequenceArgs {
            cell: self.spec.cell,
            dims: self.dims,
            input: match &self.input {
                Input::Ids(ids) => cpu::Input::Ids(ids),
                Input::Dense(x) => cpu::Input::Dense(B::slice(x)),
            },
            weights: cpu::Weights { w_ih, w_hh, b_ih, b_hh },
            precision: self.spec.precision,
            dropout: self.spec.dropout,
        }
    }

    fn tensor(&self, values: Vec<f32>, shape: &[usize]) -> FloatTensor<B> {
        B::tensor(values, shape, &self.device)
    }

    fn forward(&self, saved: Option<&mut cpu::SavedActivations>) -> FloatTensor<B> {
        let cpu::Dims { t, n, h, .. } = self.dims;
        let rows = t + self.spec.cell.states();
        let mut out = vec![0.0; rows * n * h];
        cpu::forward(&self.args(), B::slice(&self.state), &mut out, saved);
        self.tensor(out, &[rows, n, h])
    }

    fn backward(
        &self,
        saved: &cpu::SavedActivations,
        grad: &FloatTensor<B>,
        want_input: bool,
    ) -> LayerGrads<B> {
        let cpu::Dims { n, d, h, .. } = self.dims;
        let grad = B::floats(grad);
        let cpu::Grads { weights, state, input } =
            cpu::backward(&self.args(), saved, B::slice(&grad), want_input);
        let rows = self.spec.cell.gates() * h;
        LayerGrads {
            input: input.map(|grad| {
                let steps = grad.len() / (n * d);
                self.tensor(grad, &[steps, n, d])
            }),
            ih: self.tensor(weights.w_ih, &[rows, d]),
            hh: self.tensor(weights.w_hh, &[rows, h]),
            bias_ih: self.tensor(weights.b_ih, &[rows]),
            bias_hh: self.tensor(weights.b_hh, &[rows]),
            state: self.tensor(state, &[self.spec.cell.states(), n, h]),
        }
    }
}

/// Burn's pure-Rust CPU backend: its tensors are used in place.
#[cfg(feature = "flex")]
mod flex {
    use burn::backend::Flex;
    use burn::backend::flex::FlexTensor;

    impl super::CpuBackend for Flex {
        type Floats = FlexTensor;

        fn floats(tensor: &FlexTensor) -> FlexTensor {
            tensor.to_contiguous()
        }

        fn slice(floats: &FlexTensor) -> &[f32] {
            floats.as_slice().expect("the tensor is contiguous and in f32")
        }

        fn integers(tensor: &FlexTensor) -> Vec<i32> {
            let tensor = tensor.to_contiguous();
            match tensor.as_slice::<i32>() {
                Some(ids) => ids.to_vec(),
                None => tensor.into_data().iter::<i32>().collect(),
            }
        }
    }
}

/// Burn's older CPU backend: its tensors are copied.
#[cfg(feature = "ndarray")]
#[allow(deprecated, reason = "kept for as long as Burn ships it")]
mod ndarray {
    use burn::backend::ops::{FloatTensorOps, IntTensorOps};
    use burn::backend::tensor::{FloatTensor, IntTensor};
    use burn::backend::{NdArray, TensorData};
    use burn::tensor::read_sync;

    impl super::CpuBackend for NdArray {
        type Floats = TensorData;

        fn floats(tensor: &FloatTensor<Self>) -> TensorData {
            let read = read_sync(Self::float_into_data(tensor.clone()));
            read.expect("tensors of this backend are in memory")
        }

        fn slice(floats: &TensorData) -> &[f32] {
            floats.as_slice().expect("the tensor is in f32")
        }

        fn integers(tensor: &IntTensor<Self>) -> Vec<i32> {
            let read = read_sync(Self::int_into_data(tensor.clone()));
            read.expect("tensors of this backend are in memory").iter::<i32>().collect()
        }
    }
}
