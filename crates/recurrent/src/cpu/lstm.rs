//! LSTM: `i, f, o = σ(…)`, `g = tanh(…)`, `c' = f c + i g`, `h' = o tanh(c')`; gate order i, f, g, o.

use super::backward::{BackwardCell, Flow};
use super::forward::{ForwardCell, Place};
use super::gates::{sigmoid, tanh};
use super::panels::{Ahead, accumulate, load_some, store_some};
use super::simd::{Simd, VECTORS};

/// The cell.
pub struct Lstm;

impl ForwardCell for Lstm {
    const UNITS: usize = 1;

    #[inline(always)]
    unsafe fn products<S: Simd, const M: usize>(
        s: S,
        sums: &mut [[S::F; VECTORS]; M],
        a: *const f32,
        k: usize,
        b: *const f32,
        ahead: Ahead,
        _recurrent: bool,
    ) {
        // SAFETY: promised by the caller.
        unsafe { accumulate::<S, M, VECTORS, 4, 0>(s, sums, a, k, 1, k, b, ahead) }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], place: &Place) {
        let valid = place.left.min(S::LANES);
        let [i, f, g, o] = *sums;
        let (i, f, g, o) = (sigmoid(s, i), sigmoid(s, f), tanh(s, g), sigmoid(s, o));
        // SAFETY: promised by the caller.
        unsafe {
            let before = load_some(s, place.carry_before, valid);
            let carry = s.mul_add(f, before, s.mul(i, g));
            store_some(s, place.carry, carry, valid);
            place.store_gates(s, [i, f, g, o], valid);
            place.store_hidden(s, 0, s.mul(o, tanh(s, carry)), valid);
        }
    }
}

impl BackwardCell for Lstm {
    const SLOTS: usize = 4;
    const HIDDEN_PARTS: &'static [(usize, usize)] = &[(0, 4)];
    const KEEPS_HIDDEN: bool = false;

    #[inline(always)]
    unsafe fn unit<S: Simd>(s: S, flow: &Flow, valid: usize) {
        let one = s.splat(1.0);
        // SAFETY: promised by the caller.
        unsafe {
            let gate = |j: usize| load_some(s, flow.gates.add(j * flow.h), valid);
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
            let before = load_some(s, flow.carry_before, valid);
            let squashed = tanh(s, load_some(s, flow.carry, valid));
            let d_hidden = flow.d_hidden(s, valid);

            // d tanh(c) = 1 - tanh²(c)
            let through = s.mul(s.mul(d_hidden, o), s.sub(one, s.mul(squashed, squashed)));
            let d_carry = s.add(load_some(s, flow.d_carry, valid), through);
            store_some(s, flow.d_carry, s.mul(d_carry, f), valid);

            let d_i = s.mul(s.mul(d_carry, g), s.mul(i, s.sub(one, i)));
            let d_f = s.mul(s.mul(d_carry, before), s.mul(f, s.sub(one, f)));
            let d_g = s.mul(s.mul(d_carry, i), s.sub(one, s.mul(g, g)));
            let d_o = s.mul(s.mul(d_hidden, squashed), s.mul(o, s.sub(one, o)));
            for (j, d) in [d_i, d_f, d_g, d_o].into_iter().enumerate() {
                store_some(s, flow.d_gates.add(j * flow.h), d, valid);
            }
        }
    }
}
