//! Values in a file that may be the network's vocabulary: lists, strings and tables of single characters, under any key.

use charloom_data::Vocab;

use super::VocabularyError;
use super::pickle::{Id, Pickle, Value};
use super::vocabulary::{from_json, from_pickle};

/// A value that may be a vocabulary: its first entry is a character, and perhaps an id.
#[derive(Debug)]
pub struct Candidate {
    /// The keys on the way to it, joined by dots.
    pub name: String,
    pub form: Form,
    /// Number of entries.
    pub len: usize,
    pub content: Content,
}

/// Where a candidate's value is.
#[derive(Debug)]
pub enum Content {
    /// In the pickle of the file of this index.
    Pickled {
        file: usize,
        value: Id,
    },
    Json(serde_json::Value),
}

/// The forms of a vocabulary, from the one that says least about the ids to the one that says most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Text,
    List,
    Table,
}

/// Most characters that a vocabulary can have: all that Unicode has.
const MOST: usize = 1_112_064;

/// Keys that promise a vocabulary: where their value is not a vocabulary, or not this network's, it is worth saying.
const PROMISING: [&str; 10] = [
    "tokens",
    "chars",
    "vocab",
    "characters",
    "alphabet",
    "char2int",
    "int2char",
    "char_to_idx",
    "stoi",
    "itos",
];

impl Form {
    /// The form and the number of entries of a value, if it may be a vocabulary: under a key that promises one, whatever its
    /// entries are.
    pub fn of(pickle: &Pickle, value: Id, key: Option<&str>) -> Option<(Self, usize)> {
        let promised = key.is_some_and(is_promising);
        let is_char = |id: &Id| {
            promised || pickle.text(*id).is_some_and(|text| text.chars().nth(1).is_none())
        };
        let is_pair = |&(key, value): &(Id, Id)| match (pickle.value(key), pickle.value(value)) {
            (Value::Text(_), Value::Int(_)) => is_char(&key),
            (Value::Int(_), Value::Text(_)) => is_char(&value),
            _ => false,
        };
        match pickle.value(value) {
            Value::Text(text) if text.len() <= 4 * MOST => Some((Self::Text, text.chars().count())),
            Value::List(items) => {
                items.first().is_some_and(is_char).then_some((Self::List, items.len()))
            }
            Value::Dict(pairs) => {
                pairs.first().is_some_and(is_pair).then_some((Self::Table, pairs.len()))
            }
            Value::Object(object) => {
                let pairs = &object.pairs;
                pairs.first().is_some_and(is_pair).then_some((Self::Table, pairs.len()))
            }
            _ => None,
        }
    }
}

/// Longest name in bytes, and largest number of candidates.
const MAX_NAME: usize = 500;
pub const MAX_CANDIDATES: usize = 10_000;

/// Adds every value in a JSON document that may be a vocabulary.
pub fn add_json(candidates: &mut Vec<Candidate>, name: &str, json: serde_json::Value) {
    use serde_json::Value;
    if name.len() > MAX_NAME || candidates.len() == MAX_CANDIDATES {
        return;
    }
    let promised = is_promising(name);
    let is_char = |text: &str| promised || text.chars().nth(1).is_none();
    let found = match &json {
        Value::String(text) => Some((Form::Text, text.chars().count())),
        Value::Array(items) => {
            let first = items.first().and_then(Value::as_str);
            first.is_some_and(is_char).then_some((Form::List, items.len()))
        }
        Value::Object(pairs) => {
            let is_pair = |(key, value): (&String, &Value)| match value {
                Value::Number(_) => is_char(key),
                Value::String(text) => is_char(text) && key.parse::<usize>().is_ok(),
                _ => false,
            };
            pairs.iter().next().is_some_and(is_pair).then_some((Form::Table, pairs.len()))
        }
        _ => None,
    };
    match (found, json) {
        (Some((form, len)), json) => {
            let (name, content) = (name.to_owned(), Content::Json(json));
            candidates.push(Candidate { name, form, len, content });
        }
        (None, Value::Object(pairs)) => {
            for (key, value) in pairs {
                add_json(candidates, &format!("{name}.{key}"), value);
            }
        }
        (None, _) => {}
    }
}

/// A vocabulary, and the name of the value that it is from.
#[derive(Debug)]
pub struct FoundVocab {
    pub name: String,
    pub vocab: Vocab,
}

/// Why no vocabulary could be taken from a file.
#[derive(Debug)]
pub enum NoVocab {
    /// Nothing in it looks like one.
    Nowhere,
    /// The value under this key is not a vocabulary.
    Invalid(String, VocabularyError),
    /// The value under this key has another number of characters.
    Size(String, usize),
    /// Two values say different things.
    Contradiction(String, String),
}

/// The vocabulary of `needed` characters among a file's candidates, given the pickle of each file. Where several values are
/// one, tables count before lists, and lists before strings.
pub fn choose(
    candidates: &[Candidate],
    pickles: &[Option<Pickle>],
    needed: usize,
) -> Result<FoundVocab, NoVocab> {
    let read = |candidate: &Candidate| match &candidate.content {
        Content::Json(json) => from_json(json.clone()),
        Content::Pickled { file, value } => match &pickles[*file] {
            Some(pickle) => from_pickle(pickle, *value),
            None => Err(VocabularyError::Form),
        },
    };
    let mut chosen: Option<(Form, FoundVocab)> = None;
    let mut problem = NoVocab::Nowhere;
    let mut fitting: Vec<_> = candidates.iter().filter(|found| found.len == needed).collect();
    fitting.sort_by_key(|candidate| std::cmp::Reverse(candidate.form));
    for candidate in fitting {
        let Candidate { name, form, len, .. } = candidate;
        // A short string may be anything.
        if *form == Form::Text && *len < 20 && !is_promising(name) {
            continue;
        }
        match (read(candidate), &chosen) {
            (Ok(vocab), None) => chosen = Some((*form, FoundVocab { name: name.clone(), vocab })),
            (Ok(vocab), Some((first, found))) if first == form && found.vocab != vocab => {
                return Err(NoVocab::Contradiction(found.name.clone(), name.clone()));
            }
            (Err(error), _) if is_promising(name) => {
                problem = NoVocab::Invalid(name.clone(), error);
            }
            _ => {}
        }
    }
    if let Some((_, found)) = chosen {
        return Ok(found);
    }
    let of_another_size = candidates.iter().find(|candidate| {
        candidate.len != needed && is_promising(&candidate.name) && read(candidate).is_ok()
    });
    Err(match (problem, of_another_size) {
        (NoVocab::Nowhere, Some(candidate)) => NoVocab::Size(candidate.name.clone(), candidate.len),
        (problem, _) => problem,
    })
}

/// Whether the last key of a name promises a vocabulary.
fn is_promising(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    PROMISING.contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(json: &str, needed: usize) -> Result<(String, String), NoVocab> {
        let mut candidates = Vec::new();
        add_json(&mut candidates, "file", serde_json::from_str(json).unwrap());
        let found = choose(&candidates, &[], needed)?;
        Ok((found.name, found.vocab.chars().iter().collect()))
    }

    #[test]
    fn a_vocabulary_is_found_under_any_key_and_tables_count_before_lists() {
        let found = |json| chosen(json, 3).ok();
        let expected = |key: &str, chars: &str| Some((key.to_owned(), chars.to_owned()));
        assert_eq!(found(r#"{"a": {"b": ["z", "y", "x"]}}"#), expected("file.a.b", "zyx"));
        let both = r#"{"list": ["z", "y", "x"], "ids": {"x": 0, "y": 1, "z": 2}}"#;
        assert_eq!(found(both), expected("file.ids", "xyz"));
        assert_eq!(found(r#"{"chars": "xyz", "n": "abc"}"#), expected("file.chars", "xyz"));
        assert_eq!(found(r#"{"n": "abc"}"#), None);
    }

    #[test]
    fn what_its_key_promises_is_said_to_be_wrong() {
        let problem = |json| chosen(json, 3).unwrap_err();
        let invalid = problem(r#"{"vocab": ["<unk>", "a", "b"]}"#);
        assert!(matches!(invalid, NoVocab::Invalid(key, _) if key == "file.vocab"));
        let size = problem(r#"{"tokens": ["a", "b"]}"#);
        assert!(matches!(size, NoVocab::Size(key, 2) if key == "file.tokens"));
        let two = problem(r#"{"a": ["a", "b", "c"], "b": ["a", "c", "b"]}"#);
        assert!(matches!(two, NoVocab::Contradiction(a, b) if a == "file.a" && b == "file.b"));
        assert!(matches!(problem(r#"{"epoch": 3}"#), NoVocab::Nowhere));
    }
}
