//! Linear layer, softmax and cross-entropy in tensor operations.

use burn::backend::ops::{ActivationOps, FloatTensorOps, IntTensorOps};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::IndexingUpdateOp;

use super::prim_tensor::{PrimTensor, column};
use crate::ops::{LossArgs, LossGrads};

/// See [`RecurrentOps::linear_cross_entropy`](crate::ops::RecurrentOps::linear_cross_entropy).
pub fn linear_cross_entropy(args: LossArgs<Cube>) -> FloatTensor<Cube> {
    Forward::new(args).mean_loss().0
}

/// The same, and its gradients.
pub fn linear_cross_entropy_with_grads(
    args: LossArgs<Cube>,
) -> (FloatTensor<Cube>, LossGrads<Cube>) {
    let [length, _] = args.hidden.shape().dims();
    let forward = Forward::new(args);
    let loss = forward.mean_loss();

    let Forward { hidden, weight, targets, log_probs, target_log_probs } = forward;
    let [rows, _] = hidden.dims();
    let probs = Cube::float_exp(log_probs.0);
    let minus_ones = target_log_probs.zeros_like(&[rows, 1]).one_minus().scale(-1.0);
    let grad_logits = Cube::float_scatter(1, probs, targets, minus_ones.0, IndexingUpdateOp::Add);
    let grad_logits = PrimTensor(grad_logits).scale(1.0 / rows as f32);
    let grads = LossGrads {
        hidden: grad_logits.clone().matmul(weight).padded(length).0,
        weight: grad_logits.clone().t().matmul(hidden).0,
        bias: grad_logits.sum_rows().0,
    };
    (loss.0, grads)
}

/// See [`RecurrentOps::linear_scores`](crate::ops::RecurrentOps::linear_scores).
pub fn linear_scores(args: LossArgs<Cube>) -> FloatTensor<Cube> {
    let Forward { targets, log_probs, target_log_probs, .. } = Forward::new(args);
    let nll = target_log_probs.sum_rows().scale(-1.0);
    let predicted = Cube::float_argmax(log_probs.0, 1, targets.dtype().into());
    // 0 where the prediction is the target, else 1.
    let misses = Cube::int_sign(Cube::int_abs(Cube::int_sub(predicted, targets)));
    let hits =
        PrimTensor(Cube::int_into_float(misses, nll.0.dtype().into())).one_minus().sum_rows();
    PrimTensor::cat(vec![nll, hits], 0).0
}

/// The forward pass.
struct Forward {
    /// `[R, H]`
    hidden: PrimTensor,
    /// `[V, H]`
    weight: PrimTensor,
    /// `[R, 1]`
    targets: IntTensor<Cube>,
    /// The logarithms of the probabilities, `[R, V]`.
    log_probs: PrimTensor,
    /// Those of the targets, `[R, 1]`.
    target_log_probs: PrimTensor,
}

impl Forward {
    fn new(LossArgs { hidden, weight, bias, targets, precision: _ }: LossArgs<Cube>) -> Self {
        let ([rows], [v, _]) = (targets.shape().dims(), weight.shape().dims());
        let (hidden, weight) = (PrimTensor(hidden).rows(0..rows), PrimTensor(weight));
        let bias = PrimTensor(bias).reshape(&[1, v]);
        let logits = hidden.clone().matmul(weight.clone().t()) + bias;
        let (log_probs, targets) = (Cube::log_softmax(logits.0, 1), column(targets));
        let target_log_probs = Cube::float_gather(1, log_probs.clone(), targets.clone());
        Self {
            hidden,
            weight,
            targets,
            log_probs: PrimTensor(log_probs),
            target_log_probs: PrimTensor(target_log_probs),
        }
    }

    /// `[1]`
    fn mean_loss(&self) -> PrimTensor {
        let [rows, _] = self.hidden.dims();
        self.target_log_probs.clone().sum_rows().scale(-1.0 / rows as f32)
    }
}
