//! [`Batches`]: a text cut into batches of contiguous rows, for truncated backpropagation through time.

use std::fmt;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::derive_seed::derive_seed;
use crate::ids::Ids;
use crate::split::Part;

/// How a text is cut into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchConfig {
    /// Batch size N: number of parallel rows.
    pub batch_size: usize,
    /// Sequence length T: characters of each row in a batch.
    pub seq_length: usize,
    /// What the last character of a row is to predict.
    pub last_target: LastTarget,
}

/// The target of the last character of a row, for which the row itself has no next character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastTarget {
    /// The true next character of the text: each row's is the first of the row below, and the last row's is the first
    /// character that is left over. One character more than the inputs is therefore needed.
    #[default]
    Next,
    /// The first character of the same row, as the classic exercise has it.
    Wrap,
}

impl BatchConfig {
    /// The number of batches in a text of `chars` characters, 0 if it is too short.
    pub fn batches_of(&self, chars: usize) -> usize {
        self.inputs_of(chars)
            .checked_div(self.batch_size.saturating_mul(self.seq_length))
            .unwrap_or(0)
    }

    /// Sizes for a text that is too short for `batches` batches: N is halved, and then T down to `shortest`, until so many fit
    /// or nothing is left to halve. N is kept unless `may_halve_n`, and T if `shortest` is `None`.
    #[must_use]
    pub fn shrunk_to(
        mut self,
        chars: usize,
        batches: usize,
        may_halve_n: bool,
        shortest: Option<usize>,
    ) -> Self {
        while self.batches_of(chars) < batches {
            match shortest {
                _ if may_halve_n && self.batch_size > 1 => self.batch_size /= 2,
                Some(shortest) if self.seq_length > shortest => self.seq_length /= 2,
                _ => break,
            }
        }
        self
    }

    /// The number of characters that one batch needs.
    pub fn chars_needed(&self) -> usize {
        (self.batch_size.saturating_mul(self.seq_length)).saturating_add(self.extra_chars())
    }

    /// The number of `chars` characters that can be inputs.
    fn inputs_of(&self, chars: usize) -> usize {
        chars.saturating_sub(self.extra_chars())
    }

    /// The number of characters needed in addition to the inputs, as the last target.
    fn extra_chars(&self) -> usize {
        match self.last_target {
            LastTarget::Next => 1,
            LastTarget::Wrap => 0,
        }
    }
}

/// The batches of a text, in order.
///
/// The text is cut into N rows of B·T contiguous characters, where B is the number of batches: row r is characters
/// `r·B·T .. (r+1)·B·T`. Batch b is columns `b·T .. (b+1)·T` of all rows, so each row of batch b + 1 continues the same
/// row of batch b, and the recurrent state can be carried over. Targets are the inputs shifted by one character.
/// Characters at the end of the text that don't fill a batch are dropped: B = ⌊(n − 1) / (N·T)⌋ for n characters, or
/// ⌊n / (N·T)⌋ with [`LastTarget::Wrap`].
///
/// Eleven characters at N = 2 and T = 2 make two batches:
///
/// ```
/// # use charloom_data::{BatchConfig, Batches, LastTarget, Vocab};
/// let text = "abcdefghijk"; // rows: abcd, efgh
/// let ids = Vocab::from_text(text).encode(text)?;
/// let config = BatchConfig { batch_size: 2, seq_length: 2, last_target: LastTarget::Next };
/// let batches = Batches::new(ids, config)?;
/// assert_eq!(batches.len(), 2);
///
/// let (mut inputs, mut targets) = ([0; 4], [0; 4]); // [N, T] each, row by row
/// batches.fill(1, &mut inputs, &mut targets);
/// assert_eq!(inputs, [2, 3, 6, 7]); // cd, gh
/// assert_eq!(targets, [3, 4, 7, 8]); // de, hi
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    ids: Ids,
    config: BatchConfig,
    len: usize,
    /// The rows that are copied.
    rows: Range<usize>,
}

/// The rows of the process `rank` where so many processes share a batch: all have the same number, or one more.
pub fn rows_of_rank(rows: usize, rank: usize, ranks: usize) -> Range<usize> {
    rows * rank / ranks..rows * (rank + 1) / ranks
}

impl Batches {
    /// Cuts `ids` into batches.
    ///
    /// # Errors
    /// If there are too few ids for one batch, or batch size or sequence length is 0.
    pub fn new(ids: Ids, config: BatchConfig) -> Result<Self, BatchError> {
        if config.batch_size == 0 || config.seq_length == 0 {
            return Err(BatchError::Zero(config));
        }
        match config.batches_of(ids.len()) {
            0 => Err(TooShort::new(ids.len(), config).into()),
            len => Ok(Self { ids, config, len, rows: 0..config.batch_size }),
        }
    }

    /// The same batches, of which only these rows are copied: those that one of several processes computes.
    ///
    /// # Panics
    /// If a row isn't one of the batch.
    #[must_use]
    pub fn of_rows(&self, rows: Range<usize>) -> Self {
        assert!(rows.end <= self.config.batch_size, "rows {rows:?} of {}", self.config.batch_size);
        Self { rows, ..self.clone() }
    }

    /// The rows that are copied; all of a batch, unless [`of_rows`](Self::of_rows) left some out.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The shape of what is copied of a batch: the number of rows and T.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.config.seq_length]
    }

    /// The number of batches, B.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one batch")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number of ids that were cut, those included that fill no batch.
    pub fn chars(&self) -> usize {
        self.ids.len()
    }

    /// How the text was cut.
    pub fn config(&self) -> BatchConfig {
        self.config
    }

    /// The number of characters in one batch, N·T, whichever rows are copied.
    pub fn chars_per_batch(&self) -> usize {
        self.config.batch_size * self.config.seq_length
    }

    /// Copies batch `index` of an epoch that cuts the text at random.
    ///
    /// The text is closed to a ring; the first row starts at a character drawn with `seed`, and the others follow it. Each
    /// row is read from a character of its own, drawn too, to its end and then from its beginning. The target of an input is
    /// the character that follows it in the ring, whatever [`LastTarget`] says.
    ///
    /// # Shapes
    /// `inputs` and `targets`: `[N, T]`, row by row, or as many rows as are copied
    ///
    /// # Panics
    /// As [`fill`](Self::fill).
    pub fn fill_random(&self, index: usize, seed: u64, inputs: &mut [i32], targets: &mut [i32]) {
        self.check_fill(index, inputs, targets);
        let (chars, steps) = (self.ids.len(), self.config.seq_length);
        let row_length = self.len * steps;
        let first = derive_seed(seed, 0) as usize % chars;
        let rows = inputs.chunks_exact_mut(steps).zip(targets.chunks_exact_mut(steps));
        for (row, (inputs, targets)) in self.rows.clone().zip(rows) {
            let start = first + row * row_length;
            let rotation = derive_seed(seed, row as u64 + 1) as usize % row_length;
            let column = (index * steps + rotation) % row_length;
            // The batch may go over the row's end.
            let before_end = steps.min(row_length - column);
            for (column, part) in [(column, 0..before_end), (0, before_end..steps)] {
                self.copy_from_ring(start + column, &mut inputs[part.clone()]);
                self.copy_from_ring(start + column + 1, &mut targets[part]);
            }
        }
    }

    /// Panics if there is no batch `index`, or a slice does not have T elements for each row.
    fn check_fill(&self, index: usize, inputs: &[i32], targets: &[i32]) {
        assert!(index < self.len, "batch {index} of {}", self.len);
        let chars = self.rows.len() * self.config.seq_length;
        assert_eq!(inputs.len(), chars, "inputs");
        assert_eq!(targets.len(), chars, "targets");
    }

    /// Copies the characters from `start` on; the first of the text follows the last.
    fn copy_from_ring(&self, start: usize, to: &mut [i32]) {
        let start = start % self.ids.len();
        let before_end = to.len().min(self.ids.len() - start);
        let (first, second) = to.split_at_mut(before_end);
        self.ids.copy_to(start, first);
        self.ids.copy_to(0, second);
    }

    /// Copies batch `index` to `inputs` and `targets`.
    ///
    /// # Shapes
    /// `inputs` and `targets`: `[N, T]`, row by row, or as many rows as are copied
    ///
    /// # Panics
    /// If there is no batch `index`, or a slice does not have T elements for each row.
    pub fn fill(&self, index: usize, inputs: &mut [i32], targets: &mut [i32]) {
        self.check_fill(index, inputs, targets);
        let steps = self.config.seq_length;
        let row_length = self.len * steps;
        let rows = inputs.chunks_exact_mut(steps).zip(targets.chunks_exact_mut(steps));
        for (row, (inputs, targets)) in self.rows.clone().zip(rows) {
            let start = row * row_length;
            let at = start + index * steps;
            self.ids.copy_to(at, inputs);
            match self.config.last_target {
                LastTarget::Wrap if index + 1 == self.len => {
                    let (last, others) = targets.split_at_mut(steps - 1);
                    self.ids.copy_to(at + 1, last);
                    self.ids.copy_to(start, others);
                }
                _ => self.ids.copy_to(at + 1, targets),
            }
        }
    }
}

/// Why a text can't be cut into batches.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// Batch size or sequence length is 0.
    #[error(
        "batch size and sequence length must be at least 1, not {} and {}",
        .0.batch_size, .0.seq_length
    )]
    Zero(BatchConfig),
    /// Too few characters for one batch.
    #[error(transparent)]
    TooShort(#[from] TooShort),
}

impl BatchError {
    /// Sets the part of the text that the error message names.
    pub fn in_part(mut self, part: Part) -> Self {
        if let Self::TooShort(error) = &mut self {
            error.part = part;
        }
        self
    }
}

/// A text has too few characters for one batch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct TooShort {
    /// Part of the text that is too short; [`BatchError::in_part`] sets it.
    pub part: Part,
    /// Number of characters of the part.
    pub chars: usize,
    /// Number of characters that one batch needs.
    pub needed: usize,
    /// The batch size and sequence length that were asked for.
    pub config: BatchConfig,
    /// The largest batch size N that fits with the same T, if any.
    pub batch_size_that_fits: Option<usize>,
    /// The largest sequence length T that fits with the same N, if any.
    pub seq_length_that_fits: Option<usize>,
}

impl TooShort {
    fn new(chars: usize, config: BatchConfig) -> Self {
        let inputs = config.inputs_of(chars);
        let fitting = |other: usize| inputs.checked_div(other).filter(|&fits| fits > 0);
        Self {
            part: Part::Whole,
            chars,
            needed: config.chars_needed(),
            config,
            batch_size_that_fits: fitting(config.seq_length),
            seq_length_that_fits: fitting(config.batch_size),
        }
    }
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has {}, but one batch of {} needs {}",
            self.part,
            counted(self.chars, "character"),
            size(self.config.batch_size, self.config.seq_length),
            self.needed
        )
    }
}

/// `3 rows x 1 step`.
fn size(rows: usize, steps: usize) -> String {
    format!("{} x {}", counted(rows, "row"), counted(steps, "step"))
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests;
