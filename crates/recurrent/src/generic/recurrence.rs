//! The part of a layer that is a step after the other.

use burn::backend::Backend;

use super::{Raw, cells};
use crate::Cell;

/// What walking through a sequence leaves: all that the backward pass needs.
#[derive(Clone, Debug)]
pub struct Walked<B: Backend> {
    /// The hidden state before each step and after the last, `[T + 1, N, H]`, without dropout.
    pub hidden: Raw<B>,
    /// The gates after their nonlinearity, `[T, N, G*H]`; nothing (`[1, 1, 1]`) for a cell without gates.
    pub gates: Raw<B>,
    /// LSTM: the memory before each step and after the last. GRU: `W_hn h + b_hn` of step t at t + 1. `[T + 1, N, H]`,
    /// or nothing.
    pub extra: Raw<B>,
}

/// The gradients that walking backward through the sequence gives.
pub struct Reversed<B: Backend> {
    /// Of `W_ih x + b_ih`, `[T, N, G*H]`.
    pub projected: Raw<B>,
    /// Of `W_hh h + b_hh`, `[T, N, G*H]`; the same but for the GRU's candidate gate.
    pub recurrent: Raw<B>,
    /// Of the initial state, `[S, N, H]`.
    pub state: Raw<B>,
}

/// How a backend takes a cell through a sequence: operation by operation, unless it knows better.
pub trait Recurrence: Backend {
    /// # Shapes
    /// - `projected`: `W_ih x + b_ih`, `[T, N, G*H]`
    /// - `weight`: `[G*H, H]`, `bias`: `[G*H]`, `state`: `[S, N, H]`
    fn walk(
        cell: Cell,
        projected: &Raw<Self>,
        weight: Raw<Self>,
        bias: Raw<Self>,
        state: &Raw<Self>,
    ) -> Walked<Self> {
        cells::walk(cell, projected, weight, bias, state)
    }

    /// # Shapes
    /// - `weight`: `[G*H, H]`
    /// - `grad_output`: of each step's hidden state, `[T, N, H]`; `grad_last`: of the final state, `[S, N, H]`
    fn walk_back(
        cell: Cell,
        walked: &Walked<Self>,
        weight: Raw<Self>,
        grad_output: &Raw<Self>,
        grad_last: &Raw<Self>,
    ) -> Reversed<Self> {
        cells::walk_back(cell, walked, weight, grad_output, grad_last)
    }
}
