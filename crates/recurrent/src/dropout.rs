//! Dropout masks from a counter: the place of an element and the seed decide.

/// Dropout of a layer's output (inverted: what is kept is scaled by `1 / (1 - p)`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability of dropping an element, in `0.0..1.0`.
    pub p: f32,
    /// Chooses which: the same seed drops the same elements on every backend.
    pub seed: u64,
}

impl Dropout {
    /// The same dropout with a seed of its own for a layer of a stack.
    pub fn for_layer(self, layer: usize) -> Self {
        // Multiples of 2^64 / φ are far apart in all bits.
        let seed = self.seed.wrapping_add((layer as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self { seed, ..self }
    }
}

/// The factors of the first `len` elements: 0 or `1 / (1 - p)`.
pub(crate) fn mask(dropout: Dropout, len: usize) -> Vec<f32> {
    let threshold = (dropout.p as f64 * 4294967296.0) as u32;
    let keep = 1.0 / (1.0 - dropout.p);
    (0..len as u64)
        .map(|i| {
            let mut x = dropout.seed ^ i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            x ^= x >> 31;
            x = x.wrapping_mul(0xBF58476D1CE4E5B9);
            x ^= x >> 29;
            if (x >> 32) as u32 >= threshold { keep } else { 0.0 }
        })
        .collect()
}
