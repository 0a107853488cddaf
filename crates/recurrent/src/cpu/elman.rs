//! Elman cells: `h' = tanh(…)` or `h' = relu(…)`. A tile has four vectors of units.

use super::backward::{BackwardCell, Flow};
use super::forward::{ForwardCell, Place};
use super::gates::tanh;
use super::panels::{Ahead, accumulate, load_some, store_some};
use super::simd::{Simd, VECTORS};

/// The tanh cell.
pub struct Tanh;
/// The ReLU cell.
pub struct Relu;

/// The nonlinearity and its derivative, from its result.
trait Activation {
    fn apply<S: Simd>(s: S, x: S::F) -> S::F;
    fn backward<S: Simd>(s: S, result: S::F, d_result: S::F) -> S::F;
}

impl Activation for Tanh {
    #[inline(always)]
    fn apply<S: Simd>(s: S, x: S::F) -> S::F {
        tanh(s, x)
    }
    #[inline(always)]
    fn backward<S: Simd>(s: S, result: S::F, d_result: S::F) -> S::F {
        s.mul(d_result, s.sub(s.splat(1.0), s.mul(result, result)))
    }
}

impl Activation for Relu {
    #[inline(always)]
    fn apply<S: Simd>(s: S, x: S::F) -> S::F {
        // Not `if_positive`: NaN must stay.
        s.at_least(x, s.splat(0.0))
    }
    #[inline(always)]
    fn backward<S: Simd>(s: S, result: S::F, d_result: S::F) -> S::F {
        s.if_positive(result, d_result)
    }
}

impl<A: Activation> ForwardCell for A {
    const UNITS: usize = VECTORS;

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
        unsafe { accumulate::<S, M, VECTORS, VECTORS, 0>(s, sums, a, k, 1, k, b, ahead) }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], place: &Place) {
        for (j, &sum) in sums.iter().enumerate() {
            let offset = j * S::LANES;
            let valid = place.left.saturating_sub(offset).min(S::LANES);
            if valid > 0 {
                // SAFETY: promised by the caller; `valid` units are left.
                unsafe { place.store_hidden(s, offset, A::apply(s, sum), valid) };
            }
        }
    }
}

impl<A: Activation> BackwardCell for A {
    const SLOTS: usize = 1;
    const HIDDEN_PARTS: &'static [(usize, usize)] = &[(0, 1)];
    const KEEPS_HIDDEN: bool = false;

    #[inline(always)]
    unsafe fn unit<S: Simd>(s: S, flow: &Flow, valid: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            let hidden = load_some(s, flow.hidden, valid);
            store_some(s, flow.d_gates, A::backward(s, hidden, flow.d_hidden(s, valid)), valid);
        }
    }
}
