//! `--unknown`: what happens to characters that a model doesn't know.

use charloom_data::Unknown;
use clap::ValueEnum;

/// What happens to characters that a model doesn't know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnknownArg {
    /// They are an error
    Error,
    /// They are left out
    Skip,
    /// They become the unknown character of a model that was trained with `data.min_count`
    Fold,
}

impl From<UnknownArg> for Unknown {
    fn from(unknown: UnknownArg) -> Self {
        match unknown {
            UnknownArg::Error => Self::Error,
            UnknownArg::Skip => Self::Skip,
            UnknownArg::Fold => Self::Fold,
        }
    }
}
