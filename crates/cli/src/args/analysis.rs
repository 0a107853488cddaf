//! The command lines of the commands that show what a model knows.

use std::path::PathBuf;

use clap::Args;

use super::{DeviceArgs, ModelArgs};

pub const PREDICT_HELP: &str = "\
On a terminal the text is printed in colours: the redder a character, the less the model
expected it. Otherwise, and with `--top`, there is a line for each character: the character,
its probability, and the model's best guesses with theirs, separated by tabs. The first
character has nothing before it, so it is not predicted.

examples:
  charloom predict --text page.txt
  charloom predict --run anna --text page.txt --top 5
  charloom predict --run anna --text page.txt --html page.html";

pub const SCORE_HELP: &str = "\
Prints nats per character, the fewer the likelier, and after a tab the line or the file. With
several models: the name of the likeliest, the nats per character under each (runs first, in
the order given), and the line or the file. A model's name is that of its run or its file.

Each text is scored as if it came after a newline, and the end of a line is not counted. A
character that a model doesn't know costs 13.92 nats, as if drawn from all of Unicode.

examples:
  charloom score --lines names.txt | sort -g
  charloom score --run english --run german --lines mixed.txt
  charloom score --run english --run german --labels labelled.txt";

pub const COMPLETE_HELP: &str = "\
Prints a line for each continuation, the likeliest first: the probability of the whole (with
`--stop`, the stop text included), the mean probability of its characters, and its text,
separated by tabs. A wider beam misses fewer of the likeliest. With `--stop`, short
continuations tend to be likelier than long ones.

examples:
  charloom complete --prime \"fn ma\" --length 12
  charloom complete --run names --prime Jo --stop \"\\n\" -n 10 --beam 200";

#[derive(Debug, Args)]
pub struct PredictArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub page: PageArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// What is shown of which text.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub struct PageArgs {
    /// Text to predict
    #[arg(long, value_name = "FILE")]
    pub text: PathBuf,
    /// Guesses to show of each character [default: 3]
    #[arg(long, value_name = "K")]
    pub top: Option<usize>,
    /// Read so many characters of the text only, 0 for all
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub length: usize,
    /// Write a page for the browser instead of printing; one that this command wrote before is replaced
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Texts to score, UTF-8
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Score each line, not each file
    #[arg(long)]
    pub lines: bool,
    /// The lines are `label<TAB>text`, a label being the name of a model: print how many texts are likeliest under
    /// theirs, and which are taken for which
    #[arg(long)]
    pub labels: bool,
    #[command(flatten)]
    pub models: ModelsArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Which models are meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Models")]
pub struct ModelsArgs {
    /// Model file; may be repeated
    #[arg(long, value_name = "FILE")]
    pub model: Vec<PathBuf>,
    /// Run whose model is taken; may be repeated [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub run: Vec<String>,
    /// Folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct CompleteArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub search: SearchArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// What is looked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub struct SearchArgs {
    /// Text to go on from; an empty one is as a newline
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub prime: String,
    /// Continuations to find
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Characters of a continuation
    #[arg(long, value_name = "L", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub length: u16,
    /// Beginnings to keep from character to character; more find likelier continuations, and take longer
    /// [default: 50, or as many as are to be found]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub beam: Option<u16>,
    /// End a continuation where this comes (`\n` and `\t` are understood)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Option<String>,
}
