//! [`Corpus`]: a text as character ids, with its vocabulary and checksum.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::checksum::{HashingReader, sha256};
use crate::ids::{Ids, IdsBuilder};
use crate::utf8::{DecodeError, decode_chunks};
use crate::vocab::{EscapedChar, Vocab};

/// A text encoded as character ids, with its vocabulary.
///
/// Nothing is normalised: line endings and case are kept, and a byte-order mark at the start is a character like any
/// other.
#[derive(Clone, Debug)]
pub struct Corpus {
    ids: Ids,
    vocab: Vocab,
    path: Option<PathBuf>,
    sha256: String,
}

impl Corpus {
    /// Reads a text file; the vocabulary is the set of its characters.
    ///
    /// The file is read twice, in chunks: once to count its characters, once to encode them. So a gigabyte of ASCII needs
    /// a gigabyte of memory.
    ///
    /// # Errors
    /// If the file is missing, can't be read or isn't UTF-8, or has fewer than two distinct characters.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CorpusError> {
        let path = path.as_ref();
        let counts = CharCounts::of(open(path)?, path)?;
        let vocab = counts.vocab(Origin::File(path.to_owned()))?;
        Self::encode_file(path, vocab, &counts)
    }

    /// Reads a text file with a given vocabulary, such as a model's.
    ///
    /// # Errors
    /// If the file is missing, empty, can't be read or isn't UTF-8, or has characters that the vocabulary lacks.
    pub fn read_with_vocab(path: impl AsRef<Path>, vocab: &Vocab) -> Result<Self, CorpusError> {
        let path = path.as_ref();
        let counts = CharCounts::of(open(path)?, path)?;
        if counts.total == 0 {
            return Err(CorpusError::Empty(Origin::File(path.to_owned())));
        }
        let mut unknown: Vec<_> = (counts.by_char.iter())
            .filter(|&(&char, _)| vocab.id(char).is_none())
            .map(|(&char, &count)| (char, count))
            .collect();
        if !unknown.is_empty() {
            unknown.sort_unstable_by_key(|&(char, count)| (std::cmp::Reverse(count), char));
            let (line, column) = first_unknown(path, vocab)?;
            return Err(CorpusError::UnknownCharacters {
                origin: Origin::File(path.to_owned()),
                unknown,
                line,
                column,
            });
        }
        Self::encode_file(path, vocab.clone(), &counts)
    }

    /// Encodes a text in memory; the vocabulary is the set of its characters.
    ///
    /// # Errors
    /// If the text has fewer than two distinct characters.
    pub fn from_text(text: &str) -> Result<Self, CorpusError> {
        let mut counts = CharCounts::default();
        counts.add(text);
        let vocab = counts.vocab(Origin::Memory)?;
        let mut ids = IdsBuilder::new(vocab.len(), counts.total);
        // No character is missing: the vocabulary was made from them.
        (text.chars().filter_map(|char| vocab.id(char))).for_each(|id| ids.push(id));
        Ok(Self { ids: ids.finish(), vocab, path: None, sha256: sha256(text.as_bytes()) })
    }

    /// The second pass. It hashes the bytes that it encodes, so that checksum and ids agree even if the file is being
    /// written to.
    fn encode_file(path: &Path, vocab: Vocab, counts: &CharCounts) -> Result<Self, CorpusError> {
        let mut ids = IdsBuilder::new(vocab.len(), counts.total);
        let mut file = HashingReader::new(open(path)?);
        let mut changed = false;
        decode_chunks(&mut file, |text| {
            for char in text.chars() {
                match vocab.id(char) {
                    Some(id) if ids.len() < counts.total => ids.push(id),
                    _ => changed = true,
                }
            }
            !changed
        })
        .map_err(|error| CorpusError::reading(path, error))?;
        if changed || ids.len() < counts.total {
            return Err(CorpusError::Changed(path.to_owned()));
        }
        Ok(Self { ids: ids.finish(), vocab, path: Some(path.to_owned()), sha256: file.finish() })
    }

    /// The text as ids of [`Corpus::vocab`].
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The vocabulary of the ids.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The number of characters (Unicode scalar values, not bytes).
    pub fn chars(&self) -> usize {
        self.ids.len()
    }

    /// Path of the file, or `None` for a text in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// SHA-256 of the text's UTF-8 bytes, in lower-case hexadecimal. For a file this is the checksum of the file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// Opens a regular file: a text is read twice, which is impossible with a pipe.
fn open(path: &Path) -> Result<File, CorpusError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CorpusError::Missing(path.to_owned()),
        _ => CorpusError::Unreadable { path: path.to_owned(), source },
    };
    // Before opening, because opening a named pipe blocks until it has a writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(CorpusError::NotAFile { path: path.to_owned(), folder: metadata.is_dir() });
    }
    File::open(path).map_err(failed)
}

/// Line and column, counted from 1, of the first character that `vocab` lacks.
fn first_unknown(path: &Path, vocab: &Vocab) -> Result<(u64, u64), CorpusError> {
    let (mut line, mut column) = (1, 1);
    decode_chunks(open(path)?, |text| {
        for char in text.chars() {
            if vocab.id(char).is_none() {
                return false;
            }
            if char == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        true
    })
    .map_err(|error| CorpusError::reading(path, error))?;
    Ok((line, column))
}

/// The number of characters of a text, in all and of each kind.
#[derive(Default)]
struct CharCounts {
    total: usize,
    by_char: HashMap<char, u64>,
}

impl CharCounts {
    fn of(file: File, path: &Path) -> Result<Self, CorpusError> {
        let mut counts = Self::default();
        decode_chunks(file, |text| {
            counts.add(text);
            true
        })
        .map_err(|error| CorpusError::reading(path, error))?;
        Ok(counts)
    }

    fn add(&mut self, text: &str) {
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

    /// The vocabulary, if the text has at least two distinct characters.
    fn vocab(&self, origin: Origin) -> Result<Vocab, CorpusError> {
        let vocab = Vocab::from_chars(self.by_char.keys().copied());
        match *vocab.chars() {
            [] => Err(CorpusError::Empty(origin)),
            [char] => Err(CorpusError::OneCharacter { origin, char, count: self.total }),
            _ => Ok(vocab),
        }
    }
}

/// Where a text came from, for error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A text in memory.
    Memory,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Memory => f.write_str("the text"),
            Origin::File(path) => write!(f, "`{}`", path.display()),
        }
    }
}

/// Why a text can't be read or encoded.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// The file does not exist.
    #[error("there is no file `{}`", .0.display())]
    Missing(PathBuf),
    /// The path is a folder, a device or a pipe.
    #[error("`{}` is not a regular file{}", .path.display(), if *.folder { " but a folder" } else { "" })]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// Whether the path is a folder.
        folder: bool,
    },
    /// The file can't be read.
    #[error("could not read `{}`", .path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// I/O error.
        source: io::Error,
    },
    /// The text has no characters.
    #[error("{0} is empty")]
    Empty(Origin),
    /// All characters of the text are the same: there is nothing to learn.
    #[error("{origin} contains only one distinct character, `{}` ({})", EscapedChar(*.char), times(*.count as u64))]
    OneCharacter {
        /// Where the text came from.
        origin: Origin,
        /// The only character.
        char: char,
        /// Number of times that it occurs.
        count: usize,
    },
    /// The file is not UTF-8.
    #[error("`{}` is not UTF-8 text: invalid byte at offset {offset}", .path.display())]
    NotUtf8 {
        /// Path of the file.
        path: PathBuf,
        /// Offset of the first invalid byte, counted from 0.
        offset: u64,
    },
    /// The text has characters that the given vocabulary lacks.
    #[error(
        "{origin} has {}, first at line {line}, column {column}: {}",
        number_unknown(.unknown.len()), MostFrequent(.unknown)
    )]
    UnknownCharacters {
        /// Where the text came from.
        origin: Origin,
        /// Every such character with its number of occurrences, the most frequent first.
        unknown: Vec<(char, u64)>,
        /// Line of the first one, counted from 1.
        line: u64,
        /// Column of the first one in characters, counted from 1.
        column: u64,
    },
    /// The file changed between the two passes over it.
    #[error("`{}` changed while it was being read", .0.display())]
    Changed(PathBuf),
}

impl CorpusError {
    fn reading(path: &Path, error: DecodeError) -> Self {
        let path = path.to_owned();
        match error {
            DecodeError::Io(source) => Self::Unreadable { path, source },
            DecodeError::NotUtf8 { offset } => Self::NotUtf8 { path, offset },
        }
    }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn number_unknown(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} character{plural} that the vocabulary lacks")
}

/// Lists the first few characters, which are the most frequent.
struct MostFrequent<'a>(&'a [(char, u64)]);

impl fmt::Display for MostFrequent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LISTED: usize = 5;
        for (index, &(char, count)) in self.0.iter().take(LISTED).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}`{}` ({})", EscapedChar(char), times(count))?;
        }
        match self.0.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests;
