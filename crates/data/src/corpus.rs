//! [`Corpus`]: a text as character ids, with its vocabulary and checksum.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::char_counts::CharCounts;
use crate::checksum::sha256;
use crate::file_kind::FileKind;
use crate::ids::{Ids, IdsBuilder};
use crate::marks::{END_MARK, UNKNOWN_MARK};
use crate::split::{Fractions, Split};
use crate::text::{Text, TextNote, Unknown};
use crate::text_format::TextFormat;
use crate::text_paths::TextPaths;
use crate::vocab::{EscapedChar, UnknownCharacters, Vocab};

/// A text encoded as character ids, with its vocabulary.
#[derive(Clone, Debug)]
pub struct Corpus {
    pub(crate) ids: Ids,
    pub(crate) vocab: Vocab,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) sha256: String,
    pub(crate) notes: Vec<TextNote>,
    pub(crate) skipped: usize,
    pub(crate) is_cut: bool,
}

impl Corpus {
    /// Reads a text file in the default [`TextFormat`]; the vocabulary is the set of its characters. [`Text`] reads several
    /// files, or with other settings.
    ///
    /// The file is read twice, in chunks: once to count its characters, once to encode them. So a gigabyte of ASCII needs
    /// a gigabyte of memory.
    ///
    /// # Errors
    /// If the file is missing, can't be read or isn't text, or has fewer than two distinct characters.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CorpusError> {
        Text::open(&path.as_ref().into(), TextFormat::default())?.corpus()
    }

    /// Reads a text file with a given vocabulary, such as a model's.
    ///
    /// # Errors
    /// If the file is missing, empty, can't be read or isn't text, or has characters that the vocabulary lacks.
    pub fn read_with_vocab(path: impl AsRef<Path>, vocab: &Vocab) -> Result<Self, CorpusError> {
        Text::open(&path.as_ref().into(), TextFormat::default())?
            .corpus_with_vocab(vocab, Unknown::Error)
    }

    /// Encodes a text in memory as it is; the vocabulary is the set of its characters.
    ///
    /// # Errors
    /// If the text has fewer than two distinct characters.
    pub fn from_text(text: &str) -> Result<Self, CorpusError> {
        let mut counts = CharCounts::default();
        counts.add(text);
        let vocab = counts.vocab(&Origin::Memory)?;
        let mut ids = IdsBuilder::new(vocab.len(), counts.total);
        // No character is missing: the vocabulary was made from them.
        (text.chars().filter_map(|char| vocab.id(char))).for_each(|id| ids.push(id));
        let sha256 = sha256(text.as_bytes());
        let (ids, files, notes) = (ids.finish(), Vec::new(), Vec::new());
        Ok(Self { ids, vocab, files, sha256, notes, skipped: 0, is_cut: false })
    }

    /// The training, validation and test part. Where the text consists of documents, a part starts at the end mark before its
    /// first document, and all its documents are whole.
    pub fn split(&self, fractions: Fractions) -> Split {
        let split = Split::new(self.chars(), fractions);
        match self.vocab.id(END_MARK) {
            Some(end) => split.at_marks(&self.ids, end),
            None => split,
        }
    }

    /// The same text in the ids of another vocabulary.
    ///
    /// # Errors
    /// If that vocabulary lacks a character of the text.
    pub fn with_vocab(&self, vocab: &Vocab) -> Result<Self, UnknownCharacters> {
        self.reencoded(vocab, Unknown::Error)
    }

    /// The same; what the vocabulary lacks is folded or left out if `unknown` says so.
    pub(crate) fn reencoded(
        &self,
        vocab: &Vocab,
        unknown: Unknown,
    ) -> Result<Self, UnknownCharacters> {
        let fold = vocab.id(UNKNOWN_MARK).filter(|_| unknown == Unknown::Fold);
        let new_ids: Vec<Option<u32>> =
            self.vocab.chars().iter().map(|&char| vocab.id(char).or(fold)).collect();
        let counts = self.ids.counts(self.vocab.len());
        let lacks = |id: &usize| counts[*id] > 0 && new_ids[*id].is_none();
        let lacking: Vec<usize> = (0..new_ids.len()).filter(lacks).collect();
        if unknown != Unknown::Skip && !lacking.is_empty() {
            let chars = lacking.iter().map(|&id| self.vocab.chars()[id]).collect();
            return Err(UnknownCharacters { chars });
        }
        let skipped = lacking.iter().map(|&id| counts[id] as usize).sum();
        let mut ids = IdsBuilder::new(vocab.len(), self.ids.len());
        (self.ids.iter().filter_map(|id| new_ids[id as usize])).for_each(|id| ids.push(id));
        Ok(Self { ids: ids.finish(), vocab: vocab.clone(), skipped, ..self.clone() })
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

    /// Paths of the files in the order in which they were read; none for a text in memory.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// SHA-256 in lower-case hexadecimal of the files' bytes, one file after the other; for a text in memory that of its
    /// UTF-8.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The number of characters that were left out because the vocabulary lacks them.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Whether there is more of the text than was read.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What was done to the files' characters.
    pub fn notes(&self) -> &[TextNote] {
        &self.notes
    }
}

/// Where a text came from, for error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A text in memory.
    Memory,
    /// Files.
    Files(TextPaths),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Memory => f.write_str("the text"),
            Origin::Files(paths) => write!(f, "`{paths}`"),
        }
    }
}

/// Why a text can't be read or encoded.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// The file does not exist.
    #[error("there is no file `{}`", .0.display())]
    Missing(PathBuf),
    /// The path is a device, or a folder where a file is needed.
    #[error("`{}` is not a regular file{}", .path.display(), if *.folder { " but a folder" } else { "" })]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// Whether the path is a folder.
        folder: bool,
    },
    /// A folder has no files, or a pattern matches none.
    #[error("{}", no_files(.0))]
    NoFiles(PathBuf),
    /// The list of paths is empty.
    #[error("no text is named")]
    NoPaths,
    /// No character is frequent enough to be one of the vocabulary.
    #[error("every character of {origin} occurs fewer than {min_count} times")]
    OnlyRare {
        /// Where the text came from.
        origin: Origin,
        /// How often a character must occur.
        min_count: u64,
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
    /// The file is something else than text.
    #[error("`{}` is {kind}: text is needed", .path.display())]
    NotText {
        /// Path of the file.
        path: PathBuf,
        /// What it is.
        kind: FileKind,
    },
    /// The file ends within a character of UTF-8.
    #[error("`{}` ends within a character, at offset {offset}: its end is missing", .path.display())]
    Cut {
        /// Path of the file.
        path: PathBuf,
        /// Offset of the character's first byte, counted from 0.
        offset: u64,
    },
    /// The file is not UTF-8, and what it is can only be guessed.
    #[error(
        "`{}` is not UTF-8 text: invalid byte at offset {offset}; its encoding may be {encoding}", .path.display()
    )]
    OtherEncoding {
        /// Path of the file.
        path: PathBuf,
        /// Name of the encoding that it most likely has.
        encoding: &'static str,
        /// Offset of the first byte that isn't UTF-8, counted from 0.
        offset: u64,
    },
    /// The file has bytes that are no character in its encoding.
    #[error("`{}` is not {encoding} text: invalid byte at offset {offset}", .path.display())]
    Malformed {
        /// Path of the file.
        path: PathBuf,
        /// Name of the encoding that was given, or that its byte-order mark tells.
        encoding: &'static str,
        /// Offset of the first invalid byte, counted from 0.
        offset: u64,
    },
    /// The text has a character that stands for something else in a vocabulary.
    #[error("`{}` has the character {}, which is kept for marks", .path.display(), EscapedChar(*.char))]
    Reserved {
        /// Path of the file, or of the first file of several.
        path: PathBuf,
        /// The character.
        char: char,
    },
    /// The book, without what Project Gutenberg adds, has characters that the given vocabulary lacks.
    #[error("{origin} has {unknown}")]
    UnknownInBook {
        /// Where the text came from.
        origin: Origin,
        /// The characters.
        unknown: UnknownCharacters,
    },
    /// Unknown characters are to be folded into one, but the vocabulary has none for it.
    #[error("the vocabulary has no unknown character that others could be folded into")]
    NoUnknownMark,
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

fn no_files(path: &Path) -> String {
    match path.is_dir() {
        true => format!("there are no files in `{}`", path.display()),
        false => format!("no file matches `{}`", path.display()),
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
