//! All GPUs: the generic layers, on which the `gpu` module takes over the walk through the sequence.

use burn::backend::Cube;
use burn::backend::tensor::{FloatTensor, IntTensor};

use super::plain::undifferentiated;
use super::{LayerGrads, LayerInput, LayerSpec, LayerWeights, LossGrads, RecurrentKernels};
use crate::generic;

impl RecurrentKernels for Cube {
    type Saved = generic::Walked<Self>;

    fn layer(
        input: LayerInput<Self>,
        weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> FloatTensor<Self> {
        generic::forward(input, weights, state, spec).0
    }

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

    fn loss(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        want_grads: bool,
    ) -> (FloatTensor<Self>, Option<LossGrads<Self>>) {
        generic::linear_cross_entropy(hidden, weight, bias, targets, want_grads)
    }

    fn scores(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        generic::linear_scores::<Self>(hidden, weight, bias, targets)
    }
}

undifferentiated!(Cube);
