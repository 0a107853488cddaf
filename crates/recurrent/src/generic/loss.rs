//! Linear layer, softmax and cross-entropy in tensor operations of any backend.

use burn::backend::Backend;
use burn::backend::tensor::{FloatTensor, IntTensor};
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
    let [rows, _] = hidden.dims();
    let [v, _] = weight.dims();
    let share = 1.0 / rows as f32;
    let bias = Raw::<B>(bias).reshape(&[1, v]);
    let logits = hidden.clone().matmul(weight.clone().t()) + bias;
    let targets = B::int_reshape(targets, vec![rows, 1].into());
    let log_probs = Raw::<B>(B::log_softmax(logits.0, 1));
    let picked = Raw::<B>(B::float_gather(1, log_probs.0.clone(), targets.clone()));
    let loss = picked.clone().sum_rows().scale(-share);

    let grads = want_grads.then(|| {
        let probs = Raw::<B>(B::float_exp(log_probs.0));
        let ones = picked.zeros_like(&[rows, 1]).one_minus().scale(-1.0);
        let grad_logits = B::float_scatter(1, probs.0, targets, ones.0, IndexingUpdateOp::Add);
        let grad_logits = Raw::<B>(grad_logits).scale(share);
        LossGrads {
            hidden: grad_logits.clone().matmul(weight).0,
            weight: grad_logits.clone().t().matmul(hidden).0,
            bias: grad_logits.sum_rows().0,
        }
    });
    (loss.0, grads)
}
