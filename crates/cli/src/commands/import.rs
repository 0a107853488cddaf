//! `charloom import`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use charloom_data::{DataConfig, Vocab};
use charloom_model::{
    Cell, ImportError, ImportOptions, Imported, NotPyTorch, TensorRole, TrainedModel, read_vocab,
};

use super::inspect::{network_line, vocab_line};
use crate::args::ImportArgs;
use crate::device::Backend;
use crate::read_text::read_corpus;
use crate::report::{Failure, Result, command, print_status, shell_quoted};
use crate::settings::{self, FormatFlags, Layers};

/// Converts a PyTorch file to a model file.
pub fn run(args: ImportArgs) -> Result<()> {
    let ImportArgs { file, vocab, vocab_from, format, cell, readout, roles, output, force } = args;
    let extension = match file.extension() {
        Some(extension) if extension == "safetensors" => "model.safetensors",
        _ => "safetensors",
    };
    let output = output.unwrap_or_else(|| file.with_extension(extension));
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
    let options = ImportOptions { vocab, cell, readout, roles };
    let Imported { model, vocab_key, names } =
        TrainedModel::import(&file, options, &device).map_err(|error| failure(&error))?;
    model.save(&output).map_err(|error| Failure::work_error(&error))?;

    print_status!("network     {}", network_line(&model.config, model.vocab.len()));
    print_status!("tensors     {}", names_line(&names));
    print_status!("characters  {}", vocab_line(model.vocab.chars()));
    if let Some(key) = vocab_key {
        print_status!("            from `{key}` in the file");
    }
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

/// Which tensors of the file became the parts of the network.
fn names_line(names: &BTreeMap<String, String>) -> String {
    let parts = [
        ("embed.weight", "embedding"),
        ("rnn.weight_ih_l0", "first layer"),
        ("fc.weight", "output"),
    ];
    let parts = parts.iter().filter_map(|(parameter, part)| {
        names.get(*parameter).map(|name| format!("`{name}` {part}"))
    });
    parts.collect::<Vec<_>>().join(", ")
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
        ImportError::NotPyTorch { source: NotPyTorch::Foreign | NotPyTorch::OtherPickle, .. } => failure.hint(
            "in Python, `torch.save(model.state_dict(), \"weights.pt\")` writes a file that can be imported",
        ),
        ImportError::NotPyTorch { .. } | ImportError::NotSafetensors { .. } => {
            failure.hint(
                "a file that was copied or downloaded in part is truncated: copy it again",
            )
        }
        ImportError::Layout { choices, .. } if !choices.is_empty() => {
            let choices = choices.iter().map(|TensorRole { name, role }| {
                format!("--map {}", shell_quoted(&format!("{name}={role}")))
            });
            failure.hint(format!(
                "`{}` chooses one reading; docs/interop.md has the roles",
                choices.collect::<Vec<_>>().join(" ")
            ))
        }
        ImportError::Layout { tensors, .. } | ImportError::Unnamed { tensors, .. } => {
            failure.hint(format!("the file has the tensors {tensors}"))
        }
        ImportError::NoVocab { .. } => failure.hint(
            "`--vocab FILE` gives the characters in the order of their ids; \
             `--vocab-from TEXT` takes those of a text, sorted by code point",
        ),
        ImportError::VocabSize { needed, .. } | ImportError::OwnVocabSize { needed, .. } => failure.hint(format!(
            "`--vocab FILE` or `--vocab-from TEXT` must give the {needed} characters that the network was trained on"
        )),
        ImportError::Vocab { .. } | ImportError::TwoVocabs { .. } => {
            failure.hint("`--vocab FILE` gives the characters in the order of their ids")
        }
        ImportError::Missing { .. }
        | ImportError::Folder { .. }
        | ImportError::Index { .. }
        | ImportError::Unreadable { .. }
        | ImportError::Tensor { .. }
        | ImportError::Values { .. } => failure,
    }
}
