//! The gradients of a layer's weights, summed over chunks of steps.

use std::ops::Range;

use super::buffer::Buffer;
use super::isa::Isa;
use super::send_ptr::SendPtr;
use super::simd::VECTORS;
use super::threads::for_each_chunk;
use super::weight_grad_gemm::{Dense, LINE, OneHot, WeightGradGemm, add_products};
use super::{Cell, Dims, Input, Precision};

/// Gradients of a layer's parameters, in their layout.
#[derive(Clone, Debug)]
pub struct WeightGrads {
    /// `[G · H, D]`
    pub w_ih: Vec<f32>,
    /// `[G · H, H]`
    pub w_hh: Vec<f32>,
    /// `[G · H]`
    pub b_ih: Vec<f32>,
    /// `[G · H]`
    pub b_hh: Vec<f32>,
}

/// The sums over rows and steps that make the gradients of the weights and biases.
pub struct WeightGradAccumulator {
    cell: Cell,
    d: usize,
    h: usize,
    /// `[G · H, D]`, or its transpose for ids: a row is added for each.
    w_ih: Buffer,
    /// `[G · H, H]`
    w_hh: Buffer,
    /// `[4, H]`: one for each pre-activation gradient of a unit.
    biases: Buffer,
    ids: bool,
}

/// Consecutive pre-activation gradients of a unit that belong to consecutive gates.
struct GateGrads {
    /// Which of the unit's gradients.
    grads: Range<usize>,
    /// The gate of `w_ih` and `b_ih` that the first belongs to.
    input_gate: Option<usize>,
    /// The gate of `w_hh` and `b_hh` that the first belongs to.
    hidden_gate: Option<usize>,
}

impl GateGrads {
    const fn new(
        grads: Range<usize>,
        input_gate: Option<usize>,
        hidden_gate: Option<usize>,
    ) -> Self {
        GateGrads { grads, input_gate, hidden_gate }
    }
}

impl WeightGradAccumulator {
    /// Sums of zero. `ids` says that the input is one-hot ids.
    pub fn new(cell: Cell, Dims { d, h, .. }: Dims, ids: bool) -> Self {
        let gates = cell.gates() * h;
        let biases = Buffer::zeros(VECTORS * h);
        WeightGradAccumulator {
            cell,
            d,
            h,
            w_ih: Buffer::zeros(gates * d),
            w_hh: Buffer::zeros(gates * h),
            biases,
            ids,
        }
    }

    fn parts(&self) -> &'static [GateGrads] {
        match self.cell {
            Cell::Lstm => const { &[GateGrads::new(0..4, Some(0), Some(0))] },
            Cell::Tanh | Cell::Relu => const { &[GateGrads::new(0..1, Some(0), Some(0))] },
            // r multiplies W_hn h + b_hn: n has a gradient for the input and one for the hidden state.
            Cell::Gru => {
                const {
                    &[
                        GateGrads::new(0..2, Some(0), Some(0)),
                        GateGrads::new(2..3, Some(2), None),
                        GateGrads::new(3..4, None, Some(2)),
                    ]
                }
            }
        }
    }

    /// Adds the products of some rows' pre-activation gradients with the input and with h before the step.
    ///
    /// # Shapes
    /// - `d_gates`: `[K, width]`; `hidden_before`: `[K, H]`; `input`: K rows
    ///
    /// # Safety
    /// Ids must be below D.
    pub unsafe fn add(
        &mut self,
        isa: Isa,
        precision: Precision,
        d_gates: &[f32],
        width: usize,
        input: Input<'_>,
        hidden_before: &[f32],
    ) {
        let (d, h, gates) = (self.d, self.h, self.cell.gates() * self.h);
        let parts = self.parts();
        // SAFETY: each product has its own gates of w_ih and w_hh and its own biases.
        let (w_ih, w_hh, biases) = unsafe {
            (
                SendPtr::new(&mut self.w_ih),
                SendPtr::new(&mut self.w_hh),
                SendPtr::new(&mut self.biases),
            )
        };
        let gemms = parts.iter().map(|GateGrads { grads, input_gate, hidden_gate }| {
            let mut gemm = WeightGradGemm {
                a: d_gates,
                stride: width,
                k: hidden_before.len() / h,
                columns: grads.start * h..grads.end * h,
                dense: [None; 2],
                one_hot: None,
                sums: biases.offset(grads.start * h),
            };
            if let Some(gate) = hidden_gate {
                let c = w_hh.offset(gate * h * h);
                gemm.dense[0] = Some(Dense { b: hidden_before, n: h, c });
            }
            match (input_gate, input) {
                (Some(gate), Input::Ids(ids)) => {
                    let table = w_ih.offset(gate * h);
                    gemm.one_hot = Some(OneHot { ids, table, stride: gates });
                }
                (Some(gate), Input::Dense(b)) => {
                    let c = w_ih.offset(gate * h * d);
                    gemm.dense[1] = Some(Dense { b, n: d, c });
                }
                (None, _) => {}
            }
            gemm
        });
        let gemms: Vec<_> = gemms.collect();
        // SAFETY: the sums have the shapes of the products, for all gates; `self` is borrowed mutably, and the caller
        // promised the ids.
        unsafe { add_products(isa, precision, &gemms) };
    }

    /// The gradient of `w_ih`, `[G · H, D]`, of the table of ids `[D, G · H]`.
    fn transposed_table(&self) -> Vec<f32> {
        let (d, gates) = (self.d, self.cell.gates() * self.h);
        let mut grad = vec![0.0; gates * d];
        // A line of each of the table's rows at a time.
        for_each_chunk(&mut grad, LINE * d, |block, rows| {
            for (id, from) in self.w_ih.chunks_exact(gates).enumerate() {
                for (row, &x) in rows.chunks_exact_mut(d).zip(&from[block * LINE..]) {
                    row[id] = x;
                }
            }
        });
        grad
    }

    /// The sums in PyTorch's layout.
    pub fn finish(self) -> WeightGrads {
        let h = self.h;
        let gates = self.cell.gates() * h;
        let mut grads = WeightGrads {
            w_ih: if self.ids { self.transposed_table() } else { self.w_ih.to_vec() },
            w_hh: self.w_hh.to_vec(),
            b_ih: vec![0.0; gates],
            b_hh: vec![0.0; gates],
        };
        for GateGrads { grads: columns, input_gate, hidden_gate } in self.parts() {
            let sums = &self.biases[columns.start * h..columns.end * h];
            for (gate, bias) in [(input_gate, &mut grads.b_ih), (hidden_gate, &mut grads.b_hh)] {
                if let Some(gate) = gate {
                    bias[gate * h..][..sums.len()].copy_from_slice(sums);
                }
            }
        }
        grads
    }
}
