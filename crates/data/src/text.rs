//! [`Text`]: the files of a text, and what they become.

use std::fmt;
use std::path::PathBuf;

use encoding_rs::UTF_8;
use sha2::{Digest, Sha256};

use crate::char_counts::CharCounts;
use crate::checksum::hex;
use crate::corpus::{Corpus, CorpusError, Origin};
use crate::ids::{Ids, IdsBuilder};
use crate::input_files::files_of;
use crate::text_file::TextFile;
use crate::text_format::TextFormat;
use crate::text_paths::TextPaths;
use crate::vocab::Vocab;

/// A text in files, which are decoded in chunks and read one after the other.
///
/// A pipe is read to its end when it is opened, into a temporary file: texts are read twice.
#[derive(Debug)]
pub struct Text {
    paths: TextPaths,
    files: Vec<TextFile>,
}

impl Text {
    /// Opens all files.
    ///
    /// # Errors
    /// If one is missing, can't be read or isn't text.
    pub fn open(paths: &TextPaths, format: TextFormat) -> Result<Self, CorpusError> {
        let files = files_of(paths)?;
        let files = files.iter().map(|path| TextFile::open(path, format));
        Ok(Self { paths: paths.clone(), files: files.collect::<Result<_, _>>()? })
    }

    /// The text as ids; the vocabulary is the set of its characters.
    ///
    /// # Errors
    /// If it can't be read or decoded, or has fewer than two distinct characters.
    pub fn corpus(mut self) -> Result<Corpus, CorpusError> {
        let (counts, notes) = self.count()?;
        let vocab = counts.vocab(&self.origin())?;
        self.encode(vocab, counts.total, notes)
    }

    /// The text as ids of a given vocabulary, such as a model's.
    ///
    /// # Errors
    /// If it can't be read or decoded, is empty, or has characters that the vocabulary lacks.
    pub fn corpus_with_vocab(mut self, vocab: &Vocab) -> Result<Corpus, CorpusError> {
        let (counts, notes) = self.count()?;
        if counts.total == 0 {
            return Err(CorpusError::Empty(self.origin()));
        }
        let unknown = counts.unknown_to(vocab);
        if !unknown.is_empty() {
            let (line, column) = self.first_unknown(vocab)?;
            return Err(CorpusError::UnknownCharacters {
                origin: self.origin(),
                unknown,
                line,
                column,
            });
        }
        self.encode(vocab.clone(), counts.total, notes)
    }

    /// The text as a string, and what was done to its characters.
    ///
    /// # Errors
    /// If it can't be read or decoded, or is empty.
    pub fn read_to_string(mut self) -> Result<(String, Vec<TextNote>), CorpusError> {
        let (counts, notes) = self.count()?;
        if counts.total == 0 {
            return Err(CorpusError::Empty(self.origin()));
        }
        let mut text = String::new();
        for file in &self.files {
            file.decode(&mut |piece| {
                text += piece;
                true
            })?;
        }
        Ok((text, notes))
    }

    fn origin(&self) -> Origin {
        Origin::Files(self.paths.clone())
    }

    /// The first pass. It finds the encoding of files that aren't UTF-8.
    fn count(&mut self) -> Result<(CharCounts, Vec<TextNote>), CorpusError> {
        let (mut all, mut notes) = (CharCounts::default(), Notes::default());
        for file in &mut self.files {
            let count = |file: &TextFile| {
                let mut counts = CharCounts::default();
                let returns = file.decode(&mut |text| {
                    counts.add(text);
                    true
                })?;
                Ok((counts, returns))
            };
            let (counts, returns) = match count(file) {
                Err(CorpusError::Malformed { offset, .. }) if file.encoding == UTF_8 => {
                    file.detect(offset)?;
                    count(file)?
                }
                counted => counted?,
            };
            if file.encoding != UTF_8 {
                notes.add(file, Change::Decoded(file.encoding.name()));
            } else if file.mark > 0 {
                notes.add(file, Change::DroppedMark);
            }
            if returns > 0 {
                notes.add(file, Change::LineEnds);
            }
            all.merge(counts);
        }
        Ok((all, notes.0))
    }

    /// The second pass. It hashes the bytes that it encodes, so that checksum and ids agree even if a file is being
    /// written to.
    fn encode(
        self,
        vocab: Vocab,
        total: usize,
        notes: Vec<TextNote>,
    ) -> Result<Corpus, CorpusError> {
        let (ids, sha256) = self.ids(&vocab, total)?;
        let files = self.files.into_iter().map(|file| file.path).collect();
        Ok(Corpus::new(ids, vocab, files, sha256, notes))
    }

    fn ids(&self, vocab: &Vocab, total: usize) -> Result<(Ids, String), CorpusError> {
        let mut ids = IdsBuilder::new(vocab.len(), total);
        let mut hash = Sha256::new();
        let mut changed = false;
        for file in &self.files {
            hash = file.decode_hashed(hash, &mut |text| {
                for char in text.chars() {
                    match vocab.id(char) {
                        Some(id) if ids.len() < total => ids.push(id),
                        _ => changed = true,
                    }
                }
                !changed
            })?;
            if changed {
                return Err(CorpusError::Changed(file.path.clone()));
            }
        }
        match (ids.len() < total, self.files.last()) {
            (true, Some(file)) => Err(CorpusError::Changed(file.path.clone())),
            _ => Ok((ids.finish(), hex(&hash.finalize()))),
        }
    }

    /// Line and column, counted from 1, of the first character that `vocab` lacks.
    fn first_unknown(&self, vocab: &Vocab) -> Result<(u64, u64), CorpusError> {
        let (mut line, mut column, mut found) = (1, 1, false);
        for file in &self.files {
            file.decode(&mut |text| {
                for char in text.chars() {
                    found = found || vocab.id(char).is_none();
                    match char {
                        _ if found => return false,
                        '\n' => (line, column) = (line + 1, 1),
                        _ => column += 1,
                    }
                }
                true
            })?;
            if found {
                break;
            }
        }
        Ok((line, column))
    }
}

/// What was done to the characters of one file or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextNote {
    /// What was done.
    pub change: Change,
    /// The first file.
    pub file: PathBuf,
    /// The number of further files.
    pub others: usize,
}

/// What was done to the characters of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was decoded from an encoding of this name.
    Decoded(&'static str),
    /// A byte-order mark was left out.
    DroppedMark,
    /// Line ends `\r\n` and `\r` became `\n`.
    LineEnds,
}

impl fmt::Display for TextNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, file, others } = self;
        write!(f, "`{}`", file.display())?;
        match others {
            0 => {}
            1 => f.write_str(" and 1 other file")?,
            others => write!(f, " and {others} other files")?,
        }
        let (is, has) = if *others == 0 { ("is", "has") } else { ("are", "have") };
        match change {
            Change::Decoded(encoding) => write!(f, " {is} decoded from {encoding}"),
            Change::DroppedMark => write!(f, " {has} a byte-order mark, which is left out"),
            Change::LineEnds => write!(f, " {has} line ends with `\\r`, which are read as `\\n`"),
        }
    }
}

/// Notes, one for each change.
#[derive(Default)]
struct Notes(Vec<TextNote>);

impl Notes {
    fn add(&mut self, file: &TextFile, change: Change) {
        match self.0.iter_mut().find(|note| note.change == change) {
            Some(note) => note.others += 1,
            None => self.0.push(TextNote { change, file: file.path.clone(), others: 0 }),
        }
    }
}

#[cfg(test)]
mod tests;
