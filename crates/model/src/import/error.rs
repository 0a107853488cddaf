use std::fmt;
use std::io;
use std::path::PathBuf;

use charloom_data::VocabError;

use super::TensorRole;

/// Why a PyTorch file can't be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such file.
    #[error("there is no file `{}`", path.display())]
    Missing {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file can't be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file wasn't written by `torch.save`, or is truncated.
    #[error("`{}` is not a complete `torch.save` file: {source}", path.display())]
    NotPyTorch {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: NotPyTorch,
    },
    /// The file begins as a safetensors file does, but is truncated or malformed.
    #[error("`{}` is not a complete safetensors file: {source}", path.display())]
    NotSafetensors {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: safetensors::SafeTensorError,
    },
    /// A folder without weights, or with several files of them.
    #[error("the folder `{}` {problem}", path.display())]
    Folder {
        /// Path of the folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The index of a folder of shards can't be used.
    #[error("`{}` {problem}", path.display())]
    Index {
        /// Path of the index.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A tensor was given a role, but the file has none of that name.
    #[error("`{}` has no tensor named `{name}`, and none in a module of that name", path.display())]
    Unnamed {
        /// Path of the file.
        path: PathBuf,
        /// The name that was given.
        name: String,
        /// Every tensor with its shape.
        tensors: Tensors,
    },
    /// The tensors aren't those of a character-level recurrent network.
    #[error("`{}` is not a character model: {problem}", path.display())]
    Layout {
        /// Path of the file.
        path: PathBuf,
        /// What doesn't fit.
        problem: String,
        /// Every tensor with its shape.
        tensors: Tensors,
        /// Roles that would choose one of several readings.
        choices: Vec<TensorRole>,
    },
    /// The file's description of a tensor is inconsistent.
    #[error("`{}`: tensor `{tensor}` {problem}", path.display())]
    Tensor {
        /// Path of the file.
        path: PathBuf,
        /// Name of the tensor in the file.
        tensor: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The values of a tensor can't be read.
    #[error("cannot read tensor `{tensor}` of `{}`: {source}", path.display())]
    Values {
        /// Path of the file.
        path: PathBuf,
        /// Name of the tensor in the file.
        tensor: String,
        /// What is wrong with the file.
        source: io::Error,
    },
    /// Neither the file nor the caller has the characters.
    #[error("`{}` does not say which characters its {needed} ids stand for", path.display())]
    NoVocab {
        /// Path of the file.
        path: PathBuf,
        /// Number of characters that the network has.
        needed: usize,
    },
    /// What the file has under a key that promises a vocabulary isn't one.
    #[error("`{key}` in `{}` is no vocabulary: {source}", path.display())]
    Vocab {
        /// Path of the file.
        path: PathBuf,
        /// The keys on the way to it, joined by dots.
        key: String,
        /// What is wrong with it.
        source: VocabularyError,
    },
    /// The file has two vocabularies that differ.
    #[error("`{}` has two vocabularies, which differ: `{first}` and `{second}`", path.display())]
    TwoVocabs {
        /// Path of the file.
        path: PathBuf,
        /// The keys on the way to one, joined by dots.
        first: String,
        /// The keys on the way to the other.
        second: String,
    },
    /// The file's own vocabulary and its network differ in size.
    #[error("`{key}` in `{}` has {found} characters, but the network has {needed}", path.display())]
    OwnVocabSize {
        /// Path of the file.
        path: PathBuf,
        /// The keys on the way to the vocabulary, joined by dots.
        key: String,
        /// Number of characters in the vocabulary.
        found: usize,
        /// Number of characters that the network has.
        needed: usize,
    },
    /// The vocabulary and the network differ in size.
    #[error("the vocabulary has {found} characters, but the network of `{}` has {needed}", path.display())]
    VocabSize {
        /// Path of the file.
        path: PathBuf,
        /// Number of characters in the vocabulary.
        found: usize,
        /// Number of characters that the network has.
        needed: usize,
    },
}

/// Why a file isn't a complete one of `torch.save`.
#[derive(Debug, thiserror::Error)]
pub enum NotPyTorch {
    /// It is neither a ZIP archive nor a pickle, nor a safetensors file.
    #[error("it is neither a ZIP archive nor a pickle")]
    Foreign,
    /// It is a pickle of another program's.
    #[error("it is a pickle, but not one of `torch.save`")]
    OtherPickle,
    /// It begins as such a file does, but is truncated or malformed.
    #[error("{0}")]
    Broken(&'static str),
    /// Its ZIP archive can't be read.
    #[error("its ZIP archive can't be read: {0}")]
    Archive(#[source] io::Error),
}

impl From<&'static str> for NotPyTorch {
    fn from(problem: &'static str) -> Self {
        Self::Broken(problem)
    }
}

/// Names and shapes of tensors. `Display` shows the first 24.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensors(pub Vec<(String, Vec<usize>)>);

impl fmt::Display for Tensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LISTED: usize = 24;
        for (place, (name, shape)) in self.0.iter().take(LISTED).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}`{name}` {shape:?}")?;
        }
        match self.0.len() {
            0 => f.write_str("none"),
            count if count > LISTED => write!(f, " and {} more", count - LISTED),
            _ => Ok(()),
        }
    }
}

/// Why something isn't a vocabulary.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    /// It is neither a list of characters nor a table of characters and ids.
    #[error("neither a list of characters nor a table of characters and ids")]
    Form,
    /// An entry isn't one character. Holds the entry's first characters.
    #[error("`{0}` is not one character")]
    NotACharacter(String),
    /// The ids aren't those from 0 on.
    #[error("no character has the id {0}")]
    NoId(usize),
    /// A character occurs twice.
    #[error(transparent)]
    Vocab(#[from] VocabError),
    /// The file can't be read.
    #[error("could not read the vocabulary file `{}`: {source}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file begins as JSON does, but isn't JSON.
    #[error("`{}` is not a vocabulary file: {source}", path.display())]
    Json {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file is JSON, but not a vocabulary.
    #[error("`{}` is not a vocabulary file: {source}", path.display())]
    Content {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<VocabularyError>,
    },
}
