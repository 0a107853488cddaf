//! The section `[sample]` of a settings file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sampling::{Sampling, TopKTopP};

/// What a sample starts with, how long it is and how its characters are picked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SampleConfig {
    /// Prompt: text that the sample continues
    pub prompt: String,
    /// Number of characters to generate
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub length: usize,
    /// Sampling temperature; lower is more conservative, 0 is greedy decoding
    #[schemars(range(min = 0.0, max = 100.0))]
    pub temperature: f64,
    /// Sample among the K most likely characters only, 0 for all
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub top_k: usize,
    /// Sample among the most likely characters of total probability P, 1 for all
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub top_p: f64,
}

impl Default for SampleConfig {
    fn default() -> Self {
        Self { prompt: String::new(), length: 400, temperature: 0.8, top_k: 0, top_p: 1.0 }
    }
}

impl SampleConfig {
    /// How characters are picked; a temperature of 0 is greedy decoding.
    pub fn sampling(&self) -> Sampling {
        if self.temperature == 0.0 {
            return Sampling::Greedy;
        }
        let filter = TopKTopP {
            top_k: self.top_k.try_into().ok(),
            top_p: (self.top_p < 1.0).then_some(self.top_p),
        };
        Sampling::Random { temperature: self.temperature, filter }
    }
}
