//! [`Precision`]: what the operands of products are rounded to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cpu::round_to_bf16;

/// The precision of the operands of products of weights, states and gradients. Everything else is in f32: parameters, states,
/// gates, the sums of the products, the loss and all gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bfloat16: the range of f32 with 8 bits of precision. Only on the CPU.
    Bf16,
}

impl Precision {
    /// A number as an operand has it: in bf16 the nearest one, ties to even.
    pub fn round(self, x: f32) -> f32 {
        match self {
            Self::F32 => x,
            Self::Bf16 => round_to_bf16(x),
        }
    }
}
