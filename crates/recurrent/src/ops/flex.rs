//! Burn's pure-Rust CPU backend: the hand-written kernels, on the tensors' own memory.
//!
//! The kernels are for single precision; any other goes the generic way.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorData, TensorMetadata};
use burn::tensor::DType;

use super::{LayerGrads, LayerInput, LayerSpec, LayerWeights, LossGrads, RecurrentKernels};
use crate::{cpu, generic};

/// What the forward pass keeps, whichever way it went.
#[derive(Clone, Debug)]
pub enum FlexSaved {
    /// The kernels' buffers.
    Kernel(Arc<cpu::Saved>),
    /// Tensors.
    Generic(generic::Saved<Flex>),
}

impl RecurrentKernels for Flex {
    type Saved = FlexSaved;

    fn layer(
        input: LayerInput<Self>,
        weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> FloatTensor<Self> {
        if state.dtype() != DType::F32 {
            return generic::forward(input, weights, state, spec).0;
        }
        Layer::new(&input, &weights, &state, spec).forward(None)
    }

    fn layer_saving(
        input: LayerInput<Self>,
        weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> (FloatTensor<Self>, Self::Saved) {
        if state.dtype() != DType::F32 {
            let (out, saved) = generic::forward(input, weights, state, spec);
            return (out, FlexSaved::Generic(saved));
        }
        let layer = Layer::new(&input, &weights, &state, spec);
        let cpu::Dims { t, n, h, .. } = layer.dims;
        let mut saved = cpu::Saved::new(spec.cell, t, n, h);
        let out = layer.forward(Some(&mut saved));
        (out, FlexSaved::Kernel(Arc::new(saved)))
    }

    fn layer_backward(
        input: LayerInput<Self>,
        weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        saved: Self::Saved,
        grad: FloatTensor<Self>,
        spec: LayerSpec,
        want_input: bool,
    ) -> LayerGrads<Self> {
        match saved {
            FlexSaved::Generic(saved) => {
                generic::backward(input, weights, state, saved, grad, spec, want_input)
            }
            FlexSaved::Kernel(saved) => {
                Layer::new(&input, &weights, &state, spec).backward(&saved, &grad, want_input)
            }
        }
    }

    fn loss(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        want_grads: bool,
    ) -> (FloatTensor<Self>, Option<LossGrads<Self>>) {
        if hidden.dtype() != DType::F32 {
            return generic::linear_cross_entropy(hidden, weight, bias, targets, want_grads);
        }
        let [v, h] = weight.shape().dims();
        let [rows, _] = hidden.shape().dims();
        let (hidden, weight, bias) = (floats(&hidden), floats(&weight), floats(&bias));
        let (weight, bias) = (slice(&weight), slice(&bias));
        let linear = cpu::Linear { h, v, weight, bias };
        let (hidden, targets) = (slice(&hidden), integers(&targets));
        let mean = cpu::Reduction::Mean;
        let scalar = |loss: f64| tensor(vec![loss as f32], &[1]);
        if !want_grads {
            return (scalar(cpu::linear_cross_entropy(hidden, linear, &targets, mean)), None);
        }
        let (loss, grads) = cpu::linear_cross_entropy_training(hidden, linear, &targets, mean);
        let grads = LossGrads {
            hidden: tensor(grads.hidden, &[rows, h]),
            weight: tensor(grads.weight, &[v, h]),
            bias: tensor(grads.bias, &[v]),
        };
        (scalar(loss), Some(grads))
    }
}

super::plain::undifferentiated!(Flex);

/// A layer's tensors as the kernels take them.
struct Layer {
    spec: LayerSpec,
    dims: cpu::Dims,
    input: Input,
    weights: [FlexTensor; 4],
    state: FlexTensor,
}

enum Input {
    Ids(Vec<i32>),
    Dense(FlexTensor),
}

impl Layer {
    fn new(
        input: &LayerInput<Flex>,
        weights: &LayerWeights<Flex>,
        state: &FlexTensor,
        spec: LayerSpec,
    ) -> Self {
        let [_, n, h] = state.shape().dims();
        let [_, d] = weights.ih.shape().dims();
        let (t, input) = match input {
            LayerInput::Ids(ids) => (ids.shape()[0], Input::Ids(integers(ids))),
            LayerInput::Dense(x) => (x.shape()[0], Input::Dense(floats(x))),
        };
        let LayerWeights { ih, hh, bias_ih, bias_hh } = weights;
        Self {
            spec,
            dims: cpu::Dims { t, n, d, h },
            input,
            weights: [ih, hh, bias_ih, bias_hh].map(floats),
            state: floats(state),
        }
    }

    fn input(&self) -> cpu::Input<'_> {
        match &self.input {
            Input::Ids(ids) => cpu::Input::Ids(ids),
            Input::Dense(x) => cpu::Input::Dense(slice(x)),
        }
    }

    fn weights(&self) -> cpu::Weights<'_> {
        let [w_ih, w_hh, b_ih, b_hh] = self.weights.each_ref().map(slice);
        cpu::Weights { w_ih, w_hh, b_ih, b_hh }
    }

    fn forward(&self, saved: Option<&mut cpu::Saved>) -> FlexTensor {
        let Self { spec, dims, .. } = self;
        let rows = dims.t + spec.cell.states();
        let mut out = vec![0.0; rows * dims.n * dims.h];
        let (input, weights, state) = (self.input(), self.weights(), slice(&self.state));
        cpu::forward(spec.cell, *dims, input, &weights, state, spec.dropout, &mut out, saved);
        tensor(out, &[rows, dims.n, dims.h])
    }

    fn backward(
        &self,
        saved: &cpu::Saved,
        grad: &FlexTensor,
        want_input: bool,
    ) -> LayerGrads<Flex> {
        let Self { spec, dims, .. } = self;
        let cpu::Dims { t, n, d, h } = *dims;
        let (input, weights, grad) = (self.input(), self.weights(), floats(grad));
        let found = cpu::backward(
            spec.cell,
            *dims,
            input,
            &weights,
            spec.dropout,
            saved,
            slice(&grad),
            want_input,
        );
        let rows = spec.cell.gates() * h;
        LayerGrads {
            input: found.input.map(|grad| tensor(grad, &[t, n, d])),
            ih: tensor(found.w_ih, &[rows, d]),
            hh: tensor(found.w_hh, &[rows, h]),
            bias_ih: tensor(found.b_ih, &[rows]),
            bias_hh: tensor(found.b_hh, &[rows]),
            state: tensor(found.state, &[spec.cell.states(), n, h]),
        }
    }
}

/// The tensor in one contiguous piece.
fn floats(tensor: &FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

fn slice(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("the tensor is contiguous and in single precision")
}

fn integers(tensor: &FlexTensor) -> Vec<i32> {
    let tensor = tensor.to_contiguous();
    match tensor.as_slice::<i32>() {
        Some(ids) => ids.to_vec(),
        None => tensor.into_data().iter::<i32>().collect(),
    }
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}
