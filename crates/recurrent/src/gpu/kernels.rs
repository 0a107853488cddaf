//! The kernels: a cube takes some rows of the batch through the whole sequence.
//!
//! Rows don't depend on each other, so cubes never wait for one another. In a cube, a unit computes the hidden units
//! that are its own for all of the cube's rows, so that a weight that was fetched serves every row; the units meet once
//! a step. All tensors are contiguous.

use cubecl::prelude::*;

use crate::Cell;

/// The walk through the sequence; see [`Recurrence::walk`](crate::generic::Recurrence::walk).
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments, reason = "the tensors of a cell")]
pub fn walk<F: Float>(
    // [T, N, G*H]
    projected: &[F],
    // [H, G*H]
    weight: &[F],
    // [G*H]
    bias: &[F],
    // [S, N, H]
    state: &[F],
    // [T + 1, N, H]
    hidden: &mut [F],
    // [T, N, G*H]
    gates: &mut [F],
    // [T + 1, N, H]
    extra: &mut [F],
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
    let first = CUBE_POS_X as usize * rows;

    let mut unit = UNIT_POS_X as usize;
    while unit < h {
        #[unroll]
        for r in 0..rows {
            if first + r < batch {
                let at = (first + r) * h + unit;
                hidden[at] = state[at];
                if comptime!(cell == Cell::Lstm) {
                    extra[at] = state[batch * h + at];
                }
            }
        }
        unit += CUBE_DIM_X as usize;
    }
    sync_storage();

    for t in 0..steps {
        let mut unit = UNIT_POS_X as usize;
        while unit < h {
            // W_hh h + b_hh of this unit's gates.
            let mut sums = Array::<F>::new(comptime!(gate_count * rows));
            #[unroll]
            for gate in 0..gate_count {
                let start = bias[gate * h + unit];
                #[unroll]
                for r in 0..rows {
                    sums[gate * rows + r] = start;
                }
            }
            for k in 0..h {
                let mut before = Array::<F>::new(rows);
                #[unroll]
                for r in 0..rows {
                    before[r] = hidden[(t * batch + row(first + r, batch)) * h + k];
                }
                #[unroll]
                for gate in 0..gate_count {
                    let w = weight[k * width + gate * h + unit];
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
                    let old = (t * batch + n) * h + unit;
                    let new = old + batch * h;
                    let at = (t * batch + n) * width + unit;
                    if comptime!(cell == Cell::Lstm) {
                        let i = sigmoid::<F>(projected[at] + sums[r]);
                        let f = sigmoid::<F>(projected[at + h] + sums[rows + r]);
                        let g = (projected[at + 2 * h] + sums[2 * rows + r]).tanh();
                        let o = sigmoid::<F>(projected[at + 3 * h] + sums[3 * rows + r]);
                        let memory = f * extra[old] + i * g;
                        gates[at] = i;
                        gates[at + h] = f;
                        gates[at + 2 * h] = g;
                        gates[at + 3 * h] = o;
                        extra[new] = memory;
                        hidden[new] = o * memory.tanh();
                    } else if comptime!(cell == Cell::Gru) {
                        let reset = sigmoid::<F>(projected[at] + sums[r]);
                        let z = sigmoid::<F>(projected[at + h] + sums[rows + r]);
                        let inner = sums[2 * rows + r];
                        let candidate = (projected[at + 2 * h] + reset * inner).tanh();
                        gates[at] = reset;
                        gates[at + h] = z;
                        gates[at + 2 * h] = candidate;
                        extra[new] = inner;
                        hidden[new] = candidate + z * (hidden[old] - candidate);
                    } else if comptime!(cell == Cell::Tanh) {
                        hidden[new] = (projected[at] + sums[r]).tanh();
                    } else {
                        hidden[new] = max(projected[at] + sums[r], F::new(0.0));
                    }
                }
            }
            unit += CUBE_DIM_X as usize;
        }
        sync_storage();
    }
}

/// The walk back; see [`Recurrence::walk_back`](crate::generic::Recurrence::walk_back).
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments, reason = "the tensors of a cell")]
pub fn walk_back<F: Float>(
    // [T + 1, N, H]
    hidden: &[F],
    // [T, N, G*H]
    gates: &[F],
    // [T + 1, N, H]
    extra: &[F],
    // [G*H, H]
    weight: &[F],
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
    let first = CUBE_POS_X as usize * rows;
    let one = F::new(1.0);

    for back in 0..steps {
        let t = steps - 1 - back;
        // The gradients of this unit's gates.
        let mut unit = UNIT_POS_X as usize;
        while unit < h {
            #[unroll]
            for r in 0..rows {
                let n = first + r;
                if n < batch {
                    let state = n * h + unit;
                    let old = (t * batch + n) * h + unit;
                    let new = old + batch * h;
                    let at = (t * batch + n) * width + unit;
                    let grad = grad_output[old] + grad_state[state];
                    if comptime!(cell == Cell::Lstm) {
                        let i = gates[at];
                        let f = gates[at + h];
                        let g = gates[at + 2 * h];
                        let o = gates[at + 3 * h];
                        let memory = extra[new].tanh();
                        let of_memory = batch * h + state;
                        let grad_c = grad_state[of_memory] + grad * o * (one - memory * memory);
                        grad_projected[at] = grad_c * g * i * (one - i);
                        grad_projected[at + h] = grad_c * extra[old] * f * (one - f);
                        grad_projected[at + 2 * h] = grad_c * i * (one - g * g);
                        grad_projected[at + 3 * h] = grad * memory * o * (one - o);
                        grad_state[of_memory] = grad_c * f;
                        grad_state[state] = F::new(0.0);
                    } else if comptime!(cell == Cell::Gru) {
                        let reset = gates[at];
                        let z = gates[at + h];
                        let candidate = gates[at + 2 * h];
                        let grad_n = grad * (one - z) * (one - candidate * candidate);
                        let grad_r = grad_n * extra[new] * reset * (one - reset);
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
            unit += CUBE_DIM_X as usize;
        }
        sync_storage();

        // Through W_hh to the hidden state before the step.
        let mut unit = UNIT_POS_X as usize;
        while unit < h {
            let mut sums = Array::<F>::new(rows);
            #[unroll]
            for r in 0..rows {
                sums[r] = F::new(0.0);
            }
            for j in 0..width {
                let w = weight[j * h + unit];
                #[unroll]
                for r in 0..rows {
                    let at = (t * batch + row(first + r, batch)) * width + j;
                    if comptime!(cell == Cell::Gru) {
                        sums[r] += w * grad_recurrent[at];
                    } else {
                        sums[r] += w * grad_projected[at];
                    }
                }
            }
            #[unroll]
            for r in 0..rows {
                if first + r < batch {
                    grad_state[(first + r) * h + unit] += sums[r];
                }
            }
            unit += CUBE_DIM_X as usize;
        }
        sync_storage();
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
