use super::super::isa::Isa;
use super::super::math::{exp, sigmoid_and_tanh, sigmoid_pair, tanh, tanh_pair};
use super::super::simd::{Kernel, Simd};

#[derive(Clone, Copy)]
enum Function {
    Exp,
    Sigmoid,
    Tanh,
    /// With a second argument that makes the other denominator as large or as small as it gets.
    SigmoidBeside(Other, f32),
    TanhBeside(Other, f32),
}

#[derive(Clone, Copy, Debug)]
enum Other {
    Sigmoid,
    Tanh,
}

struct Apply<'a>(Function, &'a mut [f32]);

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        for x in self.1.chunks_exact_mut(S::LANES) {
            // SAFETY: the chunk has all lanes.
            unsafe {
                let value = s.load(x.as_ptr());
                let value = match self.0 {
                    Function::Exp => exp(s, value),
                    Function::Sigmoid => sigmoid_pair(s, value, s.splat(0.0)).0,
                    Function::Tanh => tanh(s, value),
                    Function::SigmoidBeside(Other::Sigmoid, other) => {
                        sigmoid_pair(s, s.splat(other), value).1
                    }
                    Function::SigmoidBeside(Other::Tanh, other) => {
                        sigmoid_and_tanh(s, value, s.splat(other)).0
                    }
                    Function::TanhBeside(Other::Sigmoid, other) => {
                        sigmoid_and_tanh(s, s.splat(other), value).1
                    }
                    Function::TanhBeside(Other::Tanh, other) => {
                        tanh_pair(s, value, s.splat(other)).0
                    }
                };
                s.store(x.as_mut_ptr(), value);
            }
        }
    }
}

/// The largest error against f64, relative to `scale` of the true value.
fn max_error(
    isa: Isa,
    function: Function,
    (from, to): (f32, f32),
    truth: fn(f64) -> f64,
    scale: fn(f64) -> f64,
) -> f64 {
    let count = 1 << 18;
    let x: Vec<f32> = (0..count).map(|i| from + (to - from) * i as f32 / count as f32).collect();
    let mut y = x.clone();
    // SAFETY: the kernel has no demands.
    unsafe { isa.run(Apply(function, &mut y)) };
    x.iter().zip(&y).fold(0.0, |max, (&x, &y)| {
        let truth = truth(f64::from(x));
        let error = (f64::from(y) - truth).abs() / scale(truth);
        // Written so that NaN stays.
        if error <= max { max } else { error }
    })
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Whether `n ln 2` is subtracted with one rounding.
fn has_fma(isa: Isa) -> bool {
    !matches!(isa, Isa::Portable(_)) || cfg!(any(target_arch = "aarch64", target_feature = "fma"))
}

#[test]
fn sigmoid_and_tanh_are_right_to_a_part_in_ten_million_of_their_range() {
    for isa in Isa::available() {
        let error = max_error(isa, Function::Tanh, (-20.0, 20.0), f64::tanh, |_| 1.0);
        assert!(error < 1.5e-7, "{isa:?}: tanh {error:e}");
        for other in [Other::Sigmoid, Other::Tanh] {
            for beside in [-1e30, -50.0, -0.3, 0.0, 2.0, 50.0, 1e30] {
                let sigmoid = Function::SigmoidBeside(other, beside);
                let error = max_error(isa, sigmoid, (-100.0, 100.0), logistic, |_| 1.0);
                assert!(error < 2e-7, "{isa:?}: sigmoid beside {other:?} {beside}: {error:e}");
                let tanh = Function::TanhBeside(other, beside);
                let error = max_error(isa, tanh, (-20.0, 20.0), f64::tanh, |_| 1.0);
                assert!(error < 2.5e-7, "{isa:?}: tanh beside {other:?} {beside}: {error:e}");
            }
        }
        // Near zero tanh is right relative to its own size.
        let near_zero = |y: f64| y.abs().max(1e-12);
        for tanh in [Function::Tanh, Function::TanhBeside(Other::Sigmoid, 1.0)] {
            let error = max_error(isa, tanh, (-0.1, 0.1), f64::tanh, near_zero);
            assert!(error < 4e-7, "{isa:?}: tanh near zero {error:e}");
        }
    }
}

#[test]
fn exp_is_right_to_four_parts_in_ten_million_with_fused_multiply_adds_and_in_a_million_without() {
    for isa in Isa::available() {
        let tolerance = if has_fma(isa) { 4e-7 } else { 4.1e-6 };
        let error = max_error(isa, Function::Exp, (-87.0, 88.0), f64::exp, |y| y);
        assert!(error < tolerance, "{isa:?}: exp {error:e}");
        // Down to here the result is a normal float.
        let error = max_error(isa, Function::Sigmoid, (-40.0, 0.0), logistic, |y| y);
        assert!(error < tolerance + 2e-7, "{isa:?}: sigmoid {error:e}");
    }
}

#[test]
fn their_ends_are_finite_and_nan_stays() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for isa in Isa::available() {
        let run = |function| {
            let mut x = [-inf, -1e30, -100.0, 0.0, 100.0, 1e30, inf, nan].repeat(2);
            // SAFETY: the kernel has no demands.
            unsafe { isa.run(Apply(function, &mut x)) };
            x.truncate(8);
            x
        };
        let y = run(Function::Tanh);
        assert_eq!(y[..7], [-1.0, -1.0, -1.0, 0.0, 1.0, 1.0, 1.0], "{isa:?}");
        assert!(y[7].is_nan(), "{isa:?}");
        let y = run(Function::Sigmoid);
        assert!(y[..3].iter().all(|&y| (0.0..1e-17).contains(&y)), "{isa:?} {y:?}");
        assert_eq!(y[3..7], [0.5, 1.0, 1.0, 1.0], "{isa:?}");
        assert!(y[7].is_nan(), "{isa:?}");
        // Clamped to -87..=88, whose exponentials a float holds.
        let y = run(Function::Exp);
        assert!(y[..3].iter().all(|y| (1.6e-38..1.7e-38).contains(y)), "{isa:?} {y:?}");
        assert_eq!(y[3], 1.0, "{isa:?}");
        assert!(y[4..7].iter().all(|y| (1.6e38..1.7e38).contains(y)), "{isa:?} {y:?}");
        assert!(y[7].is_nan(), "{isa:?}");
    }
}
