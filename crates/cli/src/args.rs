//! The command line. The flags of the settings are made in [`crate::settings`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::device::{Backend, DeviceIndex};
use crate::settings::{BatchFlags, Flag, FormatFlags, SampleFlags, SettingsFlags};

mod analysis;
mod comparison;
mod eval;
mod export;
mod import;
mod models;
mod unknown;

pub use analysis::{BaselineArgs, CompleteArgs, PageArgs, PredictArgs, ScoreArgs, SearchArgs};
pub use comparison::{Metric, PlotArgs, SweepArgs};
pub use eval::EvalArgs;
pub use export::ExportArgs;
pub use import::ImportArgs;
pub use models::{ModelsArgs, PrecisionArg};
pub use unknown::UnknownArg;

/// Train character-level language models on your own text, and generate text with them.
#[derive(Debug, Parser)]
#[command(name = "charloom", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model on a text
    #[command(after_help = TRAIN_HELP)]
    Train(Box<TrainArgs>),
    /// Generate text with a trained model
    #[command(after_help = GENERATE_HELP)]
    Generate(GenerateArgs),
    /// Measure how well a model predicts a text
    #[command(after_help = eval::EVAL_HELP)]
    Eval(EvalArgs),
    /// Measure how well simple methods predict a text: what a network must beat
    #[command(after_help = analysis::BASELINE_HELP)]
    Baseline(BaselineArgs),
    /// Show the probability of each character of a text, and the most likely ones instead
    #[command(after_help = analysis::PREDICT_HELP)]
    Predict(PredictArgs),
    /// Score lines or files by their loss under one model, or classify them with several
    #[command(after_help = analysis::SCORE_HELP)]
    Score(ScoreArgs),
    /// Find the most likely continuations of a prompt (beam search)
    #[command(after_help = analysis::COMPLETE_HELP)]
    Complete(CompleteArgs),
    /// Show what a training would take of memory, time and disk
    #[command(after_help = PLAN_HELP)]
    Plan(Box<PlanArgs>),
    /// Plot the loss of runs
    #[command(after_help = comparison::PLOT_HELP)]
    Plot(PlotArgs),
    /// Train every combination of some settings, and compare them
    #[command(after_help = comparison::SWEEP_HELP)]
    Sweep(SweepArgs),
    /// Show what is in a model, or in a text
    Inspect(InspectArgs),
    /// Import weights from a PyTorch file
    #[command(after_help = import::IMPORT_HELP)]
    Import(ImportArgs),
    /// Export weights for PyTorch or NumPy
    #[command(after_help = export::EXPORT_HELP)]
    Export(ExportArgs),
    /// Show or check settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List well-known texts, or download one
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// List the backends and devices that this binary can use
    Devices,
}

const TRAIN_HELP: &str = "\
Ctrl-C ends the training after the current step, with everything saved; a second one ends it at once.
The exit code is 130 either way.

Without sizes and a length, everything is fitted to the text and to `--minutes`, after the speed of the
machine has been measured. What was chosen is printed, and written to the run's config.toml.

examples:
  charloom train --text book.txt
  charloom train --text book.txt --minutes 10
  charloom train --text book.txt --minutes 30 --members 3 --run team
  charloom train --config configs/anna.toml --epochs 5 --run anna
  charloom train --resume --run anna --epochs 20";

const PLAN_HELP: &str = "\
Takes the settings of `charloom train`, trains for a second to measure the speed, and writes nothing.

example:
  charloom plan --text book.txt --hidden-size 1024";

const GENERATE_HELP: &str = "\
The text, prompt included, goes to standard output, everything else to standard error. With more than
one sample, each follows a line such as `--- sample 2 ---`.

examples:
  charloom generate --prompt \"fn main\" --length 500
  charloom generate --run anna --temperature 0.7 --top-k 20 --seed 4
  charloom generate --run names --samples 10 --stop \"\\n\"
  charloom generate --run anna --prompt-file chapter.txt
  charloom generate --run one --run two --average";

/// The device that computes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Machine")]
pub struct DeviceArgs {
    /// Backend (`charloom devices` lists those of this binary)
    #[arg(long, value_name = "BACKEND", default_value_t)]
    pub backend: Backend,
    /// Index of the backend's device, from 0, or `local-rank`
    ///
    /// `local-rank` is the number of this process among those that `mpirun` has started on this machine: each takes a GPU of
    /// its own.
    #[arg(long, value_name = "N")]
    pub device: Option<DeviceIndex>,
    /// Number of CPU threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// Where runs are.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Run")]
pub struct RunsDir {
    /// Folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub settings: SettingsFlags,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub runs: RunsDir,
    /// Name of the run's folder [default: the name of the text and a number]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub run: Option<String>,
    /// Resume a run (the newest, or `--run`) from its last checkpoint
    ///
    /// The settings are those it started with. Flags may change what decides neither its weights' shapes nor its batches, such
    /// as `--lr`, `--schedule`, `--dropout`, `--epochs`: they hold from the next step on, and the run's `config.toml` says since
    /// when. `--text` names its text where that was moved.
    #[arg(long, help_heading = "Run", conflicts_with = "init_from")]
    pub resume: bool,
    /// Initialise from the weights of a model
    ///
    /// Its cell and sizes are taken over. Weights that belong to characters are matched by character: those that the model
    /// doesn't know are drawn at random, those that the text lacks are dropped.
    #[arg(long, value_name = "MODEL", help_heading = "Run")]
    pub init_from: Option<PathBuf>,
    /// Train so many models with seeds of their own, one after the other, for an ensemble
    ///
    /// By recipe, the minutes are those of all of them together. The runs are NAME-1, NAME-2 and so on. The same command resumes
    /// what was interrupted. `--average` of `eval`, `generate`, `predict` and `score` makes one model of them.
    #[arg(
        long,
        value_name = "K",
        help_heading = "Run",
        value_parser = clap::value_parser!(u16).range(2..=1000),
        requires = "run",
        conflicts_with_all = ["resume", "init_from"]
    )]
    pub members: Option<u16>,
    /// Show what the training would take of memory, time and disk, and write nothing (`charloom plan`)
    #[arg(long, help_heading = "Run", conflicts_with_all = ["resume", "init_from", "members"])]
    pub dry_run: bool,
    /// Print lines instead of showing the dashboard
    #[arg(long, help_heading = "Run")]
    pub plain: bool,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub settings: SettingsFlags,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub models: ModelsArgs,
    #[command(flatten)]
    pub sample: SampleArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// How text is generated. What isn't given is as the model's run had it in `[sample]`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SampleArgs {
    #[command(flatten)]
    pub settings: SampleFlags,
    /// File with the prompt, to its last character; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "sample.prompt")]
    pub prompt_file: Option<PathBuf>,
    /// Characters that the model doesn't know [default: error]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub unknown: Option<UnknownArg>,
    /// Greedy decoding (same as `--temperature 0`)
    #[arg(long, conflicts_with_all = ["sample.temperature", "sample.top_k", "sample.top_p"])]
    pub greedy: bool,
    /// Random seed for sampling [default: random]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Number of texts to generate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub samples: u32,
    /// End a text after this sequence
    ///
    /// As in every text on the command line, `\n`, `\r`, `\t`, `\\` and `\u{e9}` are understood.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Option<String>,
}

impl SampleArgs {
    /// The flags that stand for a key.
    pub fn flags(&self) -> Vec<Flag> {
        let mut flags = self.settings.to_vec();
        if self.greedy {
            let (typed, path) = ("--greedy".to_owned(), "sample.temperature".to_owned());
            flags.push(Flag { typed, path, values: vec!["0".to_owned()] });
        }
        flags
    }
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A model, or the files, folders and patterns of a text; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub batch: BatchFlags,
    #[command(flatten)]
    pub format: FormatFlags,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print all settings: the defaults, overridden by the file and the flags
    Show(Box<SettingsFlags>),
    /// Check a settings file
    Check {
        /// Settings file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON schema of a settings file, for editors that complete and check TOML
    Schema,
}

#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// List the texts that charloom can download
    List,
    /// Download a text to `datasets/` and verify its checksum
    Get {
        /// Its name, as in `dataset list`
        #[arg(value_name = "NAME")]
        name: String,
        /// Copy it from this file instead of downloading it
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
