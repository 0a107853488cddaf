//! The backend extension: a layer and the loss as operations of a backend.
//!
//! [`RecurrentKernels`] is what a backend computes, forward and backward, without autodiff.
//! [`RecurrentOps`] is the same as one differentiable operation each, dispatched by Burn to the
//! backend of the tensors that it is given. A new backend implements the first and is listed in the
//! attribute of the second.

mod autodiff;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod cpu;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType, TensorMetadata, backend_extension};
use burn::tensor::DType;

use crate::{Cell, Dropout, Precision};

/// The input of a layer: ids or vectors.
#[derive(ExtensionType, Clone, Debug)]
pub enum LayerInput<B: Backend> {
    /// `[T, N]`, each in `0..D`: stands for its one-hot vector, a column of `W_ih`.
    Ids(IntTensor<B>),
    /// `[T, N, D]`. It may be longer, as the result of the layer below is, which ends in that layer's state: what
    /// follows is not read, and has zeros for gradient.
    Dense(FloatTensor<B>),
}

/// The parameters of one layer, in PyTorch's layout. Zeros stand for an absent bias.
#[derive(ExtensionType, Clone, Debug)]
pub struct LayerWeights<B: Backend> {
    /// `[G*H, D]`
    pub ih: FloatTensor<B>,
    /// `[G*H, H]`
    pub hh: FloatTensor<B>,
    /// `[G*H]`
    pub bias_ih: FloatTensor<B>,
    /// `[G*H]`
    pub bias_hh: FloatTensor<B>,
}

/// The settings of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSpec {
    /// The recurrence.
    pub cell: Cell,
    /// T.
    pub steps: usize,
    /// Dropout of the output; the carried state is never dropped.
    pub dropout: Option<Dropout>,
    /// What the operands of products are rounded to, on the CPU; f32 on other devices.
    pub precision: Precision,
}

/// A layer, its input and its initial state.
#[derive(Clone, Debug)]
pub struct LayerArgs<B: Backend> {
    /// Ids or vectors.
    pub input: LayerInput<B>,
    /// The parameters.
    pub weights: LayerWeights<B>,
    /// `[S, N, H]`, h before c.
    pub state: FloatTensor<B>,
    /// Cell, number of steps and dropout.
    pub spec: LayerSpec,
}

/// The gradients of a layer, shaped as what they are the gradients of.
#[derive(Clone, Debug)]
pub struct LayerGrads<B: Backend> {
    /// As long as the input, where it was asked for.
    pub input: Option<FloatTensor<B>>,
    /// `[G*H, D]`
    pub ih: FloatTensor<B>,
    /// `[G*H, H]`
    pub hh: FloatTensor<B>,
    /// `[G*H]`
    pub bias_ih: FloatTensor<B>,
    /// `[G*H]`
    pub bias_hh: FloatTensor<B>,
    /// `[S, N, H]`
    pub state: FloatTensor<B>,
}

/// The linear layer, its input and the targets: what a loss is computed of.
#[derive(Clone, Debug)]
pub struct LossArgs<B: Backend> {
    /// `[R, H]` (or longer: only the first R rows count).
    pub hidden: FloatTensor<B>,
    /// `[V, H]`
    pub weight: FloatTensor<B>,
    /// `[V]`
    pub bias: FloatTensor<B>,
    /// `[R]`, each in `0..V`.
    pub targets: IntTensor<B>,
    /// What the operands of products are rounded to, on the CPU; f32 on other devices.
    pub precision: Precision,
}

/// The gradients of the loss, shaped as what they are the gradients of.
#[derive(Clone, Debug)]
pub struct LossGrads<B: Backend> {
    /// As long as the hidden states.
    pub hidden: FloatTensor<B>,
    /// `[V, H]`
    pub weight: FloatTensor<B>,
    /// `[V]`
    pub bias: FloatTensor<B>,
}

/// What a backend computes for a layer and for the loss, without autodiff.
pub trait RecurrentKernels: Backend {
    /// What the forward pass of a layer saves for its backward pass.
    type Saved: Clone + Send + std::fmt::Debug + 'static;

    /// One layer over a whole sequence, with nothing saved: see [`RecurrentOps::recurrent_layer`].
    fn layer(args: LayerArgs<Self>) -> FloatTensor<Self>;

    /// The same, and the activations that the backward pass needs.
    fn layer_saving(args: LayerArgs<Self>) -> (FloatTensor<Self>, Self::Saved);

    /// The gradients of the weights, the state and, if `want_input` is set, a dense input. `grad` `[T + S, N, H]` is the
    /// gradient of the result.
    fn layer_backward(
        args: LayerArgs<Self>,
        saved: Self::Saved,
        grad: FloatTensor<Self>,
        want_input: bool,
    ) -> LayerGrads<Self>;

    /// The loss `[1]`: see [`RecurrentOps::linear_cross_entropy`].
    fn loss(args: LossArgs<Self>) -> FloatTensor<Self>;

    /// The same, and its gradients.
    fn loss_with_grads(args: LossArgs<Self>) -> (FloatTensor<Self>, LossGrads<Self>);

    /// See [`RecurrentOps::linear_scores`].
    fn scores(args: LossArgs<Self>) -> FloatTensor<Self>;
}

/// The differentiable operations that this crate adds to Burn's backends.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "gpu"),
    Autodiff
)]
pub trait RecurrentOps: Backend {
    /// One recurrent layer over a whole sequence.
    ///
    /// # Shapes
    /// - `input`: ids `[T, N]` or vectors `[T, N, D]` (or longer)
    /// - `weights`: `[G*H, D]`, `[G*H, H]`, `[G*H]`, `[G*H]`
    /// - `state`: `[S, N, H]`, h before c
    /// - result: `[T + S, N, H]`: the output of each step (after dropout, where there is one),
    ///   then the final state (without). They come in one tensor because an operation of Burn's
    ///   autodiff has one differentiable result.
    fn recurrent_layer(
        #[extension_type] input: LayerInput<Self>,
        #[extension_type] weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> FloatTensor<Self>;

    /// The mean over R rows of the cross-entropy, in nats, between `softmax(W h + b)` and the
    /// target of the row.
    ///
    /// # Shapes
    /// - `hidden`: `[R, H]` (or longer: only the first R rows count), `weight`: `[V, H]`, `bias`: `[V]`
    /// - `targets`: `[R]`, each in `0..V`
    /// - result: `[1]`
    fn linear_cross_entropy(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self>;

    /// For evaluation: the sum of the same cross-entropies, in nats, and the number of rows whose target is the most
    /// likely. Not differentiable.
    ///
    /// # Shapes
    /// As [`linear_cross_entropy`](Self::linear_cross_entropy); the result is `[2]`.
    fn linear_scores(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self>;
}

/// Outside autodiff an operation is its kernel.
impl<B: RecurrentKernels> RecurrentOps for B {
    fn recurrent_layer(
        input: LayerInput<Self>,
        weights: LayerWeights<Self>,
        state: FloatTensor<Self>,
        spec: LayerSpec,
    ) -> FloatTensor<Self> {
        check_dtype(&state);
        Self::layer(LayerArgs { input, weights, state, spec })
    }

    fn linear_cross_entropy(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        check_dtype(&hidden);
        Self::loss(LossArgs { hidden, weight, bias, targets, precision })
    }

    fn linear_scores(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        targets: IntTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        check_dtype(&hidden);
        Self::scores(LossArgs { hidden, weight, bias, targets, precision })
    }
}

/// Panics unless the tensor is of the type that the kernels compute in.
fn check_dtype(tensor: &impl TensorMetadata) {
    assert_eq!(tensor.dtype(), DType::F32, "recurrent layers and their loss compute in f32");
}
