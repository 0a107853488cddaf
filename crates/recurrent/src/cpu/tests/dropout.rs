use super::super::dropout::{Dropout, Mask, dropout_keep, dropout_threshold};
use super::super::isa::Isa;
use super::super::simd::{Kernel, Simd};

const COUNT: u32 = 1 << 20;

fn kept(seed: u64, p: f32) -> Vec<bool> {
    (0..COUNT).map(|i| dropout_keep(seed, i, dropout_threshold(p))).collect()
}

/// How far a count of successes is from its mean, in standard deviations.
fn deviations(successes: usize, trials: usize, p: f64) -> f64 {
    let trials = trials as f64;
    (successes as f64 - trials * p) / (trials * p * (1.0 - p)).sqrt()
}

fn agreements(a: &[bool], b: &[bool]) -> f64 {
    let trials = a.len().min(b.len());
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    deviations(equal, trials, 0.5)
}

#[test]
fn the_rate_is_the_asked_one() {
    for p in [0.01, 0.1, 0.5, 0.9] {
        for seed in [0, 1, 2, u64::MAX, 1 << 40] {
            let dropped = kept(seed, p).iter().filter(|&&kept| !kept).count();
            let off = deviations(dropped, COUNT as usize, f64::from(p));
            assert!(off.abs() < 4.5, "p = {p}, seed {seed}: {off} deviations");
        }
    }
}

#[test]
fn neighbouring_elements_steps_and_seeds_are_unrelated() {
    for seed in [0, 1, 7, 1 << 33] {
        let mask = kept(seed, 0.5);
        // Within a row, from row to row and from step to step of usual sizes.
        for lag in [1, 2, 3, 16, 64, 128, 256, 512, 1024, 32_768, 65_536] {
            let off = agreements(&mask, &mask[lag..]);
            assert!(off.abs() < 4.5, "seed {seed}, lag {lag}: {off} deviations");
        }
        for other in [seed + 1, seed + 2, seed ^ (1 << 32), seed ^ (1 << 63)] {
            let off = agreements(&mask, &kept(other, 0.5));
            assert!(off.abs() < 4.5, "seeds {seed} and {other}: {off} deviations");
        }
    }
}

#[test]
fn blocks_of_eight_take_every_pattern_equally_often() {
    let mut counts = [0_usize; 256];
    for block in kept(12, 0.5).chunks(8) {
        counts[block.iter().fold(0, |bits, &kept| bits * 2 + usize::from(kept))] += 1;
    }
    let expected = f64::from(COUNT / 8) / 256.0;
    let chi2: f64 = counts.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
    // 255 degrees of freedom: mean 255, deviation 22.6.
    assert!((150.0..360.0).contains(&chi2), "{chi2}");
}

struct Apply<'a>(Mask, u32, &'a mut [f32]);

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        for (i, x) in self.2.chunks_exact_mut(S::LANES).enumerate() {
            // SAFETY: the chunk has all lanes.
            unsafe {
                let value = self.0.apply(s, self.1 + (i * S::LANES) as u32, s.load(x.as_ptr()));
                s.store(x.as_mut_ptr(), value);
            }
        }
    }
}

#[test]
fn vectors_and_the_scalar_function_agree() {
    for isa in Isa::available() {
        for (p, seed) in [(0.5, 1), (0.25, u64::MAX - 5), (0.999, 3), (1.0, 3)] {
            let mask = Mask::new(Some(Dropout::new(p, seed)), [1, 1]).expect("p isn't 0");
            let mut x = vec![2.0; 4096];
            // SAFETY: the kernel has no demands.
            unsafe { isa.run(Apply(mask, 123, &mut x)) };
            for (i, &x) in x.iter().enumerate() {
                let keep = p < 1.0 && dropout_keep(seed, 123 + i as u32, dropout_threshold(p));
                let expected = if keep { 2.0 * (1.0 / (1.0 - p)) } else { 0.0 };
                assert_eq!(x, expected, "{isa:?} p = {p}, element {i}");
            }
        }
    }
    assert!(Mask::new(Some(Dropout::new(0.0, 1)), [1, 1]).is_none());
}

#[test]
fn the_mask_of_a_seed_never_changes() {
    // Checkpoints and other backends rely on it.
    let bits = (0..32)
        .fold(0_u32, |bits, i| bits << 1 | u32::from(dropout_keep(42, i, dropout_threshold(0.5))));
    assert_eq!(bits, 0b1001_1111_1101_1110_1010_1100_0100_0010);
}
