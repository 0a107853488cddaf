//! The section `[data]` of a settings file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch::{BatchConfig, LastTarget};
use crate::batch_schedule::BatchChange;
use crate::documents::Documents;
use crate::split::{FractionError, Fractions};
use crate::text_format::{Newlines, Normalize, TextFormat, UnknownEncoding, encoding_of};
use crate::text_paths::TextPaths;

/// Which text a run is about, how it is split and how it is cut into batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Training text: a file, or several files, folders, patterns, pipes, or - for standard input
    ///
    /// Files are read in the order in which they are given. The files of a folder, and those that match a pattern such as
    /// "poems/*.txt", are read in the order of their names.
    pub text: TextPaths,
    /// Encoding of the text, such as "windows-1252", or "auto"
    ///
    /// "auto" reads UTF-8, UTF-16 with a byte-order mark, and Windows-1252 where it is recognised. Any label of the WHATWG
    /// Encoding Standard is a name.
    #[schemars(length(min = 1))]
    pub encoding: String,
    /// Line ends: "universal" reads \r\n and \r as \n, as Python's text mode does, or "keep"
    pub newlines: Newlines,
    /// Unicode normalization: "none", or "nfc" for composed characters
    pub normalize: Normalize,
    /// Leave out what Project Gutenberg puts before and after a book
    pub trim_gutenberg: bool,
    /// Documents of the text, each ending with a mark that is learned: "none", "lines", "files" or "blank-lines"
    ///
    /// Generation starts a new document and stops at its end; validation is on whole documents.
    pub documents: Documents,
    /// Characters that occur fewer times become one unknown character, which is never generated; 0 for none
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub min_count: u64,
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
    /// Changes of N and T during the training, [] for none
    ///
    /// Each has the fraction of the optimizer steps after which it applies, in ascending order, and the sizes that it changes:
    /// `[{ from = 0.33, batch_size = 96 }, { from = 0.66, seq_length = 128 }]`. The training continues at the same fraction of
    /// the epoch, from a zero state. Validation by "rows" keeps the first sizes.
    pub batch_schedule: Vec<BatchChange>,
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
            text: "datasets/burn-source.txt".into(),
            encoding: "auto".to_owned(),
            newlines: Newlines::default(),
            normalize: Normalize::default(),
            trim_gutenberg: false,
            documents: Documents::default(),
            min_count: 0,
            valid_fraction: 0.1,
            test_fraction: 0.0,
            batch_size: 64,
            seq_length: 100,
            batch_schedule: Vec::new(),
            row_offset: RowOffset::Fixed,
            last_target: LastTarget::Next,
            validation: Validation::All,
        }
    }
}

impl DataConfig {
    /// How the bytes of the text's files become characters.
    ///
    /// # Errors
    /// If `encoding` is not the name of one.
    pub fn format(&self) -> Result<TextFormat, UnknownEncoding> {
        let Self { newlines, normalize, documents, trim_gutenberg, .. } = *self;
        let encoding = encoding_of(&self.encoding)?;
        Ok(TextFormat { encoding, newlines, normalize, documents, trim_gutenberg })
    }

    /// How the training part is cut into batches at first.
    pub fn batch(&self) -> BatchConfig {
        let Self { batch_size, seq_length, last_target, .. } = *self;
        BatchConfig { batch_size, seq_length, last_target }
    }

    /// How the training part is cut into batches, and the fraction of the training from which on it is: the first sizes from
    /// 0 on, then those of each change.
    pub fn batch_phases(&self) -> Vec<(f64, BatchConfig)> {
        let mut phases = vec![(0.0, self.batch())];
        for change in &self.batch_schedule {
            let (_, before) = phases[phases.len() - 1];
            phases.push((change.from, change.apply(before)));
        }
        phases
    }

    /// What is held out of training.
    ///
    /// # Errors
    /// If nothing is left to train on.
    pub fn fractions(&self) -> Result<Fractions, FractionError> {
        Fractions::new(self.valid_fraction, self.test_fraction)
    }
}
