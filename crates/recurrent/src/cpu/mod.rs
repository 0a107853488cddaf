//! Recurrent layers on raw f32 slices: the kernels of the CPU backends.
//!
//! A layer runs over its whole sequence in one call. Rows of a batch are independent, so each thread takes some
//! rows through all steps without waiting for another; where rows are few or weights many, threads with the same rows divide
//! the units, and meet at each step (`threads`). Within a step the products and the gates of a tile of
//! rows and units are computed in registers ([`forward()`], `gemm`). The backward pass mirrors it; after every
//! thousand rows or so it adds their products to the gradients of the weights, while they are in the cache.
//!
//! Shapes: T steps, N batch rows, D input size, H hidden size; G gates (4 for LSTM, 3 for GRU, 1 for Elman cells) and
//! S states (2 for LSTM, else 1). Everything is contiguous and time comes first. Parameters have PyTorch's layout.
//!
//! The same inputs give the same bytes for any number of threads, on processors with the same vector width and, in bf16, the
//! same instruction for its products.
//!
//! From the bottom up: `simd`, `portable`, `x86` and `isa` (vectors), `math` and `dropout` (functions of vectors), `bf16`, `x86_bf16` and
//! `amx` (products of bf16 numbers), `packed`, `packed_layer` and `gemm` (products with weights), `cell` with `lstm`, `gru` and `elman` (what differs by cell), `team` and `threads` (how threads divide a layer), `forward` and `backward` (some rows and
//! units on one thread), `weight_grad_gemm`, `weight_grad_bf16` and `weight_grads`, `sequence`, `loss` and `stepper` (the operations, on all threads).

#[cfg(target_arch = "x86_64")]
mod amx;
mod backward;
mod bf16;
mod buffer;
mod cell;
mod dropout;
mod elman;
mod forward;
mod gemm;
mod gru;
mod isa;
mod loss;
mod lstm;
mod math;
mod packed;
mod packed_layer;
mod portable;
mod saved;
mod send_ptr;
mod sequence;
mod simd;
mod spin;
mod spin_pair;
mod state_buffer;
mod stepper;
mod sync;
mod team;
mod threads;
mod weight_grad_bf16;
mod weight_grad_gemm;
mod weight_grads;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_bf16;

#[cfg(test)]
mod tests;

pub use dropout::{BatchRows, Dropout, dropout_factors, dropout_keep, dropout_threshold};
pub use loss::{
    Linear, LossGrads, Reduction, RowScores, linear_cross_entropy, linear_cross_entropy_training,
    linear_scores,
};
pub use saved::SavedActivations;
pub use sequence::{Grads, SequenceArgs, backward, forward};
pub use stepper::{Stepper, StepperConfig};
pub use weight_grads::WeightGrads;

use crate::{Cell, Precision};

/// The nearest bf16 number, ties to even.
pub fn round_to_bf16(x: f32) -> f32 {
    f32::from_bits(bf16::round(x) << 16)
}

/// Whether products of bf16 numbers are faster than those of f32 on this processor.
pub fn bf16_is_fast() -> bool {
    isa::Isa::best().bf16_is_fast()
}

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
