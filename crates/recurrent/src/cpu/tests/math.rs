use super::super::isa::Isa;
use super::super::math::{exp, sigmoid, tanh};
use super::super::simd::{Kernel, Simd};

#[derive(Clone, Copy)]
enum Function {
    Exp,
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
                    Function::Sigmoid => sigmoid(s, value),
                    Function::Tanh => tanh(s, value),
                };
                s.store(x.as_mut_ptr(), value);
            }
        }
    }
}

/// The largest error against f64, relative to `scale` of the true value.
fn worst(
    function: Function,
    from: f32,
    to: f32,
    truth: fn(f64) -> f64,
    scale: fn(f64) -> f64,
) -> f64 {
    let count = 1 << 20;
    let x: Vec<f32> = (0..count).map(|i| from + (to - from) * i as f32 / count as f32).collect();
    let mut worst = 0.0_f64;
    for isa in Isa::available() {
        let mut y = x.clone();
        // SAFETY: the kernel has no demands.
        unsafe { isa.run(Apply(function, &mut y)) };
        for (&x, &y) in x.iter().zip(&y) {
            let truth = truth(f64::from(x));
            worst = worst.max((f64::from(y) - truth).abs() / scale(truth));
        }
    }
    worst
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn they_are_right_to_a_few_parts_in_ten_million() {
    assert!(worst(Function::Tanh, -20.0, 20.0, f64::tanh, |_| 1.0) < 2e-7);
    assert!(worst(Function::Sigmoid, -20.0, 20.0, logistic, |_| 1.0) < 1.2e-7);
    // Near zero tanh is right relative to its own size.
    assert!(worst(Function::Tanh, -0.1, 0.1, f64::tanh, |y| y.abs().max(1e-12)) < 3e-7);
    assert!(worst(Function::Sigmoid, -15.0, 0.0, logistic, |y| y) < 2e-6);
    assert!(worst(Function::Exp, -15.0, 15.0, f64::exp, |y| y) < 2e-6);
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
        assert!(y[..3].iter().all(|&y| (0.0..1e-30).contains(&y)), "{isa:?} {y:?}");
        assert_eq!(y[3..7], [0.5, 1.0, 1.0, 1.0], "{isa:?}");
        assert!(y[7].is_nan(), "{isa:?}");
        assert!(run(Function::Exp)[7].is_nan(), "{isa:?}");
    }
}
