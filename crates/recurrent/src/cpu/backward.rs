//! The backward pass of some rows of a batch over the whole sequence: the gradients of the gates' sums, of the
//! state and of the input. Those of the weights are products over many rows and steps, afterwards.

use std::ops::Range;

use super::Cell;
use super::dropout::Mask;
use super::elman::{Relu, Tanh};
use super::forward::Track;
use super::gru::Gru;
use super::lstm::Lstm;
use super::panels::{Panels, Product, load_some};
use super::simd::{Kernel, Simd, VECTORS};
use super::threads::Shared;

/// The rows `rows` of a layer over the steps `steps`, the last first.
#[derive(Clone)]
pub struct Backward<'a> {
    /// Which cell.
    pub cell: Cell,
    /// Those of this piece.
    pub steps: Range<usize>,
    /// N.
    pub batch: usize,
    /// D.
    pub d: usize,
    /// H.
    pub h: usize,
    /// Those of this piece.
    pub rows: Range<usize>,
    /// `w_hh`, row by row.
    pub hidden_weights: &'a Panels,
    /// `w_ih`, where the input's gradient is wanted.
    pub input_weights: Option<&'a Panels>,
    /// h as the forward pass left it.
    pub hidden: Track,
    /// c as the forward pass left it.
    pub carry: Track,
    /// `[T, N, 4, H]` as the forward pass left them, or null.
    pub gates: Shared,
    /// `[steps, N, slots, H]`: the gradients of the gates' sums.
    pub d_gates: Shared,
    /// `[T, N, H]`: of the output.
    pub d_out: Shared,
    /// The dropout on the output.
    pub mask: Option<Mask>,
    /// `[N, H]`: of h after the last of the steps; in the end of h before the first.
    pub d_hidden: Shared,
    /// `[N, H]`: the same of c.
    pub d_carry: Shared,
    /// `[T, N, D]`: of the input, where it is wanted.
    pub d_input: Shared,
}

/// The places of one vector of units of one row at one step.
pub struct Flow {
    /// The first of the row's gates, H apart.
    pub gates: *const f32,
    /// The first of their gradients, H apart.
    pub d_gates: *mut f32,
    /// h before the step.
    pub hidden_before: *const f32,
    /// h after it.
    pub hidden: *const f32,
    /// c before the step.
    pub carry_before: *const f32,
    /// c after it.
    pub carry: *const f32,
    /// Of the output.
    pub d_out: *const f32,
    /// Of h, from the step after.
    pub d_state: *mut f32,
    /// Of c, from the step after.
    pub d_carry: *mut f32,
    /// Of the output's element in `[T, N, H]`.
    pub index: u32,
    /// The dropout on the output.
    pub mask: Option<Mask>,
    /// H.
    pub h: usize,
}

impl Flow {
    /// Asks for what the forward pass left of the row after the next: it has long gone to memory.
    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S) {
        if !self.gates.is_null() {
            for gate in 0..VECTORS {
                s.prefetch(self.gates.wrapping_add((2 * VECTORS + gate) * self.h));
            }
            s.prefetch(self.carry_before.wrapping_add(2 * self.h));
        }
        s.prefetch(self.hidden_before.wrapping_add(2 * self.h));
        s.prefetch(self.d_out.wrapping_add(2 * self.h));
    }

    /// The whole gradient of h: the output's, through its dropout, and the next step's.
    /// # Safety
    /// The place must be valid for `valid` reads.
    #[inline(always)]
    pub unsafe fn d_hidden<S: Simd>(&self, s: S, valid: usize) -> S::F {
        // SAFETY: promised by the caller.
        let (out, state) =
            unsafe { (load_some(s, self.d_out, valid), load_some(s, self.d_state, valid)) };
        let out = match self.mask {
            Some(mask) => mask.apply(s, self.index, out),
            None => out,
        };
        s.add(out, state)
    }
}

/// The derivative of a cell.
pub trait BackwardCell {
    /// Gradients that a unit has at each step.
    const SLOTS: usize;
    /// Those that meet `w_hh`: first slot and how many.
    const HIDDEN_PARTS: &'static [(usize, usize)];
    /// Whether a part of the gradient of h passes by the weights.
    const KEEPS_HIDDEN: bool;

    /// Computes the gradients of the gates' sums of some units.
    /// # Safety
    /// The place must be valid for `valid` units.
    unsafe fn unit<S: Simd>(s: S, flow: &Flow, valid: usize);
}

impl Backward<'_> {
    /// # Safety
    /// The piece's pointers must be valid.
    #[inline(always)]
    unsafe fn gates<S: Simd, C: BackwardCell>(&self, s: S, t: usize, row: usize) {
        let at = t * self.batch + row;
        for unit in (0..self.h).step_by(S::LANES) {
            let offset = row * self.h + unit;
            let index = t * self.batch * self.h + offset;
            let flow = Flow {
                gates: if self.gates.0.is_null() {
                    self.gates.0
                } else {
                    self.gates.at(at * VECTORS * self.h + unit)
                },
                d_gates: self
                    .d_gates
                    .at((at - self.steps.start * self.batch) * C::SLOTS * self.h + unit),
                hidden_before: self.hidden.before(t).wrapping_add(offset),
                hidden: self.hidden.after(t).wrapping_add(offset),
                carry_before: self.carry.before(t).wrapping_add(offset),
                carry: self.carry.after(t).wrapping_add(offset),
                d_out: self.d_out.at(index),
                d_state: self.d_hidden.at(offset),
                d_carry: self.d_carry.at(offset),
                index: index as u32,
                mask: self.mask,
                h: self.h,
            };
            flow.prefetch(s);
            // SAFETY: promised by the caller.
            unsafe { C::unit(s, &flow, S::LANES.min(self.h - unit)) };
        }
    }

    #[inline(always)]
    fn steps<S: Simd, C: BackwardCell>(&self, s: S) {
        let mut parts = [(0, 0); 2];
        for (part, slots) in parts.iter_mut().zip(C::HIDDEN_PARTS) {
            *part = (slots.0 * self.h, slots.1 * self.h);
        }
        let hidden_parts = &parts[..C::HIDDEN_PARTS.len()];
        for t in self.steps.clone().rev() {
            for row in self.rows.clone() {
                // SAFETY: the maker of the piece vouches for its pointers.
                unsafe { self.gates::<S, C>(s, t, row) };
            }
            let row = self.rows.start;
            let slots = C::SLOTS * self.h;
            let product = Product {
                a: self.d_gates.at(((t - self.steps.start) * self.batch + row) * slots),
                a_row: slots,
                rows: self.rows.len(),
                parts: hidden_parts,
                b: self.hidden_weights,
                panels: 0..self.hidden_weights.count(),
                out: self.d_hidden.at(row * self.h),
                out_row: self.h,
                add: C::KEEPS_HIDDEN,
            };
            if let Some(weights) = self.input_weights {
                s.vectorize(Product {
                    parts: &[(0, weights.k)],
                    b: weights,
                    panels: 0..weights.count(),
                    out: self.d_input.at((t * self.batch + row) * self.d),
                    out_row: self.d,
                    add: false,
                    ..product
                });
            }
            s.vectorize(product);
        }
    }
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.cell {
            Cell::Lstm => self.steps::<S, Lstm>(s),
            Cell::Gru => self.steps::<S, Gru>(s),
            Cell::Tanh => self.steps::<S, Tanh>(s),
            Cell::Relu => self.steps::<S, Relu>(s),
        }
    }
}
