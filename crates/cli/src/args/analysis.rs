//! The command lines of `predict`, `score` and `complete`.

use std::path::PathBuf;

use clap::Args;

use super::{DeviceArgs, ModelsArgs};

pub const PREDICT_HELP: &str = "\
On a terminal the text is printed in colours: the redder a character, the lower its probability.
Otherwise, and with `--top`, each character has a line: the character, its probability, and the
most likely characters with theirs, separated by tabs. The first character is not predicted:
nothing precedes it.

examples:
  charloom predict --text page.txt
  charloom predict --run anna --text page.txt --top 5
  charloom predict --run anna --text page.txt --html page.html";

pub const SCORE_HELP: &str = "\
Prints the loss in nats per character (lower is more likely), a tab, and the line or the file.
With several models: the name of the best one, the loss under each (runs first, in the order
given), and the line or the file. A model is named after its run or its file. With `--average`,
the models are one, and the loss is that of their mean probabilities.

Each text is scored as if it followed a newline; the end of a line is not counted. A character
that a model doesn't know costs 13.92 nats, as if drawn from all of Unicode.

examples:
  charloom score --lines names.txt | sort -g
  charloom score --run english --run german --lines mixed.txt
  charloom score --run english --run german --labels labelled.txt";

pub const COMPLETE_HELP: &str = "\
Prints a line for each continuation, the most likely first: its probability (with `--stop`, the
stop sequence included), the mean probability of its characters, and its text, separated by tabs.
A wider beam finds better continuations but is slower. With `--stop`, short continuations tend to
be more likely than long ones.

examples:
  charloom complete --prompt \"fn ma\" --length 12
  charloom complete --run names --prompt Jo --stop \"\\n\" -n 10 --beam-width 200";

#[derive(Debug, Args)]
pub struct PredictArgs {
    #[command(flatten)]
    pub models: ModelsArgs,
    #[command(flatten)]
    pub page: PageArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// The text, and what is shown of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub struct PageArgs {
    /// Text to predict
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// Number of most likely characters to show for each character [default: 3]
    #[arg(long, value_name = "K")]
    pub top: Option<usize>,
    /// Number of characters to read, 0 for all
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub length: usize,
    /// Write an HTML page instead of printing; one that this command wrote before is replaced
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Texts to score, UTF-8
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Score each line instead of each file
    #[arg(long)]
    pub lines: bool,
    /// Lines are `label<TAB>text`, a label being a model's name: print the accuracy and a confusion matrix
    #[arg(long, conflicts_with = "average")]
    pub labels: bool,
    #[command(flatten)]
    pub models: ModelsArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
pub struct CompleteArgs {
    #[command(flatten)]
    pub models: ModelsArgs,
    #[command(flatten)]
    pub search: SearchArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// The search.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub struct SearchArgs {
    /// Prompt: text to continue; an empty one stands for a newline
    #[arg(
        long,
        alias = "prime",
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub prompt: String,
    /// Number of continuations
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Maximum length of a continuation
    #[arg(long, value_name = "L", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub length: u16,
    /// Beam width [default: 50, or as many as there are continuations]
    #[arg(long, alias = "beam", value_name = "B", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub beam_width: Option<u16>,
    /// End a continuation after this sequence (`\n` and `\t` are understood)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Option<String>,
}
