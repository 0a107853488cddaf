//! The command lines of `plot` and `sweep`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DeviceArgs, RunsDir};

pub(super) const PLOT_HELP: &str = "\
Without `--output`, writes `loss.svg` and `loss.png` (named after `--metric`) to the run's folder, or
to the folder of the runs if there are several.

examples:
  charloom plot anna
  charloom plot small large --output sizes.svg
  charloom plot --runs-dir runs/sizes hidden_size-64 hidden_size-128 --metric bits";

pub(super) const SWEEP_HELP: &str = "\
A sweep is a file such as

  name = \"sizes\"                      # folder of its runs [default: the name of the file]
  config = \"configs/anna.toml\"        # settings file to start from, if any
  [set]                               # settings of all runs
  train.epochs = 5
  [grid]                              # each combination is a run
  model.hidden_size = [64, 128]
  train.optimizer.lr = [1e-3, 2e-3]

Instead of `[grid]`, or combined with it, `[[run]]` tables list settings that belong together; a
`name` in one names the run. `[random]` draws values:

  [random]
  runs = 20                           # so many for each combination of the grid
  seed = 1                            # another seed draws others
  train.optimizer.lr = { log_uniform = [1e-4, 1e-2] }
  model.dropout = { uniform = [0.0, 0.5] }
  model.cell = [\"lstm\", \"gru\"]

Between integers, integers are drawn. Paths are relative to the current folder. All runs are checked
before the first one starts. They are written to a folder of the sweep, with `sweep.csv`, `loss.svg`
and `loss.png` beside them.

Ctrl-C ends the sweep after the current step, with everything saved (exit code 130); the same command
resumes it and skips the runs that are done. More epochs in the file train all runs further; further
values, or more random runs, add runs. A run that fails doesn't stop the others; the exit code is then 1.

Several processes or machines share a sweep with `--only`: each trains a run of its own. `--table`
compares them at the end.

examples:
  charloom sweep sizes.toml
  charloom sweep sizes.toml --minutes 5
  charloom sweep sizes.toml --list | parallel -j4 charloom sweep sizes.toml --threads 2 --only {}
  charloom sweep sizes.toml --table";

#[derive(Debug, Args)]
pub struct PlotArgs {
    /// Names of the runs [default: the newest]
    #[arg(value_name = "RUN")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub runs: RunsDir,
    /// Metric to plot
    #[arg(long, value_enum, default_value_t = Metric::Loss, help_heading = "Output")]
    pub metric: Metric,
    /// File to write: `.svg` or `.png`
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
}

/// A measure of how well characters are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Nats per character
    Loss,
    /// exp(loss)
    Perplexity,
    /// Bits per character: loss / ln 2
    Bits,
}

#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Sweep file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Minutes that each run takes; what the file doesn't set is fitted to the text and the time
    ///
    /// As `--minutes` of `train`, and as `train.minutes` in the file. It replaces the file's number of epochs or steps.
    #[arg(long, value_name = "M", help_heading = "Run")]
    pub minutes: Option<String>,
    /// Print the names of the runs, and train nothing
    #[arg(long, help_heading = "Run", conflicts_with_all = ["only", "table"])]
    pub list: bool,
    /// Train one run, by its name or its number in `--list`, from 0; no table is written
    #[arg(long, value_name = "RUN", help_heading = "Run", conflicts_with = "table")]
    pub only: Option<String>,
    /// Compare the runs as they are, and train nothing
    #[arg(long, help_heading = "Run")]
    pub table: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub runs: RunsDir,
}
