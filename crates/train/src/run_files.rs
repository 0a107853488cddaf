//! What a training leaves in its run folder; rank 0 of a process group alone does.

use std::fs::File;
use std::path::PathBuf;

use charloom_data::derive_seed;
use charloom_infer::GenerateConfig;
use charloom_model::TrainedModel;

use crate::metrics_csv::{CsvLog, StepRow};
use crate::observer::EvalReport;
use crate::trainer::Trainer;
use crate::{
    EvalInterval, MetricsRow, RunConfig, RunError, RunFolder, StepReport, TrainError, checkpoint,
};

/// The files of a run while it is trained.
pub(crate) struct RunFiles<'a> {
    pub run: &'a RunFolder,
    metrics: CsvLog,
    steps: Option<CsvLog>,
    /// Keeps other processes from training the run.
    _lock: File,
}

impl<'a> RunFiles<'a> {
    /// Locks the run folder and opens its logs, without what they have of later steps than the trainer's.
    pub fn open(run: &'a RunFolder, trainer: &Trainer) -> Result<Self, RunError> {
        let lock = run.lock()?;
        run.write_config(&trainer.config_toml)?;
        checkpoint::remove_drafts(&run.checkpoints());
        let (metrics, steps) = Self::open_logs(run, trainer)?;
        Ok(Self { run, metrics, steps, _lock: lock })
    }

    /// `metrics.csv`, and `steps.csv` if the settings ask for it, with nothing in them of what is still to come.
    fn open_logs(run: &RunFolder, trainer: &Trainer) -> Result<(CsvLog, Option<CsvLog>), RunError> {
        let (progress, ranks) = (&trainer.progress, trainer.group.size());
        let metrics = CsvLog::metrics(&run.metrics(), progress.last_eval_step, ranks > 1)?;
        let steps = match trainer.config.train.step_log {
            true => Some(CsvLog::steps(&run.steps(), progress.step)?),
            false => None,
        };
        Ok((metrics, steps))
    }

    /// Drops what the logs have of later steps than the trainer's, which has gone back.
    pub fn reopen_logs(&mut self, trainer: &Trainer) -> Result<(), RunError> {
        (self.metrics, self.steps) = Self::open_logs(self.run, trainer)?;
        Ok(())
    }

    /// Appends a row of `steps.csv`, if the settings ask for it.
    pub fn add_step(&mut self, report: &StepReport) -> Result<(), RunError> {
        match &mut self.steps {
            Some(steps) => steps.append(&StepRow::from(report)),
            None => Ok(()),
        }
    }

    /// Keeps the model that was evaluated if it is the best, generates a sample and appends a row of metrics. Returns the
    /// sample.
    pub fn add_evaluation(
        &mut self,
        model: &TrainedModel,
        report: &EvalReport,
        config: &RunConfig,
    ) -> Result<String, TrainError> {
        if report.is_best {
            model.save(&self.run.model())?;
        }
        let sample = self.sample(model, report, config)?;
        self.metrics.append_metrics(&report.metrics)?;
        self.metrics.sync()?;
        self.sync_steps()?;
        Ok(sample)
    }

    /// What the model generates now, in a file too.
    fn sample(
        &self,
        model: &TrainedModel,
        report: &EvalReport,
        config: &RunConfig,
    ) -> Result<String, TrainError> {
        let MetricsRow { epoch, step, .. } = report.metrics;
        let (name, number) = match config.train.eval_every {
            EvalInterval::Epochs(_) => (format!("epoch-{epoch:03}"), epoch),
            EvalInterval::Steps(_) => (format!("step-{step:08}"), step),
        };
        let mut text = String::new();
        if config.sample.length > 0 {
            let config = GenerateConfig {
                prompt: config.sample.prompt.clone(),
                length: config.sample.length,
                sampling: config.sample.sampling(),
                seed: derive_seed(config.train.seed, number as u64),
                stop: None,
            };
            text = format!("{}{}", config.prompt, charloom_infer::generate(model, &config)?);
        }
        self.run.write_sample(&name, &text)?;
        Ok(text)
    }

    /// Brings `steps.csv` to disk.
    fn sync_steps(&mut self) -> Result<(), RunError> {
        self.steps.as_mut().map_or(Ok(()), CsvLog::sync)
    }

    /// Writes a checkpoint.
    pub fn save(&mut self, trainer: &Trainer) -> Result<PathBuf, TrainError> {
        self.sync_steps()?;
        trainer.save(&self.run.checkpoints())
    }
}
