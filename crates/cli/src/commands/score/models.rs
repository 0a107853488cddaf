//! Several models, each with a name.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use charloom_model::TrainedModel;

use crate::args::{ModelArgs, ModelsArgs};
use crate::commands::model::Chosen;
use crate::report::{Failure, Result};

/// A model with the name that rows and labels know it by.
pub struct Named {
    pub name: String,
    pub model: TrainedModel,
}

/// Loads the models of all runs and files that were named, or of the newest run.
pub fn load_all(args: &ModelsArgs, device: &Device) -> Result<Vec<Named>> {
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
    let mut wanted: Vec<ModelArgs> = runs.chain(model.iter().map(of_file)).collect();
    if wanted.is_empty() {
        wanted.push(of_run(None));
    }
    let mut models: Vec<Named> = Vec::with_capacity(wanted.len());
    for args in &wanted {
        let chosen = Chosen::load(args, device)?;
        let name = name_of(&chosen.path);
        if models.iter().any(|other| other.name == name) {
            return Err(Failure::request(format!("two of the models have the name `{name}`"))
                .hint("a model is called as its run, or as its file without the ending: name a copy otherwise"));
        }
        models.push(Named { name, model: chosen.model });
    }
    Ok(models)
}

/// The name of the file without its ending, unless that is what a run calls its model: then the folder's.
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
    fn a_model_is_called_as_its_run_or_its_file() {
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
