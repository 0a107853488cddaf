//! The section `[data]` of a settings file.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch::{BatchConfig, LastTarget};
use crate::split::{FractionError, Fractions};

/// Which text a run is about, how it is split and how it is cut into batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Training text, UTF-8
    #[schemars(length(min = 1), extend("format" = "path"))]
    pub text: PathBuf,
    /// Fraction held out for validation, after the training part
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub valid_fraction: f64,
    /// Fraction held out as the test part, at the very end
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub test_fraction: f64,
    /// Batch size N: number of parallel sequences
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Sequence length T of truncated BPTT
    #[schemars(range(min = 1, max = 65_536))]
    pub seq_length: usize,
    /// Offset of the rows in the text: "fixed", or "random" in each epoch
    ///
    /// With "random" an epoch cuts the text elsewhere and starts each row at another of its characters, so that the batches of
    /// no two epochs are alike.
    pub row_offset: RowOffset,
    /// Target of a row's last character: the "next" one, or "wrap" to its first
    pub last_target: LastTarget,
    /// Validation loss over "all" characters, or over "rows" as PyTorch examples
    pub validation: Validation,
}

/// Where the rows of a batch start in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowOffset {
    /// At the same characters in each epoch.
    #[default]
    Fixed,
    /// At other characters in each epoch.
    Random,
}

/// How the validation loss is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Every character of the part but the first, whatever N and T are.
    #[default]
    All,
    /// The batches of N rows that training would make of the part, each row from a zero state; what doesn't fill a batch
    /// is dropped.
    Rows,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            text: PathBuf::from("datasets/burn-source.txt"),
            valid_fraction: 0.1,
            test_fraction: 0.0,
            batch_size: 64,
            seq_length: 100,
            row_offset: RowOffset::Fixed,
            last_target: LastTarget::Next,
            validation: Validation::All,
        }
    }
}

impl DataConfig {
    /// How the training part is cut into batches.
    pub fn batch(&self) -> BatchConfig {
        let Self { batch_size, seq_length, last_target, .. } = *self;
        BatchConfig { batch_size, seq_length, last_target }
    }

    /// What is held out of training.
    ///
    /// # Errors
    /// If nothing is left to train on.
    pub fn fractions(&self) -> Result<Fractions, FractionError> {
        Fractions::new(self.valid_fraction, self.test_fraction)
    }
}
