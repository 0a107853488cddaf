//! The training loop: burn-train's, with steps, epochs and checkpoints where this project's
//! promises need them.
//!
//! burn-train's own loop saves at the end of an epoch and forgets an epoch that was interrupted.
//! This one can save after any step, tells an observer of each, and ends when a loss is not finite.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use burn::data::dataloader::Progress;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent,
    LearningCheckpointer, SupervisedLearningStrategy, SupervisedTrainingEventProcessor,
    TrainLoader, TrainingComponents, TrainingItem, ValidLoader,
};
use charloom_infer::GenerateConfig;
use charloom_model::{Summary, TrainedModel};

use crate::checkpoint::{Place, Writer};
use crate::metrics::{bits_per_char, perplexity};
use crate::observer::{EpochReport, Observer, StepReport};
use crate::stream::{Carry, mix};
use crate::trainee::Trainee;
use crate::{RunFolder, TrainConfig, TrainError};

/// A checkpoint is written when the last one is older than this, besides those at the end of
/// epochs: what a crash can cost.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// How a training ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs, or all steps, are done.
    Finished {
        /// Lowest validation loss of the run.
        best_valid_loss: Option<f64>,
        /// Steps taken.
        step: usize,
    },
    /// The validation loss has not fallen for `patience` epochs.
    StoppedEarly {
        /// Lowest validation loss of the run.
        best_valid_loss: Option<f64>,
        /// Epochs done.
        epoch: usize,
        /// Steps taken.
        step: usize,
    },
    /// Somebody asked to stop; everything is saved.
    Interrupted {
        /// Steps taken.
        step: usize,
    },
}

/// What the loop works with, and where it leaves how it ended.
pub(crate) struct Training {
    pub run: RunFolder,
    pub config: TrainConfig,
    pub device: Device,
    /// The model as it will be written, but for its network and the numbers of its training.
    pub template: RefCell<TrainedModel>,
    pub writer: Writer,
    pub observer: RefCell<Box<dyn Observer>>,
    pub place: RefCell<Place>,
    pub ended: Cell<Option<Result<Outcome, TrainError>>>,
}

/// Why the steps of an epoch ended.
enum Pause {
    EpochDone,
    StepsDone,
    Interrupted,
}

impl SupervisedLearningStrategy<Trainee> for Training {
    fn fit(
        &self,
        components: TrainingComponents<Trainee>,
        mut learner: Learner<Trainee>,
        train: TrainLoader<Trainee>,
        valid: ValidLoader<Trainee>,
        _starting_epoch: usize,
    ) -> (Trainee, SupervisedTrainingEventProcessor<Trainee>) {
        learner.fork(&self.device);
        let train = train.to_device(&self.device);
        let valid = valid.to_device(&self.device.clone().inner());
        let TrainingComponents { checkpointer, interrupter, event_processor, event_store, .. } =
            components;
        let checkpointer = checkpointer.expect("the job gives its checkpointers");
        let mut session = Session {
            training: self,
            learner,
            events: event_processor,
            interrupter,
            store: event_store,
            checkpointer,
            carry: Carry::default(),
            last_saved: Instant::now(),
            began: Instant::now(),
            before: self.place.borrow().seconds,
        };
        let ended = session.run(&train, &valid);
        self.ended.set(Some(ended));
        (session.learner.model(), session.events)
    }
}

struct Session<'a> {
    training: &'a Training,
    learner: Learner<Trainee>,
    events: SupervisedTrainingEventProcessor<Trainee>,
    interrupter: Interrupter,
    store: std::sync::Arc<burn::train::metric::store::EventStoreClient>,
    checkpointer: LearningCheckpointer<Trainee>,
    /// The carry of the epoch under way.
    carry: Carry,
    last_saved: Instant,
    began: Instant,
    /// Seconds of the run before this session.
    before: f64,
}

impl Session<'_> {
    fn run(
        &mut self,
        train: &TrainLoader<Trainee>,
        valid: &ValidLoader<Trainee>,
    ) -> Result<Outcome, TrainError> {
        let config = &self.training.config;
        loop {
            let place = self.training.place.borrow().clone();
            let best_valid_loss = place.best;
            if place.epoch > config.epochs || self.steps_done(place.step) {
                return Ok(Outcome::Finished { best_valid_loss, step: place.step });
            }
            if config.patience > 0 && place.stale >= config.patience {
                let (epoch, step) = (place.epoch - 1, place.step);
                return Ok(Outcome::StoppedEarly { best_valid_loss, epoch, step });
            }
            let pause = self.train_epoch(train)?;
            if matches!(pause, Pause::Interrupted) || !self.finish_epoch(valid, &pause)? {
                self.save()?;
                self.write_first_model()?;
                let step = self.training.place.borrow().step;
                return Ok(Outcome::Interrupted { step });
            }
        }
    }

    fn steps_done(&self, step: usize) -> bool {
        let max = self.training.config.max_steps;
        max > 0 && step >= max
    }

    /// Takes the steps that are left of the epoch.
    fn train_epoch(&mut self, train: &TrainLoader<Trainee>) -> Result<Pause, TrainError> {
        let (epoch, batches) = (self.training.place.borrow().epoch, train.num_items());
        let epochs = self.training.config.epochs;
        let start = LearnerEvent::StartSplit { epoch_number: epoch, total_items: batches };
        self.interrupter.fail_on_error(self.events.process_train(start));
        let mut iterator = train.iter();
        let pause = loop {
            let started = Instant::now();
            let Some(batch) = iterator.next() else { break Pause::EpochDone };
            let batch = batch.map_err(|error| TrainError::Burn(error.to_string()))?;
            self.carry = batch.carry.clone();
            let index = batch.chars.index + 1;

            let mut output = self.learner.train_step(batch);
            let loss = output.item.loss;
            if !loss.is_finite() {
                let step = self.training.place.borrow().step + 1;
                return Err(TrainError::NotFinite { step, epoch, batch: index, loss });
            }
            self.learner.lr_step();
            self.learner.optimizer_step(output.grads);
            output.item.seconds = started.elapsed().as_secs_f64();

            let report = {
                let mut place = self.training.place.borrow_mut();
                place.step += 1;
                place.batch = index;
                place.loss_sum += loss;
                place.learning_rate = self.learner.lr_current().base();
                place.train_seconds += output.item.seconds;
                let chars_per_second = (output.item.chars * index) as f64 / place.train_seconds;
                let step = place.step;
                StepReport { epoch, epochs, batch: index, batches, step, loss, chars_per_second }
            };
            let item = TrainingItem::new(
                output.item,
                iterator.progress(),
                Some(index),
                Some(self.learner.lr_current()),
            );
            let event = LearnerEvent::ProcessedItem(item);
            self.interrupter.fail_on_error(self.events.process_train(event));
            self.training.observer.borrow_mut().step(&report);

            if self.interrupter.should_stop() {
                break Pause::Interrupted;
            }
            if self.steps_done(report.step) && index < batches {
                break Pause::StepsDone;
            }
            if self.last_saved.elapsed() >= CHECKPOINT_EVERY {
                self.save()?;
            }
        };
        drop(iterator);
        self.interrupter.fail_on_error(self.events.process_train(LearnerEvent::EndSplit(epoch)));
        self.failure()?;
        Ok(pause)
    }

    /// Validates, keeps the model if it is the best, writes a sample and a row. False if it was
    /// interrupted; then nothing of it counts.
    fn finish_epoch(
        &mut self,
        valid: &ValidLoader<Trainee>,
        pause: &Pause,
    ) -> Result<bool, TrainError> {
        let Some(valid_loss) = self.validate(valid)? else { return Ok(false) };
        let training = self.training;
        let mut place = training.place.borrow().clone();
        let chars = training.config.batch.batch_size * training.config.batch.seq_length;
        place.seconds = self.before + self.began.elapsed().as_secs_f64();
        let mut report = EpochReport {
            epoch: place.epoch,
            epochs: training.config.epochs,
            step: place.step,
            train_loss: place.loss_sum / place.batch as f64,
            valid_loss,
            valid_perplexity: perplexity(valid_loss),
            valid_bits_per_char: bits_per_char(valid_loss),
            learning_rate: place.learning_rate,
            chars_per_second: (chars * place.batch) as f64 / place.train_seconds,
            seconds: place.seconds,
            best: place.best.is_none_or(|best| valid_loss < best),
        };
        self.describe_model(&report);
        if report.best {
            place.best = Some(valid_loss);
            place.stale = 0;
            training.template.borrow().save(&training.run.model())?;
        } else {
            place.stale += 1;
        }
        let sample = self.sample(report.epoch)?;
        training.run.write_sample(report.epoch, &sample)?;
        report.seconds = self.before + self.began.elapsed().as_secs_f64();
        place.seconds = report.seconds;
        training.run.write_metrics(&report)?;

        if matches!(pause, Pause::EpochDone) {
            place.epoch += 1;
            (place.batch, place.loss_sum, place.train_seconds) = (0, 0.0, 0.0);
            self.carry = Carry::default();
        }
        *training.place.borrow_mut() = place;
        self.save()?;
        training.observer.borrow_mut().epoch(&report, &sample);
        let end = LearnerEvent::EndEpoch(report.epoch);
        self.interrupter.fail_on_error(self.events.process_train(end));
        self.failure()?;
        Ok(true)
    }

    /// The mean loss over the validation part.
    fn validate(&mut self, valid: &ValidLoader<Trainee>) -> Result<Option<f64>, TrainError> {
        let epoch = self.training.place.borrow().epoch;
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
        model.summary = Summary {
            epoch: report.epoch,
            step: report.step,
            train_loss: Some(report.train_loss),
            valid_loss: Some(report.valid_loss),
            ..model.summary.clone()
        };
    }

    /// A run that was stopped before its first validation leaves a model all the same.
    fn write_first_model(&self) -> Result<(), TrainError> {
        let training = self.training;
        if training.run.model().exists() {
            return Ok(());
        }
        let place = training.place.borrow();
        let mut model = training.template.borrow_mut();
        model.network = self.learner.model().valid().network;
        model.summary.step = place.step;
        model.summary.epoch = place.epoch - 1;
        Ok(model.save(&training.run.model())?)
    }

    fn sample(&self, epoch: usize) -> Result<String, TrainError> {
        let sample = &self.training.config.sample;
        if sample.length == 0 {
            return Ok(String::new());
        }
        let config = GenerateConfig {
            prime: sample.prime.clone(),
            length: sample.length,
            sampling: sample.sampling,
            seed: mix(self.training.config.seed, epoch as u64),
            stop: None,
        };
        let written = charloom_infer::generate(&self.training.template.borrow(), &config)?;
        Ok(format!("{}{written}", sample.prime))
    }

    fn save(&mut self) -> Result<PathBuf, TrainError> {
        let mut place = self.training.place.borrow().clone();
        place.seconds = self.before + self.began.elapsed().as_secs_f64();
        let carry = self.carry.get();
        let Self { checkpointer, learner, store, .. } = self;
        let path = self.training.writer.write(&place, carry.as_ref(), || {
            checkpointer.checkpoint(learner, place.step, store);
        })?;
        self.last_saved = Instant::now();
        self.training.observer.borrow_mut().saved(&path);
        Ok(path)
    }

    /// What burn-train ran into, if it did.
    fn failure(&self) -> Result<(), TrainError> {
        match self.interrupter.error() {
            Some(error) => Err(TrainError::Burn(error.to_string())),
            None => Ok(()),
        }
    }
}
