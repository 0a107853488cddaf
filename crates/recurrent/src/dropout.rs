//! Dropout masks from a counter: the place of an element and the seed decide, on every backend.

use crate::cpu::{Dropout, dropout_keep, dropout_threshold};

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
    let (threshold, scale) = (dropout_threshold(dropout.p), 1.0 / (1.0 - dropout.p));
    let keep = |index| dropout_keep(dropout.seed, index as u32, threshold);
    (0..len).map(|index| if keep(index) { scale } else { 0.0 }).collect()
}
