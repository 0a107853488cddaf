//! The command line of `import`.

use std::path::PathBuf;

use charloom_model::Cell;
use clap::Args;

pub(super) const IMPORT_HELP: &str = "\
FILE holds a state_dict, or a dictionary with one under `state_dict` and perhaps the characters under `tokens`.
Nothing in it is run. `docs/interop.md` tells which names and layers are understood.

examples:
  charloom import rnn_x_epoch.net
  charloom import weights.pt --vocab characters.json --output model.safetensors
  charloom import elman.pt --vocab-from book.txt --cell relu";

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What `torch.save` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Characters in the order of their ids: a vocabulary file of charloom's, or JSON (a list, or a table)
    #[arg(long, value_name = "FILE", conflicts_with = "vocab_from")]
    pub vocab: Option<PathBuf>,
    /// Text whose distinct characters, in the order of their code points, are the vocabulary
    #[arg(long, value_name = "TEXT")]
    pub vocab_from: Option<PathBuf>,
    /// Cell of the layers (lstm, gru, tanh, relu); weights tell all but relu from tanh
    #[arg(long, value_name = "CELL", value_parser = cell)]
    pub cell: Option<Cell>,
    /// Model file to write [default: FILE with the ending .safetensors]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the model file if there is one
    #[arg(long)]
    pub force: bool,
}

fn cell(typed: &str) -> Result<Cell, String> {
    let found = Cell::ALL.into_iter().find(|cell| cell.name() == typed);
    found.ok_or_else(|| "it must be lstm, gru, tanh or relu".to_owned())
}
