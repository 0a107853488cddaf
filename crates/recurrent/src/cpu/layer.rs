//! A layer's weights, packed for the forward pass.

use super::buffers::Buffer;
use super::panels::{Columns, Panels};
use super::simd::{Level, VECTORS};
use super::{Cell, Dims, Weights};

/// How a tile's sums start and what the input adds to them.
pub enum InputWeights {
    /// For ids: row `d` is `w_ih[:, d]` plus the biases.
    Table(Panels),
    /// For dense input: the biases and the matrix.
    Dense { bias: Panels, weights: Panels },
}

/// The forward weights of a layer.
pub struct PackedLayer {
    /// Its cell.
    pub cell: Cell,
    /// Input size D.
    pub d: usize,
    /// Hidden size H.
    pub h: usize,
    /// The input's part.
    pub input: InputWeights,
    /// `w_hh`.
    pub hidden: Panels,
}

impl PackedLayer {
    /// Packs a layer; `ids` says that its input is one-hot ids.
    pub fn new(
        level: Level,
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
                let columns = Columns::Consecutive { columns: h, vectors: VECTORS };
                (columns, columns)
            }
            Cell::Lstm | Cell::Gru => {
                (Columns::Gates { gates, units: h }, Columns::Gates { gates: VECTORS, units: h })
            }
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
            InputWeights::Table(Panels::of_elements(level, row, d, sums))
        } else {
            InputWeights::Dense {
                bias: Panels::of_elements(level, |_, column| bias(column), 1, sums),
                weights: Panels::of_transposed(level, weights.w_ih, d, columns),
            }
        };
        let hidden = Panels::of_transposed(level, weights.w_hh, h, columns);
        PackedLayer { cell, d, h, input, hidden }
    }
}

/// What the backward pass needs of a forward pass. Its buffers are used again after it is dropped.
#[derive(Debug)]
pub struct Saved {
    /// What it is for: cell, T, N and H.
    shape: (Cell, usize, usize, usize),
    /// `[T, N, 4, H]`: i, f, g, o of an LSTM; r, z, n and W_hn h + b_hn of a GRU; nothing of an Elman cell.
    pub(super) gates: Buffer,
    /// `[T + 1, N, H]`: the initial h, then that after each step, before dropout.
    pub(super) hidden: Buffer,
    /// `[T + 1, N, H]`: the same for c of an LSTM.
    pub(super) carry: Buffer,
}

impl Saved {
    /// Panics unless it is for such a layer.
    pub(super) fn check(&self, cell: Cell, Dims { t, n, h, .. }: Dims) {
        assert_eq!(self.shape, (cell, t, n, h), "saved is for this cell and these sizes");
    }

    /// Space for a sequence.
    pub fn new(cell: Cell, t: usize, n: usize, h: usize) -> Self {
        let (gates, carry) = match cell {
            Cell::Lstm => (VECTORS * t * n * h, (t + 1) * n * h),
            Cell::Gru => (VECTORS * t * n * h, 0),
            Cell::Tanh | Cell::Relu => (0, 0),
        };
        Saved {
            shape: (cell, t, n, h),
            gates: Buffer::new(gates),
            hidden: Buffer::new((t + 1) * n * h),
            carry: Buffer::new(carry),
        }
    }
}
