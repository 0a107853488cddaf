//! A layer, its loss and their derivatives in f64, written as the equations stand, to hold the kernels against.

use super::super::{Dims, Precision, dropout_keep, dropout_threshold};
use super::{Cell, Numbers};

/// A layer's parameters, input and state, in both precisions.
#[derive(Clone)]
pub struct Problem {
    pub cell: Cell,
    pub dims: Dims,
    /// `[T, N]`; the dense input is then their one-hot rows.
    pub ids: Option<Vec<i32>>,
    /// input, w_ih, w_hh, b_ih, b_hh, state
    pub values: [Vec<f32>; 6],
    pub dropout: Option<(f32, u64)>,
    pub precision: Precision,
}

pub const INPUT: usize = 0;
pub const W_IH: usize = 1;
pub const W_HH: usize = 2;
pub const B_IH: usize = 3;
pub const B_HH: usize = 4;
pub const STATE: usize = 5;

impl Problem {
    pub fn new(
        cell: Cell,
        (t, n, d, h): (usize, usize, usize, usize),
        ids: bool,
        scale: f32,
    ) -> Self {
        let dims = Dims { t, n, d, h };
        let mut numbers = Numbers(91 + (t * 31 + n * 17 + d * 5 + h) as u64);
        let g = cell.gates();
        let ids = ids.then(|| numbers.ids(t * n, d));
        let input = match &ids {
            Some(ids) => {
                let mut rows = vec![0.0; t * n * d];
                for (row, &id) in rows.chunks_mut(d).zip(ids) {
                    row[id as usize] = 1.0;
                }
                rows
            }
            None => numbers.many(t * n * d, 1.0),
        };
        let weight = scale / (h as f32).sqrt();
        let values = [
            input,
            numbers.many(g * h * d, weight),
            numbers.many(g * h * h, weight),
            numbers.many(g * h, weight),
            numbers.many(g * h, weight),
            numbers.many(cell.states() * n * h, 0.5),
        ];
        Problem { cell, dims, ids, values, dropout: None, precision: Precision::F32 }
    }

    pub fn values_f64(&self) -> [Vec<f64>; 6] {
        self.values.each_ref().map(|v| v.iter().map(|&x| f64::from(x)).collect())
    }

    fn factor(&self, index: usize) -> f64 {
        match self.dropout {
            None => 1.0,
            Some((p, seed)) if dropout_keep(seed, index as u32, dropout_threshold(p)) => {
                1.0 / (1.0 - f64::from(p))
            }
            Some(_) => 0.0,
        }
    }

    /// The output, `[T + S, N, H]`.
    pub fn output(&self, values: &[Vec<f64>; 6]) -> Vec<f64> {
        self.run(values).0
    }

    /// The output and, for each step and row, the gates (`[G + 1]` vectors of H), h before and c before.
    #[allow(clippy::type_complexity)]
    fn run(&self, values: &[Vec<f64>; 6]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let Dims { t, n, d, h } = self.dims;
        let [input, w_ih, w_hh, b_ih, b_hh, state] = values;
        let mut hidden = state[..n * h].to_vec();
        let mut cell_state = state[state.len() - n * h..].to_vec();
        let (mut out, mut steps) = (Vec::new(), Vec::new());
        for t in 0..t {
            for row in 0..n {
                let x = &input[(t * n + row) * d..][..d];
                let before = hidden[row * h..][..h].to_vec();
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                let from_input = |j: usize| b_ih[j] + dot(&w_ih[j * d..][..d], x);
                let from_hidden = |j: usize| b_hh[j] + dot(&w_hh[j * h..][..h], &before);
                let sum = |j: usize| from_input(j) + from_hidden(j);
                let mut step = before.clone();
                step.extend(&cell_state[row * h..][..h]);
                let mut gates = vec![0.0; 4 * h];
                for u in 0..h {
                    let new = match self.cell {
                        Cell::Lstm => {
                            let (i, f) = (sigmoid(sum(u)), sigmoid(sum(h + u)));
                            let (g, o) = (sum(2 * h + u).tanh(), sigmoid(sum(3 * h + u)));
                            for (j, gate) in [i, f, g, o].into_iter().enumerate() {
                                gates[j * h + u] = gate;
                            }
                            let c = &mut cell_state[row * h + u];
                            *c = f * *c + i * g;
                            o * c.tanh()
                        }
                        Cell::Gru => {
                            let (r, z) = (sigmoid(sum(u)), sigmoid(sum(h + u)));
                            let recurrent = from_hidden(2 * h + u);
                            let n = (from_input(2 * h + u) + r * recurrent).tanh();
                            for (j, gate) in [r, z, n, recurrent].into_iter().enumerate() {
                                gates[j * h + u] = gate;
                            }
                            (1.0 - z) * n + z * before[u]
                        }
                        Cell::Tanh => sum(u).tanh(),
                        Cell::Relu => sum(u).max(0.0),
                    };
                    hidden[row * h + u] = new;
                    out.push(new * self.factor((t * n + row) * h + u));
                }
                step.extend(&hidden[row * h..][..h]);
                step.extend(&cell_state[row * h..][..h]);
                step.extend(gates);
                steps.push(step);
            }
        }
        out.extend(&hidden);
        if self.cell == Cell::Lstm {
            out.extend(&cell_state);
        }
        (out, steps)
    }

    /// The gradients of `Σ output · grad_out`, in the order of `values`.
    pub fn gradients(&self, values: &[Vec<f64>; 6], grad_out: &[f64]) -> [Vec<f64>; 6] {
        let Dims { t, n, d, h } = self.dims;
        let steps = self.run(values).1;
        let [input, w_ih, w_hh, ..] = values;
        let mut grads = values.each_ref().map(|v| vec![0.0; v.len()]);
        let g = self.cell.gates();
        let mut d_hidden = grad_out[t * n * h..][..n * h].to_vec();
        let mut d_cell = grad_out[grad_out.len() - n * h..].to_vec();
        for t in (0..t).rev() {
            for row in 0..n {
                let step: Vec<&[f64]> = steps[t * n + row].chunks(h).collect();
                let (before, c_before, after, c) = (step[0], step[1], step[2], step[3]);
                // Of the sums: those that the input reaches, and those that h reaches.
                let (mut da, mut db) = (vec![0.0; g * h], vec![0.0; g * h]);
                let mut passed = vec![0.0; h];
                for u in 0..h {
                    let index = (t * n + row) * h + u;
                    let dh = grad_out[index] * self.factor(index) + d_hidden[row * h + u];
                    let gate = |j: usize| step[4 + j][u];
                    match self.cell {
                        Cell::Lstm => {
                            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
                            let squashed = c[u].tanh();
                            let dc = d_cell[row * h + u] + dh * o * (1.0 - squashed * squashed);
                            da[u] = dc * g * i * (1.0 - i);
                            da[h + u] = dc * c_before[u] * f * (1.0 - f);
                            da[2 * h + u] = dc * i * (1.0 - g * g);
                            da[3 * h + u] = dh * squashed * o * (1.0 - o);
                            d_cell[row * h + u] = dc * f;
                        }
                        Cell::Gru => {
                            let (r, z, n, recurrent) = (gate(0), gate(1), gate(2), gate(3));
                            let dn = dh * (1.0 - z) * (1.0 - n * n);
                            da[u] = dn * recurrent * r * (1.0 - r);
                            da[h + u] = dh * (before[u] - n) * z * (1.0 - z);
                            da[2 * h + u] = dn;
                            db[2 * h + u] = dn * r;
                            passed[u] = dh * z;
                        }
                        Cell::Tanh => da[u] = dh * (1.0 - after[u] * after[u]),
                        Cell::Relu => da[u] = if after[u] > 0.0 { dh } else { 0.0 },
                    }
                }
                let shared = if self.cell == Cell::Gru { 2 * h } else { g * h };
                db[..shared].copy_from_slice(&da[..shared]);
                for j in 0..g * h {
                    grads[B_IH][j] += da[j];
                    grads[B_HH][j] += db[j];
                    for k in 0..d {
                        let x = (t * n + row) * d + k;
                        grads[W_IH][j * d + k] += da[j] * input[x];
                        grads[INPUT][x] += da[j] * w_ih[j * d + k];
                    }
                    for k in 0..h {
                        grads[W_HH][j * h + k] += db[j] * before[k];
                        passed[k] += db[j] * w_hh[j * h + k];
                    }
                }
                d_hidden[row * h..][..h].copy_from_slice(&passed);
            }
        }
        grads[STATE][..n * h].copy_from_slice(&d_hidden);
        if self.cell == Cell::Lstm {
            grads[STATE][n * h..].copy_from_slice(&d_cell);
        }
        grads
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn the_references_gradients_are_its_slopes() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Tanh, Cell::Relu] {
        let mut problem = Problem::new(cell, (3, 2, 4, 3), false, 1.5);
        problem.dropout = Some((0.3, 5));
        let values = problem.values_f64();
        let count = problem.output(&values).len();
        let grad_out: Vec<f64> = Numbers(4).many(count, 1.0).into_iter().map(f64::from).collect();
        let loss = |values: &[Vec<f64>; 6]| -> f64 {
            problem.output(values).iter().zip(&grad_out).map(|(a, b)| a * b).sum()
        };
        let grads = problem.gradients(&values, &grad_out);
        for which in 0..6 {
            for i in 0..values[which].len() {
                let nudged = |by: f64| {
                    let mut values = values.clone();
                    values[which][i] += by;
                    loss(&values)
                };
                let slope = (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
                let error = (slope - grads[which][i]).abs();
                assert!(error < 1e-8, "{cell:?} {which}[{i}]: {} against {slope}", grads[which][i]);
            }
        }
    }
}
