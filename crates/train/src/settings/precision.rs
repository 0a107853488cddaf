//! [`PrecisionConfig`]: the precision of products, or the fastest.

use burn::tensor::Device;
use charloom_model::{Precision, has_cpu_kernels};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InvalidSetting;

/// The precision of products.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrecisionConfig {
    /// The fastest of the device.
    Auto,
    /// Single precision.
    #[default]
    F32,
    /// bfloat16, on the CPU; emulated where the processor has no instructions for it.
    Bf16,
}

impl From<Precision> for PrecisionConfig {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

impl PrecisionConfig {
    /// The precision on a device.
    ///
    /// # Errors
    /// If it is bf16 and the device isn't the CPU.
    pub fn resolve(self, device: &Device) -> Result<Precision, InvalidSetting> {
        match self {
            Self::Auto => Ok(Precision::fastest(device)),
            Self::F32 => Ok(Precision::F32),
            Self::Bf16 if has_cpu_kernels(device) => Ok(Precision::Bf16),
            Self::Bf16 => Err(InvalidSetting {
                key: "train.precision",
                problem: "must be `\"f32\"` or `\"auto\"` on a GPU, not `\"bf16\"`".to_owned(),
                hint: Some("`--precision f32` resumes a run in bf16 there"),
            }),
        }
    }
}
