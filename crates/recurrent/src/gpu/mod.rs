//! Layers and loss on GPUs: the recurrence in CubeCL kernels, one launch for a whole sequence, the rest in tensor operations.

mod fusion;
mod kernels;
mod layer;
mod loss;
mod prim_tensor;
mod recurrence;

use burn::backend::Cube;
use burn::backend::tensor::{FloatTensor, IntTensor};

use crate::ops::{LayerArgs, LayerGrads, LossGrads, RecurrentKernels};

impl RecurrentKernels for Cube {
    type Saved = recurrence::SavedActivations;

    fn layer(args: LayerArgs<Self>) -> FloatTensor<Self> {
        layer::forward(args).0
    }

    fn layer_saving(args: LayerArgs<Self>) -> (FloatTensor<Self>, Self::Saved) {
        layer::forward(args)
    }

    fn layer_backward(
        args: LayerArgs<Self>,
        saved: Self::Saved,
        grad: FloatTensor<Self>,
        want_input: bool,
    ) -> LayerGrads<Self> {
        layer::backward(args, saved, grad, want_input)
    }

    fn loss(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        want_grads: bool,
    ) -> (FloatTensor<Self>, Option<LossGrads<Self>>) {
        loss::linear_cross_entropy(hidden, weight, bias, targets, want_grads)
    }

    fn scores(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        loss::linear_scores(hidden, weight, bias, targets)
    }
}
