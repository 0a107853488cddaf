//! [`Trainer::run`]: the training loop, and what it leaves in the run folder.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use charloom_infer::Evaluation;
use charloom_model::TrainingSummary;

use crate::checkpoint;
use crate::observer::{EvalReport, Observer, RecoveryReport};
use crate::progress::TrainProgress;
use crate::run_files::RunFiles;
use crate::trainer::Trainer;
use crate::weight_average::Weights;
use crate::{MetricsRow, RunFolder, TrainError};

/// A checkpoint is written when the last one is older than this: what a crash can cost.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);
/// At the end of an epoch and before an evaluation, which may take long, one is written when the last is older than this.
const WORTH_SAVING: Duration = Duration::from_secs(10);

/// How a training ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs, or all steps, are done.
    Finished {
        /// Lowest validation loss of the run.
        best_valid_loss: Option<f64>,
        /// Optimizer steps of the whole run.
        step: usize,
    },
    /// The validation loss has not improved for `patience` evaluations.
    StoppedEarly {
        /// Lowest validation loss of the run.
        best_valid_loss: Option<f64>,
        /// The epoch of the last step.
        epoch: usize,
        /// Optimizer steps of the whole run.
        step: usize,
    },
    /// Interrupted on request; everything is saved.
    Interrupted {
        /// Optimizer steps of the whole run.
        step: usize,
    },
}

impl Trainer {
    /// Trains to the end, or until `interrupter` asks to stop, and leaves everything in `run`: the settings, the best
    /// model, checkpoints, metrics and samples.
    ///
    /// # Errors
    /// If training diverges, a file can't be written or another process trains the run. The best model and the last
    /// checkpoint stay as they are.
    pub fn run(
        &mut self,
        run: &RunFolder,
        interrupter: &Interrupter,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, TrainError> {
        let files = RunFiles::open(run, self)?;
        self.session(Some(files), interrupter, observer).train()
    }

    /// Takes part in the training that rank 0 of a process group [`run`](Self::run)s, to its end.
    ///
    /// # Errors
    /// If training diverges, which all ranks notice at the same step, or the device fails.
    pub fn follow(&mut self, interrupter: &Interrupter) -> Result<Outcome, TrainError> {
        self.session(None, interrupter, &mut ()).train()
    }

    fn session<'a>(
        &'a mut self,
        files: Option<RunFiles<'a>>,
        interrupter: &'a Interrupter,
        observer: &'a mut dyn Observer,
    ) -> Session<'a> {
        observer.started(&self.info());
        let now = Instant::now();
        let seconds_before = self.progress.seconds;
        let (unsaved, last_saved, started) = (false, now, now);
        Session {
            trainer: self,
            files,
            interrupter,
            observer,
            unsaved,
            last_saved,
            started,
            seconds_before,
        }
    }
}

/// One call of [`Trainer::run`] or [`Trainer::follow`].
struct Session<'a> {
    trainer: &'a mut Trainer,
    /// The run folder: that of rank 0 alone.
    files: Option<RunFiles<'a>>,
    interrupter: &'a Interrupter,
    observer: &'a mut dyn Observer,
    /// Whether something has happened since the last checkpoint.
    unsaved: bool,
    last_saved: Instant,
    started: Instant,
    /// Seconds of the run before this session.
    seconds_before: f64,
}

impl Session<'_> {
    /// Trains to the end, from an earlier checkpoint again where the training diverges.
    fn train(&mut self) -> Result<Outcome, TrainError> {
        if self.trainer.progress.recovery_step.is_none() {
            self.save_to_recover()?;
        }
        loop {
            match self.train_until_divergence() {
                Err(error) if error.is_divergence() => self.recover(error)?,
                ended => return ended,
            }
        }
    }

    fn train_until_divergence(&mut self) -> Result<Outcome, TrainError> {
        loop {
            if self.trainer.evaluation_is_due() && !self.evaluate(true)? {
                return self.interrupted();
            }
            if self.trainer.epoch_is_over() {
                self.trainer.start_next_epoch();
                self.unsaved = true;
                self.save_if_worth_it()?;
            }
            let (progress, config) = (&self.trainer.progress, &self.trainer.config.train);
            if progress.steps_are_done(self.trainer.total_steps()) {
                return self.finished();
            }
            if progress.stopped_improving(config) {
                return self.stopped_early();
            }

            let report = self.trainer.step()?;
            self.unsaved = true;
            if let Some(files) = &mut self.files {
                files.add_step(&report)?;
            }
            self.observer.step(&report);
            let wishes =
                [self.interrupter.should_stop(), self.last_saved.elapsed() >= CHECKPOINT_INTERVAL];
            let [stop, save] = self.trainer.any_rank(wishes);
            if stop {
                return self.interrupted();
            }
            if save {
                self.save()?;
            }
        }
    }

    /// Evaluates the model, keeps it if it is the best, generates a sample and writes a row of metrics. False if it was
    /// interrupted; then nothing is recorded.
    ///
    /// An evaluation that is not `scheduled` is the one that ends a training between two that the settings ask for.
    fn evaluate(&mut self, scheduled: bool) -> Result<bool, TrainError> {
        self.save_if_worth_it()?;
        let Some((evaluation, weights)) = self.validation()? else { return Ok(false) };
        let report = self.report(&evaluation);
        let mut model = self.trainer.model_of(weights);
        model.summary = TrainingSummary {
            train_loss: Some(report.metrics.train_loss),
            valid_loss: Some(evaluation.loss),
            ..model.summary
        };
        let sample = match &mut self.files {
            Some(files) => files.add_evaluation(&model, &report, &self.trainer.config)?,
            None => String::new(),
        };
        let trainer = &mut *self.trainer;
        trainer.progress.record_evaluation(evaluation.loss, scheduled, &trainer.config.train);
        self.unsaved = true;
        self.observer.evaluated(&report, &sample);
        if scheduled {
            self.save_to_recover()?;
        }
        Ok(true)
    }

    /// The loss on the validation part and the weights that it is of, unless it is interrupted.
    fn validation(&mut self) -> Result<Option<(Evaluation, Weights)>, TrainError> {
        let (interrupter, observer) = (self.interrupter, &mut *self.observer);
        let evaluation = self.trainer.evaluate_with(&mut |done, total| {
            observer.evaluating(done, total);
            match interrupter.should_stop() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        match evaluation {
            Err(TrainError::Evaluate(charloom_infer::EvaluateError::Stopped { .. })) => Ok(None),
            evaluation => evaluation.map(Some),
        }
    }

    fn report(&self, evaluation: &Evaluation) -> EvalReport {
        let progress = &self.trainer.progress;
        EvalReport {
            metrics: MetricsRow {
                epoch: progress.epoch_of_last_step(),
                step: progress.step,
                train_loss: progress.window.loss_sum / progress.window.steps as f64,
                valid_loss: evaluation.loss,
                valid_perplexity: evaluation.perplexity(),
                valid_bits_per_char: evaluation.bits_per_char(),
                learning_rate: progress.learning_rate,
                chars_per_second: self.trainer.chars_per_second().round(),
                seconds: (self.seconds() * 1000.0).round() / 1000.0,
                recoveries: progress.recoveries,
                communication: Some(progress.communication()),
            },
            smooth_loss: progress.smooth_loss,
            is_best: progress.best_valid_loss.is_none_or(|best| evaluation.loss < best),
        }
    }

    /// All steps are done; the last evaluation is made if it isn't yet.
    fn finished(&mut self) -> Result<Outcome, TrainError> {
        let progress = &self.trainer.progress;
        if progress.last_eval_step != progress.step && !self.evaluate(false)? {
            return self.interrupted();
        }
        self.save_changes()?;
        let progress = &self.trainer.progress;
        Ok(Outcome::Finished { best_valid_loss: progress.best_valid_loss, step: progress.step })
    }

    fn stopped_early(&mut self) -> Result<Outcome, TrainError> {
        self.save_changes()?;
        let progress = &self.trainer.progress;
        Ok(Outcome::StoppedEarly {
            best_valid_loss: progress.best_valid_loss,
            epoch: progress.epoch_of_last_step(),
            step: progress.step,
        })
    }

    fn interrupted(&mut self) -> Result<Outcome, TrainError> {
        self.save_changes()?;
        // A run that was interrupted before its first evaluation leaves a model all the same.
        let model = self.files.as_ref().map(|files| files.run.model());
        if let Some(model) = model.filter(|model| !model.exists()) {
            self.trainer.model().save(&model)?;
        }
        Ok(Outcome::Interrupted { step: self.trainer.progress.step })
    }

    /// Goes back to the last checkpoint that is kept for it, or returns the error if there is to be no recovery. What was written
    /// since then is dropped: an interrupted run, which knows nothing of it, ends in the same way.
    fn recover(&mut self, error: TrainError) -> Result<(), TrainError> {
        let checkpoints = self.files.as_ref().map(|files| files.run.checkpoints());
        let loaded = match &checkpoints {
            Some(checkpoints) => self.trainer.recover(checkpoints)?,
            None => false,
        };
        let [recovered] = self.trainer.any_rank([loaded]);
        if !recovered {
            return Err(error);
        }
        self.trainer.share_state()?;
        self.save()?;
        let TrainProgress { step, recoveries, .. } = self.trainer.progress;
        if let (Some(files), Some(checkpoints)) = (&mut self.files, &checkpoints) {
            checkpoint::remove_after(checkpoints, step);
            files.reopen_logs(self.trainer)?;
        }
        let most = self.trainer.config.train.recover;
        self.observer.recovered(&RecoveryReport { error: &error, step, recoveries, most });
        Ok(())
    }

    /// Saves a checkpoint that a diverging training goes back to. When that is follows from the settings alone, not from
    /// the time, so that interruptions change nothing.
    fn save_to_recover(&mut self) -> Result<(), TrainError> {
        if self.trainer.config.train.recover == 0 {
            return Ok(());
        }
        let progress = &mut self.trainer.progress;
        let before = progress.recovery_step.replace(progress.step);
        let saved = self.save();
        if saved.is_err() {
            self.trainer.progress.recovery_step = before;
        }
        saved
    }

    /// Saves what would take more than a moment to do again. (The first steps of a run always are: where the disk is full
    /// by the time of the first evaluation, there is something to resume from.)
    fn save_if_worth_it(&mut self) -> Result<(), TrainError> {
        let has_none = self.files.as_ref().is_some_and(|files| !files.run.has_checkpoint());
        let [save] = self.trainer.any_rank([has_none || self.last_saved.elapsed() >= WORTH_SAVING]);
        if save {
            self.save_changes()?;
        }
        Ok(())
    }

    fn save_changes(&mut self) -> Result<(), TrainError> {
        if self.unsaved { self.save() } else { Ok(()) }
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.trainer.progress.seconds = self.seconds();
        match &mut self.files {
            Some(files) => {
                let path = files.save(self.trainer)?;
                self.observer.saved(&path);
            }
            None => self.trainer.join_save()?,
        }
        (self.last_saved, self.unsaved) = (Instant::now(), false);
        Ok(())
    }

    /// Seconds of the whole run.
    fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }
}
