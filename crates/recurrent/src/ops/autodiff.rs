//! The operations as nodes of Burn's autodiff graph, with hand-written gradients.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, AutodiffBackend, TensorMetadata};

use super::{
    LayerArgs, LayerInput, LayerSpec, LayerWeights, LossArgs, LossGrads, RecurrentKernels,
    RecurrentOps, check_dtype,
};
use crate::Precision;

/// What the backward pass of a layer needs of its forward pass.
#[derive(Clone, Debug)]
struct LayerState<B: RecurrentKernels> {
    args: LayerArgs<B>,
    saved: B::Saved,
}

/// Parents: W_ih, W_hh, b_ih, b_hh, state and, for a dense input, the input.
#[derive(Debug)]
struct LayerBackward;

impl<B: RecurrentKernels, const P: usize> Backward<B, P> for LayerBackward {
    type State = LayerState<B>;

    fn backward(
        self,
        ops: Ops<Self::State, P>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let LayerState { args, saved } = ops.state;
        let want_input = ops.parents.get(5).is_some_and(Option::is_some);
        let found = B::layer_backward(args, saved, grad, want_input);
        let found = [
            Some(found.ih),
            Some(found.hh),
            Some(found.bias_ih),
            Some(found.bias_hh),
            Some(found.state),
            found.input,
        ];
        for (parent, grad) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(grad)) = (parent, grad) {
                grads.register::<B>(parent.id, grad);
            }
        }
    }
}

/// The gradients are made in the forward pass, where the probabilities are at hand.
#[derive(Debug)]
struct LossBackward;

impl<B: RecurrentKernels> Backward<B, 3> for LossBackward {
    type State = LossGrads<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let above = grads.consume::<B>(&ops.node);
        let LossGrads { hidden, weight, bias } = ops.state;
        for (parent, grad) in ops.parents.into_iter().zip([hidden, weight, bias]) {
            if let Some(parent) = parent {
                let rank = grad.shape().num_dims();
                let above = B::float_reshape(above.clone(), vec![1; rank].into());
                grads.register::<B>(parent.id, B::float_mul(grad, above));
            }
        }
    }
}

impl<B: RecurrentKernels, C: CheckpointStrategy> RecurrentOps for Autodiff<B, C> {
    fn recurrent_layer(
        input: LayerInput<Self>,
        weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> FloatTensor<Self> {
        let [ih, hh] = [weights.ih.clone(), weights.hh.clone()];
        let [bias_ih, bias_hh] = [weights.bias_ih.clone(), weights.bias_hh.clone()];
        let weights = LayerWeights::<B> {
            ih: weights.ih.into_primitive(),
            hh: weights.hh.into_primitive(),
            bias_ih: weights.bias_ih.into_primitive(),
            bias_hh: weights.bias_hh.into_primitive(),
        };
        let initial = state.clone();
        let state = state.into_primitive();
        check_dtype(&state);
        match input {
            LayerInput::Ids(ids) => {
                let parents = [ih, hh, bias_ih, bias_hh, initial];
                let input = LayerInput::Ids(ids);
                node::<B, C, 5>(parents, LayerArgs { input, weights, state, spec })
            }
            LayerInput::Dense(x) => {
                let parents = [ih, hh, bias_ih, bias_hh, initial, x.clone()];
                let input = LayerInput::Dense(x.into_primitive());
                node::<B, C, 6>(parents, LayerArgs { input, weights, state, spec })
            }
        }
    }

    fn linear_cross_entropy(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let nodes = [hidden.node(), weight.node(), bias.node()];
        let [hidden, weight, bias] = [hidden, weight, bias].map(|x| x.into_primitive());
        check_dtype(&hidden);
        let args = LossArgs { hidden, weight, bias, targets, precision };
        match Backward::<B, 3>::prepare::<C>(LossBackward, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (loss, grads) = B::loss_with_grads(args);
                prep.finish(grads, loss)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::loss(args)),
        }
    }

    fn linear_scores(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let [hidden, weight, bias] = [hidden, weight, bias].map(|x| x.into_primitive());
        check_dtype(&hidden);
        Self::from_inner(B::scores(LossArgs { hidden, weight, bias, targets, precision }))
    }
}

/// A layer as a node of the graph with P parents; an ordinary computation where none is tracked.
fn node<B: RecurrentKernels, C: CheckpointStrategy, const P: usize>(
    parents: [FloatTensor<Autodiff<B, C>>; P],
    args: LayerArgs<B>,
) -> FloatTensor<Autodiff<B, C>> {
    let parents = parents.map(|parent| parent.node());
    match Backward::<B, P>::prepare::<C>(LayerBackward, parents).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (out, saved) = B::layer_saving(args.clone());
            prep.finish(LayerState { args, saved }, out)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::layer(args)),
    }
}
