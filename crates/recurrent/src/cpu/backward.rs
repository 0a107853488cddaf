//! The backward pass of some rows of a batch over some time steps: the gradients of the pre-activations, of the state
//! and of the input. Those of the weights are products over many rows and steps, afterwards.

use std::ops::Range;
use std::ptr::{null, null_mut};

use super::Cell;
use super::cell::{BackwardCell, BackwardIo};
use super::dropout::Mask;
use super::elman::{Relu, Tanh};
use super::gemm::Gemm;
use super::gru::Gru;
use super::lstm::Lstm;
use super::packed::PackedWeights;
use super::send_ptr::SendPtr;
use super::simd::{Kernel, Simd, VECTORS};
use super::state_buffer::StateBuffer;
use super::threads::Share;

/// A share of a layer over the time steps `steps`, the last first.
///
/// # Safety
/// To run it, every pointer must be valid for all N rows (and T steps) of the shape that is given for it; `cell_state`
/// and `d_cell` are there for an LSTM, `gates` for an LSTM and a GRU, and nothing else accesses these rows and steps of
/// what is written meanwhile.
#[derive(Clone)]
pub struct BackwardPass<'a> {
    /// The recurrence.
    pub cell: Cell,
    /// Time steps of this work item.
    pub steps: Range<usize>,
    /// N.
    pub batch: usize,
    /// D.
    pub d: usize,
    /// H.
    pub h: usize,
    /// Rows and units of this work item.
    pub share: Share<'a>,
    /// `w_hh`, row by row.
    pub hidden_weights: &'a PackedWeights,
    /// h of the forward pass, `[T, N, H]`; only read.
    pub hidden: StateBuffer<'a>,
    /// c of the forward pass, `[T, N, H]`; only read.
    pub cell_state: Option<StateBuffer<'a>>,
    /// `[T, N, 4, H]` of the forward pass; only read.
    pub gates: Option<SendPtr<'a, f32>>,
    /// `[steps, N, grads, H]`: the gradients of the pre-activations.
    pub d_gates: SendPtr<'a, f32>,
    /// `[T, N, H]`: the gradient of the output; only read.
    pub d_out: SendPtr<'a, f32>,
    /// The dropout on the output.
    pub mask: Option<Mask>,
    /// `[N, H]`: the gradient of h after the last of the steps; in the end of h before the first.
    pub d_hidden: SendPtr<'a, f32>,
    /// `[N, H]`: the same of c.
    pub d_cell: Option<SendPtr<'a, f32>>,
    /// The gradient of the input, if it is needed.
    pub input: Option<InputGrad<'a>>,
}

/// What the gradient of a dense input is made of.
#[derive(Clone, Copy)]
pub struct InputGrad<'a> {
    /// `w_ih`, row by row.
    pub weights: &'a PackedWeights,
    /// The gradient, `[T, N, D]`.
    pub d_input: SendPtr<'a, f32>,
}

impl BackwardPass<'_> {
    /// The gradients of some of one row's pre-activations at step `t`. The units start at a whole vector.
    ///
    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn gates<S: Simd, C: BackwardCell>(
        &self,
        s: S,
        t: usize,
        row: usize,
        units: Range<usize>,
    ) {
        let at = t * self.batch + row;
        for unit in units.step_by(S::LANES) {
            let offset = row * self.h + unit;
            let index = t * self.batch * self.h + offset;
            let io = BackwardIo {
                gates: self.gates.map_or(null(), |gates| gates.at(at * VECTORS * self.h + unit)),
                d_gates: self
                    .d_gates
                    .at((at - self.steps.start * self.batch) * C::GRADS * self.h + unit),
                hidden_before: self.hidden.before(t).wrapping_add(offset),
                hidden: self.hidden.after(t).wrapping_add(offset),
                cell_before: self.cell_state.map_or(null(), |c| c.before(t).wrapping_add(offset)),
                cell_state: self.cell_state.map_or(null(), |c| c.after(t).wrapping_add(offset)),
                d_out: self.d_out.at(index),
                d_hidden: self.d_hidden.at(offset),
                d_cell: self.d_cell.map_or(null_mut(), |d_cell| d_cell.at(offset)),
                mask_index: self.mask.map_or(0, |mask| mask.index(t, index)),
                mask: self.mask,
                h: self.h,
            };
            io.prefetch::<S, C>(s);
            // SAFETY: promised by the caller.
            unsafe { C::unit_grads(s, &io, S::LANES.min(self.h - unit)) };
        }
    }

    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn steps<S: Simd, C: BackwardCell>(&self, s: S) {
        let mut parts = [(0, 0); 2];
        for (part, grads) in parts.iter_mut().zip(C::HIDDEN_PARTS) {
            *part = (grads.0 * self.h, grads.1 * self.h);
        }
        let hidden_parts = &parts[..C::HIDDEN_PARTS.len()];
        let panels = self.share.panels(self.hidden_weights.panels());
        let units = self.hidden_weights.columns_of(panels.clone());
        for t in self.steps.clone().rev() {
            for row in self.share.rows.clone() {
                // SAFETY: promised by the caller.
                unsafe { self.gates::<S, C>(s, t, row, units.clone()) };
            }
            // The products need the gradients of all units. What they give, the step before needs of its own units only.
            self.share.wait();
            let row = self.share.rows.start;
            let width = C::GRADS * self.h;
            let gemm = Gemm {
                a: self.d_gates.at(((t - self.steps.start) * self.batch + row) * width),
                a_stride: width,
                rows: self.share.rows.len(),
                parts: hidden_parts,
                b: self.hidden_weights,
                panels: panels.clone(),
                c: self.d_hidden.at(row * self.h),
                c_stride: self.h,
                add: C::KEEPS_HIDDEN,
            };
            // SAFETY: A is the rows' gradients of this step, which were just written; C is the rows of `d_input`
            // and of `d_hidden`, which the caller promised.
            unsafe {
                if let Some(InputGrad { weights, d_input }) = self.input {
                    s.vectorize(Gemm {
                        parts: &[(0, weights.k)],
                        b: weights,
                        panels: self.share.panels(weights.panels()),
                        c: d_input.at((t * self.batch + row) * self.d),
                        c_stride: self.d,
                        add: false,
                        ..gemm
                    });
                }
                s.vectorize(gemm);
            }
        }
    }
}

impl Kernel for BackwardPass<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        // SAFETY: promised by the caller.
        unsafe {
            match self.cell {
                Cell::Lstm => self.steps::<S, Lstm>(s),
                Cell::Gru => self.steps::<S, Gru>(s),
                Cell::Tanh => self.steps::<S, Tanh>(s),
                Cell::Relu => self.steps::<S, Relu>(s),
            }
        }
    }
}
