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
`name` in one names the run. Paths are relative to the current folder. All runs are checked before
the first one starts. They are written to a folder of the sweep, with `sweep.csv`, `loss.svg` and
`loss.png` beside them.

Ctrl-C ends the sweep after the current step, with everything saved (exit code 130); the same command
resumes it and skips the runs that are done. More epochs in the file train all runs further. A run
that fails doesn't stop the others; the exit code is then 1.";

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
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub runs: RunsDir,
}
