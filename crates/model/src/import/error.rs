use std::fmt;
use std::path::PathBuf;

use charloom_data::VocabError;

/// Why a file of PyTorch's can't be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such file.
    #[error("there is no file `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a file of `torch.save`, or one that was cut short.
    #[error("`{}` is not a whole file of `torch.save`: {problem}", path.display())]
    NotPyTorch {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: NotPyTorch,
    },
    /// Its pickle names a function or class that weights have no use for: loading it in Python could run anything.
    #[error("`{}` names `{name}`, which is no part of weights; nothing of it was run", path.display())]
    RunsCode {
        /// The file.
        path: PathBuf,
        /// What it names.
        name: String,
    },
    /// The tensors are not those of a character model.
    #[error("`{}` is not a character model: {problem}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What doesn't fit.
        problem: String,
        /// Every tensor with its shape.
        tensors: Tensors,
    },
    /// A tensor can't be read.
    #[error("`{}`: tensor `{tensor}` {problem}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Its name in the file.
        tensor: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Neither the file nor the caller has the characters.
    #[error("`{}` does not say which characters its {needed} ids stand for", path.display())]
    NoVocab {
        /// The file.
        path: PathBuf,
        /// How many there are.
        needed: usize,
    },
    /// The characters in the file are no vocabulary.
    #[error("the characters in `{}` cannot be used: {source}", path.display())]
    Vocab {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: VocabularyError,
    },
    /// The vocabulary has another size than the network.
    #[error("the vocabulary has {found} characters, but the network of `{}` has {needed}", path.display())]
    VocabSize {
        /// The file.
        path: PathBuf,
        /// Characters of the vocabulary.
        found: usize,
        /// Ids of the network.
        needed: usize,
    },
}

/// Why a file is not one of `torch.save`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPyTorch {
    /// It begins like no such file.
    Foreign,
    /// It begins well.
    Broken(&'static str),
}

impl fmt::Display for NotPyTorch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "it is something else",
            Self::Broken(problem) => problem,
        })
    }
}

/// Names and shapes; shows some of them.
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

/// Why something is no vocabulary.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    /// Neither a list of characters nor a table of characters and ids.
    #[error("they are neither a list of characters nor a table of characters and ids")]
    Form,
    /// Something that should be one character is none, or several.
    #[error("`{0}` is not one character")]
    NotACharacter(String),
    /// The ids are not those from 0 on.
    #[error("no character has the id {0}")]
    NoId(usize),
    /// A character is there twice.
    #[error(transparent)]
    Vocab(#[from] VocabError),
    /// The file can't be read.
    #[error("could not read the vocabulary file `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not JSON, though it begins so.
    #[error("`{}` is not a vocabulary file: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is JSON, but no vocabulary.
    #[error("`{}` is not a vocabulary file: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<VocabularyError>,
    },
}
