//! [`TextStats`]: statistics of a text.

use crate::batch::BatchConfig;
use crate::corpus::Corpus;
use crate::split::Split;

/// Statistics of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextStats {
    /// Length in characters.
    pub chars: u64,
    /// Length in bytes of UTF-8.
    pub bytes: u64,
    /// Number of lines; the last one may lack its newline.
    pub lines: u64,
    /// The characters that occur, each with its number of occurrences, the most frequent first (equally frequent ones in
    /// code-point order).
    pub counts: Vec<(char, u64)>,
}

impl TextStats {
    /// Computes the statistics of `corpus`.
    pub fn of(corpus: &Corpus) -> Self {
        let (ids, vocab) = (corpus.ids(), corpus.vocab());
        // A given vocabulary may have characters that this text lacks.
        let mut counts: Vec<_> = (vocab.chars().iter().copied())
            .zip(ids.counts(vocab.len()))
            .filter(|&(_, count)| count > 0)
            .collect();
        counts.sort_unstable_by_key(|&(char, count)| (std::cmp::Reverse(count), char));

        let newlines = (counts.iter()).find_map(|&(char, count)| (char == '\n').then_some(count));
        let last = ids.len().checked_sub(1).and_then(|last| ids.get(last));
        let unterminated = last.is_some_and(|id| vocab.char(id) != Some('\n'));
        Self {
            chars: ids.len() as u64,
            bytes: (counts.iter()).map(|&(char, count)| char.len_utf8() as u64 * count).sum(),
            lines: newlines.unwrap_or(0) + u64::from(unterminated),
            counts,
        }
    }

    /// The number of distinct characters.
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// The `n` most frequent characters with their counts, the most frequent first.
    pub fn most_frequent(&self, n: usize) -> impl Iterator<Item = (char, u64)> {
        self.counts.iter().take(n).copied()
    }

    /// The `n` least frequent characters with their counts, the least frequent first.
    pub fn least_frequent(&self, n: usize) -> impl Iterator<Item = (char, u64)> {
        self.counts.iter().rev().take(n).copied()
    }
}

/// The number of batches in each part of a text; 0 for a part that is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartBatches {
    /// Batches of the training part.
    pub train: usize,
    /// Batches of the validation part.
    pub valid: usize,
    /// Batches of the test part.
    pub test: usize,
}

impl PartBatches {
    /// Those of a text that is divided so.
    pub fn of(split: &Split, config: BatchConfig) -> Self {
        Self {
            train: config.batches_of(split.train.len()),
            valid: config.batches_of(split.valid.len()),
            test: config.batches_of(split.test.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::LastTarget;
    use crate::split::Fractions;
    use crate::vocab::Vocab;

    fn stats(text: &str) -> TextStats {
        TextStats::of(&Corpus::from_text(text).unwrap())
    }

    #[test]
    fn a_text_is_counted_in_characters_bytes_and_lines() {
        let stats = stats("né\nnée\n");
        assert_eq!((stats.chars, stats.bytes, stats.lines), (7, 9, 2));
        assert_eq!(stats.counts, [('\n', 2), ('n', 2), ('é', 2), ('e', 1)]);
        assert_eq!(stats.distinct(), 4);
        assert!(stats.most_frequent(2).eq([('\n', 2), ('n', 2)]));
        assert!(stats.least_frequent(2).eq([('e', 1), ('é', 2)]));
    }

    #[test]
    fn a_last_line_without_newline_counts() {
        assert_eq!(stats("ab").lines, 1);
        assert_eq!(stats("a\nb").lines, 2);
        assert_eq!(stats("\n\nb\n").lines, 3);
    }

    #[test]
    fn characters_that_only_the_vocabulary_has_are_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "bb").unwrap();
        let corpus = Corpus::read_with_vocab(&path, &Vocab::from_text("abc")).unwrap();
        assert_eq!(TextStats::of(&corpus).counts, [('b', 2)]);
    }

    #[test]
    fn batches_are_counted_by_part() {
        // 120 characters: 84, 24, 12.
        let split = Split::new(120, Fractions::new(0.2, 0.1).unwrap());
        let config = BatchConfig { batch_size: 2, seq_length: 6, last_target: LastTarget::Next };
        let (train, valid, test) = (6, 1, 0); // ⌊83/12⌋, ⌊23/12⌋, ⌊11/12⌋
        assert_eq!(PartBatches::of(&split, config), PartBatches { train, valid, test });
    }
}
