//! Continuing from a checkpoint: a run that is resumed, and one that diverged.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use charloom_data::Corpus;
use charloom_model::State;

use super::Trainer;
use crate::checkpoint::{self, Checkpoint};
use crate::progress::TrainProgress;
use crate::weight_average::WeightAverage;
use crate::{CheckpointError, PlateauState, RunConfig, SettingChange, TrainError};

impl Trainer {
    /// A trainer that continues where the newest readable checkpoint in `folder` was written, and why newer ones, if
    /// there are any, can't be read. Settings that decide neither what the weights nor what the batches are may differ from
    /// the checkpoint's ([`RunConfig::is_resumable`]): they hold from its step on.
    ///
    /// # Errors
    /// Those of [`Trainer::new`], and if no checkpoint can be read, or the newest is of another text, or a setting differs
    /// that must stay.
    pub fn resume(
        config: RunConfig,
        corpus: &Corpus,
        device: &Device,
        folder: &Path,
    ) -> Result<(Self, Vec<CheckpointError>), TrainError> {
        let mut trainer = Self::new(config, corpus, device)?;
        let mut unreadable = Vec::new();
        for path in checkpoint::list(folder) {
            match trainer.load(&path) {
                Ok(()) => return Ok((trainer, unreadable)),
                Err(error @ CheckpointError::Read { .. }) => unreadable.push(error),
                Err(error) => return Err(error.into()),
            }
        }
        let none = || CheckpointError::None { folder: folder.to_path_buf() };
        Err(unreadable.into_iter().next().unwrap_or_else(none).into())
    }

    /// Loads a checkpoint; leaves the trainer as it is if that fails.
    fn load(&mut self, path: &Path) -> Result<(), CheckpointError> {
        self.restore(Checkpoint::read(path, &self.device)?, path)
    }

    /// Continues where a checkpoint was written; `path` is where it is from.
    pub(super) fn restore(
        &mut self,
        checkpoint: Checkpoint,
        path: &Path,
    ) -> Result<(), CheckpointError> {
        let Checkpoint { info, model, average, optimizer, state } = checkpoint;
        let changes = info.changes(path, &self.text_sha256, &self.config)?;
        let TrainProgress { batch, phase, .. } = info.progress;
        let invalid = |problem: String| CheckpointError::Read {
            path: path.to_owned(),
            source: problem.into(),
        };
        if phase >= self.train.len() {
            return Err(invalid(format!("phase {phase} of {}", self.train.len())));
        }
        let batches = self.train.batches(phase);
        if batch > batches.len() {
            return Err(invalid(format!("batch {batch} of {}", batches.len())));
        }
        let model = checkpoint::with_weights(self.model.clone(), model, path)?;
        let dims = |state: &State| state.0.iter().map(Tensor::dims).collect::<Vec<[usize; 3]>>();
        let zero = model.zero_state(batches.config().batch_size, &self.device);
        if let Some(found) = state.as_ref().map(dims)
            && found != dims(&zero)
        {
            return Err(invalid(format!("a hidden state of shapes {found:?}")));
        }
        self.average = WeightAverage::new(&model, self.config.train.ema);
        if let (Some(average), Some(record)) = (&mut self.average, average) {
            average.network = checkpoint::with_weights(average.network.clone(), record, path)?;
        }
        self.model = model;
        self.optimizer = self.config.train.optimizer.init().load_record(optimizer);
        (self.state, self.progress, self.norms) = (state, info.progress, info.gradient_norms);
        if !changes.is_empty() {
            // What comes before was trained with other settings.
            self.progress.recovery_step = None;
        }
        if changes.iter().any(SettingChange::is_of_learning_rate) {
            (self.progress.plateau, self.progress.recoveries) = (PlateauState::default(), 0);
        }
        self.changes = info.changes;
        self.changes.extend(changes);
        let window = &mut self.progress.window;
        if window.chars == 0 {
            let chars = self.train.batches(phase).chars_per_batch();
            window.chars = window.steps.saturating_mul(chars);
        }
        Ok(())
    }

    /// Goes back to the checkpoint in `folder` that is kept for it, with the learning rate halved once more. False if the
    /// settings don't ask for another recovery, or there is no such checkpoint.
    ///
    /// # Errors
    /// If the checkpoint can't be read.
    pub(crate) fn recover(&mut self, folder: &Path) -> Result<bool, CheckpointError> {
        let recoveries = self.progress.recoveries + 1;
        let step = self.progress.recovery_step.filter(|_| recoveries <= self.config.train.recover);
        let Some(path) = step.and_then(|step| checkpoint::of_step(folder, step)) else {
            return Ok(false);
        };
        self.load(&path)?;
        self.progress.recoveries = recoveries;
        Ok(true)
    }
}
