//! The models of `charloom score`, each with a name.

use std::path::Path;

use burn::tensor::Device;
use charloom_infer::Ensemble;

use crate::args::ModelsArgs;
use crate::loaded_ensemble::LoadedEnsemble;
use crate::loaded_model::LoadedModel;
use crate::report::{Failure, Result};

/// A model, or the average of several, with the name that it has in rows and labels.
pub struct NamedModel {
    pub name: String,
    pub model: Ensemble,
}

/// Loads the models of all `--run` and `--model` flags, or of the newest run; with `--average` they are one.
pub fn load_all(args: &ModelsArgs, device: &Device) -> Result<Vec<NamedModel>> {
    let loaded = LoadedModel::load_all(args, device)?;
    let names: Vec<String> = loaded.iter().map(|model| name_of(&model.path)).collect();
    if args.average {
        let model = LoadedEnsemble::of(loaded)?.ensemble;
        return Ok(vec![NamedModel { name: names.join(" + "), model }]);
    }
    let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    if let Some((_, name)) = twice {
        return Err(Failure::request(format!("two models have the name `{name}`"))
            .hint("a model is named after its run, or after its file without the extension: copy one to a file of another name"));
    }
    let alone =
        |(name, model)| Ok(NamedModel { name, model: LoadedEnsemble::of(vec![model])?.ensemble });
    names.into_iter().zip(loaded).map(alone).collect()
}

/// The name of the run's folder for a run's `model.safetensors`; otherwise the name of the file without its extension.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    let folder = path.parent().and_then(Path::file_name);
    let name = match folder {
        Some(folder) if path.file_name().is_some_and(|name| name == "model.safetensors") => folder,
        _ => stem,
    };
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_after_its_run_or_its_file() {
        for (path, name) in [
            ("runs/anna/model.safetensors", "anna"),
            ("model.safetensors", "model"),
            ("models/german.v2.safetensors", "german.v2"),
            ("german", "german"),
        ] {
            assert_eq!(name_of(Path::new(path)), name);
        }
    }
}
