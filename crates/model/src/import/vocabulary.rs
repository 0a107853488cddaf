//! Vocabularies as Python programs store them: a list of characters, or a table from characters to ids or back.

use std::path::Path;

use charloom_data::Vocab;

use super::VocabularyError;
use super::pickle::{Id, Pickle, Value};

/// A vocabulary in one of the forms that occur.
#[derive(Debug, PartialEq)]
enum VocabForm {
    /// The characters in the order of their ids.
    List(Vec<char>),
    /// Characters with their ids, in any order.
    Table(Vec<(char, usize)>),
}

impl VocabForm {
    /// The vocabulary with the same ids, which are those of the rows of the weights.
    fn vocab(self) -> Result<Vocab, VocabularyError> {
        let chars = match self {
            Self::List(chars) => chars,
            Self::Table(mut table) => {
                table.sort_by_key(|&(_, id)| id);
                match table.iter().enumerate().find(|&(place, &(_, id))| id != place) {
                    Some((place, _)) => return Err(VocabularyError::NoId(place)),
                    None => table.into_iter().map(|(char, _)| char).collect(),
                }
            }
        };
        Ok(Vocab::from_ordered(chars)?)
    }
}

/// The only character of a string.
fn only_char(text: &str) -> Result<char, VocabularyError> {
    /// How many characters of the string an error shows.
    const SHOWN: usize = 40;
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => Ok(char),
        _ => Err(VocabularyError::NotACharacter(text.chars().take(SHOWN).collect())),
    }
}

/// A vocabulary from a pickle: a string, a list, or a dictionary in either direction.
pub fn from_pickle(pickle: &Pickle, id: Id) -> Result<Vocab, VocabularyError> {
    let char = |id: &Id| pickle.text(*id).ok_or(VocabularyError::Form).and_then(only_char);
    let form = match pickle.value(id) {
        Value::Text(text) => VocabForm::List(text.chars().collect()),
        Value::List(items) => VocabForm::List(items.iter().map(char).collect::<Result<_, _>>()?),
        Value::Dict(_) | Value::Object(_) => {
            let pairs = match pickle.value(id) {
                Value::Dict(pairs) => pairs,
                Value::Object(object) => &object.pairs,
                _ => return Err(VocabularyError::Form),
            };
            let pair = |&(key, value): &(Id, Id)| match (pickle.value(key), pickle.value(value)) {
                (Value::Text(char), Value::Int(id)) | (Value::Int(id), Value::Text(char)) => {
                    let id = usize::try_from(*id).map_err(|_| VocabularyError::Form)?;
                    Ok((only_char(char)?, id))
                }
                _ => Err(VocabularyError::Form),
            };
            VocabForm::Table(pairs.iter().map(pair).collect::<Result<_, _>>()?)
        }
        _ => return Err(VocabularyError::Form),
    };
    form.vocab()
}

/// Reads a vocabulary file: charloom's own, or JSON (a list of characters, or an object from characters to ids or from
/// ids to characters).
///
/// # Errors
/// If the file can't be read, is in none of these forms, or has a character twice or an id without one.
pub fn read_vocab(path: &Path) -> Result<Vocab, VocabularyError> {
    let unreadable = |source| VocabularyError::Unreadable { path: path.to_path_buf(), source };
    let content = std::fs::read(path).map_err(unreadable)?;
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    let first = content.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'[' | b'{')) {
        return Ok(Vocab::load(path)?);
    }
    let json = serde_json::from_slice(content)
        .map_err(|source| VocabularyError::Json { path: path.to_path_buf(), source })?;
    from_json(json).map_err(|source| VocabularyError::Content {
        path: path.to_path_buf(),
        source: Box::new(source),
    })
}

pub fn from_json(json: serde_json::Value) -> Result<Vocab, VocabularyError> {
    use serde_json::Value;
    let form = match json {
        Value::Array(items) => VocabForm::List(
            items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => only_char(&text),
                    _ => Err(VocabularyError::Form),
                })
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(pairs) => VocabForm::Table(
            pairs
                .into_iter()
                .map(|(key, value)| match value {
                    Value::String(char) => {
                        Ok((only_char(&char)?, key.parse().map_err(|_| VocabularyError::Form)?))
                    }
                    Value::Number(id) => {
                        let id = id.as_u64().and_then(|id| usize::try_from(id).ok());
                        Ok((only_char(&key)?, id.ok_or(VocabularyError::Form)?))
                    }
                    _ => Err(VocabularyError::Form),
                })
                .collect::<Result<_, _>>()?,
        ),
        Value::String(text) => VocabForm::List(text.chars().collect()),
        _ => return Err(VocabularyError::Form),
    };
    form.vocab()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Vocab, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocab");
        std::fs::write(&path, content).unwrap();
        read_vocab(&path).map_err(|error| {
            let message = error.to_string();
            message.replace(&path.display().to_string(), "vocab")
        })
    }

    #[test]
    fn every_form_keeps_the_order_of_the_ids() {
        let expected = Vocab::from_ordered(vec!['z', '\n', 'é']).unwrap();
        for content in [
            "format = 1\ncharacters = \"z\\né\"\n",
            r#" ["z", "\n", "é"]"#,
            r#"{"\n": 1, "é": 2, "z": 0}"#,
            r#"{"2": "é", "0": "z", "1": "\n"}"#,
        ] {
            assert_eq!(read(content).as_ref(), Ok(&expected), "{content}");
        }
    }

    #[test]
    fn an_invalid_vocabulary_is_refused_with_the_reason() {
        for (content, message) in [
            (r#"["a", "bc"]"#, "`vocab` is not a vocabulary file: `bc` is not one character"),
            (r#"["a", ""]"#, "`vocab` is not a vocabulary file: `` is not one character"),
            (r#"["a", "a"]"#, "`vocab` is not a vocabulary file: the vocabulary has `a` twice"),
            (r#"{"a": 0, "b": 2}"#, "`vocab` is not a vocabulary file: no character has the id 1"),
            (r#"{"a": 0, "b": 0}"#, "`vocab` is not a vocabulary file: no character has the id 1"),
            (
                r#"{"a": -1}"#,
                "`vocab` is not a vocabulary file: neither a list of characters nor a \
                 table of characters and ids",
            ),
        ] {
            assert_eq!(read(content), Err(message.to_owned()));
        }
        assert!(read("[\"a\"").unwrap_err().starts_with("`vocab` is not a vocabulary file: EOF"));
        assert!(read("once upon").unwrap_err().starts_with("`vocab` is not a vocabulary file: "));
        assert!(read_vocab(Path::new("none/here")).is_err());
    }
}
