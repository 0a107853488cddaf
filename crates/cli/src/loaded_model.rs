//! The models that `--model`, `--run` or neither of them selects.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use charloom_model::{ModelFileError, Precision, TrainedModel};
use charloom_train::RunFolder;
use charloom_train::settings::PrecisionConfig;

use crate::args::{ModelsArgs, PrecisionArg};
use crate::report::{Failure, Result, command, quoted_path};
use crate::run_commands::run_command;
use crate::runs::find_run;
use crate::settings::{Layer, Layers, resolve};

/// A model, with the file and the run that it is from.
pub struct LoadedModel {
    pub model: TrainedModel,
    pub path: PathBuf,
    /// The run that it was selected by, if it was.
    run: Option<RunFolder>,
}

impl LoadedModel {
    /// Loads the models of all `--run` and then of all `--model` flags, or the newest run's.
    pub fn load_all(args: &ModelsArgs, device: &Device) -> Result<Vec<Self>> {
        let ModelsArgs { model, run, average: _, precision, runs_dir } = args;
        if run.is_empty() && model.is_empty() {
            return Ok(vec![
                Self::of_run(runs_dir, None, device)?.in_precision(*precision, device)?,
            ]);
        }
        let runs = run.iter().map(|run| Self::of_run(runs_dir, Some(run), device));
        let loaded = runs.chain(model.iter().map(|path| Self::of_file(path, device)));
        loaded.map(|loaded| loaded?.in_precision(*precision, device)).collect()
    }

    /// The model in the precision that was asked for.
    fn in_precision(mut self, asked: PrecisionArg, device: &Device) -> Result<Self> {
        let precision = match asked {
            PrecisionArg::Trained => match self.settings().and_then(|layers| resolve(&layers)) {
                Ok(trained) if trained.train.precision == PrecisionConfig::Bf16 => {
                    Precision::fastest(device)
                }
                // Settings that can't be read are reported where they matter.
                _ => Precision::F32,
            },
            PrecisionArg::F32 => Precision::F32,
            PrecisionArg::Bf16 => PrecisionConfig::Bf16.resolve(device).map_err(|_| {
                Failure::request("`--precision bf16` is for the CPU; other devices compute in f32")
            })?,
        };
        self.model.network = self.model.network.with_precision(precision);
        Ok(self)
    }

    /// Loads a model file.
    fn of_file(path: &Path, device: &Device) -> Result<Self> {
        Ok(Self { model: load(path, device)?, path: path.to_owned(), run: None })
    }

    /// Loads the model of a run, or of the newest.
    fn of_run(runs_dir: &Path, run: Option<&str>, device: &Device) -> Result<Self> {
        let run = find_run(runs_dir, run)?;
        let path = run.model();
        if !path.exists() {
            let failure = Failure::request(format!("the run `{}` has no model yet", run.name()));
            let resume = run.has_checkpoint().then(|| run_command("train --resume", &run));
            return Err(match resume {
                Some(resume) => failure.hint(format!(
                    "a model is written at the first evaluation; `{resume}` resumes the training"
                )),
                None => failure.hint("a model is written at the first evaluation"),
            });
        }
        Ok(Self { model: load(&path, device)?, path, run: Some(run) })
    }

    /// The settings that the model was trained with; what they lack has the default.
    pub fn settings(&self) -> Result<Layers> {
        let layers = Layers::new();
        if let Some(run) = self.run.as_ref().filter(|run| run.config().exists()) {
            return Ok(layers.over(Layer::saved(&run.config())?));
        }
        let Some(text) = &self.model.summary.run_config else { return Ok(layers) };
        // Settings that another version wrote may be invalid here. The model can be used all the same, with the defaults.
        match Layer::saved_text(&self.path, text) {
            Ok(layer) => Ok(layers.over(layer)),
            Err(_) => Ok(layers),
        }
    }
}

/// Loads a model file.
pub fn load(path: &Path, device: &Device) -> Result<TrainedModel> {
    // Whatever fails here is due to the file.
    TrainedModel::load(path, device).map_err(|error| {
        let hint = match &error {
            ModelFileError::NotSafetensors { .. } => Some(
                "a file that was copied or downloaded in part is truncated: copy it again"
                    .to_owned(),
            ),
            ModelFileError::NotAModel { path, .. } => Some(format!(
                "`{} import {}` makes a model of PyTorch's weights",
                command(),
                quoted_path(path)
            )),
            ModelFileError::Version { .. } => {
                Some("a newer version of charloom may read it".to_owned())
            }
            _ => None,
        };
        Failure::request_error(&error).maybe_hint(hint)
    })
}
