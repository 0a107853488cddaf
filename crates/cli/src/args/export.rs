//! The command line of `export`.

use std::path::PathBuf;

use charloom_model::ExportFormat;
use clap::Args;

pub(super) const EXPORT_HELP: &str = "\
The weights are written under PyTorch's names, and nothing else: `model.load_state_dict` takes them as they
are. The characters, in the order of their ids, go to a JSON file beside them.

examples:
  charloom export runs/anna/model.safetensors --to pytorch
  charloom export runs/anna/model.safetensors --to npz --output anna.npz";

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Model file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Format: pytorch (a state_dict), safetensors, or npz (NumPy)
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub to: ExportFormat,
    /// File to write [default: MODEL with the extension .pt, .weights.safetensors or .npz]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long)]
    pub force: bool,
}

fn format(typed: &str) -> Result<ExportFormat, String> {
    let found = ExportFormat::ALL.into_iter().find(|format| format.name() == typed);
    found.ok_or_else(|| "it must be pytorch, safetensors or npz".to_owned())
}
