//! Linear layer, softmax and cross-entropy in tensor operations of any backend.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::IndexingUpdateOp;

use super::Raw;
use crate::ops::LossGrads;

/// See [`RecurrentOps::linear_cross_entropy`](crate::ops::RecurrentOps::linear_cross_entropy).
pub(crate) fn linear_cross_entropy<B: Backend>(
    hidden: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    targets: IntTensor<B>,
    want_grads: bool,
) -> (FloatTensor<B>, Option<LossGrads<B>>) {
    let (hidden, weight) = (Raw::<B>(hidden), Raw::<B>(weight));
    let ([length, _], [rows]) = (hidden.dims(), targets.shape().dims());
    let share = 1.0 / rows as f32;
    let hidden = hidden.rows(0..rows);
    let (log_probs, targets) = (log_probs(&hidden, &weight, bias), column::<B>(targets));
    let picked = Raw::<B>(B::float_gather(1, log_probs.0.clone(), targets.clone()));
    let loss = picked.clone().sum_rows().scale(-share);

    let grads = want_grads.then(|| {
        let probs = Raw::<B>(B::float_exp(log_probs.0));
        let ones = picked.zeros_like(&[rows, 1]).one_minus().scale(-1.0);
        let grad_logits = B::float_scatter(1, probs.0, targets, ones.0, IndexingUpdateOp::Add);
        let grad_logits = Raw::<B>(grad_logits).scale(share);
        LossGrads {
            hidden: grad_logits.clone().matmul(weight).padded(length).0,
            weight: grad_logits.clone().t().matmul(hidden).0,
            bias: grad_logits.sum_rows().0,
        }
    });
    (loss.0, grads)
}

/// See [`RecurrentOps::linear_scores`](crate::ops::RecurrentOps::linear_scores).
pub(crate) fn linear_scores<B: Backend>(
    hidden: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    targets: IntTensor<B>,
) -> FloatTensor<B> {
    let (hidden, weight) = (Raw::<B>(hidden), Raw::<B>(weight));
    let [rows] = targets.shape().dims();
    let (log_probs, targets) =
        (log_probs(&hidden.rows(0..rows), &weight, bias), column::<B>(targets));
    let nats = Raw::<B>(B::float_gather(1, log_probs.0.clone(), targets.clone()));
    let nats = nats.sum_rows().scale(-1.0);
    let likeliest = B::float_argmax(log_probs.0, 1, targets.dtype().into());
    // 0 where they are the same, 1 where not.
    let misses = B::int_sign(B::int_abs(B::int_sub(likeliest, targets)));
    let hits = Raw::<B>(B::int_into_float(misses, nats.0.dtype().into())).one_minus().sum_rows();
    Raw::cat(vec![nats, hits], 0).0
}

/// The logarithms of the probabilities, `[R, V]`.
fn log_probs<B: Backend>(hidden: &Raw<B>, weight: &Raw<B>, bias: FloatTensor<B>) -> Raw<B> {
    let [v, _] = weight.dims();
    let bias = Raw::<B>(bias).reshape(&[1, v]);
    Raw(B::log_softmax((hidden.clone().matmul(weight.clone().t()) + bias).0, 1))
}

/// `[R]` to `[R, 1]`.
fn column<B: Backend>(targets: IntTensor<B>) -> IntTensor<B> {
    let [rows] = targets.shape().dims();
    B::int_reshape(targets, vec![rows, 1].into())
}
