//! `charloom import`.

use std::path::{Path, PathBuf};

use charloom_data::{DataConfig, Vocab};
use charloom_model::{Cell, ImportError, ImportOptions, NotPyTorch, TrainedModel, read_vocab};

use super::inspect::{network_line, vocab_line};
use crate::args::ImportArgs;
use crate::device::Backend;
use crate::read_text::read_corpus;
use crate::report::{Failure, Result, command, print_status, shell_quoted};
use crate::settings::{self, FormatFlags, Layers};

/// Converts a PyTorch file to a model file.
pub fn run(args: ImportArgs) -> Result<()> {
    let ImportArgs { file, vocab, vocab_from, format, cell, readout, output, force } = args;
    let output = output.unwrap_or_else(|| file.with_extension("safetensors"));
    let same = |path: &Path| path.canonicalize().ok();
    if output.exists() && same(&output) == same(&file) {
        return Err(Failure::request(format!(
            "the model would overwrite `{}`, the file to import",
            file.display()
        ))
        .hint("`--output FILE` writes to another file"));
    }
    if output.exists() && !force {
        return Err(Failure::request(format!("`{}` already exists", output.display()))
            .hint("`--force` overwrites it; `--output FILE` writes to another file"));
    }
    let vocab = match (vocab, vocab_from.is_empty()) {
        (Some(path), _) => Some(read_vocab(&path).map_err(|error| Failure::request_error(&error))?),
        (None, false) => Some(vocab_of(vocab_from, &format)?),
        (None, true) => None,
    };
    let device = Backend::default().open(None)?;
    let model = TrainedModel::import(&file, ImportOptions { vocab, cell, readout }, &device)
        .map_err(|error| failure(&error))?;
    model.save(&output).map_err(|error| Failure::work_error(&error))?;

    print_status!("network     {}", network_line(&model.config, model.vocab.len()));
    print_status!("characters  {}", vocab_line(model.vocab.chars()));
    if (cell, model.config.cell) == (None, Cell::Tanh) {
        print_status!(
            "assuming tanh layers; if they are ReLU, import again with `--cell relu --force`"
        );
    }
    let output = output.to_string_lossy();
    print_status!("model       `{output}`");
    print_status!("\nto generate text:  {} generate --model {}", command(), shell_quoted(&output));
    Ok(())
}

/// The vocabulary of a text.
fn vocab_of(text: Vec<PathBuf>, format: &FormatFlags) -> Result<Vocab> {
    let data = settings::data(&Layers::new().over_flags(format)?)?;
    Ok(read_corpus(&DataConfig { text: text.into(), ..data })?.vocab().clone())
}

/// The failure of a file that can't be imported.
fn failure(error: &ImportError) -> Failure {
    let failure = Failure::request_error(error);
    match error {
        ImportError::NotPyTorch { source: NotPyTorch::Foreign, .. } => failure.hint(
            "in Python, `torch.save(model.state_dict(), \"weights.pt\")` writes a file that can be imported",
        ),
        ImportError::NotPyTorch { .. } | ImportError::NotSafetensors { .. } => {
            failure.hint(
                "a file that was copied or downloaded in part is truncated: copy it again",
            )
        }
        ImportError::RunsCode { .. } => failure.hint(
            "if you trust the file, load it in Python and save its weights only: \
             `torch.save(model.state_dict(), \"weights.pt\")`",
        ),
        ImportError::Layout { tensors, .. } => failure.hint(format!("the file has the tensors {tensors}")),
        ImportError::NoVocab { .. } => failure.hint(
            "`--vocab FILE` gives the characters in the order of their ids; \
             `--vocab-from TEXT` takes those of a text, sorted by code point",
        ),
        ImportError::VocabSize { needed, .. } => failure.hint(format!(
            "`--vocab FILE` or `--vocab-from TEXT` must give the {needed} characters that the network was trained on"
        )),
        ImportError::Vocab { .. } => {
            failure.hint("`--vocab FILE` gives the characters in the order of their ids")
        }
        ImportError::Missing { .. }
        | ImportError::Unreadable { .. }
        | ImportError::Tensor { .. }
        | ImportError::Values { .. } => failure,
    }
}
