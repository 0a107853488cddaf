//! The flags that select models.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The models to use.
#[derive(Debug, Args)]
#[command(next_help_heading = "Models")]
pub struct ModelsArgs {
    /// Model file; may be repeated
    #[arg(long, value_name = "FILE")]
    pub model: Vec<PathBuf>,
    /// Run whose model to use; may be repeated [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub run: Vec<String>,
    /// Average the probabilities of several models, which then act as one
    ///
    /// The models must know the same characters; their cells and sizes may differ. Where settings matter, they are those of
    /// the first model: runs come before files.
    #[arg(long)]
    pub average: bool,
    /// Precision of products
    #[arg(long, value_name = "PRECISION", default_value = "trained", help_heading = "Machine")]
    pub precision: PrecisionArg,
    /// Folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
}

/// The precision in which a model is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    /// That of the training, but f32 where this machine computes bf16 slower
    Trained,
    /// Single precision
    F32,
    /// bfloat16, with sums in f32; on the CPU only
    Bf16,
}
