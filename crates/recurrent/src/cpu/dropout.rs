//! Dropout without a stored mask: whether an element is kept is a hash of the seed and the element's index,
//! computed again in the backward pass.

use super::simd::Simd;

/// Inverted dropout on a layer's output: an element is zero with probability `p`, else multiplied by `1 / (1 - p)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability that an element is dropped, in `0..=1`.
    pub p: f32,
    /// The seed of the mask; another one for each layer and step.
    pub seed: u64,
}

impl Dropout {
    /// The same dropout with a seed of its own for a layer of a stack.
    pub fn for_layer(self, layer: usize) -> Self {
        // Multiples of 2^64 / φ are far apart in all bits.
        let seed = self.seed.wrapping_add((layer as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { seed, ..self }
    }

    /// The factor of what is kept.
    pub fn scale(self) -> f32 {
        // All elements are dropped at p = 1: any finite scale does, and the threshold, a u32, can't be 2³².
        if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 }
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
}

impl Mask {
    /// `None` where nothing is dropped.
    pub fn new(dropout: Option<Dropout>) -> Option<Mask> {
        let dropout = dropout.filter(|dropout| dropout.p > 0.0)?;
        let (first, second) = keys(dropout.seed);
        let threshold = dropout_threshold(dropout.p);
        Some(Mask { first, second, threshold, scale: dropout.scale() })
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
