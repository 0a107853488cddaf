//! Layers and loss on GPUs: the recurrence in CubeCL kernels, one launch for a whole sequence, the rest in tensor operations.

mod fusion;
mod kernels;
mod layer;
mod loss;
mod prim_tensor;
mod recurrence;

use burn::backend::Cube;
use burn::backend::tensor::FloatTensor;

use crate::ops::{LayerArgs, LayerGrads, LossArgs, LossGrads, RecurrentKernels};

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

    fn loss(args: LossArgs<Self>) -> FloatTensor<Self> {
        loss::linear_cross_entropy(args)
    }

    fn loss_with_grads(args: LossArgs<Self>) -> (FloatTensor<Self>, LossGrads<Self>) {
        loss::linear_cross_entropy_with_grads(args)
    }

    fn scores(args: LossArgs<Self>) -> FloatTensor<Self> {
        loss::linear_scores(args)
    }
}
