//! The command line of `import`.

use std::path::PathBuf;

use charloom_model::{Cell, Readout, TensorRole};
use clap::Args;

use crate::settings::FormatFlags;

pub(super) const IMPORT_HELP: &str = "\
FILE is what `torch.save` or `torch.jit.save` wrote, a safetensors file, or a folder of shards with its
index. The network is recognised by the shapes of its tensors, wherever they lie and whatever their
names are, and the vocabulary by its form. No code in the file is run. docs/interop.md has the rules.

examples:
  charloom import rnn_x_epoch.net
  charloom import weights.pt --vocab characters.json --output model.safetensors
  charloom import elman.pt --vocab-from book.txt --cell relu
  charloom import averaged.pt --map ema=ignore";

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// File or folder of weights that PyTorch wrote
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
    /// Role of a tensor or module where its shape leaves it open: NAME=ROLE
    ///
    /// ROLE is `embed`, `rnn`, `fc`, the name of a parameter as model files have it (such as `rnn.weight_ih_l0`), or `ignore` for
    /// what the network doesn't need. NAME is that of a tensor, or the part of it before a dot, as the messages show it.
    #[arg(long = "map", value_name = "NAME=ROLE", value_parser = TensorRole::parse)]
    pub roles: Vec<TensorRole>,
    /// Model file to write [default: FILE with the extension .safetensors, or .model.safetensors]
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
