//! What a cell is to the forward and the backward pass: the arithmetic of one vector of its units at one time step,
//! and the addresses that it works on.

use super::dropout::Mask;
use super::gemm::{ABlock, microkernel};
use super::packed::Prefetch;
use super::simd::{Simd, VECTORS};

/// A cell's arithmetic in the forward pass.
pub trait ForwardCell {
    /// Vectors of units in a panel of the packed weights.
    const UNIT_VECTORS: usize;
    /// The last vector of a panel of `W_hh` is added to the sums this many vectors further.
    const HIDDEN_SHIFT: usize = 0;

    /// Adds the products with the input (`W_ih x`) to the sums of a tile.
    ///
    /// # Safety
    /// As [`microkernel`].
    #[inline(always)]
    unsafe fn add_input_products<S: Simd, const M: usize>(
        s: S,
        sums: &mut [[S::F; VECTORS]; M],
        a: ABlock,
        b: *const f32,
        prefetch: Prefetch,
    ) {
        // SAFETY: promised by the caller.
        unsafe { microkernel::<S, M, VECTORS, VECTORS, 0>(s, sums, a, b, prefetch) }
    }

    /// Adds the products with the hidden state (`W_hh h`) to the sums of a tile.
    ///
    /// # Safety
    /// As [`microkernel`].
    #[inline(always)]
    unsafe fn add_hidden_products<S: Simd, const M: usize>(
        s: S,
        sums: &mut [[S::F; VECTORS]; M],
        a: ABlock,
        b: *const f32,
        prefetch: Prefetch,
    ) {
        // SAFETY: promised by the caller.
        unsafe { microkernel::<S, M, VECTORS, VECTORS, 0>(s, sums, a, b, prefetch) }
    }

    /// Computes the new state of one row's units from their sums.
    ///
    /// # Safety
    /// Every address in `io` must be valid as its documentation says.
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], io: &ForwardIo);
}

/// The addresses of one row's units in a panel at one time step of the forward pass, each valid for
/// [`units_left`](Self::units_left) elements or what the panel holds, whichever is less.
pub struct ForwardIo {
    /// h before the step, to read.
    pub hidden_before: *const f32,
    /// h after the step, to write.
    pub hidden: *mut f32,
    /// c of an LSTM before the step, to read; null for other cells.
    pub cell_before: *const f32,
    /// c of an LSTM after the step, to write; null for other cells.
    pub cell_state: *mut f32,
    /// The first of [`VECTORS`] gates to write, H elements apart, where they are saved.
    pub gates: Option<*mut f32>,
    /// The output to write, where it isn't `hidden`.
    pub out: Option<*mut f32>,
    /// The mask's index of the output's first element.
    pub mask_index: u32,
    /// The dropout on `out`.
    pub mask: Option<Mask>,
    /// H.
    pub h: usize,
    /// Units from the first of these to the end of the row; lanes beyond are padding.
    pub units_left: usize,
}

impl ForwardIo {
    /// Saves the gates of `valid` units if there is a buffer for them.
    ///
    /// # Safety
    /// `gates` must be valid for `valid` units.
    #[inline(always)]
    pub unsafe fn store_gates<S: Simd>(&self, s: S, gates: [S::F; VECTORS], valid: usize) {
        let Some(to) = self.gates else { return };
        // Only the backward pass reads them: they needn't evict the weights from the caches.
        let aligned = to.addr().is_multiple_of(4 * S::LANES) && self.h.is_multiple_of(S::LANES);
        for (j, gate) in gates.into_iter().enumerate() {
            // SAFETY: promised by the caller; where H is a multiple of the lanes all of them are valid, and aligned.
            unsafe {
                let to = to.add(j * self.h);
                if aligned {
                    s.store_nontemporal(to, gate)
                } else {
                    s.store_partial(to, gate, valid)
                }
            }
        }
    }

    /// Stores h of `valid` units from unit `offset` on, and the output with its dropout.
    ///
    /// # Safety
    /// `hidden` and `out` must be valid for `valid` writes at `offset`.
    #[inline(always)]
    pub unsafe fn store_hidden<S: Simd>(&self, s: S, offset: usize, value: S::F, valid: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            s.store_partial(self.hidden.add(offset), value, valid);
            if let Some(out) = self.out {
                let value = match self.mask {
                    Some(mask) => mask.apply(s, self.mask_index.wrapping_add(offset as u32), value),
                    None => value,
                };
                s.store_partial(out.add(offset), value, valid);
            }
        }
    }
}

/// A cell's derivative.
pub trait BackwardCell {
    /// Pre-activation gradients that a unit has at each step.
    const GRADS: usize;
    /// Those that are multiplied by `w_hh`: the first and how many.
    const HIDDEN_PARTS: &'static [(usize, usize)];
    /// Whether part of the gradient of h bypasses the weights.
    const KEEPS_HIDDEN: bool;
    /// Whether the forward pass saves gates.
    const SAVES_GATES: bool;
    /// Whether the cell has a state c besides h.
    const HAS_CELL_STATE: bool;

    /// Computes the gradients of the pre-activations of `valid` units, and what is passed on to the step before.
    ///
    /// # Safety
    /// Every address in `io` that the cell has must be valid for `valid` units.
    unsafe fn unit_grads<S: Simd>(s: S, io: &BackwardIo, valid: usize);
}

/// The addresses of one vector of a row's units at one time step of the backward pass.
pub struct BackwardIo {
    /// The first of [`VECTORS`] gates of the forward pass, H elements apart, to read; null where none are saved.
    pub gates: *const f32,
    /// The first of the gradients of the pre-activations, H elements apart, to write.
    pub d_gates: *mut f32,
    /// h before the step, to read.
    pub hidden_before: *const f32,
    /// h after the step, to read.
    pub hidden: *const f32,
    /// c before the step, to read; null where the cell has none.
    pub cell_before: *const f32,
    /// c after the step, to read; null where the cell has none.
    pub cell_state: *const f32,
    /// The gradient of the output, to read.
    pub d_out: *const f32,
    /// The gradient of h from the step after, to read; the part that bypasses the weights is written here.
    pub d_hidden: *mut f32,
    /// The gradient of c from the step after, to read; that from this step is written here. Null where the cell has none.
    pub d_cell: *mut f32,
    /// The mask's index of the output's first element.
    pub mask_index: u32,
    /// The dropout on the output.
    pub mask: Option<Mask>,
    /// H.
    pub h: usize,
}

impl BackwardIo {
    /// Prefetches what the forward pass saved of the row after the next: it has left the caches long ago.
    #[inline(always)]
    pub fn prefetch<S: Simd, C: BackwardCell>(&self, s: S) {
        if C::SAVES_GATES {
            for gate in 0..VECTORS {
                s.prefetch(self.gates.wrapping_add((2 * VECTORS + gate) * self.h));
            }
        }
        if C::HAS_CELL_STATE {
            s.prefetch(self.cell_before.wrapping_add(2 * self.h));
        }
        s.prefetch(self.hidden_before.wrapping_add(2 * self.h));
        s.prefetch(self.d_out.wrapping_add(2 * self.h));
    }

    /// The whole gradient of h: the output's, through its dropout, and the next step's.
    ///
    /// # Safety
    /// `d_out` and `d_hidden` must be valid for `valid` reads.
    #[inline(always)]
    pub unsafe fn hidden_grad<S: Simd>(&self, s: S, valid: usize) -> S::F {
        // SAFETY: promised by the caller.
        let (out, next) =
            unsafe { (s.load_partial(self.d_out, valid), s.load_partial(self.d_hidden, valid)) };
        let out = match self.mask {
            Some(mask) => mask.apply(s, self.mask_index, out),
            None => out,
        };
        s.add(out, next)
    }
}
