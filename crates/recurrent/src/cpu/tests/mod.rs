//! The kernels against plain loops in f64, on every instruction set that this processor has.

mod bf16;
mod dropout;
mod loss;
mod math;
mod reference;
mod sequence;
mod spin_pair;
mod stepper;
mod threads;

use super::Cell;
use super::isa::Isa;

/// Numbers in -1..1 from a linear congruential generator.
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 / (1u32 << 23) as f32) - 1.0
    }

    fn many(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| self.next() * scale).collect()
    }

    fn ids(&mut self, count: usize, below: usize) -> Vec<i32> {
        (0..count).map(|_| (self.next().abs() * below as f32) as i32 % below as i32).collect()
    }
}

/// Fails unless all differ by at most `tolerance` of the largest expected magnitude.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let scale = expected.iter().fold(1e-6_f64, |a, b| a.max(b.abs()));
    for (i, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs();
        // Written so that NaN fails.
        assert!(error <= tolerance * scale, "{what}[{i}]: {got}, expected {expected}");
    }
}

/// A pool of so many threads.
pub fn with_threads<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a thread pool")
        .install(run)
}

#[test]
fn the_portable_path_is_always_there() {
    assert!(matches!(Isa::available().last(), Some(Isa::Portable(_))));
}
