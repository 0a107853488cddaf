//! [`derive_seed`]: everything random is a hash of the seed and of the place where it is needed.

/// A seed for the `index`-th of the things that `seed` decides (the finaliser of SplitMix64; Steele, Lea and Flood 2014).
pub fn derive_seed(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
