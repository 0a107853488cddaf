//! Sigmoid, tanh and exp on vectors.
//!
//! All three rest on `exp(y) = 2ⁿ (1 + p(r))`, `n = round(y / ln 2)`, `r = y - n ln 2`, where `p` is `expm1` on
//! `[-ln 2 / 2, ln 2 / 2]` as a polynomial (maximum relative error 1.3·10⁻⁸, a minimax fit by Lawson's iteration).
//! Arguments are clamped where the result no longer changes; NaN stays NaN.
//!
//! Sigmoid and tanh are accurate to about 2·10⁻⁷ of their range, and tanh to 4·10⁻⁷ of its own size near zero. The relative
//! error of exp, and of sigmoid far below zero, grows with the argument, because `r` inherits the rounding of ln 2 to f32 n
//! times: see [`exp`].

use super::simd::Simd;

/// `p(r)` and `2ⁿ` of `y`, for `|y| <= 88`.
#[inline(always)]
fn split_exp<S: Simd>(s: S, y: S::F) -> (S::F, S::F) {
    // Adding 1.5 · 2²³ leaves the rounded n in the low bits of the sum.
    let magic = s.splat(12_582_912.0);
    let shifted = s.mul_add(y, s.splat(std::f32::consts::LOG2_E), magic);
    let n = s.sub(shifted, magic);
    let r = s.mul_add(n, s.splat(-std::f32::consts::LN_2), y);
    let mut q = s.splat(0.001_394_649_7);
    q = s.mul_add(q, r, s.splat(0.008_366_611));
    q = s.mul_add(q, r, s.splat(0.041_666_28));
    q = s.mul_add(q, r, s.splat(0.166_665_43));
    q = s.mul_add(q, r, s.splat(0.5));
    let p = s.mul_add(s.mul(r, r), q, r);
    let power = s.u_add(s.u_shl::<23>(s.to_bits(shifted)), s.u_splat(0x3f80_0000));
    (p, s.bits_to_float(power))
}

#[inline(always)]
fn clamp<S: Simd>(s: S, x: S::F, low: f32, high: f32) -> S::F {
    s.min(s.max(x, s.splat(low)), s.splat(high))
}

/// `exp(x)` for `x` in -87..=88; beyond, its value at the nearer end, 1.6·10⁻³⁸ or 1.7·10³⁸.
///
/// Its relative error is up to 4·10⁻⁷ where the instruction set has a fused multiply-add; without, the product `n ln 2` is
/// rounded too, and the error grows with `|x|` to 4·10⁻⁶ at the ends.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    let (p, power) = split_exp(s, clamp(s, x, -87.0, 88.0));
    s.mul_add(p, power, power)
}

/// `1 + exp(-x)` for `x` in -40..=40, so that the product of two stays finite; beyond, its value at the nearer end.
#[inline(always)]
fn sigmoid_denominator<S: Simd>(s: S, x: S::F) -> S::F {
    let (p, power) = split_exp(s, clamp(s, s.sub(s.splat(0.0), x), -40.0, 40.0));
    s.add(s.splat(1.0), s.mul_add(p, power, power))
}

/// `t / (t + 2)` with `t = exp(2 x) - 1`, which keeps small arguments exact.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    let (t, denominator) = tanh_fraction(s, x);
    s.div(t, denominator)
}

#[inline(always)]
fn tanh_fraction<S: Simd>(s: S, x: S::F) -> (S::F, S::F) {
    let (p, power) = split_exp(s, clamp(s, s.add(x, x), -30.0, 30.0));
    let t = s.mul_add(p, power, s.sub(power, s.splat(1.0)));
    (t, s.add(t, s.splat(2.0)))
}

/// `1 / (1 + exp(-x))` and the same of `y`, with one division: it takes as long as all the rest of a sigmoid. Below -40 the
/// result is that at -40, 4·10⁻¹⁸.
#[inline(always)]
pub fn sigmoid_pair<S: Simd>(s: S, x: S::F, y: S::F) -> (S::F, S::F) {
    let (x, y) = (sigmoid_denominator(s, x), sigmoid_denominator(s, y));
    let reciprocal = s.div(s.splat(1.0), s.mul(x, y));
    (s.mul(y, reciprocal), s.mul(x, reciprocal))
}

/// `sigmoid(x)`, as [`sigmoid_pair`] has it, and `tanh(y)`, with one division.
#[inline(always)]
pub fn sigmoid_and_tanh<S: Simd>(s: S, x: S::F, y: S::F) -> (S::F, S::F) {
    let x = sigmoid_denominator(s, x);
    let (t, y) = tanh_fraction(s, y);
    let reciprocal = s.div(s.splat(1.0), s.mul(x, y));
    (s.mul(y, reciprocal), s.mul(t, s.mul(x, reciprocal)))
}

/// `tanh(x)` and `tanh(y)`, with one division.
#[inline(always)]
pub fn tanh_pair<S: Simd>(s: S, x: S::F, y: S::F) -> (S::F, S::F) {
    let ((t, x), (u, y)) = (tanh_fraction(s, x), tanh_fraction(s, y));
    let reciprocal = s.div(s.splat(1.0), s.mul(x, y));
    (s.mul(t, s.mul(y, reciprocal)), s.mul(u, s.mul(x, reciprocal)))
}
