//! [`Vocab`]: the characters of a text and their ids.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{Ids, IdsBuilder};

/// The characters of a text, each with an id from 0 to V − 1.
///
/// [`Vocab::from_text`] assigns the ids in code-point order, so the same text gives the same ids everywhere.
/// [`Vocab::from_ordered`] keeps a given order.
///
/// Serialised, a vocabulary is one string: its characters in the order of their ids.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vocab {
    chars: Vec<char>,
    /// Pairs sorted by character, for binary search.
    ids: Vec<(char, u32)>,
    /// The ids of the ASCII characters, which most texts consist of, for direct access.
    ascii: [u32; 128],
}

/// Marks a character in [`Vocab::ascii`] that the vocabulary lacks: no id is this large.
const ABSENT: u32 = u32::MAX;

impl Vocab {
    /// A vocabulary of the distinct characters among `chars`, in code-point order.
    pub fn from_chars(chars: impl IntoIterator<Item = char>) -> Self {
        let distinct: BTreeSet<char> = chars.into_iter().collect();
        Self::indexed(distinct.into_iter().collect())
            .unwrap_or_else(|Duplicate(char)| unreachable!("a set has `{char}` only once"))
    }

    /// A vocabulary of the distinct characters of `text`, in code-point order.
    pub fn from_text(text: &str) -> Self {
        Self::from_chars(text.chars())
    }

    /// A vocabulary with the characters in the given order: the first has id 0.
    ///
    /// # Errors
    /// If a character occurs twice.
    pub fn from_ordered(chars: Vec<char>) -> Result<Self, VocabError> {
        Ok(Self::indexed(chars)?)
    }

    fn indexed(chars: Vec<char>) -> Result<Self, Duplicate> {
        let mut ids: Vec<(char, u32)> = chars.iter().copied().zip(0..).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Duplicate(pair[0].0));
        }
        let mut ascii = [ABSENT; 128];
        for &(char, id) in ids.iter().take_while(|(char, _)| char.is_ascii()) {
            ascii[char as usize] = id;
        }
        Ok(Self { chars, ids, ascii })
    }

    /// The number of characters, V.
    pub fn len(&self) -> usize {
        self.chars.len()
    }

    /// Whether the vocabulary has no characters.
    pub fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// The characters in the order of their ids.
    pub fn chars(&self) -> &[char] {
        &self.chars
    }

    /// The id of `char`, if the vocabulary has it.
    pub fn id(&self, char: char) -> Option<u32> {
        if let Some(&id) = self.ascii.get(char as usize) {
            return (id != ABSENT).then_some(id);
        }
        let found = self.ids.binary_search_by_key(&char, |&(char, _)| char);
        found.ok().map(|index| self.ids[index].1)
    }

    /// The character with this id, if there is one.
    pub fn char(&self, id: u32) -> Option<char> {
        self.chars.get(id as usize).copied()
    }

    /// Encodes `text` as ids.
    ///
    /// # Errors
    /// If the text has characters that the vocabulary lacks; the error names them all.
    pub fn encode(&self, text: &str) -> Result<Ids, UnknownCharacters> {
        let mut ids = IdsBuilder::new(self.len(), text.len());
        let (mut unknown, mut seen) = (Vec::new(), BTreeSet::new());
        for char in text.chars() {
            match self.id(char) {
                Some(id) => ids.push(id),
                None if seen.insert(char) => unknown.push(char),
                None => {}
            }
        }
        if unknown.is_empty() {
            Ok(ids.finish())
        } else {
            Err(UnknownCharacters { chars: unknown })
        }
    }

    /// Decodes `ids` to text. An id outside the vocabulary becomes U+FFFD, the replacement character.
    ///
    /// ```
    /// # use charloom_data::Vocab;
    /// let vocab = Vocab::from_text("loom");
    /// let ids = vocab.encode("mool")?;
    /// assert_eq!(vocab.decode(&ids), "mool");
    /// assert_eq!(vocab.decode([0, 2, 2]), "loo");
    /// # Ok::<(), charloom_data::UnknownCharacters>(())
    /// ```
    pub fn decode(&self, ids: impl IntoIterator<Item = u32>) -> String {
        ids.into_iter().map(|id| self.char(id).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }

    /// Reads a vocabulary file: TOML with the keys `format = 1` and `characters`, a string of the characters in the order
    /// of their ids.
    ///
    /// # Errors
    /// If the file can't be read, is not a vocabulary file of this format, has no characters, or has a character twice.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, VocabError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| VocabError::Unreadable { path: path.to_owned(), source })?;
        let invalid = |reason: String| VocabError::Invalid { path: path.to_owned(), reason };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let file: File =
            toml::from_str(text).map_err(|error| invalid(error.message().to_owned()))?;
        if file.format != FORMAT {
            return Err(invalid(format!(
                "its format is {}, but this version reads only {FORMAT}",
                file.format
            )));
        }
        if file.characters.is_empty() {
            return Err(invalid("it has no characters".to_owned()));
        }
        Self::try_from(file.characters).map_err(|error| invalid(error.to_string()))
    }
}

const FORMAT: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    characters: String,
}

impl From<Vocab> for String {
    fn from(vocab: Vocab) -> Self {
        vocab.chars.into_iter().collect()
    }
}

impl TryFrom<String> for Vocab {
    type Error = VocabError;

    fn try_from(chars: String) -> Result<Self, VocabError> {
        Self::from_ordered(chars.chars().collect())
    }
}

impl fmt::Debug for Vocab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chars: String = self.chars.iter().collect();
        f.debug_tuple("Vocab").field(&chars).finish()
    }
}

/// Lists the characters as in messages: `` `a`, `\n`, `U+00A0` ``.
impl fmt::Display for Vocab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(&self.chars, f)
    }
}

/// A character as displayed in messages: newline, tab and carriage return as `\n`, `\t` and `\r`, other invisible
/// characters as `U+00A0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EscapedChar(pub char);

impl fmt::Display for EscapedChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            // Not printable by the standard library's definition, which includes combining marks.
            char if char.escape_debug().take(2).eq("\\u".chars()) || char == '\0' => {
                write!(f, "U+{:04X}", char as u32)
            }
            char => write!(f, "{char}"),
        }
    }
}

/// Writes `` `a`, `\n`, `U+00A0` ``.
fn list(chars: &[char], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, &char) in chars.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}`{}`", EscapedChar(char))?;
    }
    Ok(())
}

/// A text has characters that a vocabulary lacks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct UnknownCharacters {
    /// The unknown characters, each once, in the order of their first occurrence.
    pub chars: Vec<char>,
}

impl fmt::Display for UnknownCharacters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.chars.len() == 1 { "" } else { "s" };
        write!(f, "character{plural} not in the vocabulary: ")?;
        list(&self.chars, f)
    }
}

struct Duplicate(char);

impl From<Duplicate> for VocabError {
    fn from(Duplicate(char): Duplicate) -> Self {
        VocabError::Duplicate(char)
    }
}

/// Why a vocabulary or its file is invalid.
#[derive(Debug, Error)]
pub enum VocabError {
    /// A character occurs twice.
    #[error("the vocabulary has `{}` twice", EscapedChar(*.0))]
    Duplicate(char),
    /// The file can't be read.
    #[error("could not read the vocabulary file `{}`", .path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// I/O error.
        source: std::io::Error,
    },
    /// The file is not a valid vocabulary file.
    #[error("`{}` is not a vocabulary file: {reason}", .path.display())]
    Invalid {
        /// Path of the file.
        path: PathBuf,
        /// Description of the error.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
