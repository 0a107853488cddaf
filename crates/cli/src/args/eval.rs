//! The command line of `eval`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use charloom_data::Part;
use charloom_train::AdaptConfig;
use clap::{Args, ValueEnum};

use super::{DeviceArgs, ModelsArgs, UnknownArg};
use crate::settings::FormatFlags;

pub(super) const EVAL_HELP: &str = "\
examples:
  charloom eval --run anna --split valid
  charloom eval --run anna --text other.txt
  charloom eval --run anna --split valid --adapt
  charloom eval --run anna --split valid --mix
  charloom eval --run one --run two --average --split valid";

#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub models: ModelsArgs,
    /// Text to evaluate on: files, folders or patterns; `-` is standard input [default: the one that the model was
    /// trained on]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub text: Vec<PathBuf>,
    #[command(flatten)]
    pub format: FormatFlags,
    /// Characters that the model doesn't know [default: fold if the model can, else skip; what is skipped costs 13.92 nats]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub unknown: Option<UnknownArg>,
    /// Part of the training's text to evaluate on, as the training does [default: valid]
    #[arg(long, value_name = "PART")]
    pub split: Option<SplitArg>,
    /// Predict windows of so many characters, each from a zero state, as nanoGPT is evaluated
    ///
    /// Without it the state is carried through the text, so that each character is predicted from all before it.
    #[arg(long, value_name = "T", conflicts_with_all = ["adapt", "mix"], value_parser = clap::value_parser!(u16).range(1..))]
    pub window: Option<u16>,
    /// Also mix the network with an n-gram model of its training part
    ///
    /// The weight of the network starts at a half and follows the text that has been predicted.
    #[arg(long, conflicts_with = "adapt")]
    pub mix: bool,
    #[command(flatten)]
    pub adapt: AdaptArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SplitArg {
    /// The training part
    Train,
    /// The validation part
    Valid,
    /// The test part
    Test,
}

impl From<SplitArg> for Part {
    fn from(split: SplitArg) -> Self {
        match split {
            SplitArg::Train => Self::Train,
            SplitArg::Valid => Self::Valid,
            SplitArg::Test => Self::Test,
        }
    }
}

/// Dynamic evaluation. What isn't given is as in [`AdaptConfig::default`].
#[derive(Debug, Args)]
#[command(next_help_heading = "Dynamic evaluation")]
pub struct AdaptArgs {
    /// Also evaluate while the weights adapt to the text that has been read (dynamic evaluation)
    ///
    /// The text is read in one stream, segment by segment. Each segment is predicted first; then its gradient updates the
    /// weights, so no character is seen before it is predicted. The model file is not changed.
    #[arg(long)]
    pub adapt: bool,
    /// Learning rate of the updates [default: 0.3]
    #[arg(long, value_name = "LR", requires = "adapt", allow_negative_numbers = true, value_parser = learning_rate)]
    pub adapt_lr: Option<f64>,
    /// Fraction of the distance to the trained weights that each update undoes [default: 0.003]
    #[arg(long, value_name = "D", requires = "adapt", allow_negative_numbers = true, value_parser = fraction)]
    pub adapt_decay: Option<f64>,
    /// Characters of a segment [default: 50]
    #[arg(long, value_name = "T", requires = "adapt", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub adapt_length: Option<u16>,
}

impl AdaptArgs {
    /// The settings, if the weights are to adapt.
    pub fn config(&self) -> Option<AdaptConfig> {
        let default = AdaptConfig::default();
        let length = self.adapt_length.and_then(|length| NonZeroUsize::new(length.into()));
        self.adapt.then(|| AdaptConfig {
            lr: self.adapt_lr.unwrap_or(default.lr),
            decay: self.adapt_decay.unwrap_or(default.decay),
            segment: length.unwrap_or(default.segment),
        })
    }
}

/// A number from 0 to 1.
fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("it must be a number from 0 to 1".to_owned()),
    }
}

/// A finite number that isn't negative.
fn learning_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..f64::INFINITY).contains(&number) => Ok(number),
        _ => Err("it must be a number from 0 on".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_defaults_in_the_help_are_those_of_the_evaluation() {
        let AdaptConfig { lr, decay, segment } = AdaptConfig::default();
        let program = crate::args::Arguments::command();
        let eval = program.find_subcommand("eval").expect("a command");
        for (flag, default) in [
            ("adapt_lr", lr.to_string()),
            ("adapt_decay", decay.to_string()),
            ("adapt_length", segment.to_string()),
        ] {
            let arg = eval.get_arguments().find(|arg| arg.get_id() == flag).expect("a flag");
            let help = arg.get_help().expect("it is documented").to_string();
            assert!(help.contains(&format!("[default: {default}]")), "{help}, but {default}");
        }
    }
}
