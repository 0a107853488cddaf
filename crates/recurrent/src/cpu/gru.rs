//! GRU in PyTorch's form: `r, z = σ(…)`, `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`, `h' = (1 - z) n + z h`;
//! gate order r, z, n. Its tile has a fourth sum, `W_hn h + b_hn`, which r multiplies.

use super::cell::{BackwardCell, BackwardIo, ForwardCell, ForwardIo};
use super::gemm::{ABlock, microkernel};
use super::math::{sigmoid_pair, tanh};
use super::packed::Prefetch;
use super::simd::{Simd, VECTORS};

/// The GRU cell.
pub struct Gru;

impl ForwardCell for Gru {
    const UNIT_VECTORS: usize = 1;
    const HIDDEN_SHIFT: usize = 1;

    #[inline(always)]
    unsafe fn add_input_products<S: Simd, const M: usize>(
        s: S,
        sums: &mut [[S::F; VECTORS]; M],
        a: ABlock,
        b: *const f32,
        prefetch: Prefetch,
    ) {
        // SAFETY: promised by the caller.
        unsafe { microkernel::<S, M, VECTORS, 3, 0>(s, sums, a, b, prefetch) }
    }

    #[inline(always)]
    unsafe fn add_hidden_products<S: Simd, const M: usize>(
        s: S,
        sums: &mut [[S::F; VECTORS]; M],
        a: ABlock,
        b: *const f32,
        prefetch: Prefetch,
    ) {
        // SAFETY: promised by the caller.
        unsafe { microkernel::<S, M, VECTORS, 3, 1>(s, sums, a, b, prefetch) }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], io: &ForwardIo) {
        let valid = io.units_left.min(S::LANES);
        let [r, z, n, recurrent] = *sums;
        let (r, z) = sigmoid_pair(s, r, z);
        let n = tanh(s, s.mul_add(r, recurrent, n));
        // SAFETY: promised by the caller.
        unsafe {
            io.store_gates(s, [r, z, n, recurrent], valid);
            let before = s.load_partial(io.hidden_before, valid);
            io.store_hidden(s, 0, s.mul_add(z, s.sub(before, n), n), valid);
        }
    }
}

impl BackwardCell for Gru {
    const GRADS: usize = 4;
    const HIDDEN_PARTS: &'static [(usize, usize)] = &[(0, 2), (3, 1)];
    const KEEPS_HIDDEN: bool = true;
    const SAVES_GATES: bool = true;
    const HAS_CELL_STATE: bool = false;

    #[inline(always)]
    unsafe fn unit_grads<S: Simd>(s: S, io: &BackwardIo, valid: usize) {
        let one = s.splat(1.0);
        // SAFETY: promised by the caller.
        unsafe {
            let gate = |j: usize| s.load_partial(io.gates.add(j * io.h), valid);
            let (r, z, n, recurrent) = (gate(0), gate(1), gate(2), gate(3));
            let before = s.load_partial(io.hidden_before, valid);
            let d_hidden = io.hidden_grad(s, valid);
            s.store_partial(io.d_hidden, s.mul(d_hidden, z), valid);

            let d_z = s.mul(s.mul(d_hidden, s.sub(before, n)), s.mul(z, s.sub(one, z)));
            let d_n = s.mul(s.mul(d_hidden, s.sub(one, z)), s.sub(one, s.mul(n, n)));
            let d_r = s.mul(s.mul(d_n, recurrent), s.mul(r, s.sub(one, r)));
            let d_recurrent = s.mul(d_n, r);
            for (j, d) in [d_r, d_z, d_n, d_recurrent].into_iter().enumerate() {
                s.store_partial(io.d_gates.add(j * io.h), d, valid);
            }
        }
    }
}
