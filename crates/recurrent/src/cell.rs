use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The recurrence of a layer, in PyTorch's form and gate order.
///
/// With `x` the input and `h` the hidden state of one step (σ the logistic function, ⊙ the
/// elementwise product, `W` stored `[G*H, D]` and `[G*H, H]` with the gates one below the other):
///
/// | cell | gates G | states S | equations |
/// | --- | --- | --- | --- |
/// | [`Lstm`](Cell::Lstm) | 4: i, f, g, o | 2: h, c | `i, f, o = σ(·)`, `g = tanh(·)` of `W_ih x + b_ih + W_hh h + b_hh`; `c' = f⊙c + i⊙g`; `h' = o⊙tanh(c')` |
/// | [`Gru`](Cell::Gru) | 3: r, z, n | 1: h | `r, z = σ(W_ih x + b_ih + W_hh h + b_hh)`; `n = tanh(W_in x + b_in + r⊙(W_hn h + b_hn))`; `h' = (1-z)⊙n + z⊙h` |
/// | [`Tanh`](Cell::Tanh) | 1 | 1: h | `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)` |
/// | [`Relu`](Cell::Relu) | 1 | 1: h | `h' = max(0, W_ih x + b_ih + W_hh h + b_hh)` |
///
/// The bias of the GRU's candidate gate sits inside the reset product, as in `torch.nn.GRU`
/// (and unlike the form of Cho et al. 2014), so that weights carry over in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gate).
    Lstm,
    /// Gated recurrent unit.
    Gru,
    /// Elman network with hyperbolic tangent.
    Tanh,
    /// Elman network with rectified linear units.
    Relu,
}

impl Cell {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Lstm, Self::Gru, Self::Tanh, Self::Relu];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::Tanh => "tanh",
            Self::Relu => "relu",
        }
    }

    /// Number of gates G: the weights of a layer have `G * H` rows.
    pub const fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::Tanh | Self::Relu => 1,
        }
    }

    /// Number of state tensors S: 2 (hidden, cell) for the LSTM, 1 (hidden) otherwise.
    pub const fn states(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru | Self::Tanh | Self::Relu => 1,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
