//! Linear layer, softmax and cross-entropy in tensor operations.

use burn::backend::ops::{ActivationOps, FloatTensorOps, IntTensorOps};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::IndexingUpdateOp;

use super::prim_tensor::{PrimTensor, column};
use crate::ops::LossGrads;

/// See [`RecurrentOps::linear_cross_entropy`](crate::ops::RecurrentOps::linear_cross_entropy).
pub fn linear_cross_entropy(
    hidden: FloatTensor<Cube>,
    weight: FloatTensor<Cube>,
    bias: FloatTensor<Cube>,
    targets: IntTensor<Cube>,
    want_grads: bool,
) -> (FloatTensor<Cube>, Option<LossGrads<Cube>>) {
    let (hidden, weight) = (PrimTensor(hidden), PrimTensor(weight));
    let ([length, _], [rows]) = (hidden.dims(), targets.shape().dims());
    let share = 1.0 / rows as f32;
    let hidden = hidden.rows(0..rows);
    let (log_probs, targets) = (log_probs(&hidden, &weight, bias), column(targets));
    let picked = PrimTensor(Cube::float_gather(1, log_probs.0.clone(), targets.clone()));
    let loss = picked.clone().sum_rows().scale(-share);

    let grads = want_grads.then(|| {
        let probs = PrimTensor(Cube::float_exp(log_probs.0));
        let ones = picked.zeros_like(&[rows, 1]).one_minus().scale(-1.0);
        let grad_logits = Cube::float_scatter(1, probs.0, targets, ones.0, IndexingUpdateOp::Add);
        let grad_logits = PrimTensor(grad_logits).scale(share);
        LossGrads {
            hidden: grad_logits.clone().matmul(weight).padded(length).0,
            weight: grad_logits.clone().t().matmul(hidden).0,
            bias: grad_logits.sum_rows().0,
        }
    });
    (loss.0, grads)
}

/// See [`RecurrentOps::linear_scores`](crate::ops::RecurrentOps::linear_scores).
pub fn linear_scores(
    hidden: FloatTensor<Cube>,
    weight: FloatTensor<Cube>,
    bias: FloatTensor<Cube>,
    targets: IntTensor<Cube>,
) -> FloatTensor<Cube> {
    let (hidden, weight) = (PrimTensor(hidden), PrimTensor(weight));
    let [rows] = targets.shape().dims();
    let (log_probs, targets) = (log_probs(&hidden.rows(0..rows), &weight, bias), column(targets));
    let nll = PrimTensor(Cube::float_gather(1, log_probs.0.clone(), targets.clone()));
    let nll = nll.sum_rows().scale(-1.0);
    let predicted = Cube::float_argmax(log_probs.0, 1, targets.dtype().into());
    // 0 where the prediction is the target, else 1.
    let misses = Cube::int_sign(Cube::int_abs(Cube::int_sub(predicted, targets)));
    let hits =
        PrimTensor(Cube::int_into_float(misses, nll.0.dtype().into())).one_minus().sum_rows();
    PrimTensor::cat(vec![nll, hits], 0).0
}

/// The logarithms of the probabilities, `[R, V]`.
fn log_probs(hidden: &PrimTensor, weight: &PrimTensor, bias: FloatTensor<Cube>) -> PrimTensor {
    let [v, _] = weight.dims();
    let bias = PrimTensor(bias).reshape(&[1, v]);
    PrimTensor(Cube::log_softmax((hidden.clone().matmul(weight.clone().t()) + bias).0, 1))
}
