//! Elman cells: `h' = tanh(…)` or `h' = relu(…)`. A tile has four vectors of units.

use super::cell::{BackwardCell, BackwardIo, ForwardCell, ForwardIo};
use super::math::tanh_pair;
use super::simd::{Simd, VECTORS};

/// The tanh cell.
pub struct Tanh;
/// The ReLU cell.
pub struct Relu;

/// The nonlinearity, and its derivative computed from its result.
trait Activation {
    fn apply<S: Simd>(s: S, x: [S::F; 2]) -> [S::F; 2];
    fn backward<S: Simd>(s: S, result: S::F, d_result: S::F) -> S::F;
}

impl Activation for Tanh {
    #[inline(always)]
    fn apply<S: Simd>(s: S, [x, y]: [S::F; 2]) -> [S::F; 2] {
        tanh_pair(s, x, y).into()
    }
    #[inline(always)]
    fn backward<S: Simd>(s: S, result: S::F, d_result: S::F) -> S::F {
        s.mul(d_result, s.sub(s.splat(1.0), s.mul(result, result)))
    }
}

impl Activation for Relu {
    #[inline(always)]
    fn apply<S: Simd>(s: S, x: [S::F; 2]) -> [S::F; 2] {
        // Not `zero_unless_positive`: NaN must stay.
        x.map(|x| s.max(x, s.splat(0.0)))
    }
    #[inline(always)]
    fn backward<S: Simd>(s: S, result: S::F, d_result: S::F) -> S::F {
        s.zero_unless_positive(result, d_result)
    }
}

impl<A: Activation> ForwardCell for A {
    const UNIT_VECTORS: usize = VECTORS;

    #[inline(always)]
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], io: &ForwardIo) {
        let &[a, b, c, d] = sums;
        let ([a, b], [c, d]) = (A::apply(s, [a, b]), A::apply(s, [c, d]));
        for (j, value) in [a, b, c, d].into_iter().enumerate() {
            let offset = j * S::LANES;
            let valid = io.units_left.saturating_sub(offset).min(S::LANES);
            if valid > 0 {
                // SAFETY: promised by the caller; `valid` units are left.
                unsafe { io.store_hidden(s, offset, value, valid) };
            }
        }
    }
}

impl<A: Activation> BackwardCell for A {
    const GRADS: usize = 1;
    const HIDDEN_PARTS: &'static [(usize, usize)] = &[(0, 1)];
    const KEEPS_HIDDEN: bool = false;
    const SAVES_GATES: bool = false;
    const HAS_CELL_STATE: bool = false;

    #[inline(always)]
    unsafe fn unit_grads<S: Simd>(s: S, io: &BackwardIo, valid: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            let hidden = s.load_partial(io.hidden, valid);
            s.store_partial(io.d_gates, A::backward(s, hidden, io.hidden_grad(s, valid)), valid);
        }
    }
}
