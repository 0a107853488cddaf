//! A layer's weights, packed for the forward pass.

use super::isa::Isa;
use super::packed::{PackedWeights, PanelLayout};
use super::simd::VECTORS;
use super::{Cell, Precision, Weights};

/// What a tile's sums start from, and what the input adds to them.
pub enum InputWeights {
    /// For ids: row `d` is `w_ih[:, d]` plus the biases.
    Table(PackedWeights),
    /// For dense input: the biases and the matrix.
    Dense { bias: PackedWeights, weights: PackedWeights },
}

/// The weights of a layer as the forward pass reads them.
pub struct PackedLayer {
    /// The recurrence.
    pub cell: Cell,
    /// Input size D.
    pub d: usize,
    /// Hidden size H.
    pub h: usize,
    /// The biases and `w_ih`.
    pub input: InputWeights,
    /// `w_hh`.
    pub hidden: PackedWeights,
}

impl PackedLayer {
    /// Packs a layer. `ids` says that its input is one-hot ids.
    pub fn new(
        isa: Isa,
        precision: Precision,
        cell: Cell,
        d: usize,
        h: usize,
        weights: &Weights<'_>,
        ids: bool,
    ) -> Self {
        let gates = cell.gates();
        let (columns, sums) = match cell {
            Cell::Tanh | Cell::Relu => {
                // Whole panels, so that every cell has four sums a row.
                let columns = PanelLayout::Consecutive { columns: h, vectors: VECTORS };
                (columns, columns)
            }
            Cell::Lstm | Cell::Gru => (
                PanelLayout::Gates { gates, units: h },
                PanelLayout::Gates { gates: VECTORS, units: h },
            ),
        };
        // A GRU keeps the two halves of n apart, because r multiplies one of them: the fourth sum is b_hn + W_hn h.
        let apart = if cell == Cell::Gru { 2 * h..3 * h } else { 0..0 };
        let bias = |column: usize| match column {
            c if apart.contains(&c) => weights.b_ih[c],
            c if c >= gates * h => weights.b_hh[c - h],
            c => weights.b_ih[c] + weights.b_hh[c],
        };
        let input = if ids {
            let row = |id: usize, column: usize| match column {
                c if c >= gates * h => bias(c),
                c => weights.w_ih[c * d + id] + bias(c),
            };
            InputWeights::Table(PackedWeights::of_elements(isa, row, d, sums))
        } else {
            InputWeights::Dense {
                bias: PackedWeights::of_elements(isa, |_, column| bias(column), 1, sums),
                weights: PackedWeights::of_transposed(isa, precision, weights.w_ih, d, columns),
            }
        };
        let hidden = PackedWeights::of_transposed(isa, precision, weights.w_hh, h, columns);
        PackedLayer { cell, d, h, input, hidden }
    }
}
