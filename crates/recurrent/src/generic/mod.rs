//! The layers in tensor operations of any backend: what runs where no kernel is written by hand,
//! and what the hand-written ones are tested against.
//!
//! Everything is time-major here (`[T, N, …]`), so that a step is one contiguous block. What
//! doesn't depend on the previous step is one product over the whole sequence: the input
//! projection, and in the backward pass the gradients of the weights and of the input.

pub(crate) mod cells;
mod loss;
mod raw;
mod recurrence;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorData, TensorMetadata};
use burn::tensor::IndexingUpdateOp;

use crate::ops::{LayerGrads, LayerInput, LayerSpec, LayerWeights};
use crate::{Dropout, dropout};
pub(crate) use loss::{linear_cross_entropy, linear_scores};
pub use raw::Raw;
#[cfg(feature = "gpu")]
pub use recurrence::Reversed;
pub use recurrence::{Recurrence, Walked};

/// One layer over a whole sequence; see [`RecurrentOps`](crate::ops::RecurrentOps) for the shapes.
pub(crate) fn forward<B: Recurrence>(
    input: LayerInput<B>,
    weights: LayerWeights<B>,
    state: FloatTensor<B>,
    spec: LayerSpec,
) -> (FloatTensor<B>, Walked<B>) {
    let state = Raw::<B>(state);
    let [_, n, h] = state.dims();
    let [t, rows] = [spec.steps, spec.cell.gates() * h];
    let projected = project(input, &weights, spec).reshape(&[t, n, rows]);
    let (weight, bias) = (Raw(weights.hh), Raw(weights.bias_hh));
    let walked = B::walk(spec.cell, &projected, weight, bias, &state);

    let mut output = walked.hidden.rows(1..t + 1);
    if let Some(dropout) = spec.dropout {
        output = output.clone() * mask(&output, dropout);
    }
    let mut parts = vec![output, walked.hidden.rows(t..t + 1)];
    if spec.cell.states() == 2 {
        parts.push(walked.extra.rows(t..t + 1));
    }
    (Raw::cat(parts, 0).0, walked)
}

/// The gradients of [`forward`] from that of its result, `[T + S, N, H]`.
pub(crate) fn backward<B: Recurrence>(
    input: LayerInput<B>,
    weights: LayerWeights<B>,
    state: FloatTensor<B>,
    walked: Walked<B>,
    grad: FloatTensor<B>,
    spec: LayerSpec,
    want_input: bool,
) -> LayerGrads<B> {
    let (state, grad) = (Raw::<B>(state), Raw::<B>(grad));
    let [states, n, h] = state.dims();
    let [t, rows] = [spec.steps, spec.cell.gates() * h];

    let mut grad_output = grad.rows(0..t);
    if let Some(dropout) = spec.dropout {
        grad_output = grad_output.clone() * mask(&grad_output, dropout);
    }
    let grad_last = grad.rows(t..t + states);
    let weight = Raw(weights.hh);
    let reversed = B::walk_back(spec.cell, &walked, weight, &grad_output, &grad_last);

    let steps = t * n;
    let grad_projected = reversed.projected.reshape(&[steps, rows]);
    let grad_recurrent = reversed.recurrent.reshape(&[steps, rows]);
    let before = walked.hidden.rows(0..t).reshape(&[steps, h]);
    let grad_hh = grad_recurrent.clone().t().matmul(before);
    let [_, d] = Raw::<B>(weights.ih.clone()).dims();

    let (grad_ih, grad_input) = match input {
        LayerInput::Dense(x) => {
            let x = Raw::<B>(x);
            let [length, _, _] = x.dims();
            let read = x.rows(0..t).reshape(&[steps, d]);
            let grad_ih = grad_projected.clone().t().matmul(read);
            let grad_input = want_input.then(|| {
                let grad = grad_projected.clone().matmul(Raw(weights.ih));
                grad.reshape(&[t, n, d]).padded(length).0
            });
            (grad_ih, grad_input)
        }
        LayerInput::Ids(ids) => {
            let table = grad_projected.zeros_like(&[d, rows]);
            let table = B::float_select_assign(
                table.0,
                0,
                flat::<B>(ids),
                grad_projected.0.clone(),
                IndexingUpdateOp::Add,
            );
            (Raw(table).t(), None)
        }
    };
    LayerGrads {
        input: grad_input,
        ih: grad_ih.0,
        hh: grad_hh.0,
        bias_ih: grad_projected.sum_rows().0,
        bias_hh: grad_recurrent.sum_rows().0,
        state: reversed.state.0,
    }
}

/// `W_ih x + b_ih` of all steps in one product (a row look-up for ids): `[T * N, G * H]`.
fn project<B: Backend>(input: LayerInput<B>, weights: &LayerWeights<B>, spec: LayerSpec) -> Raw<B> {
    let table = Raw::<B>(weights.ih.clone()).t();
    let [d, rows] = table.dims();
    debug_assert_eq!(rows % spec.cell.gates(), 0);
    let projected = match input {
        LayerInput::Dense(x) => {
            let x = Raw::<B>(x).rows(0..spec.steps);
            let [t, n, _] = x.dims();
            x.reshape(&[t * n, d]).matmul(table)
        }
        LayerInput::Ids(ids) => Raw(B::float_select(table.0, 0, flat::<B>(ids))),
    };
    projected + Raw(weights.bias_ih.clone()).reshape(&[1, rows])
}

fn flat<B: Backend>(ids: IntTensor<B>) -> IntTensor<B> {
    let elements = ids.shape().num_elements();
    B::int_reshape(ids, vec![elements].into())
}

/// 0 for what is dropped and `1 / (1 - p)` for what is kept: the same numbers on every backend,
/// which is why they are made on the host.
fn mask<B: Backend>(like: &Raw<B>, dropout: Dropout) -> Raw<B> {
    let [t, n, h] = like.dims();
    let data = TensorData::new(dropout::mask(dropout, t * n * h), [t, n, h]);
    let data = data.convert_dtype(like.0.dtype());
    Raw(B::float_from_data(data, &like.0.device()))
}
