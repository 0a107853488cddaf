//! [`preflight`]: what is odd about a text, before a model learns it.

use std::collections::HashMap;
use std::fmt;

use unicode_normalization::char::is_combining_mark;

use crate::corpus::Corpus;
use crate::gutenberg::book;
use crate::ids::Ids;
use crate::marks::{END_MARK, UNKNOWN_MARK};
use crate::split::Split;
use crate::vocab::EscapedChar;

/// Something odd about a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Oddity {
    /// Lines of Project Gutenberg stand before or after the book.
    Gutenberg {
        /// Characters of them.
        chars: usize,
        /// The fraction of the validation part that they are.
        of_validation: f64,
    },
    /// Letters have marks of their own that could be composed.
    CombiningMarks {
        /// How many.
        count: u64,
    },
    /// There are control characters, apart from tabs and line ends.
    ControlCharacters {
        /// Each with its number, in code-point order.
        chars: Vec<(char, u64)>,
    },
    /// One line has a tenth of the characters or more.
    LongLine {
        /// Its length in characters.
        chars: usize,
        /// The fraction of the text that it is.
        fraction: f64,
    },
    /// The same characters occur twice.
    Repetition {
        /// The number of characters compared.
        chars: usize,
        /// Where they stand first, in characters from 0.
        first: usize,
        /// Where they stand again.
        second: usize,
        /// Whether the model is trained on them in one place and validated in the other.
        crosses_parts: bool,
    },
    /// Characters occur in the validation part alone.
    OnlyInValidation {
        /// They, in code-point order.
        chars: Vec<char>,
    },
}

/// What is odd about a text that is divided so.
///
/// Looking for repetitions takes some seconds for a gigabyte.
pub fn preflight(corpus: &Corpus, split: &Split) -> Vec<Oddity> {
    let (ids, vocab) = (corpus.ids(), corpus.vocab());
    let counts = ids.counts(vocab.len());
    let counted = || vocab.chars().iter().copied().zip(counts.iter().copied());
    let mut odd = Vec::new();
    if let Some(book) = book(corpus) {
        let valid = &split.valid;
        let kept = book.end.min(valid.end).saturating_sub(book.start.max(valid.start));
        let of_validation = 1.0 - kept as f64 / valid.len().max(1) as f64;
        odd.push(Oddity::Gutenberg { chars: ids.len() - book.len(), of_validation });
    }
    // Only marks that a letter could be composed with: many scripts have others.
    let marks = counted()
        .filter(|(char, _)| ('\u{300}'..='\u{36f}').contains(char) && is_combining_mark(*char));
    let count = marks.map(|(_, count)| count).sum();
    if count > 0 {
        odd.push(Oddity::CombiningMarks { count });
    }
    let controls: Vec<(char, u64)> = counted()
        .filter(|(char, count)| *count > 0 && char.is_control() && !"\n\r\t".contains(*char))
        .collect();
    if !controls.is_empty() {
        odd.push(Oddity::ControlCharacters { chars: controls });
    }
    odd.extend(long_line(corpus));
    odd.extend(repetition(ids, split));
    // What neither the validation part nor the test part has is in the training part.
    let [valid, test] =
        [&split.valid, &split.test].map(|part| ids.slice(part.clone()).counts(vocab.len()));
    let only: Vec<char> = (counted().zip(valid.iter().zip(&test)))
        .filter(|((char, all), (valid, test))| {
            **valid > 0 && *all == **valid + **test && ![END_MARK, UNKNOWN_MARK].contains(char)
        })
        .map(|((char, _), _)| char)
        .collect();
    if !only.is_empty() {
        odd.push(Oddity::OnlyInValidation { chars: only });
    }
    odd
}

/// Shortest text in which a line can be too long.
const LONG_TEXT: usize = 10_000;

fn long_line(corpus: &Corpus) -> Option<Oddity> {
    let (ids, vocab) = (corpus.ids(), corpus.vocab());
    if ids.len() < LONG_TEXT || vocab.id(END_MARK).is_some() {
        return None;
    }
    // Without line ends the text is a sequence, as one of DNA.
    let newline = vocab.id('\n')?;
    let (mut longest, mut length) = (0, 0);
    for id in ids {
        length = if id == newline { 0 } else { length + 1 };
        longest = longest.max(length);
    }
    let fraction = longest as f64 / ids.len() as f64;
    (fraction >= 0.1).then_some(Oddity::LongLine { chars: longest, fraction })
}

/// Characters of a block that is looked for elsewhere.
const BLOCK: usize = 10_000;

/// The first block of the text, of those that start at multiples of the block length, that occurs again, not overlapping.
///
/// A rolling hash (Karp and Rabin 1987) of every place is looked up among those of the blocks; what it finds is compared.
fn repetition(ids: &Ids, split: &Split) -> Option<Oddity> {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    const BITS: u32 = 22;
    if ids.len() < 2 * BLOCK {
        return None;
    }
    let mut removed = 1u64; // FACTOR to the power of BLOCK
    for _ in 0..BLOCK {
        removed = removed.wrapping_mul(FACTOR);
    }
    let mut blocks: HashMap<u64, usize> = HashMap::with_capacity(ids.len() / BLOCK);
    // Most places are in no block: a bit of the hash tells so at less cost than a look-up.
    let mut seen = vec![0u64; 1 << (BITS - 6)];
    let slot =
        |hash: u64| ((hash >> (64 - BITS)) as usize / 64, 1u64 << (hash >> (64 - BITS) & 63));
    let mut hash = 0u64;
    let term = |at: usize| u64::from(ids.get(at).unwrap_or(0)) + 1;
    for at in 0..ids.len() {
        hash = hash.wrapping_mul(FACTOR).wrapping_add(term(at));
        if at >= BLOCK {
            hash = hash.wrapping_sub(term(at - BLOCK).wrapping_mul(removed));
        }
        if at + 1 < BLOCK {
            continue;
        }
        let start = at + 1 - BLOCK;
        let (word, bit) = slot(hash);
        if seen[word] & bit != 0
            && let Some(&first) = blocks.get(&hash)
            && start >= first + BLOCK
            && ids.slice(first..first + BLOCK) == ids.slice(start..start + BLOCK)
        {
            let crosses_parts = first < split.train.end && start + BLOCK > split.train.end;
            return Some(Oddity::Repetition { chars: BLOCK, first, second: start, crosses_parts });
        }
        if start.is_multiple_of(BLOCK) {
            seen[word] |= bit;
            blocks.entry(hash).or_insert(start);
        }
    }
    None
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LISTED: usize = 8;
        match self {
            Self::Gutenberg { chars, of_validation } => write!(
                f,
                "{chars} characters are Project Gutenberg's, before or after the book: {:.1} % of the validation part",
                100.0 * of_validation
            ),
            Self::CombiningMarks { count } => {
                write!(f, "{count} marks are characters of their own, apart from their letters")
            }
            Self::ControlCharacters { chars } => {
                f.write_str("there are control characters: ")?;
                for (index, (char, count)) in chars.iter().take(LISTED).enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}`{}` {count}", EscapedChar(*char))?;
                }
                more(f, chars.len(), LISTED)
            }
            Self::LongLine { chars, fraction } => {
                write!(f, "one line has {chars} characters, {:.0} % of the text", 100.0 * fraction)
            }
            Self::Repetition { chars, first, second, crosses_parts } => {
                write!(f, "the same {chars} characters stand at {first} and at {second}")?;
                match crosses_parts {
                    true => f.write_str(", so that validation measures what was learned by heart"),
                    false => Ok(()),
                }
            }
            Self::OnlyInValidation { chars } => {
                f.write_str("characters that occur in the validation part alone: ")?;
                for (index, char) in chars.iter().take(LISTED).enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}`{}`", EscapedChar(*char))?;
                }
                more(f, chars.len(), LISTED)
            }
        }
    }
}

fn more(f: &mut fmt::Formatter<'_>, count: usize, listed: usize) -> fmt::Result {
    match count.saturating_sub(listed) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

#[cfg(test)]
mod tests;
