//! One step of each cell, forward and backward.

use burn::backend::Backend;

use super::Raw;
use crate::Cell;

/// A cell walking through a sequence.
pub(super) struct Step<B: Backend> {
    cell: Cell,
    /// `[H, G*H]`
    recurrent: Raw<B>,
    /// `[1, G*H]`
    bias: Raw<B>,
    /// `[N, H]`
    pub hidden: Raw<B>,
    memory: Option<Raw<B>>,
    saved: CellSaved<B>,
}

/// What the steps keep, one entry a step.
#[derive(Clone, Debug)]
pub(super) struct CellSaved<B: Backend> {
    /// The gates after their nonlinearity, each `[N, H]`, in the cell's gate order.
    gates: Vec<Vec<Raw<B>>>,
    /// LSTM: the new memory c'. GRU: the recurrent part of the candidate, `W_hn h + b_hn`.
    extra: Vec<Raw<B>>,
}

impl<B: Backend> Step<B> {
    pub fn start(cell: Cell, state: &Raw<B>, recurrent: Raw<B>, bias: Raw<B>) -> Self {
        let memory = (cell.states() == 2).then(|| state.at(1));
        let saved = CellSaved { gates: Vec::new(), extra: Vec::new() };
        Self { cell, recurrent, bias, hidden: state.at(0), memory, saved }
    }

    /// Takes the projected input of one step, `[N, G*H]`.
    pub fn advance(&mut self, projected: Raw<B>) {
        let [_, h] = self.hidden.dims();
        let hidden = self.hidden.clone();
        let recurrent = hidden.clone().matmul(self.recurrent.clone()) + self.bias.clone();
        let (gates, extra, next) = match self.cell {
            Cell::Lstm => {
                let sum = projected + recurrent;
                let i = sum.gate(0, h).sigmoid();
                let f = sum.gate(1, h).sigmoid();
                let g = sum.gate(2, h).tanh();
                let o = sum.gate(3, h).sigmoid();
                let old = self.memory.take().expect("an LSTM has a memory");
                let memory = f.clone() * old + i.clone() * g.clone();
                let next = o.clone() * memory.clone().tanh();
                self.memory = Some(memory.clone());
                (vec![i, f, g, o], Some(memory), next)
            }
            Cell::Gru => {
                let r = (projected.gate(0, h) + recurrent.gate(0, h)).sigmoid();
                let z = (projected.gate(1, h) + recurrent.gate(1, h)).sigmoid();
                let inner = recurrent.gate(2, h);
                let n = (projected.gate(2, h) + r.clone() * inner.clone()).tanh();
                let next = n.clone() + z.clone() * (hidden - n.clone());
                (vec![r, z, n], Some(inner), next)
            }
            Cell::Tanh => (vec![], None, (projected + recurrent).tanh()),
            Cell::Relu => (vec![], None, (projected + recurrent).relu()),
        };
        self.saved.gates.push(gates);
        self.saved.extra.extend(extra);
        self.hidden = next;
    }

    /// The state as it is now, `[S, N, H]`.
    pub fn state(&self) -> Raw<B> {
        let parts = [Some(self.hidden.clone()), self.memory.clone()];
        Raw::stack(parts.into_iter().flatten().collect())
    }

    pub fn into_saved(self) -> CellSaved<B> {
        self.saved
    }
}

/// The gradients that walking backward through the sequence gives.
pub(super) struct Reversed<B: Backend> {
    /// Of `W_ih x + b_ih`, `[T, N, G*H]`.
    pub projected: Raw<B>,
    /// Of `W_hh h + b_hh`, `[T, N, G*H]`; the same but for the GRU's candidate gate.
    pub recurrent: Raw<B>,
    /// Of the initial state, `[S, N, H]`.
    pub state: Raw<B>,
}

pub(super) fn backward<B: Backend>(
    cell: Cell,
    saved: &CellSaved<B>,
    hidden: &Raw<B>,
    state: &Raw<B>,
    weight: Raw<B>,
    grad_output: &Raw<B>,
    grad_last: Raw<B>,
) -> Reversed<B> {
    let [steps, _, _] = grad_output.dims();
    let mut grad_hidden = grad_last.at(0);
    let mut grad_memory = (cell.states() == 2).then(|| grad_last.at(1));
    let mut projected = Vec::with_capacity(steps);
    let mut recurrent = Vec::with_capacity(steps);

    for t in (0..steps).rev() {
        let grad = grad_output.at(t) + grad_hidden;
        let (of_input, of_recurrent, direct) = match cell {
            Cell::Lstm => {
                let [i, f, g, o] = [0, 1, 2, 3].map(|gate| saved.gates[t][gate].clone());
                let memory = saved.extra[t].clone().tanh();
                let old = if t == 0 { state.at(1) } else { saved.extra[t - 1].clone() };
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
                let [r, z, n] = [0, 1, 2].map(|gate| saved.gates[t][gate].clone());
                let inner = saved.extra[t].clone();
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
