//! The walk of each cell through a sequence, forward and backward, a step at a time.

use burn::backend::Backend;

use super::Raw;
use super::recurrence::{Reversed, Walked};
use crate::Cell;

/// See [`Recurrence::walk`](super::Recurrence::walk).
pub(crate) fn walk<B: Backend>(
    cell: Cell,
    projected: &Raw<B>,
    weight: Raw<B>,
    bias: Raw<B>,
    state: &Raw<B>,
) -> Walked<B> {
    let [steps, _, rows] = projected.dims();
    let mut step = Step {
        cell,
        recurrent: weight.t(),
        bias: bias.reshape(&[1, rows]),
        hidden: state.at(0),
        memory: (cell.states() == 2).then(|| state.at(1)),
        gates: Vec::with_capacity(steps),
        inner: Vec::new(),
    };
    let mut hidden = vec![step.hidden.clone()];
    let mut extra = step.memory.iter().cloned().collect::<Vec<_>>();
    for t in 0..steps {
        step.advance(projected.at(t));
        hidden.push(step.hidden.clone());
        extra.extend(step.memory.clone());
    }
    if cell == Cell::Gru {
        extra.push(hidden[0].zeros_like(&hidden[0].dims::<2>()));
        extra.append(&mut step.inner);
    }
    let none = || projected.zeros_like(&[1, 1, 1]);
    Walked {
        hidden: Raw::stack(hidden),
        gates: if step.gates.is_empty() { none() } else { Raw::stack(step.gates) },
        extra: if extra.is_empty() { none() } else { Raw::stack(extra) },
    }
}

/// A cell on its way through a sequence.
struct Step<B: Backend> {
    cell: Cell,
    /// `[H, G*H]`
    recurrent: Raw<B>,
    /// `[1, G*H]`
    bias: Raw<B>,
    /// `[N, H]`
    hidden: Raw<B>,
    /// `[N, H]`
    memory: Option<Raw<B>>,
    /// One entry a step, `[N, G*H]`.
    gates: Vec<Raw<B>>,
    /// The GRU's `W_hn h + b_hn`, one entry a step, `[N, H]`.
    inner: Vec<Raw<B>>,
}

impl<B: Backend> Step<B> {
    /// Takes the projected input of one step, `[N, G*H]`.
    fn advance(&mut self, projected: Raw<B>) {
        let [_, h] = self.hidden.dims();
        let hidden = self.hidden.clone();
        let recurrent = hidden.clone().matmul(self.recurrent.clone()) + self.bias.clone();
        self.hidden = match self.cell {
            Cell::Lstm => {
                let sum = projected + recurrent;
                let i = sum.gate(0, h).sigmoid();
                let f = sum.gate(1, h).sigmoid();
                let g = sum.gate(2, h).tanh();
                let o = sum.gate(3, h).sigmoid();
                let old = self.memory.take().expect("an LSTM has a memory");
                let memory = f.clone() * old + i.clone() * g.clone();
                let next = o.clone() * memory.clone().tanh();
                self.memory = Some(memory);
                self.gates.push(Raw::cat(vec![i, f, g, o], 1));
                next
            }
            Cell::Gru => {
                let r = (projected.gate(0, h) + recurrent.gate(0, h)).sigmoid();
                let z = (projected.gate(1, h) + recurrent.gate(1, h)).sigmoid();
                let inner = recurrent.gate(2, h);
                let n = (projected.gate(2, h) + r.clone() * inner.clone()).tanh();
                let next = n.clone() + z.clone() * (hidden - n.clone());
                self.gates.push(Raw::cat(vec![r, z, n], 1));
                self.inner.push(inner);
                next
            }
            Cell::Tanh => (projected + recurrent).tanh(),
            Cell::Relu => (projected + recurrent).relu(),
        };
    }
}

/// See [`Recurrence::walk_back`](super::Recurrence::walk_back).
pub(crate) fn walk_back<B: Backend>(
    cell: Cell,
    walked: &Walked<B>,
    weight: Raw<B>,
    grad_output: &Raw<B>,
    grad_last: &Raw<B>,
) -> Reversed<B> {
    let [steps, _, h] = grad_output.dims();
    let Walked { hidden, gates, extra } = walked;
    let mut grad_hidden = grad_last.at(0);
    let mut grad_memory = (cell.states() == 2).then(|| grad_last.at(1));
    let mut projected = Vec::with_capacity(steps);
    let mut recurrent = Vec::with_capacity(steps);

    for t in (0..steps).rev() {
        let grad = grad_output.at(t) + grad_hidden;
        let (of_input, of_recurrent, direct) = match cell {
            Cell::Lstm => {
                let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates.at(t).gate(gate, h));
                let (old, memory) = (extra.at(t), extra.at(t + 1).tanh());
                let from_above = grad_memory.take().expect("an LSTM has a memory");
                let grad_c = from_above + grad.clone() * o.clone() * memory.clone().tanh_slope();
                let grad_gates = vec![
                    grad_c.clone() * g.clone() * i.clone().sigmoid_slope(),
                    grad_c.clone() * old * f.clone().sigmoid_slope(),
                    grad_c.clone() * i * g.tanh_slope(),
                    grad * memory * o.sigmoid_slope(),
                ];
                grad_memory = Some(grad_c * f);
                (Raw::cat(grad_gates, 1), None, None)
            }
            Cell::Gru => {
                let [r, z, n] = [0, 1, 2].map(|gate| gates.at(t).gate(gate, h));
                let inner = extra.at(t + 1);
                let old = hidden.at(t);
                let grad_n = grad.clone() * z.clone().one_minus() * n.clone().tanh_slope();
                let grad_z = grad.clone() * (old - n) * z.clone().sigmoid_slope();
                let grad_r = grad_n.clone() * inner * r.clone().sigmoid_slope();
                let of_input = vec![grad_r.clone(), grad_z.clone(), grad_n.clone()];
                let of_recurrent = vec![grad_r, grad_z, grad_n * r];
                let of_recurrent = Some(Raw::cat(of_recurrent, 1));
                (Raw::cat(of_input, 1), of_recurrent, Some(grad * z))
            }
            Cell::Tanh => (grad * hidden.at(t + 1).tanh_slope(), None, None),
            Cell::Relu => (grad * hidden.at(t + 1).sign(), None, None),
        };
        let through = of_recurrent.clone().unwrap_or_else(|| of_input.clone());
        let back = through.matmul(weight.clone());
        grad_hidden = match direct {
            Some(direct) => back + direct,
            None => back,
        };
        projected.push(of_input);
        recurrent.extend(of_recurrent);
    }
    let parts = [Some(grad_hidden), grad_memory];
    projected.reverse();
    recurrent.reverse();
    let projected = Raw::stack(projected);
    let recurrent = if recurrent.is_empty() { projected.clone() } else { Raw::stack(recurrent) };
    Reversed { projected, recurrent, state: Raw::stack(parts.into_iter().flatten().collect()) }
}
