//! The kernels: a cube takes some rows of the batch through the whole sequence.
//!
//! Rows don't depend on each other, so cubes never wait for one another. In a cube, a unit has groups of neighbouring
//! hidden units, as many as a vector of weights has elements, and computes them for all of the cube's rows: a vector that
//! was fetched serves every row. The units meet once a step. All tensors are contiguous.

use cubecl::prelude::*;

use crate::Cell;

/// Values that the forward pass saves of each unit and step, where it saves any: see
/// [`SavedActivations`](super::recurrence::SavedActivations).
pub const SAVED_GATES: usize = 4;

/// The forward pass; see [`forward`](super::recurrence::forward).
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments, reason = "the tensors of a cell")]
pub fn forward<F: Float, V: Size>(
    // [T, N, G*H]
    projected: &[F],
    // [H, G*H]
    weight: &[Vector<F, V>],
    // [G*H]
    bias: &[Vector<F, V>],
    // [S, N, H]
    state: &[F],
    // [T + 1, N, H]
    hidden: &mut [F],
    // [T, N, 4*H], unless it is an Elman cell's.
    gates: &mut [F],
    // [T + 1, N, H] of an LSTM.
    cell_state: &mut [F],
    steps: usize,
    batch: usize,
    #[comptime] cell: Cell,
    #[comptime] h: usize,
    // Of the batch, in a cube.
    #[comptime] rows: usize,
    #[define(F)] _dtype: ElemType,
) {
    let gate_count = comptime!(cell.gates());
    let width = comptime!(cell.gates() * h);
    let lanes = V::value().comptime();
    let vectors = comptime!(h / lanes);
    let first = CUBE_POS_X as usize * rows;

    let mut vector = UNIT_POS_X as usize;
    while vector < vectors {
        #[unroll]
        for r in 0..rows {
            if first + r < batch {
                #[unroll]
                for lane in 0..lanes {
                    let at = (first + r) * h + vector * lanes + lane;
                    hidden[at] = state[at];
                    if comptime!(cell == Cell::Lstm) {
                        cell_state[at] = state[batch * h + at];
                    }
                }
            }
        }
        vector += CUBE_DIM_X as usize;
    }
    sync_storage();

    for t in 0..steps {
        let mut vector = UNIT_POS_X as usize;
        while vector < vectors {
            // W_hh h + b_hh of this unit's gates.
            let mut sums = Array::<Vector<F, V>>::new(comptime!(gate_count * rows));
            #[unroll]
            for gate in 0..gate_count {
                let start = bias[gate * vectors + vector];
                #[unroll]
                for r in 0..rows {
                    sums[gate * rows + r] = start;
                }
            }
            for k in 0..h {
                let mut before = Array::<Vector<F, V>>::new(rows);
                #[unroll]
                for r in 0..rows {
                    let at = (t * batch + row(first + r, batch)) * h + k;
                    before[r] = Vector::new(hidden[at]);
                }
                #[unroll]
                for gate in 0..gate_count {
                    let w = weight[(k * gate_count + gate) * vectors + vector];
                    #[unroll]
                    for r in 0..rows {
                        sums[gate * rows + r] += w * before[r];
                    }
                }
            }
            #[unroll]
            for r in 0..rows {
                let n = first + r;
                if n < batch {
                    #[unroll]
                    for lane in 0..lanes {
                        let unit = vector * lanes + lane;
                        let old = (t * batch + n) * h + unit;
                        let new = old + batch * h;
                        let at = (t * batch + n) * width + unit;
                        let saved = (t * batch + n) * comptime!(SAVED_GATES * h) + unit;
                        let sum = sums[r].extract(lane);
                        if comptime!(cell == Cell::Lstm) {
                            let i = sigmoid::<F>(projected[at] + sum);
                            let sum = sums[rows + r].extract(lane);
                            let f = sigmoid::<F>(projected[at + h] + sum);
                            let sum = sums[2 * rows + r].extract(lane);
                            let g = (projected[at + 2 * h] + sum).tanh();
                            let sum = sums[3 * rows + r].extract(lane);
                            let o = sigmoid::<F>(projected[at + 3 * h] + sum);
                            let c = f * cell_state[old] + i * g;
                            gates[saved] = i;
                            gates[saved + h] = f;
                            gates[saved + 2 * h] = g;
                            gates[saved + 3 * h] = o;
                            cell_state[new] = c;
                            hidden[new] = o * c.tanh();
                        } else if comptime!(cell == Cell::Gru) {
                            let reset = sigmoid::<F>(projected[at] + sum);
                            let sum = sums[rows + r].extract(lane);
                            let z = sigmoid::<F>(projected[at + h] + sum);
                            let recurrent = sums[2 * rows + r].extract(lane);
                            let candidate = (projected[at + 2 * h] + reset * recurrent).tanh();
                            gates[saved] = reset;
                            gates[saved + h] = z;
                            gates[saved + 2 * h] = candidate;
                            gates[saved + 3 * h] = recurrent;
                            hidden[new] = candidate + z * (hidden[old] - candidate);
                        } else if comptime!(cell == Cell::Tanh) {
                            hidden[new] = (projected[at] + sum).tanh();
                        } else {
                            hidden[new] = max(projected[at] + sum, F::new(0.0));
                        }
                    }
                }
            }
            vector += CUBE_DIM_X as usize;
        }
        sync_storage();
    }
}

/// The backward pass; see [`backward`](super::recurrence::backward).
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments, reason = "the tensors of a cell")]
pub fn backward<F: Float, V: Size>(
    // [T + 1, N, H]
    hidden: &[F],
    // [T, N, 4*H], unless it is an Elman cell's.
    gates: &[F],
    // [T + 1, N, H] of an LSTM.
    cell_state: &[F],
    // [G*H, H]
    weight: &[Vector<F, V>],
    // [T, N, H]
    grad_output: &[F],
    // Of the state after the step at hand, and in the end of the initial one: [S, N, H]
    grad_state: &mut [F],
    // [T, N, G*H]
    grad_projected: &mut [F],
    // [T, N, G*H] for the GRU; for the other cells it would be the same.
    grad_recurrent: &mut [F],
    steps: usize,
    batch: usize,
    #[comptime] cell: Cell,
    #[comptime] h: usize,
    // Of the batch, in a cube.
    #[comptime] rows: usize,
    #[define(F)] _dtype: ElemType,
) {
    let width = comptime!(cell.gates() * h);
    let lanes = V::value().comptime();
    let vectors = comptime!(h / lanes);
    let first = CUBE_POS_X as usize * rows;
    let one = F::new(1.0);

    for back in 0..steps {
        let t = steps - 1 - back;
        // The gradients of this unit's gates.
        let mut vector = UNIT_POS_X as usize;
        while vector < vectors {
            #[unroll]
            for r in 0..rows {
                let n = first + r;
                if n < batch {
                    #[unroll]
                    for lane in 0..lanes {
                        let unit = vector * lanes + lane;
                        let state = n * h + unit;
                        let old = (t * batch + n) * h + unit;
                        let new = old + batch * h;
                        let at = (t * batch + n) * width + unit;
                        let saved = (t * batch + n) * comptime!(SAVED_GATES * h) + unit;
                        let grad = grad_output[old] + grad_state[state];
                        if comptime!(cell == Cell::Lstm) {
                            let i = gates[saved];
                            let f = gates[saved + h];
                            let g = gates[saved + 2 * h];
                            let o = gates[saved + 3 * h];
                            let tanh_c = cell_state[new].tanh();
                            let state_c = batch * h + state;
                            let grad_c = grad_state[state_c] + grad * o * (one - tanh_c * tanh_c);
                            grad_projected[at] = grad_c * g * i * (one - i);
                            grad_projected[at + h] = grad_c * cell_state[old] * f * (one - f);
                            grad_projected[at + 2 * h] = grad_c * i * (one - g * g);
                            grad_projected[at + 3 * h] = grad * tanh_c * o * (one - o);
                            grad_state[state_c] = grad_c * f;
                            grad_state[state] = F::new(0.0);
                        } else if comptime!(cell == Cell::Gru) {
                            let reset = gates[saved];
                            let z = gates[saved + h];
                            let candidate = gates[saved + 2 * h];
                            let recurrent = gates[saved + 3 * h];
                            let grad_n = grad * (one - z) * (one - candidate * candidate);
                            let grad_r = grad_n * recurrent * reset * (one - reset);
                            let grad_z = grad * (hidden[old] - candidate) * z * (one - z);
                            grad_projected[at] = grad_r;
                            grad_projected[at + h] = grad_z;
                            grad_projected[at + 2 * h] = grad_n;
                            grad_recurrent[at] = grad_r;
                            grad_recurrent[at + h] = grad_z;
                            grad_recurrent[at + 2 * h] = grad_n * reset;
                            grad_state[state] = grad * z;
                        } else {
                            let value = hidden[new];
                            if comptime!(cell == Cell::Tanh) {
                                grad_projected[at] = grad * (one - value * value);
                            } else {
                                grad_projected[at] = select(value > F::new(0.0), grad, F::new(0.0));
                            }
                            grad_state[state] = F::new(0.0);
                        }
                    }
                }
            }
            vector += CUBE_DIM_X as usize;
        }
        sync_storage();

        // Through W_hh to the hidden state before the step. Its gradient is this unit's alone, and the step before has
        // gates of its own: nobody waits after this.
        let mut vector = UNIT_POS_X as usize;
        while vector < vectors {
            let mut sums = Array::<Vector<F, V>>::new(rows);
            #[unroll]
            for r in 0..rows {
                sums[r] = Vector::new(F::new(0.0));
            }
            for j in 0..width {
                let w = weight[j * vectors + vector];
                #[unroll]
                for r in 0..rows {
                    let at = (t * batch + row(first + r, batch)) * width + j;
                    if comptime!(cell == Cell::Gru) {
                        sums[r] += w * Vector::new(grad_recurrent[at]);
                    } else {
                        sums[r] += w * Vector::new(grad_projected[at]);
                    }
                }
            }
            #[unroll]
            for r in 0..rows {
                if first + r < batch {
                    #[unroll]
                    for lane in 0..lanes {
                        let at = (first + r) * h + vector * lanes + lane;
                        grad_state[at] += sums[r].extract(lane);
                    }
                }
            }
            vector += CUBE_DIM_X as usize;
        }
    }
}

/// A row that is there: the last cube may have fewer than the others.
#[cube]
fn row(n: usize, batch: usize) -> usize {
    min(n, batch - 1)
}

#[cube]
fn sigmoid<F: Float>(x: F) -> F {
    F::new(1.0) / (F::new(1.0) + (-x).exp())
}
