//! [`Readout`]: which layers the output of a stack is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a stack of recurrent layers gives to the layer above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Readout {
    /// The last layer's output, as `torch.nn.LSTM`.
    #[default]
    Last,
    /// The sum of all layers' outputs: each layer has a connection of its own to what reads the output (`lstm_skip_connection`
    /// in lamb, the code of Melis, Dyer and Blunsom 2018).
    Sum,
}

impl Readout {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Last, Self::Sum];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Sum => "sum",
        }
    }
}
