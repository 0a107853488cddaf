//! The gradients of a layer's weights, added up over chunks of steps.

use std::ops::Range;

use super::buffers::Buffer;
use super::outer::{self, Dense, OneHot, Outer};
use super::sequence::Grads;
use super::simd::{Level, VECTORS};
use super::threads::Shared;
use super::{Cell, Dims, Input};

/// The sums over rows and steps that make the weights' gradients.
pub struct WeightSums {
    cell: Cell,
    d: usize,
    h: usize,
    /// `[G · H, D]`, or its transpose for ids: a row is added for each.
    w_ih: Buffer,
    /// `[G · H, H]`
    w_hh: Buffer,
    /// One for each gradient of a unit.
    biases: Buffer,
    ids: bool,
}

/// Some gradients of a unit, and the gate that is the first of them in w_ih and in w_hh.
type Part = (Range<usize>, Option<usize>, Option<usize>);

impl WeightSums {
    /// Zeros.
    pub fn new(cell: Cell, Dims { d, h, .. }: Dims, ids: bool) -> Self {
        let gates = cell.gates() * h;
        let biases = Buffer::zeros(VECTORS * h);
        WeightSums {
            cell,
            d,
            h,
            w_ih: Buffer::zeros(gates * d),
            w_hh: Buffer::zeros(gates * h),
            biases,
            ids,
        }
    }

    fn parts(&self) -> &'static [Part] {
        match self.cell {
            Cell::Lstm => &[(0..4, Some(0), Some(0))],
            Cell::Tanh | Cell::Relu => &[(0..1, Some(0), Some(0))],
            Cell::Gru => &[(0..2, Some(0), Some(0)), (2..3, Some(2), None), (3..4, None, Some(2))],
        }
    }

    /// Adds some rows: the products of the gates' gradients with the input and with h before.
    pub fn add(
        &mut self,
        level: Level,
        d_gates: &[f32],
        slots: usize,
        input: Input<'_>,
        before: &[f32],
    ) {
        let (d, h, gates) = (self.d, self.h, self.cell.gates() * self.h);
        let (w_ih, w_hh) = (Shared(self.w_ih.as_mut_ptr()), Shared(self.w_hh.as_mut_ptr()));
        let biases = Shared(self.biases.as_mut_ptr());
        let outers = self.parts().iter().map(|(columns, input_gate, hidden_gate)| {
            let mut outer = Outer {
                a: d_gates,
                stride: slots,
                k: before.len() / h,
                columns: columns.start * h..columns.end * h,
                dense: [None; 2],
                one_hot: None,
                sums: Shared(biases.at(columns.start * h)),
            };
            if let Some(gate) = hidden_gate {
                outer.dense[0] = Some(Dense { b: before, n: h, c: Shared(w_hh.at(gate * h * h)) });
            }
            match (input_gate, input) {
                (Some(gate), Input::Ids(ids)) => {
                    outer.one_hot =
                        Some(OneHot { ids, table: Shared(w_ih.at(gate * h)), stride: gates });
                }
                (Some(gate), Input::Dense(b)) => {
                    outer.dense[1] = Some(Dense { b, n: d, c: Shared(w_ih.at(gate * h * d)) });
                }
                (None, _) => {}
            }
            outer
        });
        outer::run(level, &outers.collect::<Vec<_>>());
    }

    /// Puts them in PyTorch's layout.
    pub fn finish(self, grads: &mut Grads) {
        let (d, h) = (self.d, self.h);
        if self.ids {
            for (j, row) in grads.w_ih.chunks_exact_mut(d).enumerate() {
                row.iter_mut()
                    .zip(self.w_ih[j..].iter().step_by(self.cell.gates() * h))
                    .for_each(|(to, &x)| *to = x);
            }
        } else {
            grads.w_ih.copy_from_slice(&self.w_ih);
        }
        grads.w_hh.copy_from_slice(&self.w_hh);
        for (columns, input_gate, hidden_gate) in self.parts() {
            let sums = &self.biases[columns.start * h..columns.end * h];
            for (gate, bias) in [(input_gate, &mut grads.b_ih), (hidden_gate, &mut grads.b_hh)] {
                if let Some(gate) = gate {
                    bias[gate * h..][..sums.len()].copy_from_slice(sums);
                }
            }
        }
    }
}
