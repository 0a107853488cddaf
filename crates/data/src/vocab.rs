//! [`Vocab`]: which characters there are, and which id each has.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::atomic;
use crate::ids::{Ids, IdsBuilder};

/// The characters of a text, each with an id from 0 to V − 1.
///
/// Made [from a text](Vocab::from_text), the ids follow the code points, so the same text gives the same ids
/// everywhere. [`Vocab::from_ordered`] keeps an order that came from elsewhere.
///
/// Serde sees it as one string: its characters in the order of their ids.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vocab {
    chars: Vec<char>,
    /// Sorted by character, for lookups.
    ids: Vec<(char, u32)>,
    /// The ids of the ASCII characters, which most texts consist of.
    ascii: [u32; 128],
}

/// In [`Vocab::ascii`], a character that the vocabulary lacks: no id is as large.
const ABSENT: u32 = u32::MAX;

impl Vocab {
    /// The distinct characters among `chars`, in code-point order.
    pub fn from_chars(chars: impl IntoIterator<Item = char>) -> Self {
        let distinct: BTreeSet<char> = chars.into_iter().collect();
        Self::indexed(distinct.into_iter().collect())
            .unwrap_or_else(|Duplicate(char)| unreachable!("a set holds {char} once"))
    }

    /// The distinct characters of `text`, in code-point order.
    pub fn from_text(text: &str) -> Self {
        Self::from_chars(text.chars())
    }

    /// The characters in exactly this order: the first has id 0.
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

    /// Whether there are none.
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
        let place = self.ids.binary_search_by_key(&char, |&(char, _)| char);
        place.ok().map(|place| self.ids[place].1)
    }

    /// The character with this id, if there is one.
    pub fn char(&self, id: u32) -> Option<char> {
        self.chars.get(id as usize).copied()
    }

    /// `text` as ids.
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

    /// The text that `ids` stand for. An id beyond the vocabulary becomes U+FFFD, the replacement character.
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

    /// Writes the vocabulary to a small TOML file, which appears whole or not at all.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), VocabError> {
        let path = path.as_ref();
        let unwritable = |source| VocabError::Unwritable { path: path.to_owned(), source };
        let text =
            toml::to_string(&File { format: FORMAT, characters: String::from(self.clone()) })
                .map_err(|error| unwritable(std::io::Error::other(error)))?;
        let mut draft = atomic::draft(path).map_err(unwritable)?;
        draft.write_all(text.as_bytes()).map_err(unwritable)?;
        atomic::publish(draft, path).map_err(unwritable)
    }

    /// Reads what [`Vocab::save`] wrote. The file's order is kept.
    ///
    /// # Errors
    /// If the file can't be read, isn't a vocabulary file of this format, has no character or one of them twice.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, VocabError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| VocabError::Unreadable { path: path.to_owned(), source })?;
        let invalid = |reason: String| VocabError::Invalid { path: path.to_owned(), reason };
        let file: File =
            toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
        if file.format != FORMAT {
            return Err(invalid(format!(
                "its format is {}, and this version reads {FORMAT}",
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

#[derive(Serialize, Deserialize)]
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

/// Shows the characters as they are listed in messages: `` `a`, `\n`, `U+00A0` ``.
impl fmt::Display for Vocab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(&self.chars, f)
    }
}

/// A character as messages show it: newline, tab and return as `\n`, `\t` and `\r`, what can't be seen as `U+00A0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown(pub char);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            '\n' => f.write_str("\\n"),
            '\r' => f.write_str("\\r"),
            '\t' => f.write_str("\\t"),
            // The standard library's notion of what doesn't print, marks that join the character before included.
            char if char.escape_debug().take(2).eq("\\u".chars()) || char == '\0' => {
                write!(f, "U+{:04X}", char as u32)
            }
            char => write!(f, "{char}"),
        }
    }
}

/// Writes `` `a`, `\n`, `U+00A0` ``.
fn list(chars: &[char], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, &char) in chars.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(f, "{comma}`{}`", Shown(char))?;
    }
    Ok(())
}

/// A text has characters that a vocabulary lacks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct UnknownCharacters {
    /// Those characters, each once, in the order in which the text first has them.
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

/// What can be wrong with a vocabulary or its file.
#[derive(Debug, Error)]
pub enum VocabError {
    /// A character has two ids.
    #[error("the vocabulary has `{}` twice", Shown(*.0))]
    Duplicate(char),
    /// The file can't be read.
    #[error("could not read the vocabulary file `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file can't be written.
    #[error("could not write the vocabulary file `{}`", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a vocabulary.
    #[error("`{}` is not a vocabulary file: {reason}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
