//! All GPUs: the generic layers, on which the `gpu` module takes over the walk through the sequence.

use burn::backend::Cube;
use burn::backend::tensor::FloatTensor;

use super::plain::undifferentiated;
use super::{LayerGrads, LayerInput, LayerSpec, LayerWeights, RecurrentKernels};
use crate::generic;

impl RecurrentKernels for Cube {
    type Saved = generic::Walked<Self>;

    fn layer_saving(
        input: LayerInput<Self>,
        weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> (FloatTensor<Self>, Self::Saved) {
        generic::forward(input, weights, state, spec)
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
        generic::backward(input, weights, state, saved, grad, spec, want_input)
    }
}

undifferentiated!(Cube);
