//! A run of a sweep, from its check to its end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use burn::train::Interrupter;
use charloom_data::{Corpus, DataConfig, Documents, Newlines, Normalize, TextPaths};
use charloom_train::{MetricsRow, Outcome, RunError, RunFolder, TrainError, Trainer};

use super::status::{RunStatus, run_status};
use crate::args::DeviceArgs;
use crate::progress::Progress;
use crate::read_text::read_corpus;
use crate::recipe;
use crate::report::{Failure, Result};
use crate::run_banner::banner;
use crate::runs::run_failure;
use crate::settings::{self, PlannedRun, Sweep};

/// The texts of all runs, each read once.
pub struct Texts(HashMap<TextKey, Corpus>);

/// What decides which characters a text has.
type TextKey = (TextPaths, String, Newlines, Normalize, Documents, u64, bool);

fn key_of(data: &DataConfig) -> TextKey {
    let DataConfig { newlines, normalize, documents, min_count, trim_gutenberg, .. } = *data;
    let (text, encoding) = (data.text.clone(), data.encoding.clone());
    (text, encoding, newlines, normalize, documents, min_count, trim_gutenberg)
}

impl Texts {
    /// Reads the texts of all runs.
    pub fn read(file: &Path, sweep: &Sweep) -> Result<Self> {
        let mut texts = HashMap::new();
        for PlannedRun { config, layers, .. } in &sweep.runs {
            if let Entry::Vacant(entry) = texts.entry(key_of(&config.data)) {
                let corpus = read_corpus(&config.data).map_err(|failure| {
                    let place = layers.origin("data.text").unwrap_or_else(|| {
                        format!("`{}` does not set it, so it is the default", file.display())
                    });
                    failure.at(format!("{place}: `data.text`"))
                })?;
                entry.insert(corpus);
            }
        }
        Ok(Self(texts))
    }

    /// The text of one of the runs.
    pub fn of(&self, run: &PlannedRun) -> &Corpus {
        &self.0[&key_of(&run.config.data)]
    }
}

/// Fails if the settings of a run don't fit its text.
pub fn check(file: &Path, planned: &PlannedRun, corpus: &Corpus) -> Result<()> {
    let checked = match recipe::applies_for_minutes(&planned.layers, &planned.config)? {
        true => &recipe::with_smallest_batches(&planned.layers, &planned.config),
        false => &planned.config,
    };
    Trainer::check(checked, corpus).map_err(|error| mismatch(file, planned, &error))?;
    Ok(())
}

/// The failure of a run whose settings don't fit its text.
fn mismatch(file: &Path, planned: &PlannedRun, error: &TrainError) -> Failure {
    let keys: &[&str] = match error {
        TrainError::Prompt(_) => &["sample.prompt"],
        TrainError::BatchSchedule { .. } => {
            &["data.batch_schedule", "data.valid_fraction", "data.text"]
        }
        _ => &["data.batch_size", "data.seq_length", "data.valid_fraction", "data.text"],
    };
    let origins: Vec<_> = keys
        .iter()
        .filter_map(|key| Some(format!("`{key}` is from {}", planned.layers.origin(key)?)))
        .collect();
    let place = format!("`{}`: the run `{}`", file.display(), planned.name);
    let failure = Failure::request_error(error).at(place);
    match origins.is_empty() {
        true => failure.hint(format!("this depends on `{}`", keys.join("`, `"))),
        false => failure.hint(origins.join("; ")),
    }
}

/// A run whose settings fit its text.
pub struct Prepared<'a> {
    pub planned: &'a PlannedRun,
    corpus: &'a Corpus,
    pub status: RunStatus,
}

impl<'a> Prepared<'a> {
    /// Checks a run, and how far it is. `folder` is the sweep's.
    pub fn new(
        file: &Path,
        folder: &Path,
        planned: &'a PlannedRun,
        corpus: &'a Corpus,
    ) -> Result<Self> {
        check(file, planned, corpus)?;
        let status = run_status(folder, planned, corpus)?;
        Ok(Self { planned, corpus, status })
    }

    pub fn is_finished(&self) -> bool {
        matches!(self.status, RunStatus::Finished(_))
    }

    /// Trains the run to its end, from its checkpoint if it has one.
    pub fn train(
        self,
        folder: &Path,
        device: &Device,
        interrupter: &Interrupter,
        machine: &DeviceArgs,
    ) -> Result<(RunFolder, Result<Outcome, TrainError>)> {
        let Self { planned, corpus, status } = self;
        let create = || RunFolder::create(folder, &planned.name).map_err(|e| run_failure(&e));
        let run = match &status {
            RunStatus::Finished(run) => {
                let unchanged = Outcome::Finished { best_valid_loss: None, step: 0 };
                return Ok((run.clone(), Ok(unchanged)));
            }
            RunStatus::Started(run) | RunStatus::Resumable(run) => run.clone(),
            RunStatus::New => create()?,
        };
        let fitted = match planned.by_recipe {
            true => {
                let layers = planned.layers.clone();
                recipe::fitted(layers, &planned.config, corpus, device, Instant::now())?
            }
            false => Ok((planned.layers.clone(), planned.config.clone())),
        };
        let (layers, config) = match fitted {
            Ok(fitted) => fitted,
            Err(error) => return Ok((run, Err(error))),
        };
        let config_toml = settings::show(&config, &layers);
        // Without samples, which would hide the numbers that a sweep is about.
        let mut progress = Progress::new(banner(&config, &run, machine), None);
        let trainer = match status {
            RunStatus::Resumable(_) => {
                let resumed = Trainer::resume(config, corpus, device, &run.checkpoints());
                resumed.map(|(trainer, _skipped)| trainer)
            }
            _ => Trainer::new(config, corpus, device),
        };
        let ended = trainer.and_then(|trainer| {
            trainer.with_config_toml(config_toml).run(&run, interrupter, &mut progress)
        });
        Ok((run, ended))
    }
}

/// The evaluations of a run, if there are any.
pub fn metrics(run: &RunFolder) -> Result<Vec<MetricsRow>> {
    match run.read_metrics() {
        Err(RunError::NoMetrics { .. }) => Ok(Vec::new()),
        rows => rows.map_err(|error| run_failure(&error)),
    }
}
