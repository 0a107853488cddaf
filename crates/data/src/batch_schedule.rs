//! `data.batch_schedule`: batch sizes and sequence lengths that change during a training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch::BatchConfig;

/// The sizes of the batches after some fraction of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchChange {
    /// Fraction of the optimizer steps of the whole training after which the sizes change
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub from: f64,
    /// Batch size N from there on, if it changes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize", range(min = 1, max = 65_536))]
    pub batch_size: Option<usize>,
    /// Sequence length T from there on, if it changes
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize", range(min = 1, max = 65_536))]
    pub seq_length: Option<usize>,
}

impl BatchChange {
    /// The sizes after the change, where they were `before`.
    pub fn apply(&self, before: BatchConfig) -> BatchConfig {
        BatchConfig {
            batch_size: self.batch_size.unwrap_or(before.batch_size),
            seq_length: self.seq_length.unwrap_or(before.seq_length),
            ..before
        }
    }
}
