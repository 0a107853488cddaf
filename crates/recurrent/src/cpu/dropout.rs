//! Dropout without a stored mask: whether an element is kept is a hash of the seed and the element's index,
//! computed again in the backward pass.

use super::isa::Isa;
use super::simd::{Kernel, Simd};
use super::threads::for_each_chunk;

/// Inverted dropout on a layer's output: an element is zero with probability `p`, else multiplied by `1 / (1 - p)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability that an element is dropped, in `0..=1`.
    pub p: f32,
    /// The seed of the mask; another one for each layer and step.
    pub seed: u64,
    /// The rows that the output has of a larger batch; `None` where it has all of them.
    pub rows: Option<BatchRows>,
}

/// The rows of a batch that a process computes, where several processes share the batch. Their dropout is that of the same
/// rows in the whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRows {
    /// The first of them.
    pub first: usize,
    /// Rows N of the whole batch.
    pub of: usize,
}

impl Dropout {
    /// Dropout of whole batches.
    pub fn new(p: f32, seed: u64) -> Self {
        Self { p, seed, rows: None }
    }

    /// The factor of what is kept.
    pub fn scale(self) -> f32 {
        // All elements are dropped at p = 1: any finite scale does, and the threshold, a u32, can't be 2³².
        if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 }
    }
}

/// The factors of the elements of `[T, N, H]`: 0 for what is dropped, `1 / (1 - p)` for what is kept.
pub fn dropout_factors(dropout: Dropout, [t, n, h]: [usize; 3]) -> Vec<f32> {
    let Some(mask) = Mask::new(Some(dropout), [n, h]) else { return vec![1.0; t * n * h] };
    let mut factors = vec![0.0; t * n * h];
    let isa = Isa::best();
    // The elements of one step follow each other, and those of all steps where the rows are the whole batch.
    let size = if dropout.rows.is_some() { (n * h).max(1) } else { CHUNK };
    for_each_chunk(&mut factors, size, |chunk, factors| {
        let first = mask.index(chunk, chunk * size);
        let write = WriteFactors { mask, first, to: factors.as_mut_ptr(), len: factors.len() };
        // SAFETY: `factors` is borrowed mutably.
        unsafe { isa.run(write) };
    });
    factors
}

/// Factors that a thread computes at a time.
const CHUNK: usize = 1 << 14;

/// Writes the factors of consecutive elements, the first of which has the index `first`.
///
/// # Safety
/// To run it, `to` must be valid for `len` writes.
struct WriteFactors {
    mask: Mask,
    first: u32,
    to: *mut f32,
    len: usize,
}

impl Kernel for WriteFactors {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        for start in (0..self.len).step_by(S::LANES) {
            let index = self.first.wrapping_add(start as u32);
            let factors = self.mask.apply(s, index, s.splat(1.0));
            // SAFETY: `count` elements from `start` on are below `len`.
            unsafe {
                let count = S::LANES.min(self.len - start);
                s.store_partial(self.to.add(start), factors, count);
            }
        }
    }
}

const MULTIPLIERS: [u32; 3] = [0x9e37_79b9, 0x85eb_ca6b, 0xc2b2_ae35];

/// The threshold of the hash, `floor(p · 2³²)`: an element is dropped where its hash is below.
pub fn dropout_threshold(p: f32) -> u32 {
    (f64::from(p) * 4_294_967_296.0) as u32
}

/// Two 32-bit keys from a seed (the finalizer of splitmix64).
fn keys(seed: u64) -> (u32, u32) {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    ((z >> 32) as u32, z as u32)
}

/// Whether the element at `index` of the flat `[T, N, H]` output is kept.
///
/// The hash is three rounds of multiply and xor-shift on the index (murmur3's finalizer, with a Weyl
/// sequence before it), the halves of the mixed seed entering before the first and the second round:
/// one to one in the index for every seed.
pub fn dropout_keep(seed: u64, index: u32, threshold: u32) -> bool {
    let (first, second) = keys(seed);
    let mut x = index.wrapping_mul(MULTIPLIERS[0]).wrapping_add(first);
    x = (x ^ (x >> 16)).wrapping_mul(MULTIPLIERS[1]) ^ second;
    x = (x ^ (x >> 13)).wrapping_mul(MULTIPLIERS[2]);
    x ^= x >> 16;
    x >= threshold
}

/// [`dropout_keep`] on vectors, and the scale.
#[derive(Clone, Copy)]
pub struct Mask {
    first: u32,
    second: u32,
    threshold: u32,
    scale: f32,
    /// Elements of the whole batch that a step has before its first one here.
    before: u32,
    /// Elements of the whole batch that a step has beside those here.
    others: u32,
}

impl Mask {
    /// The mask of `[T, N, H]`; `None` where nothing is dropped.
    pub fn new(dropout: Option<Dropout>, [n, h]: [usize; 2]) -> Option<Mask> {
        let dropout = dropout.filter(|dropout| dropout.p > 0.0)?;
        let (first, second) = keys(dropout.seed);
        let threshold = dropout_threshold(dropout.p);
        let BatchRows { first: row, of } = dropout.rows.unwrap_or(BatchRows { first: 0, of: n });
        let (before, others) = ((row * h) as u32, ((of - n) * h) as u32);
        Some(Mask { first, second, threshold, scale: dropout.scale(), before, others })
    }

    /// The index in the whole batch of an element of step `t` whose index is `local` here.
    #[inline(always)]
    pub fn index(self, t: usize, local: usize) -> u32 {
        (local as u32).wrapping_add(self.before).wrapping_add((t as u32).wrapping_mul(self.others))
    }

    /// The elements `index..index + LANES`, dropped or scaled.
    #[inline(always)]
    pub fn apply<S: Simd>(self, s: S, index: u32, value: S::F) -> S::F {
        let index = s.u_add(s.u_splat(index), s.u_iota());
        let mut x = s.u_add(s.u_mul(index, s.u_splat(MULTIPLIERS[0])), s.u_splat(self.first));
        x = s.u_mul(s.u_xor(x, s.u_shr::<16>(x)), s.u_splat(MULTIPLIERS[1]));
        x = s.u_xor(x, s.u_splat(self.second));
        x = s.u_mul(s.u_xor(x, s.u_shr::<13>(x)), s.u_splat(MULTIPLIERS[2]));
        x = s.u_xor(x, s.u_shr::<16>(x));
        s.zero_unless_ge(x, s.u_splat(self.threshold), s.mul(value, s.splat(self.scale)))
    }
}
