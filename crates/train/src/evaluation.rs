//! What is done with the model from time to time: it is validated, kept if it is the best, and writes
//! a sample.

use std::time::{Duration, Instant};

use burn::data::dataloader::Progress;
use burn::module::Module;
use burn::train::{EventProcessorTraining, InferenceStep, LearnerEvent, TrainingItem, ValidLoader};
use charloom_infer::GenerateConfig;
use charloom_model::TrainingSummary;

use crate::checkpoint::Since;
use crate::metrics::{bits_per_char, perplexity};
use crate::observer::EpochReport;
use crate::stream::mix;
use crate::trainee::Trainee;
use crate::training::Session;
use crate::{EvalEvery, TrainError};

/// What has been trained for longer than this is saved before a validation, which may take as long again. (A run's first
/// steps are always: where the disk is full by then, there is something to go on from.)
const WORTH_SAVING: Duration = Duration::from_secs(10);

impl Session<'_> {
    /// Validates, keeps the model if it is the best, writes a sample and a row. False if it was
    /// interrupted; then nothing of it counts.
    ///
    /// An evaluation that does not `count` is one that the settings don't ask for: training ends, but
    /// where it would have been evaluated later if it went on.
    pub fn evaluate(
        &mut self,
        valid: &ValidLoader<Trainee>,
        counts: bool,
    ) -> Result<bool, TrainError> {
        self.end_split();
        self.failure()?;
        let long = || self.last_saved.elapsed() >= WORTH_SAVING;
        if self.unsaved && (long() || !self.training.run.checkpoint_exists()) {
            self.save()?;
        }
        let Some(valid_loss) = self.validate(valid)? else { return Ok(false) };
        let (training, mut place) = (self.training, self.place());
        if !valid_loss.is_finite() {
            let (epoch, batch) = (place.epoch_of_last_step(), place.batch);
            return Err(TrainError::NotFinite { step: place.step, epoch, batch, loss: valid_loss });
        }
        let config = &training.config;
        let chars = config.batch.batch_size * config.batch.seq_length;
        let mut report = EpochReport {
            epoch: place.epoch_of_last_step(),
            epochs: config.epochs,
            step: place.step,
            train_loss: place.since.loss_sum / place.since.steps as f64,
            smooth_loss: place.smooth_loss,
            valid_loss,
            valid_perplexity: perplexity(valid_loss),
            valid_bits_per_char: bits_per_char(valid_loss),
            learning_rate: place.learning_rate,
            chars_per_second: (chars * place.since.steps) as f64 / place.since.seconds,
            seconds: self.seconds(),
            best: place.best.is_none_or(|best| valid_loss < best),
        };
        self.describe_model(&report);
        if report.best {
            place.best = Some(valid_loss);
            training.template.borrow().save(&training.run.model())?;
        }
        let sample = self.sample(&report)?;
        report.seconds = self.seconds();
        training.run.write_metrics(&report, place.measured)?;

        let round = place.evaluations + 1;
        place.measured = place.step;
        if counts {
            let fell = place.counted_best.is_none_or(|best| valid_loss < best);
            place.stale = if fell { 0 } else { place.stale + 1 };
            if fell {
                place.counted_best = Some(valid_loss);
            }
            place.plateau.observe(&config.schedule, config.optimizer.lr(), valid_loss);
            (place.evaluations, place.evaluated) = (round, place.step);
            place.since = Since::default();
        }
        *training.place.borrow_mut() = place;
        self.unsaved = true;
        training.observer.borrow_mut().epoch(&report, &sample);
        let end = LearnerEvent::EndEpoch(round);
        self.interrupter.fail_on_error(self.events.process_train(end));
        self.failure()?;
        Ok(true)
    }

    /// The mean loss over the validation part.
    fn validate(&mut self, valid: &ValidLoader<Trainee>) -> Result<Option<f64>, TrainError> {
        let epoch = self.place().evaluations + 1;
        let start =
            LearnerEvent::StartSplit { epoch_number: epoch, total_items: valid.num_items() };
        self.interrupter.fail_on_error(self.events.process_valid(start));
        let model = self.learner.model().valid();
        let (mut sum, mut batches) = (0.0, 0);
        let mut iterator = valid.iter();
        while let Some(batch) = iterator.next() {
            let started = Instant::now();
            let batch = batch.map_err(|error| TrainError::Burn(error.to_string()))?;
            let mut output = InferenceStep::step(&model, batch);
            output.seconds = started.elapsed().as_secs_f64();
            sum += output.loss;
            batches += 1;
            let progress: Progress = iterator.progress();
            let item = TrainingItem::new(output, progress, Some(batches), None);
            let event = LearnerEvent::ProcessedItem(item);
            self.interrupter.fail_on_error(self.events.process_valid(event));
            if self.interrupter.should_stop() {
                self.failure()?;
                return Ok(None);
            }
        }
        self.interrupter.fail_on_error(self.events.process_valid(LearnerEvent::EndSplit(epoch)));
        Ok(Some(sum / batches as f64))
    }

    /// Puts the network as it is now, and its numbers, into the model to be written.
    fn describe_model(&self, report: &EpochReport) {
        let mut model = self.training.template.borrow_mut();
        model.network = self.learner.model().valid().network;
        model.summary = TrainingSummary {
            epoch: self.place().epochs_done(self.batches),
            step: report.step,
            train_loss: Some(report.train_loss),
            valid_loss: Some(report.valid_loss),
            ..model.summary.clone()
        };
    }

    /// A run that was stopped before its first validation leaves a model all the same.
    pub fn write_first_model(&self) -> Result<(), TrainError> {
        let training = self.training;
        if training.run.model().exists() {
            return Ok(());
        }
        let place = training.place.borrow();
        let mut model = training.template.borrow_mut();
        model.network = self.learner.model().valid().network;
        model.summary.step = place.step;
        model.summary.epoch = place.epochs_done(self.batches);
        Ok(model.save(&training.run.model())?)
    }

    /// What the model writes now, in a file too.
    fn sample(&self, report: &EpochReport) -> Result<String, TrainError> {
        let training = self.training;
        let (name, number) = match training.config.eval_every {
            EvalEvery::Epochs(_) => (format!("epoch-{:03}", report.epoch), report.epoch),
            EvalEvery::Steps(_) => (format!("step-{:08}", report.step), report.step),
        };
        let sample = &training.config.sample;
        let mut text = String::new();
        if sample.length > 0 {
            let config = GenerateConfig {
                prime: sample.prime.clone(),
                length: sample.length,
                sampling: sample.sampling,
                seed: mix(training.config.seed, number as u64),
                stop: None,
            };
            let written = charloom_infer::generate(&training.template.borrow(), &config)?;
            text = format!("{}{written}", sample.prime);
        }
        training.run.write_sample(&name, &text)?;
        Ok(text)
    }
}
