//! Recurrent layers on raw f32 slices: the fast path of the CPU backends.
//!
//! A layer runs over its whole sequence in one call. Rows of a batch are independent, so each thread takes some
//! rows through all steps without waiting for another; within a step the products and the gates of a tile of
//! rows and units are computed in registers ([`forward`], `panels`). The backward pass mirrors it; after every
//! thousand rows or so it adds their products to the gradients of the weights, while they are in the cache.
//!
//! Shapes: T steps, N batch rows, D input size, H hidden size; G gates (4 for LSTM, 3 for GRU, 1 for Elman cells) and
//! S states (2 for LSTM, else 1). Everything is contiguous and time comes first. Parameters have PyTorch's layout.
//!
//! The same inputs give the same bytes for any number of threads, on processors with the same vector width.

mod backward;
mod buffers;
mod dropout;
mod elman;
mod forward;
mod gates;
mod gru;
mod layer;
mod loss;
mod lstm;
mod outer;
mod panels;
mod sequence;
mod simd;
mod step;
mod team;
mod threads;
mod weight_sums;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

pub use dropout::{Dropout, dropout_keep, dropout_threshold};
pub use layer::Saved;
pub use loss::{
    Linear, LossGrads, Reduction, RowScores, linear_cross_entropy, linear_cross_entropy_training,
    linear_scores,
};
pub use sequence::{Grads, backward, forward};
pub use step::{Stepper, StepperConfig};

use crate::Cell;

/// Sizes of a layer and of what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// T, steps.
    pub t: usize,
    /// N, batch rows.
    pub n: usize,
    /// D, input size.
    pub d: usize,
    /// H, hidden size.
    pub h: usize,
}

/// What a layer reads.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// `[T, N]` ids below D, which stand for one-hot rows.
    Ids(&'a [i32]),
    /// `[T, N, D]`. It may be longer, as the output of the layer below is, which ends in that layer's state: what
    /// follows isn't read, and has zeros for gradient.
    Dense(&'a [f32]),
}

/// A layer's parameters; zeros where a bias is absent.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// `[G · H, D]`
    pub w_ih: &'a [f32],
    /// `[G · H, H]`
    pub w_hh: &'a [f32],
    /// `[G · H]`
    pub b_ih: &'a [f32],
    /// `[G · H]`
    pub b_hh: &'a [f32],
}
