//! LSTM: `i, f, o = σ(…)`, `g = tanh(…)`, `c' = f c + i g`, `h' = o tanh(c')`; gate order i, f, g, o.

use super::cell::{BackwardCell, BackwardIo, ForwardCell, ForwardIo};
use super::math::{sigmoid_and_tanh, sigmoid_pair, tanh};
use super::simd::{Simd, VECTORS};

/// The LSTM cell.
pub struct Lstm;

impl ForwardCell for Lstm {
    const UNIT_VECTORS: usize = 1;

    #[inline(always)]
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], io: &ForwardIo) {
        let valid = io.units_left.min(S::LANES);
        let [i, f, g, o] = *sums;
        let (i, g) = sigmoid_and_tanh(s, i, g);
        let (f, o) = sigmoid_pair(s, f, o);
        // SAFETY: promised by the caller.
        unsafe {
            let before = s.load_partial(io.cell_before, valid);
            let cell_state = s.mul_add(f, before, s.mul(i, g));
            s.store_partial(io.cell_state, cell_state, valid);
            io.store_gates(s, [i, f, g, o], valid);
            io.store_hidden(s, 0, s.mul(o, tanh(s, cell_state)), valid);
        }
    }
}

impl BackwardCell for Lstm {
    const GRADS: usize = 4;
    const HIDDEN_PARTS: &'static [(usize, usize)] = &[(0, 4)];
    const KEEPS_HIDDEN: bool = false;
    const SAVES_GATES: bool = true;
    const HAS_CELL_STATE: bool = true;

    #[inline(always)]
    unsafe fn unit_grads<S: Simd>(s: S, io: &BackwardIo, valid: usize) {
        let one = s.splat(1.0);
        // SAFETY: promised by the caller.
        unsafe {
            let gate = |j: usize| s.load_partial(io.gates.add(j * io.h), valid);
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
            let before = s.load_partial(io.cell_before, valid);
            let tanh_c = tanh(s, s.load_partial(io.cell_state, valid));
            let d_hidden = io.hidden_grad(s, valid);

            // d tanh(c) = 1 - tanh²(c)
            let through_tanh = s.mul(s.mul(d_hidden, o), s.sub(one, s.mul(tanh_c, tanh_c)));
            let d_cell = s.add(s.load_partial(io.d_cell, valid), through_tanh);
            s.store_partial(io.d_cell, s.mul(d_cell, f), valid);

            let d_i = s.mul(s.mul(d_cell, g), s.mul(i, s.sub(one, i)));
            let d_f = s.mul(s.mul(d_cell, before), s.mul(f, s.sub(one, f)));
            let d_g = s.mul(s.mul(d_cell, i), s.sub(one, s.mul(g, g)));
            let d_o = s.mul(s.mul(d_hidden, tanh_c), s.mul(o, s.sub(one, o)));
            for (j, d) in [d_i, d_f, d_g, d_o].into_iter().enumerate() {
                s.store_partial(io.d_gates.add(j * io.h), d, valid);
            }
        }
    }
}
