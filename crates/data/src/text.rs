//! [`Text`]: the files of a text, and what they become.

use std::fmt;
use std::path::PathBuf;

use encoding_rs::UTF_8;
use sha2::{Digest, Sha256};

use crate::char_counts::CharCounts;
use crate::checksum::hex;
use crate::corpus::{Corpus, CorpusError, Origin};
use crate::documents::Documents;
use crate::gutenberg::book;
use crate::ids::IdsBuilder;
use crate::input_files::files_of;
use crate::marks::{END_MARK, UNKNOWN_MARK};
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
    documents: Documents,
    trim_gutenberg: bool,
    min_count: u64,
    /// Most characters that are read.
    limit: usize,
}

/// What happens to characters that a vocabulary lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// They are an error.
    Error,
    /// They are left out, and counted.
    Skip,
    /// They become the vocabulary's [`UNKNOWN_MARK`].
    Fold,
}

impl Text {
    /// Opens all files.
    ///
    /// # Errors
    /// If one is missing, can't be read or isn't text.
    pub fn open(paths: &TextPaths, format: TextFormat) -> Result<Self, CorpusError> {
        let files = files_of(paths)?;
        let files = files.iter().map(|path| TextFile::open(path, format));
        Ok(Self {
            paths: paths.clone(),
            files: files.collect::<Result<_, _>>()?,
            documents: format.documents,
            trim_gutenberg: format.trim_gutenberg,
            min_count: 0,
            limit: usize::MAX,
        })
    }

    /// Folds what occurs fewer than `min_count` times into one [`UNKNOWN_MARK`].
    #[must_use]
    pub fn with_min_count(self, min_count: u64) -> Self {
        Self { min_count, ..self }
    }

    /// Reads no more than the first `limit` characters.
    #[must_use]
    pub fn first(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The text as ids; the vocabulary is the set of its characters.
    ///
    /// # Errors
    /// If it can't be read or decoded, or has fewer than two distinct characters.
    pub fn corpus(mut self) -> Result<Corpus, CorpusError> {
        let counted = self.count()?;
        let vocab = counted.counts.vocab(&self.origin())?;
        let is_rare =
            |char: &char| *char != END_MARK && counted.counts.by_char[char] < self.min_count;
        let chars = vocab.chars().iter().copied();
        let frequent: Vec<char> = chars.filter(|char| !is_rare(char)).collect();
        let vocab = match frequent.len() == vocab.len() {
            true => vocab,
            false if vocab.id(UNKNOWN_MARK).is_some() => {
                let path = self.files[0].path.clone();
                return Err(CorpusError::Reserved { path, char: UNKNOWN_MARK });
            }
            false => Vocab::from_chars(frequent.into_iter().chain([UNKNOWN_MARK])),
        };
        if vocab.len() < 2 {
            return Err(CorpusError::OnlyRare { origin: self.origin(), min_count: self.min_count });
        }
        let trims = self.trim_gutenberg;
        let corpus = self.encode(vocab, counted, Unknown::Fold)?;
        if !trims {
            return Ok(corpus);
        }
        // The characters of the book alone.
        let counts = corpus.ids.counts(corpus.vocab.len());
        let chars = corpus.vocab.chars().iter().zip(counts);
        let vocab = Vocab::from_chars(chars.filter(|(_, count)| *count > 0).map(|(&c, _)| c));
        Ok(corpus.with_vocab(&vocab).unwrap_or(corpus))
    }

    /// The text as ids of a given vocabulary, such as a model's.
    ///
    /// # Errors
    /// If it can't be read or decoded, is empty, or has characters that the vocabulary lacks and `unknown` doesn't allow.
    pub fn corpus_with_vocab(
        mut self,
        vocab: &Vocab,
        unknown: Unknown,
    ) -> Result<Corpus, CorpusError> {
        if self.trim_gutenberg {
            // The book is found by lines whose characters the vocabulary may lack.
            let origin = self.origin();
            let book = self.corpus()?.reencoded(vocab, unknown);
            return book.map_err(|unknown| CorpusError::UnknownInBook { origin, unknown });
        }
        let counted = self.count()?;
        if counted.counts.total == 0 {
            return Err(CorpusError::Empty(self.origin()));
        }
        let lacking = counted.counts.unknown_to(vocab);
        match unknown {
            Unknown::Error if !lacking.is_empty() => {
                let (line, column) = self.first_unknown(vocab)?;
                Err(CorpusError::UnknownCharacters {
                    origin: self.origin(),
                    unknown: lacking,
                    line,
                    column,
                })
            }
            Unknown::Fold if !lacking.is_empty() && vocab.id(UNKNOWN_MARK).is_none() => {
                Err(CorpusError::NoUnknownMark)
            }
            _ => self.encode(vocab.clone(), counted, unknown),
        }
    }

    /// The text as a string, and what was done to its characters.
    ///
    /// # Errors
    /// If it can't be read or decoded, or is empty.
    pub fn read_to_string(mut self) -> Result<(String, Vec<TextNote>), CorpusError> {
        let counted = self.count()?;
        if counted.counts.total == 0 {
            return Err(CorpusError::Empty(self.origin()));
        }
        let mut text = String::new();
        for file in &self.files {
            file.decode(&mut |piece| {
                text += piece;
                true
            })?;
        }
        Ok((text, counted.notes))
    }

    fn origin(&self) -> Origin {
        Origin::Files(self.paths.clone())
    }

    /// What stands before the first document.
    fn opening(&self) -> Option<char> {
        (self.documents != Documents::None).then_some(END_MARK)
    }

    /// The first pass. It finds the encoding of files that aren't UTF-8.
    fn count(&mut self) -> Result<Counted, CorpusError> {
        let (mut all, mut notes) = (CharCounts::default(), Notes::default());
        let mut is_cut = false;
        let opening = self.opening();
        for file in &mut self.files {
            let limit = self.limit.saturating_sub(all.total);
            let mut counted = count_file(file, limit);
            if let Err(CorpusError::Malformed { offset, .. }) = counted
                && file.is_assumed_utf8()
            {
                file.detect(offset)?;
                counted = count_file(file, limit);
            }
            is_cut |= add_file(file, counted?, &mut all, &mut notes);
        }
        if all.total > 0
            && let Some(mark) = opening
        {
            all.add(mark.encode_utf8(&mut [0; 4]));
        }
        Ok(Counted { counts: all, notes: notes.0, is_cut })
    }

    /// The second pass. It hashes the bytes that it encodes, so that checksum and ids agree even if a file is being
    /// written to.
    fn encode(
        self,
        vocab: Vocab,
        counted: Counted,
        unknown: Unknown,
    ) -> Result<Corpus, CorpusError> {
        let Counted { counts, notes, is_cut } = counted;
        let fold = vocab.id(UNKNOWN_MARK).filter(|_| unknown == Unknown::Fold);
        let mut ids = IdsBuilder::new(vocab.len(), counts.total);
        let (mut read, mut skipped) = (0, 0);
        let mut encode = |char: char| {
            read += 1;
            match vocab.id(char).or(fold) {
                Some(id) => ids.push(id),
                None => skipped += 1,
            }
        };
        self.opening().into_iter().for_each(&mut encode);
        let mut left = counts.total - usize::from(self.opening().is_some());
        let mut changed = false;
        let mut hash = Sha256::new();
        for file in &self.files {
            hash = file.decode_hashed(hash, &mut |text| {
                for char in text.chars() {
                    if left == 0 {
                        changed = !is_cut;
                        return false;
                    }
                    left -= 1;
                    encode(char);
                }
                true
            })?;
            if changed {
                return Err(CorpusError::Changed(file.path.clone()));
            }
        }
        if let (true, Some(file)) = (left > 0, self.files.last()) {
            return Err(CorpusError::Changed(file.path.clone()));
        }
        let unexpected = skipped > 0 && unknown != Unknown::Skip;
        if let (true, Some(file)) = (unexpected, self.files.last()) {
            return Err(CorpusError::Changed(file.path.clone()));
        }
        let mut corpus = Corpus {
            ids: ids.finish(),
            vocab,
            files: self.files.into_iter().map(|file| file.path).collect(),
            sha256: hex(&hash.finalize()),
            notes,
            skipped,
            is_cut,
        };
        if self.trim_gutenberg
            && let Some(book) = book(&corpus)
        {
            corpus.ids = corpus.ids.slice(book);
        }
        Ok(corpus)
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
                        '\n' | END_MARK => (line, column) = (line + 1, 1),
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

/// What the first pass finds.
struct Counted {
    counts: CharCounts,
    notes: Vec<TextNote>,
    /// Whether there is more than was counted.
    is_cut: bool,
}

/// What the first pass finds in a file: its characters, the number of `\r` that were normalised, and whether there are more
/// characters than `limit`.
type CountedFile = (CharCounts, u64, bool);

fn count_file(file: &TextFile, limit: usize) -> Result<CountedFile, CorpusError> {
    let (mut counts, mut is_cut) = (CharCounts::default(), false);
    let returns = file.decode(&mut |text| {
        let left = limit - counts.total;
        // A character has a byte at least.
        let end = match text.len() <= left {
            true => None,
            false => text.char_indices().nth(left),
        };
        counts.add(&text[..end.map_or(text.len(), |(end, _)| end)]);
        is_cut = end.is_some();
        !is_cut
    })?;
    Ok((counts, returns, is_cut))
}

/// Adds what was counted in a file; returns whether there is more of it.
fn add_file(
    file: &TextFile,
    (counts, returns, is_cut): CountedFile,
    all: &mut CharCounts,
    notes: &mut Notes,
) -> bool {
    if file.encoding != UTF_8 {
        notes.add(file, Change::Decoded(file.encoding.name()));
    } else if file.mark > 0 {
        notes.add(file, Change::DroppedMark);
    }
    if returns > 0 {
        notes.add(file, Change::LineEnds);
    }
    all.merge(counts);
    is_cut
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
