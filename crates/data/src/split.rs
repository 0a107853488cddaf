//! [`Split`]: the training, validation and test parts of a text.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

use crate::ids::Ids;

/// The fractions of a text that are held out of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fractions {
    valid: f64,
    test: f64,
}

impl Fractions {
    /// Holds out `valid` for validation and `test` for testing.
    ///
    /// # Errors
    /// If either is not in `[0, 1)`, or nothing remains for training.
    pub fn new(valid: f64, test: f64) -> Result<Self, FractionError> {
        for (part, fraction) in [(Part::Valid, valid), (Part::Test, test)] {
            // Also rejects NaN.
            if !(0.0..1.0).contains(&fraction) {
                return Err(FractionError::OutOfRange { part, fraction });
            }
        }
        if valid + test >= 1.0 {
            return Err(FractionError::NothingToTrainOn { valid, test });
        }
        Ok(Self { valid, test })
    }

    /// Fraction held out for validation.
    pub fn valid(&self) -> f64 {
        self.valid
    }

    /// Fraction held out for testing.
    pub fn test(&self) -> f64 {
        self.test
    }
}

/// Why fractions are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum FractionError {
    /// A fraction is outside `[0, 1)`.
    #[error("the fraction of {part} must be at least 0 and less than 1, not {fraction}")]
    OutOfRange {
        /// The part that the fraction is for.
        part: Part,
        /// The invalid value.
        fraction: f64,
    },
    /// Nothing remains for training.
    #[error(
        "the fractions of the validation part ({valid}) and the test part ({test}) must add up to less than 1"
    )]
    NothingToTrainOn {
        /// Fraction held out for validation.
        valid: f64,
        /// Fraction held out for testing.
        test: f64,
    },
}

/// A part of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The whole text.
    #[default]
    Whole,
    /// The training part.
    Train,
    /// The validation part, on which a model is evaluated during training.
    Valid,
    /// The test part, on which a model is evaluated after training.
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Whole => "the text",
            Part::Train => "the training part",
            Part::Valid => "the validation part",
            Part::Test => "the test part",
        })
    }
}

/// The character ranges of the three contiguous parts of a text: training, then validation, then test.
///
/// With n characters, training ends before character ⌊n · (1 − valid − test)⌋ and validation before ⌊n · (1 − test)⌋,
/// computed in double precision from left to right. Without a test part this is exactly the split of the PyTorch exercise,
/// `data[:int(len(data) * (1 - val_frac))]` and the remainder.
///
/// ```
/// # use charloom_data::{Fractions, Split};
/// let split = Split::new(1000, Fractions::new(0.1, 0.05)?);
/// assert_eq!(split, Split { train: 0..850, valid: 850..950, test: 950..1000 });
/// # Ok::<(), charloom_data::FractionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Characters of the training part.
    pub train: Range<usize>,
    /// Characters of the validation part, which follows.
    pub valid: Range<usize>,
    /// Characters of the test part, at the end.
    pub test: Range<usize>,
}

impl Split {
    /// Splits a text of `len` characters.
    pub fn new(len: usize, fractions: Fractions) -> Self {
        let Fractions { valid, test } = fractions;
        // In this order subtracting a test fraction of zero changes no bit, and rounding can't swap the ends.
        let train_end = (len as f64 * (1.0 - valid - test)) as usize;
        let valid_end = (len as f64 * (1.0 - test)) as usize;
        Self { train: 0..train_end, valid: train_end..valid_end, test: valid_end..len }
    }

    /// The same, with each part starting at an end mark: the last one before, or the first after.
    pub(crate) fn at_marks(&self, ids: &Ids, end: u32) -> Self {
        let mark = |cut: usize| {
            if cut == 0 || cut >= ids.len() {
                return cut;
            }
            let is_mark = |index: &usize| ids.get(*index) == Some(end);
            // The mark at 0 precedes the first document: a part needs one.
            let before = (1..=cut).rev().find(is_mark);
            before.or_else(|| (cut..ids.len()).find(is_mark)).unwrap_or(cut)
        };
        let (train, valid) = (mark(self.train.end), mark(self.valid.end));
        Self { train: 0..train, valid: train..valid, test: valid..self.test.end }
    }

    /// The character range of `part`.
    pub fn range(&self, part: Part) -> Range<usize> {
        match part {
            Part::Whole => self.train.start..self.test.end,
            Part::Train => self.train.clone(),
            Part::Valid => self.valid.clone(),
            Part::Test => self.test.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(len: usize, valid: f64, test: f64) -> Split {
        Split::new(len, Fractions::new(valid, test).unwrap())
    }

    #[test]
    fn without_a_test_part_the_cut_is_where_python_cuts() {
        // Each from CPython: `int(n * (1 - f))`. In exact arithmetic the fifth would be 1.
        for (len, valid, cut) in [
            (10, 0.3, 7),
            (100, 0.3, 70),
            (2_025_486, 0.1, 1_822_937),
            (1_985_223, 0.1, 1_786_700),
            (10, 0.9, 0),
            (29, 0.42, 16),
            (7, 0.0, 7),
        ] {
            let split = split(len, valid, 0.0);
            assert_eq!(split.train, 0..cut, "{len} * (1 - {valid})");
            assert_eq!(split.valid, cut..len);
            assert!(split.test.is_empty());
        }
    }

    #[test]
    fn the_parts_follow_each_other_and_lose_nothing() {
        // 11 * 0.7 = 7.7 and 11 * 0.9 = 9.9.
        let split = split(11, 0.2, 0.1);
        assert_eq!((split.train, split.valid, split.test), (0..7, 7..9, 9..11));
    }

    #[test]
    fn a_part_without_characters_is_empty() {
        let split = split(9, 0.0, 0.5);
        assert_eq!((split.train, split.valid, split.test), (0..4, 4..4, 4..9));
    }

    #[test]
    fn parts_of_documents_start_at_a_mark() {
        let text = "|ab|cde|f|gh|ij|";
        let ids = crate::vocab::Vocab::from_text(text).encode(text).unwrap();
        let end = crate::vocab::Vocab::from_text(text).id('|').unwrap();
        // 16 characters: without marks 0..8, 8..12 and 12..16.
        let split = split(16, 0.25, 0.25).at_marks(&ids, end);
        assert_eq!((split.train, split.valid, split.test), (0..7, 7..12, 12..16));
        // Where no mark stands before a cut, the next one is taken.
        let split = Split { train: 0..2, valid: 2..16, test: 16..16 }.at_marks(&ids, end);
        assert_eq!((split.train, split.valid, split.test), (0..3, 3..16, 16..16));
    }

    #[test]
    fn fractions_out_of_range_are_refused() {
        for (valid, test) in [(-0.1, 0.0), (1.0, 0.0), (f64::NAN, 0.0), (0.1, 1.5)] {
            let error = Fractions::new(valid, test).unwrap_err();
            assert!(matches!(error, FractionError::OutOfRange { .. }), "{error}");
        }
        let error = Fractions::new(0.5, 0.5).unwrap_err();
        assert!(matches!(error, FractionError::NothingToTrainOn { .. }));
    }
}
