//! [`Precision`]: what the operands of products are rounded to.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{cpu, has_cpu_kernels};

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
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    /// The fastest on a device: bf16 where the processor has instructions for it that are faster than those for f32.
    pub fn fastest(device: &Device) -> Self {
        if has_cpu_kernels(device) && cpu::bf16_is_fast() { Self::Bf16 } else { Self::F32 }
    }
}
