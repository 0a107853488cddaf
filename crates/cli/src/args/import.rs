//! The command line of `import`.

use std::path::PathBuf;

use charloom_model::{Cell, Readout};
use clap::Args;

use crate::settings::FormatFlags;

pub(super) const IMPORT_HELP: &str = "\
FILE holds a state_dict, or a dictionary with one under `state_dict` and perhaps the vocabulary under
`tokens`. No code in it is run. docs/interop.md lists the names and layers that are understood.

examples:
  charloom import rnn_x_epoch.net
  charloom import weights.pt --vocab characters.json --output model.safetensors
  charloom import elman.pt --vocab-from book.txt --cell relu";

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// File written by `torch.save`, or a safetensors file with PyTorch's names
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Vocabulary: characters in the order of their ids, as JSON (a list or a table) or a charloom vocabulary
    #[arg(long, value_name = "FILE", conflicts_with = "vocab_from")]
    pub vocab: Option<PathBuf>,
    /// Text whose distinct characters, sorted by code point, are the vocabulary
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    pub vocab_from: Vec<PathBuf>,
    #[command(flatten)]
    pub format: FormatFlags,
    /// Recurrent cell: lstm, gru, tanh or relu; needed only to tell relu from tanh
    #[arg(long, value_name = "CELL", value_parser = cell)]
    pub cell: Option<Cell>,
    /// What the linear layer reads: last (layer) or sum (of all layers) [default: last]
    #[arg(long, value_name = "READOUT", value_parser = readout)]
    pub readout: Option<Readout>,
    /// Model file to write [default: FILE with the extension .safetensors]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite the model file if it exists
    #[arg(long)]
    pub force: bool,
}

fn readout(typed: &str) -> Result<Readout, String> {
    let found = Readout::ALL.into_iter().find(|readout| readout.name() == typed);
    found.ok_or_else(|| "it must be last or sum".to_owned())
}

fn cell(typed: &str) -> Result<Cell, String> {
    let found = Cell::ALL.into_iter().find(|cell| cell.name() == typed);
    found.ok_or_else(|| "it must be lstm, gru, tanh or relu".to_owned())
}
