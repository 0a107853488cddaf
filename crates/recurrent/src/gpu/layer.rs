//! A layer on a GPU: the products over the whole sequence and the dropout, in tensor operations, around the kernels of the
//! recurrence.
//!
//! Everything is time-major here (`[T, N, …]`), so that a step is one contiguous block. What
//! doesn't depend on the previous step is one product over the whole sequence: the input
//! projection, and in the backward pass the gradients of the weights and of the input.

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Cube, TensorData, TensorMetadata};
use burn::tensor::IndexingUpdateOp;

use super::prim_tensor::{PrimTensor, flat};
use super::recurrence::{self, SavedActivations};
use crate::cpu::{Dropout, dropout_factors};
use crate::ops::{LayerArgs, LayerGrads, LayerInput, LayerSpec, LayerWeights};

/// One layer over a whole sequence; see [`RecurrentOps`](crate::ops::RecurrentOps) for the shapes.
pub fn forward(args: LayerArgs<Cube>) -> (FloatTensor<Cube>, SavedActivations) {
    let LayerArgs { input, weights, state, spec } = args;
    let state = PrimTensor(state);
    let [_, n, h] = state.dims();
    let [t, rows] = [spec.steps, spec.cell.gates() * h];
    let projected = project(input, &weights, spec).reshape(&[t, n, rows]);
    let (weight, bias) = (PrimTensor(weights.hh), PrimTensor(weights.bias_hh));
    let saved = recurrence::forward(spec.cell, &projected, weight, bias, &state);

    let mut output = saved.hidden.rows(1..t + 1);
    if let Some(dropout) = spec.dropout {
        output = output.clone() * mask(&output, dropout);
    }
    let mut parts = vec![output, saved.hidden.rows(t..t + 1)];
    if spec.cell.states() == 2 {
        parts.push(saved.cell_state.rows(t..t + 1));
    }
    (PrimTensor::cat(parts, 0).0, saved)
}

/// The gradients of [`forward`] from that of its result, `[T + S, N, H]`.
pub fn backward(
    args: LayerArgs<Cube>,
    saved: SavedActivations,
    grad: FloatTensor<Cube>,
    want_input: bool,
) -> LayerGrads<Cube> {
    let LayerArgs { input, weights, state, spec } = args;
    let (state, grad) = (PrimTensor(state), PrimTensor(grad));
    let [states, n, h] = state.dims();
    let [t, rows] = [spec.steps, spec.cell.gates() * h];

    let mut grad_output = grad.rows(0..t);
    if let Some(dropout) = spec.dropout {
        grad_output = grad_output.clone() * mask(&grad_output, dropout);
    }
    let grad_last = grad.rows(t..t + states);
    let weight = PrimTensor(weights.hh);
    let grads = recurrence::backward(spec.cell, &saved, weight, &grad_output, &grad_last);

    let steps = t * n;
    let grad_projected = grads.projected.reshape(&[steps, rows]);
    let grad_recurrent = grads.recurrent.reshape(&[steps, rows]);
    let before = saved.hidden.rows(0..t).reshape(&[steps, h]);
    let grad_hh = grad_recurrent.clone().t().matmul(before);
    let [_, d] = PrimTensor(weights.ih.clone()).dims();

    let (grad_ih, grad_input) = match input {
        LayerInput::Dense(x) => {
            let x = PrimTensor(x);
            let [length, _, _] = x.dims();
            let read = x.rows(0..t).reshape(&[steps, d]);
            let grad_ih = grad_projected.clone().t().matmul(read);
            let grad_input = want_input.then(|| {
                let grad = grad_projected.clone().matmul(PrimTensor(weights.ih));
                grad.reshape(&[t, n, d]).padded(length).0
            });
            (grad_ih, grad_input)
        }
        LayerInput::Ids(ids) => {
            let table = grad_projected.zeros_like(&[d, rows]);
            let table = Cube::float_select_assign(
                table.0,
                0,
                flat(ids),
                grad_projected.0.clone(),
                IndexingUpdateOp::Add,
            );
            (PrimTensor(table).t(), None)
        }
    };
    LayerGrads {
        input: grad_input,
        ih: grad_ih.0,
        hh: grad_hh.0,
        bias_ih: grad_projected.sum_rows().0,
        bias_hh: grad_recurrent.sum_rows().0,
        state: grads.state.0,
    }
}

/// `W_ih x + b_ih` of all steps in one product (a row look-up for ids): `[T * N, G * H]`.
fn project(input: LayerInput<Cube>, weights: &LayerWeights<Cube>, spec: LayerSpec) -> PrimTensor {
    let table = PrimTensor(weights.ih.clone()).t();
    let [d, rows] = table.dims();
    debug_assert_eq!(rows % spec.cell.gates(), 0);
    let projected = match input {
        LayerInput::Dense(x) => {
            let x = PrimTensor(x).rows(0..spec.steps);
            let [t, n, _] = x.dims();
            x.reshape(&[t * n, d]).matmul(table)
        }
        LayerInput::Ids(ids) => PrimTensor(Cube::float_select(table.0, 0, flat(ids))),
    };
    projected + PrimTensor(weights.bias_ih.clone()).reshape(&[1, rows])
}

/// 0 for what is dropped and `1 / (1 - p)` for what is kept: the same numbers on every backend,
/// which is why they are made on the host.
fn mask(like: &PrimTensor, dropout: Dropout) -> PrimTensor {
    let [t, n, h] = like.dims();
    let data = TensorData::new(dropout_factors(dropout, [t, n, h]), [t, n, h]);
    PrimTensor(Cube::float_from_data(data, &like.0.device()))
}
