//! The command lines of what compares runs: `plot` and `sweep`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{DeviceArgs, RunsDir};

pub(super) const PLOT_HELP: &str = "\
Without `--output`, `loss.svg` and `loss.png` (or the like, with `--metric`) are written to the
run's folder, and to the folder of the runs if there are several.

examples:
  charloom plot anna
  charloom plot small large --output sizes.svg
  charloom plot --runs-dir runs/sizes hidden_size-64 hidden_size-128 --metric bits";

pub(super) const SWEEP_HELP: &str = "\
A sweep is a file such as

  name = \"sizes\"                      # of its folder below the runs; the file's name if left out
  config = \"configs/anna.toml\"        # settings to begin with, if any
  [set]                               # settings that all runs have
  train.epochs = 5
  [grid]                              # each combination of these is a run
  model.hidden_size = [64, 128]
  train.optimizer.lr = [1e-3, 2e-3]

In place of `[grid]`, or crossed with it, `[[run]]` tables list settings that belong together;
a `name` there names the run. Paths are relative to the current folder. Every run is checked
before the first one begins. Runs stand in a folder of the sweep's own, with `sweep.csv`,
`loss.svg` and `loss.png` beside them.

Ctrl-C ends the sweep after the current step, with everything saved (exit code 0); the same
command goes on with it, and trains no run again that is done. A run that fails stops no other,
and makes the exit code 1.";

#[derive(Debug, Args)]
pub struct PlotArgs {
    /// Names of the runs, folders below the runs [default: the newest]
    #[arg(value_name = "RUN")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub runs: RunsDir,
    /// What is drawn
    #[arg(long, value_enum, default_value_t = Metric::Loss, help_heading = "Picture")]
    pub metric: Metric,
    /// File to write, in the format that its name ends with: `.svg` or `.png`
    #[arg(long, value_name = "FILE", help_heading = "Picture")]
    pub output: Option<PathBuf>,
}

/// A way to tell how well characters are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Nats per character
    Loss,
    /// Its exponential: among how many characters the model wavers
    Perplexity,
    /// Bits per character
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
