//! [`TextFormat`]: how the bytes of a file become characters.

use encoding_rs::Encoding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::documents::Documents;

/// How the bytes of a file become the characters of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextFormat {
    /// The encoding; `None` detects it.
    pub encoding: Option<&'static Encoding>,
    /// What happens to line ends.
    pub newlines: Newlines,
    /// What happens to characters that can be written in several ways.
    pub normalize: Normalize,
    /// What the documents of the text are: each ends with a mark.
    pub documents: Documents,
    /// Whether what Project Gutenberg puts before and after a book is left out.
    pub trim_gutenberg: bool,
}

/// What happens to line ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Newlines {
    /// `\r\n` and `\r` become `\n`, as Python's text mode has it.
    #[default]
    Universal,
    /// Line ends stay as they are.
    Keep,
}

/// What happens to characters that can be written in several ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    /// They stay as they are.
    #[default]
    None,
    /// A letter and its marks become one character where there is one (Unicode's normalization form C).
    Nfc,
}

/// The encoding of this name is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not the name of an encoding")]
pub struct UnknownEncoding(pub String);

/// The encoding of a name, such as `utf-8`, `windows-1252` or `gbk`; `None` for `auto`, which detects it. Every label of the
/// WHATWG Encoding Standard is known.
///
/// # Errors
/// If there is no encoding of this name.
pub fn encoding_of(name: &str) -> Result<Option<&'static Encoding>, UnknownEncoding> {
    if name.eq_ignore_ascii_case("auto") {
        return Ok(None);
    }
    match Encoding::for_label_no_replacement(name.as_bytes()) {
        Some(encoding) => Ok(Some(encoding)),
        None => Err(UnknownEncoding(name.to_owned())),
    }
}
