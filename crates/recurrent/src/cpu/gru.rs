//! GRU, PyTorch's form: `r, z = σ(…)`, `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`, `h' = (1 - z) n + z h`;
//! gate order r, z, n. Its tile has a fourth sum, the recurrent half of n.

use super::backward::{BackwardCell, Flow};
use super::forward::{ForwardCell, Place};
use super::gates::{sigmoid, tanh};
use super::panels::{Ahead, accumulate, load_some, store_some};
use super::simd::{Simd, VECTORS};

/// The cell.
pub struct Gru;

impl ForwardCell for Gru {
    const UNITS: usize = 1;

    #[inline(always)]
    unsafe fn products<S: Simd, const M: usize>(
        s: S,
        sums: &mut [[S::F; VECTORS]; M],
        a: *const f32,
        k: usize,
        b: *const f32,
        ahead: Ahead,
        recurrent: bool,
    ) {
        // SAFETY: promised by the caller.
        unsafe {
            if recurrent {
                accumulate::<S, M, VECTORS, 3, 1>(s, sums, a, k, 1, k, b, ahead);
            } else {
                accumulate::<S, M, VECTORS, 3, 0>(s, sums, a, k, 1, k, b, ahead);
            }
        }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], place: &Place) {
        let valid = place.left.min(S::LANES);
        let [r, z, n, recurrent] = *sums;
        let (r, z) = (sigmoid(s, r), sigmoid(s, z));
        let n = tanh(s, s.mul_add(r, recurrent, n));
        // SAFETY: promised by the caller.
        unsafe {
            place.store_gates(s, [r, z, n, recurrent], valid);
            let before = load_some(s, place.hidden_before, valid);
            place.store_hidden(s, 0, s.mul_add(z, s.sub(before, n), n), valid);
        }
    }
}

impl BackwardCell for Gru {
    const SLOTS: usize = 4;
    const HIDDEN_PARTS: &'static [(usize, usize)] = &[(0, 2), (3, 1)];
    const KEEPS_HIDDEN: bool = true;

    #[inline(always)]
    unsafe fn unit<S: Simd>(s: S, flow: &Flow, valid: usize) {
        let one = s.splat(1.0);
        // SAFETY: promised by the caller.
        unsafe {
            let gate = |j: usize| load_some(s, flow.gates.add(j * flow.h), valid);
            let (r, z, n, recurrent) = (gate(0), gate(1), gate(2), gate(3));
            let before = load_some(s, flow.hidden_before, valid);
            let d_hidden = flow.d_hidden(s, valid);
            store_some(s, flow.d_state, s.mul(d_hidden, z), valid);

            let d_z = s.mul(s.mul(d_hidden, s.sub(before, n)), s.mul(z, s.sub(one, z)));
            let d_n = s.mul(s.mul(d_hidden, s.sub(one, z)), s.sub(one, s.mul(n, n)));
            let d_r = s.mul(s.mul(d_n, recurrent), s.mul(r, s.sub(one, r)));
            let d_recurrent = s.mul(d_n, r);
            for (j, d) in [d_r, d_z, d_n, d_recurrent].into_iter().enumerate() {
                store_some(s, flow.d_gates.add(j * flow.h), d, valid);
            }
        }
    }
}
