//! [`Corpus`]: a text as character ids, and where it came from.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::checksum::{Hashing, sha256};
use crate::ids::{Ids, IdsBuilder};
use crate::utf8::{DecodeError, decode_chunks};
use crate::vocab::{Shown, Vocab};

/// A text, encoded.
///
/// The text is taken as it is: line endings and case are kept, and a byte-order mark at the start is a character like
/// any other.
#[derive(Clone, Debug)]
pub struct Corpus {
    ids: Ids,
    vocab: Vocab,
    path: Option<PathBuf>,
    sha256: String,
}

impl Corpus {
    /// Reads a text file; the vocabulary is the text's own characters.
    ///
    /// The file is read twice, in chunks (first its characters are counted, then they are encoded), so that a gigabyte of
    /// ASCII needs a gigabyte of memory.
    ///
    /// # Errors
    /// If the file is missing, can't be read or isn't UTF-8, or has fewer than two distinct characters.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CorpusError> {
        let path = path.as_ref();
        let tally = Tally::of(open(path)?, path)?;
        let vocab = tally.vocab(Origin::File(path.to_owned()))?;
        Self::encode_file(path, vocab, &tally)
    }

    /// Reads a text file under a vocabulary that exists already, such as a model's.
    ///
    /// # Errors
    /// If the file is missing, empty, can't be read or isn't UTF-8, or has characters that the vocabulary lacks.
    pub fn read_with_vocab(path: impl AsRef<Path>, vocab: &Vocab) -> Result<Self, CorpusError> {
        let path = path.as_ref();
        let tally = Tally::of(open(path)?, path)?;
        if tally.chars == 0 {
            return Err(CorpusError::Empty(Origin::File(path.to_owned())));
        }
        let mut unknown: Vec<_> = (tally.counts.iter())
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
        Self::encode_file(path, vocab.clone(), &tally)
    }

    /// Encodes a text that is in memory; the vocabulary is its own characters.
    ///
    /// # Errors
    /// If the text has fewer than two distinct characters.
    pub fn from_text(text: &str) -> Result<Self, CorpusError> {
        let mut tally = Tally::default();
        tally.add(text);
        let vocab = tally.vocab(Origin::Memory)?;
        let mut ids = IdsBuilder::new(vocab.len(), tally.chars);
        // Every character is there: the vocabulary was made from them.
        (text.chars().filter_map(|char| vocab.id(char))).for_each(|id| ids.push(id));
        Ok(Self { ids: ids.finish(), vocab, path: None, sha256: sha256(text.as_bytes()) })
    }

    /// The second pass. It hashes what it encodes, so that the sum is of these ids even if the file is being written to.
    fn encode_file(path: &Path, vocab: Vocab, tally: &Tally) -> Result<Self, CorpusError> {
        let mut ids = IdsBuilder::new(vocab.len(), tally.chars);
        let mut file = Hashing::new(open(path)?);
        let mut changed = false;
        decode_chunks(&mut file, |text| {
            for char in text.chars() {
                match vocab.id(char) {
                    Some(id) if ids.len() < tally.chars => ids.push(id),
                    _ => changed = true,
                }
            }
            !changed
        })
        .map_err(|error| CorpusError::reading(path, error))?;
        if changed || ids.len() < tally.chars {
            return Err(CorpusError::Changed(path.to_owned()));
        }
        Ok(Self { ids: ids.finish(), vocab, path: Some(path.to_owned()), sha256: file.finish() })
    }

    /// The text's characters as ids of [`Corpus::vocab`].
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The vocabulary that the ids are of.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The number of characters (Unicode scalar values, not bytes).
    pub fn chars(&self) -> usize {
        self.ids.len()
    }

    /// The file that was read, if it was one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// SHA-256 of the file's bytes (of the text's UTF-8 bytes, if there was no file), in lower-case hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// Opens a regular file: a text is read twice, which a pipe wouldn't survive.
fn open(path: &Path) -> Result<File, CorpusError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CorpusError::Missing(path.to_owned()),
        _ => CorpusError::Unreadable { path: path.to_owned(), source },
    };
    // Before opening, because to open a named pipe is to wait for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(CorpusError::NotAFile { path: path.to_owned(), folder: metadata.is_dir() });
    }
    File::open(path).map_err(failed)
}

/// Line and column, from 1, of the first character that `vocab` lacks.
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

/// How often each character occurs.
#[derive(Default)]
struct Tally {
    chars: usize,
    counts: HashMap<char, u64>,
}

impl Tally {
    fn of(file: File, path: &Path) -> Result<Self, CorpusError> {
        let mut tally = Self::default();
        decode_chunks(file, |text| {
            tally.add(text);
            true
        })
        .map_err(|error| CorpusError::reading(path, error))?;
        Ok(tally)
    }

    fn add(&mut self, text: &str) {
        // Hashing every character would take longer than all the rest.
        let mut ascii = [0; 128];
        for char in text.chars() {
            self.chars += 1;
            match ascii.get_mut(char as usize) {
                Some(count) => *count += 1,
                None => *self.counts.entry(char).or_default() += 1,
            }
        }
        for (char, count) in ('\0'..).zip(ascii) {
            if count > 0 {
                *self.counts.entry(char).or_default() += count;
            }
        }
    }

    /// The vocabulary of a text that a model can learn from.
    fn vocab(&self, origin: Origin) -> Result<Vocab, CorpusError> {
        let vocab = Vocab::from_chars(self.counts.keys().copied());
        match *vocab.chars() {
            [] => Err(CorpusError::Empty(origin)),
            [char] => Err(CorpusError::OneCharacter { origin, char, count: self.chars }),
            _ => Ok(vocab),
        }
    }
}

/// Where a text came from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was in memory.
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

/// Why a text can't be used.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// There is no such file.
    #[error("there is no file `{}`", .0.display())]
    Missing(PathBuf),
    /// It is a folder or a device.
    #[error("`{}` is not a regular file{}", .path.display(), if *.folder { " but a folder" } else { "" })]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// Whether it is a folder.
        folder: bool,
    },
    /// The system doesn't let it be read.
    #[error("could not read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has no characters.
    #[error("{0} is empty")]
    Empty(Origin),
    /// All its characters are the same: there is nothing to learn.
    #[error("{origin} has no character but `{}`, {}", Shown(*.char), times(*.count as u64))]
    OneCharacter {
        /// The text.
        origin: Origin,
        /// Its only character.
        char: char,
        /// How often it occurs.
        count: usize,
    },
    /// It is not UTF-8.
    #[error("`{}` is not UTF-8 text: byte {offset} (counted from 0) starts no character", .path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The place of the first byte that doesn't belong, from 0.
        offset: u64,
    },
    /// It has characters that the given vocabulary lacks.
    #[error(
        "{origin} has {}, first at line {line}, column {column}: {}",
        number_unknown(.unknown.len()), Commonest(.unknown)
    )]
    UnknownCharacters {
        /// The text.
        origin: Origin,
        /// Every such character with how often it occurs, the commonest first.
        unknown: Vec<(char, u64)>,
        /// The line of the first one, from 1.
        line: u64,
        /// Its column in characters, from 1.
        column: u64,
    },
    /// Its content changed between the two times that it was read.
    #[error("`{}` changed while it was read", .0.display())]
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

/// Names a few of the commonest characters.
struct Commonest<'a>(&'a [(char, u64)]);

impl fmt::Display for Commonest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMED: usize = 5;
        for (place, &(char, count)) in self.0.iter().take(NAMED).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}`{}` ({})", Shown(char), times(count))?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests;
