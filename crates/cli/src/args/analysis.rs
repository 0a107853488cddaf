//! The command lines of `baseline`, `predict`, `score` and `complete`.

use std::path::PathBuf;

use clap::Args;

use super::{DeviceArgs, ModelsArgs, PrecisionArg, UnknownArg};
use crate::settings::{FormatFlags, SplitFlags};

pub const BASELINE_HELP: &str = "\
The text is split as `train` splits it. Each method sees the training part, and predicts every
character of the validation part but the first:

  uniform   every character of the text is equally likely
  unigram   each is as likely as it is frequent in the training part (add-one smoothing)
  xz -9e    the bytes that the validation part adds to the compressed training part; unlike the
            others, xz also learns from what it has read of the validation part
  n-gram    the last few characters, with modified Kneser-Ney smoothing, of the best order;
            order 6 is five characters and the one that they predict

With a model, the last row is its loss on the same characters: a network that is worth its training
is well below the n-gram model.

examples:
  charloom baseline --text book.txt
  charloom baseline --run book-1";

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
pub struct BaselineArgs {
    #[command(flatten)]
    pub split: SplitFlags,
    /// Largest order of the n-gram models
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub max_order: u16,
    /// Model file to compare with, on the text that it was trained on
    #[arg(long, value_name = "FILE", conflicts_with = "run", help_heading = "Model")]
    pub model: Option<PathBuf>,
    /// Run whose model to compare with, on the text that it was trained on
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    pub run: Option<String>,
    /// Folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs", help_heading = "Model")]
    pub runs_dir: PathBuf,
    #[command(flatten)]
    pub device: DeviceArgs,
}

impl BaselineArgs {
    /// The model to compare with, if one is named.
    pub fn model(&self) -> Option<ModelsArgs> {
        let Self { model, run, runs_dir, .. } = self;
        (model.is_some() || run.is_some()).then(|| ModelsArgs {
            model: model.iter().cloned().collect(),
            run: run.iter().cloned().collect(),
            average: false,
            precision: PrecisionArg::Trained,
            runs_dir: runs_dir.clone(),
        })
    }
}

#[derive(Debug, Args)]
pub struct PredictArgs {
    #[command(flatten)]
    pub models: ModelsArgs,
    #[command(flatten)]
    pub page: PageArgs,
    #[command(flatten)]
    pub format: FormatFlags,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// The text, and what is shown of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub struct PageArgs {
    /// Text to predict: files, folders or patterns; `-` is standard input
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub text: Vec<PathBuf>,
    /// Characters that the model doesn't know [default: fold if the model can, else skip; what is skipped costs 13.92 nats]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub unknown: Option<UnknownArg>,
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
    /// Texts to score; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Characters that the model doesn't know [default: fold if the model can, else skip; what is skipped costs 13.92 nats]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub unknown: Option<UnknownArg>,
    /// Score each line instead of each file
    #[arg(long)]
    pub lines: bool,
    /// Lines are `label<TAB>text`, a label being a model's name: print the accuracy and a confusion matrix
    #[arg(long, conflicts_with = "average")]
    pub labels: bool,
    #[command(flatten)]
    pub format: FormatFlags,
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
    /// File with the prompt, to its last character; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompt_file: Option<PathBuf>,
    /// Characters that the model doesn't know [default: error]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub unknown: Option<UnknownArg>,
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
    /// End a continuation after this sequence
    ///
    /// As in every text on the command line, `\n`, `\r`, `\t`, `\\` and `\u{e9}` are understood.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Option<String>,
}
