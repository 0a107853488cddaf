//! The models of a command that uses one, or with `--average` several as one.

use burn::tensor::Device;
use charloom_data::EscapedChar;
use charloom_infer::{Ensemble, EnsembleError};
use charloom_model::Precision;

use crate::args::ModelsArgs;
use crate::loaded_model::LoadedModel;
use crate::report::{Failure, Result, command};
use crate::settings::Layers;

/// Models that act as one; mostly there is just one.
pub struct LoadedEnsemble {
    pub ensemble: Ensemble,
    /// At least one.
    pub models: Vec<LoadedModel>,
}

impl LoadedEnsemble {
    /// Loads the models. More than one is an error without `--average`.
    pub fn load(args: &ModelsArgs, device: &Device) -> Result<Self> {
        let given = args.run.len() + args.model.len();
        if given > 1 && !args.average {
            return Err(Failure::request(format!("{given} models were given, but one is used"))
                .hint(format!(
                    "`--average` averages their probabilities, so that they act as one; `{} score` compares models",
                    command()
                )));
        }
        Self::of(LoadedModel::load_all(args, device)?)
    }

    /// These models as one.
    pub fn of(models: Vec<LoadedModel>) -> Result<Self> {
        let trained = models.iter().map(|loaded| loaded.model.clone());
        let ensemble = Ensemble::new(trained).map_err(|error| match &error {
            EnsembleError::Vocab { char, with, without } => Failure::request(format!(
                "the models have different vocabularies: `{}` has `{}`, but `{}` does not",
                models[*with].path.display(),
                EscapedChar(*char),
                models[*without].path.display()
            ))
            .hint("only models that know the same characters can be averaged"),
            EnsembleError::Empty => Failure::request_error(&error),
        })?;
        Ok(Self { ensemble, models })
    }

    /// The settings that the first model was trained with.
    pub fn settings(&self) -> Result<Layers> {
        self.models.first().map_or_else(|| Ok(Layers::new()), LoadedModel::settings)
    }

    /// The paths of the models in one line, and the precision of those that aren't run in f32.
    pub fn paths(&self) -> String {
        let path = |LoadedModel { model, path, .. }: &LoadedModel| match model.network.precision() {
            Precision::F32 => path.display().to_string(),
            Precision::Bf16 => format!("{} (bf16)", path.display()),
        };
        self.models.iter().map(path).collect::<Vec<_>>().join(" + ")
    }
}
