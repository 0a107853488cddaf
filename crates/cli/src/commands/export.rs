//! `charloom export`.

use std::fs;

use charloom_data::atomic;
use charloom_model::ExportFormat;

use crate::args::ExportArgs;
use crate::device::Backend;
use crate::loaded_model::load;
use crate::report::{Failure, Result, command, print_status, quoted_path};

/// Writes a model's weights in another format, and its characters beside them.
pub fn run(args: &ExportArgs) -> Result<()> {
    let ExportArgs { model: path, to, output, force } = args;
    let extension = match to {
        ExportFormat::PyTorch => "pt",
        ExportFormat::Safetensors => "weights.safetensors",
        ExportFormat::Npz => "npz",
    };
    let output = output.clone().unwrap_or_else(|| path.with_extension(extension));
    let characters = output.with_extension("characters.json");
    for file in [&output, &characters] {
        if file.exists() && file.canonicalize().ok() == path.canonicalize().ok() {
            return Err(Failure::request(format!(
                "the weights would overwrite `{}`, the model to export",
                file.display()
            ))
            .hint("`--output FILE` writes to another file"));
        }
    }
    let model = load(path, &Backend::default().open(None)?)?;
    let list: Vec<String> = model.vocab.chars().iter().map(char::to_string).collect();
    let json = serde_json::to_vec(&list).map_err(|error| Failure::work_error(&error))?;
    let has_other_characters =
        characters.exists() && fs::read(&characters).ok() != Some(json.clone());
    for (file, is_there) in [(&output, output.exists()), (&characters, has_other_characters)] {
        if is_there && !force {
            return Err(Failure::request(format!("`{}` already exists", file.display()))
                .hint("`--force` overwrites it; `--output FILE` writes to another file"));
        }
    }
    model.export(*to, &output).map_err(|error| Failure::work_error(&error))?;
    atomic::write(&characters, &json).map_err(|error| {
        Failure::work(format!("cannot write `{}`: {error}", characters.display()))
    })?;
    print_status!("weights     `{}`", output.display());
    print_status!("characters  `{}`", characters.display());
    if *to != ExportFormat::Npz {
        let [output, characters] = [&output, &characters].map(|file| quoted_path(file));
        print_status!(
            "\nto read them back:  {} import {output} --vocab {characters} --output FILE",
            command()
        );
    }
    Ok(())
}
