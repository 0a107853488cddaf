//! [`Source`]: where the value of a setting was typed.

use std::path::PathBuf;

/// Where a value was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In this line of a settings file or a sweep file.
    File(PathBuf, usize),
    /// The same, in the settings that a run or a model was saved with: what they say needs no other source. The last is
    /// where the value was typed originally, as the comment of that line says.
    Saved(PathBuf, usize, Option<String>),
    /// As this flag, for this key.
    Flag(String, String),
    /// As `--set` of this key.
    Set(String),
    /// Nowhere: it was chosen by the recipe.
    Recipe,
    /// Nowhere: it was fitted to the length of the text.
    Text,
}

impl Source {
    /// The place, without what was typed there.
    pub fn place(&self) -> String {
        match self {
            Self::File(path, line) | Self::Saved(path, line, _) => {
                format!("`{}`, line {line}", path.display())
            }
            Self::Flag(flag, _) => format!("`{flag}`"),
            Self::Set(key) => format!("`--set {key}`"),
            Self::Recipe => "the recipe".to_owned(),
            Self::Text => "the length of the text".to_owned(),
        }
    }

    /// Where the value was typed originally; for a run's own that is what its settings say.
    pub fn original_place(&self) -> Option<String> {
        match self {
            Self::Saved(.., origin) => origin.clone(),
            source => Some(source.place()),
        }
    }

    /// The line of a file, from 1; 0 on the command line.
    pub fn line(&self) -> usize {
        match self {
            Self::File(_, line) | Self::Saved(_, line, _) => *line,
            Self::Flag(..) | Self::Set(_) | Self::Recipe | Self::Text => 0,
        }
    }

    /// The place with the key that something is said about, unless the place names it.
    pub fn place_of(&self, key: &str) -> String {
        match self {
            Self::Flag(_, typed) | Self::Set(typed) if typed == key => self.place(),
            _ => format!("{}: `{key}`", self.place()),
        }
    }
}
