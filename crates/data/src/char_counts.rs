//! [`CharCounts`]: the number of characters of a text, in all and of each kind.

use std::collections::HashMap;

use crate::corpus::{CorpusError, Origin};
use crate::vocab::Vocab;

/// The number of characters of a text, in all and of each kind.
#[derive(Default)]
pub(crate) struct CharCounts {
    pub total: usize,
    pub by_char: HashMap<char, u64>,
}

impl CharCounts {
    pub fn add(&mut self, text: &str) {
        // ASCII is counted in an array: hashing every character would dominate the run time.
        let mut ascii = [0; 128];
        for char in text.chars() {
            self.total += 1;
            match ascii.get_mut(char as usize) {
                Some(count) => *count += 1,
                None => *self.by_char.entry(char).or_default() += 1,
            }
        }
        for (char, count) in ('\0'..).zip(ascii) {
            if count > 0 {
                *self.by_char.entry(char).or_default() += count;
            }
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.total += other.total;
        for (char, count) in other.by_char {
            *self.by_char.entry(char).or_default() += count;
        }
    }

    /// The vocabulary, if the text has at least two distinct characters.
    pub fn vocab(&self, origin: &Origin) -> Result<Vocab, CorpusError> {
        let vocab = Vocab::from_chars(self.by_char.keys().copied());
        match *vocab.chars() {
            [] => Err(CorpusError::Empty(origin.clone())),
            [char] => {
                Err(CorpusError::OneCharacter { origin: origin.clone(), char, count: self.total })
            }
            _ => Ok(vocab),
        }
    }

    /// The characters that a vocabulary lacks, each with its number of occurrences, the most frequent first.
    pub fn unknown_to(&self, vocab: &Vocab) -> Vec<(char, u64)> {
        let lacks = |&(&char, _): &(&char, &u64)| vocab.id(char).is_none();
        let mut unknown: Vec<(char, u64)> =
            self.by_char.iter().filter(lacks).map(|(&char, &count)| (char, count)).collect();
        unknown.sort_unstable_by_key(|&(char, count)| (std::cmp::Reverse(count), char));
        unknown
    }
}
