//! The models of `charloom score`, each with a name.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use charloom_model::TrainedModel;

use crate::args::{ModelArgs, ModelsArgs};
use crate::loaded_model::LoadedModel;
use crate::report::{Failure, Result};

/// A model with the name that it has in rows and labels.
pub struct NamedModel {
    pub name: String,
    pub model: TrainedModel,
}

/// Loads the models of all `--run` and `--model` flags, or of the newest run.
pub fn load_all(args: &ModelsArgs, device: &Device) -> Result<Vec<NamedModel>> {
    let ModelsArgs { model, run, runs_dir } = args;
    let of_run = |run: Option<&String>| ModelArgs {
        model: None,
        run: run.cloned(),
        runs_dir: runs_dir.clone(),
    };
    let of_file = |path: &PathBuf| ModelArgs {
        model: Some(path.clone()),
        run: None,
        runs_dir: runs_dir.clone(),
    };
    let runs = run.iter().map(|run| of_run(Some(run)));
    let mut selected: Vec<ModelArgs> = runs.chain(model.iter().map(of_file)).collect();
    if selected.is_empty() {
        selected.push(of_run(None));
    }
    let mut models: Vec<NamedModel> = Vec::with_capacity(selected.len());
    for args in &selected {
        let loaded = LoadedModel::load(args, device)?;
        let name = name_of(&loaded.path);
        if models.iter().any(|other| other.name == name) {
            return Err(Failure::request(format!("two models have the name `{name}`"))
                .hint("a model is named after its run, or after its file without the extension: copy one to a file of another name"));
        }
        models.push(NamedModel { name, model: loaded.model });
    }
    Ok(models)
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
