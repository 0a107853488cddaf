//! `charloom import`.

use std::path::Path;

use charloom_data::{Corpus, Vocab};
use charloom_model::{Cell, ImportError, ImportOptions, NotPyTorch, TrainedModel, read_vocab};

use super::inspect::network_line;
use super::text::corpus_failure;
use crate::args::ImportArgs;
use crate::device::Backend;
use crate::report::{Failure, Result, command, quoted, say};

/// Makes a model file of what PyTorch saved.
pub fn run(args: ImportArgs) -> Result<()> {
    let ImportArgs { file, vocab, vocab_from, cell, output, force } = args;
    let output = output.unwrap_or_else(|| file.with_extension("safetensors"));
    let same = |path: &Path| path.canonicalize().ok();
    if output.exists() && same(&output) == same(&file) {
        return Err(Failure::request(format!(
            "`{}` would be replaced by the model",
            file.display()
        ))
        .hint("`--output FILE` writes another file"));
    }
    if output.exists() && !force {
        return Err(Failure::request(format!("`{}` exists already", output.display()))
            .hint("`--force` replaces it, and `--output FILE` writes another file"));
    }
    let vocab = match (vocab, vocab_from) {
        (Some(path), _) => Some(read_vocab(&path).map_err(|error| Failure::request_error(&error))?),
        (None, Some(text)) => Some(characters_of(&text)?),
        (None, None) => None,
    };
    let device = Backend::default().open(None)?;
    let model = TrainedModel::import(&file, ImportOptions { vocab, cell }, &device)
        .map_err(|error| failure(&error))?;
    model.save(&output).map_err(|error| Failure::work_error(&error))?;

    say!("network     {}", network_line(&model.config, model.vocab.len()));
    say!("characters  {}: {}", model.vocab.len(), model.vocab);
    if (cell, model.config.cell) == (None, Cell::Tanh) {
        say!("taken for tanh layers; if they are ReLU, import again with `--cell relu --force`");
    }
    let output = output.to_string_lossy();
    say!("written     `{output}`");
    say!("\nto write with it:  {} generate --model {}", command(), quoted(&output));
    Ok(())
}

fn characters_of(text: &Path) -> Result<Vocab> {
    let corpus = Corpus::read(text).map_err(|error| corpus_failure(&error))?;
    Ok(corpus.vocab().clone())
}

/// A file that can't be imported, with what would help.
fn failure(error: &ImportError) -> Failure {
    let failure = Failure::request_error(error);
    match error {
        ImportError::NotPyTorch { source: NotPyTorch::Foreign, .. } => failure.hint(
            "in Python, `torch.save(model.state_dict(), \"weights.pt\")` writes what can be imported",
        ),
        ImportError::NotPyTorch { .. } | ImportError::NotSafetensors { .. } => {
            failure.hint("the file was cut short, or is something else")
        }
        ImportError::RunsCode { .. } => failure.hint(
            "if you trust the file, load it in Python and save its weights alone: \
             `torch.save(model.state_dict(), \"weights.pt\")`",
        ),
        ImportError::Layout { tensors, .. } => failure.hint(format!("its tensors are {tensors}")),
        ImportError::NoVocab { .. } => failure.hint(
            "`--vocab FILE` gives them in the order of their ids, \
             and `--vocab-from TEXT` those of a text in the order of their code points",
        ),
        ImportError::VocabSize { needed, .. } => failure.hint(format!(
            "`--vocab FILE` or `--vocab-from TEXT` must give the {needed} characters that it was trained on"
        )),
        ImportError::Vocab { .. } => {
            failure.hint("`--vocab FILE` gives them in the order of their ids")
        }
        ImportError::Missing { .. }
        | ImportError::Unreadable { .. }
        | ImportError::Tensor { .. }
        | ImportError::Values { .. } => failure,
    }
}
