//! What the forward pass saves for the backward pass.

use super::buffer::Buffer;
use super::simd::VECTORS;
use super::{Cell, Dims};

/// The activations of a layer over a sequence. Its buffers return to a pool when it is dropped.
#[derive(Debug)]
pub struct SavedActivations {
    /// Cell, T, N and H that it is for.
    shape: (Cell, usize, usize, usize),
    /// `[T, N, 4, H]`: i, f, g, o of an LSTM; r, z, n and W_hn h + b_hn of a GRU; empty for an Elman cell.
    pub(super) gates: Buffer,
    /// `[T + 1, N, H]`: the initial h, then h after each step, before dropout.
    pub(super) hidden: Buffer,
    /// `[T + 1, N, H]`: the same for c of an LSTM; empty for other cells.
    pub(super) cell_state: Buffer,
}

impl SavedActivations {
    /// Space for the activations of a sequence of `t` steps, `n` rows and `h` hidden units.
    pub fn new(cell: Cell, t: usize, n: usize, h: usize) -> Self {
        let (gates, cell_state) = match cell {
            Cell::Lstm => (VECTORS * t * n * h, (t + 1) * n * h),
            Cell::Gru => (VECTORS * t * n * h, 0),
            Cell::Tanh | Cell::Relu => (0, 0),
        };
        SavedActivations {
            shape: (cell, t, n, h),
            gates: Buffer::new(gates),
            hidden: Buffer::new((t + 1) * n * h),
            cell_state: Buffer::new(cell_state),
        }
    }

    /// Panics unless it is for such a layer.
    pub(super) fn check(&self, cell: Cell, Dims { t, n, h, .. }: Dims) {
        assert_eq!(
            self.shape,
            (cell, t, n, h),
            "saved activations are for this cell and these sizes"
        );
    }
}
