//! The loss of a language model's last layer.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::Precision;
use crate::ops::RecurrentOps;

/// Mean cross-entropy, in nats, of `softmax(hidden · weightᵀ + bias)` against the targets, as one
/// differentiable operation: the logits of all rows need not exist at once.
///
/// # Shapes
/// - `hidden`: `[R, H]` or longer (only the first R rows count), `weight`: `[V, H]` (PyTorch's layout), `bias`: `[V]`
/// - `targets`: `[R]`, each in `0..V`
/// - result: `[1]`
///
/// `precision` is that of the products, on the CPU.
pub fn linear_cross_entropy(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    targets: Tensor<1, Int>,
    precision: Precision,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::linear_cross_entropy(
        hidden.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        targets.into_dispatch(),
        precision,
    ))
}

/// The sum of the same cross-entropies, in nats, and the number of targets that were the most likely. It isn't
/// differentiable.
///
/// # Shapes
/// As [`linear_cross_entropy`]; the result is `[2]`.
pub fn linear_scores(
    hidden: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    targets: Tensor<1, Int>,
    precision: Precision,
) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::linear_scores(
        hidden.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        targets.into_dispatch(),
        precision,
    ))
}
