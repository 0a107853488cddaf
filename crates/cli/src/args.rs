//! The command line, as it was typed. What belongs to the config stays text: the config checks it, and names the flag.

use std::path::PathBuf;

use charloom_data::Part;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::device::Backend;

mod analysis;
mod comparison;
mod import;

pub use analysis::{CompleteArgs, ModelsArgs, PageArgs, PredictArgs, ScoreArgs, SearchArgs};
pub use comparison::{Metric, PlotArgs, SweepArgs};
pub use import::ImportArgs;

/// Train character-level language models on your own text, and write new text with them.
#[derive(Debug, Parser)]
#[command(name = "charloom", version, max_term_width = 100, args_override_self = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model on a text
    #[command(after_help = TRAIN_HELP)]
    Train(Box<TrainArgs>),
    /// Write text with a trained model
    #[command(after_help = GENERATE_HELP)]
    Generate(GenerateArgs),
    /// Measure how well a model predicts a text
    Eval(EvalArgs),
    /// Show how likely each character of a text was to a model, and what it expected
    #[command(after_help = analysis::PREDICT_HELP)]
    Predict(PredictArgs),
    /// Measure how likely lines or files are under one model, or which of several fits them best
    #[command(after_help = analysis::SCORE_HELP)]
    Score(ScoreArgs),
    /// Find the likeliest continuations of a text
    #[command(after_help = analysis::COMPLETE_HELP)]
    Complete(CompleteArgs),
    /// Draw how the loss of runs fell
    #[command(after_help = comparison::PLOT_HELP)]
    Plot(PlotArgs),
    /// Train every combination of some settings, and compare them
    #[command(after_help = comparison::SWEEP_HELP)]
    Sweep(SweepArgs),
    /// Show what is in a model, or in a text
    Inspect(InspectArgs),
    /// Make a model of weights that PyTorch saved
    #[command(after_help = import::IMPORT_HELP)]
    Import(ImportArgs),
    /// Show or check settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List well-known texts, or get one
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// List the backends and devices that this binary can use
    Devices,
}

const TRAIN_HELP: &str = "\
Ctrl-C ends the training after the current step, with everything saved; a second one ends it at once.
The exit code is 130 either way.

examples:
  charloom train --text book.txt
  charloom train --config configs/anna.toml --epochs 5 --run anna
  charloom train --resume --run anna --epochs 20";

const GENERATE_HELP: &str = "\
The text, prime included, goes to standard output and all else to standard error. With more than one
sample, a line `--- sample 2 ---` stands before each of them.

examples:
  charloom generate --prime \"fn main\" --length 500
  charloom generate --run anna --temperature 0.7 --top-k 20 --seed 4
  charloom generate --run names --samples 10 --stop \"\\n\"";

/// What decides what is trained.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Settings file; what it leaves out has the default (`charloom config show` prints all)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Text to learn, UTF-8; its path is relative to the current folder
    #[arg(long, value_name = "FILE")]
    pub text: Option<String>,
    /// Times that the text is read
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub epochs: Option<String>,
    /// Steps after which training ends in any case, 0 for no limit
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_steps: Option<String>,
    /// Places of the text that are read side by side
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub batch: Option<String>,
    /// Characters that the network is unrolled over
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub seq: Option<String>,
    /// Size of a layer's hidden state
    #[arg(long, value_name = "H", allow_hyphen_values = true)]
    pub hidden: Option<String>,
    /// Number of recurrent layers
    #[arg(long, value_name = "L", allow_hyphen_values = true)]
    pub layers: Option<String>,
    /// Probability of dropping a layer's output
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub dropout: Option<String>,
    /// Learning rate
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub lr: Option<String>,
    /// Governs everything random
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub seed: Option<String>,
    /// Any setting by its name, as in `--set model.bias=single`; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Settings {
    /// The flags that stand for one key each: flag, key and what was typed.
    pub fn flags(&self) -> Vec<(&'static str, &'static str, &str)> {
        let Self {
            config: _,
            text,
            epochs,
            max_steps,
            batch,
            seq,
            hidden,
            layers,
            dropout,
            lr,
            seed,
            set: _,
        } = self;
        [
            ("--text", "data.text", text),
            ("--epochs", "train.epochs", epochs),
            ("--max-steps", "train.max_steps", max_steps),
            ("--batch", "data.batch_size", batch),
            ("--seq", "data.seq_length", seq),
            ("--hidden", "model.hidden_size", hidden),
            ("--layers", "model.layers", layers),
            ("--dropout", "model.dropout", dropout),
            ("--lr", "train.optimizer.lr", lr),
            ("--seed", "train.seed", seed),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value.as_deref()?)))
        .collect()
    }
}

/// Where the work is done.
#[derive(Debug, Args)]
#[command(next_help_heading = "Machine")]
pub struct DeviceArgs {
    /// Backend that computes (`charloom devices` lists those of this binary)
    #[arg(long, value_name = "BACKEND", default_value_t)]
    pub backend: Backend,
    /// Which of the backend's devices, from 0
    #[arg(long, value_name = "N")]
    pub device: Option<usize>,
    /// Threads to compute with, all cores by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Where runs are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub struct RunsDir {
    /// Folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub runs: RunsDir,
    /// Name of the run, a folder below the runs [default: the text's name and a number]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub run: Option<String>,
    /// Go on with a run (the newest, or that of `--run`) from its last checkpoint
    #[arg(long, help_heading = "Run", conflicts_with = "init_from")]
    pub resume: bool,
    /// Start from the weights of a model; its sizes are taken over, and so are the characters that the text has
    #[arg(long, value_name = "MODEL", help_heading = "Run")]
    pub init_from: Option<PathBuf>,
    /// Print lines even where the terminal could show a dashboard
    #[arg(long, help_heading = "Run")]
    pub plain: bool,
}

/// Which model is meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// Model file
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub model: Option<PathBuf>,
    /// Run whose model is taken [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub sample: SampleArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// How text is written. What isn't given is as the model's run had it in `[sample]`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Text")]
pub struct SampleArgs {
    /// Text to go on from
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prime: Option<String>,
    /// Characters to write after the prime
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub length: Option<String>,
    /// How daring: below 1 the likely characters become likelier, 0 takes the likeliest always
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub temperature: Option<String>,
    /// Pick among the K likeliest characters only, 0 for all
    #[arg(long, value_name = "K", allow_hyphen_values = true)]
    pub top_k: Option<String>,
    /// Pick among the likeliest characters that make up probability P only, 1 for all
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    pub top_p: Option<String>,
    /// Take the likeliest character always
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p"])]
    pub greedy: bool,
    /// Repeats a text that was written with the same seed [default: another one each time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Texts to write
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub samples: u32,
    /// End a text where this has been written (`\n` and `\t` are understood)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Option<String>,
}

impl SampleArgs {
    /// The flags that stand for one key each: flag, key and what was typed.
    pub fn flags(&self) -> Vec<(&'static str, &'static str, &str)> {
        let Self { prime, length, temperature, top_k, top_p, greedy, seed: _, samples: _, stop: _ } =
            self;
        let temperature = if *greedy { Some("0") } else { temperature.as_deref() };
        [
            ("--prime", "sample.prime", prime.as_deref()),
            ("--length", "sample.length", length.as_deref()),
            ("--temperature", "sample.temperature", temperature),
            ("--top-k", "sample.top_k", top_k.as_deref()),
            ("--top-p", "sample.top_p", top_p.as_deref()),
        ]
        .into_iter()
        .filter_map(|(flag, key, value)| Some((flag, key, value?)))
        .collect()
    }
}

#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Text to evaluate on [default: the one that the model was trained on]
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Part of the training's text to evaluate on, as the training does [default: valid]
    #[arg(long, value_name = "PART")]
    pub split: Option<SplitArg>,
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

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A model or a text
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// For a text: places that are read side by side [default: as in the default settings]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub batch: Option<String>,
    /// For a text: characters that the network is unrolled over [default: as in the default settings]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub seq: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print all settings, with those of the file and the flags laid over the defaults
    Show(Box<Settings>),
    /// Check a settings file
    Check {
        /// Settings file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// List the texts that charloom knows where to find
    List,
    /// Download a text to `datasets/`, and check that it is the right one
    Get {
        /// Its name, as in the list
        #[arg(value_name = "NAME")]
        name: String,
        /// Take it from this copy, without a download
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
