//! The training loop: burn-train's, with steps, epochs and checkpoints where this project's
//! promises need them.
//!
//! burn-train's own loop saves at the end of an epoch and forgets an epoch that was interrupted.
//! This one can save after any step, tells an observer of each, and ends when a loss is not finite.
//! What burn-train calls an epoch is here all that is trained from one evaluation to the next.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::tensor::Device;
use burn::train::metric::store::EventStoreClient;
use burn::train::{
    EventProcessorTraining, Interrupter, Learner, LearnerEvent, LearningCheckpointer,
    SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents,
    TrainingItem, ValidLoader,
};
use charloom_model::TrainedModel;

use crate::checkpoint::{Place, Writer};
use crate::observer::{Observer, StepReport};
use crate::schedule::{Moment, Rate};
use crate::stream::{Carry, StreamBatch};
use crate::trainee::Trainee;
use crate::{EvalEvery, RunFolder, StateAtEpoch, TrainConfig, TrainError};

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
    /// The validation loss has not fallen for `patience` evaluations.
    StoppedEarly {
        /// Lowest validation loss of the run.
        best_valid_loss: Option<f64>,
        /// The epoch of the last step.
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
    /// What the first pass over the text begins with.
    pub carry: Carry,
    /// The learning rate that the learner takes.
    pub rate: Rate,
    pub ended: Cell<Option<Result<Outcome, TrainError>>>,
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
            batches: train.num_items(),
            carry: self.carry.clone(),
            in_split: false,
            unsaved: false,
            last_saved: Instant::now(),
            began: Instant::now(),
            before: self.place.borrow().seconds,
        };
        let ended = session.run(&train, &valid);
        self.ended.set(Some(ended));
        (session.learner.model(), session.events)
    }
}

pub(crate) struct Session<'a> {
    pub training: &'a Training,
    pub learner: Learner<Trainee>,
    pub events: SupervisedTrainingEventProcessor<Trainee>,
    pub interrupter: Interrupter,
    store: Arc<EventStoreClient>,
    checkpointer: LearningCheckpointer<Trainee>,
    /// Batches of an epoch.
    pub batches: usize,
    /// The carry of the pass under way.
    carry: Carry,
    /// Whether burn-train has been told of steps that it awaits the end of.
    in_split: bool,
    /// Whether something has happened since the last checkpoint.
    pub unsaved: bool,
    pub last_saved: Instant,
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
        let mut pass = None;
        loop {
            if self.evaluation_is_due() && !self.evaluate(valid, true)? {
                return self.interrupted();
            }
            if self.place().batch == self.batches {
                // A run that is resumed here has an empty pass before it.
                drop(pass.take().unwrap_or_else(|| train.iter()));
                self.end_epoch()?;
            }
            let Place { epoch, step, stale, .. } = self.place();
            if epoch > config.epochs || (config.max_steps > 0 && step >= config.max_steps) {
                return self.finished(valid);
            }
            if config.patience > 0 && stale >= config.patience {
                self.save_changes()?;
                let Place { best: best_valid_loss, step, .. } = self.place();
                let epoch = self.place().epoch_of_last_step();
                return Ok(Outcome::StoppedEarly { best_valid_loss, epoch, step });
            }
            self.step(pass.get_or_insert_with(|| train.iter()).as_mut())?;
            if self.interrupter.should_stop() {
                return self.interrupted();
            }
            if self.last_saved.elapsed() >= CHECKPOINT_EVERY {
                self.save()?;
            }
        }
    }

    pub fn place(&self) -> Place {
        self.training.place.borrow().clone()
    }

    fn evaluation_is_due(&self) -> bool {
        let place = self.training.place.borrow();
        place.step > place.evaluated
            && match self.training.config.eval_every {
                EvalEvery::Epochs(every) => {
                    place.batch == self.batches && place.epoch.is_multiple_of(every)
                }
                EvalEvery::Steps(every) => place.step.is_multiple_of(every),
            }
    }

    /// Takes one step.
    fn step(&mut self, pass: &mut dyn DataLoaderIterator<StreamBatch>) -> Result<(), TrainError> {
        let (training, place) = (self.training, self.place());
        let config = &training.config;
        self.start_split(&place);
        let started = Instant::now();
        let batch = pass.next().expect("an epoch has as many batches as its loader says");
        let batch = batch.map_err(|error| TrainError::Burn(error.to_string()))?;
        self.carry = batch.carry.clone();
        let (epoch, index) = (place.epoch, batch.chars.index + 1);

        let mut output = self.learner.train_step(batch);
        let loss = output.item.loss;
        if !loss.is_finite() {
            let step = place.step + 1;
            return Err(TrainError::NotFinite { step, epoch, batch: index, loss });
        }
        let moment = Moment { epoch, step: place.step, steps: config.steps(self.batches) };
        let rate = config.schedule.rate(config.optimizer.lr(), moment, &place.plateau);
        training.rate.set(rate);
        self.learner.lr_step();
        self.learner.optimizer_step(output.grads);
        output.item.seconds = started.elapsed().as_secs_f64();
        self.unsaved = true;

        let (report, done) = {
            let mut place = training.place.borrow_mut();
            place.step += 1;
            place.batch = index;
            place.learning_rate = rate;
            place.smooth_loss = place.smooth_loss * 0.999 + loss * 0.001;
            place.since.steps += 1;
            place.since.loss_sum += loss;
            place.since.seconds += output.item.seconds;
            let chars = (output.item.chars * place.since.steps) as f64;
            let report = StepReport {
                epoch,
                epochs: config.epochs,
                batch: index,
                batches: self.batches,
                step: place.step,
                loss,
                smooth_loss: place.smooth_loss,
                chars_per_second: chars / place.since.seconds,
            };
            (report, place.since.steps)
        };
        let progress = Progress::new(done, self.split_length(), Some("batches".to_string()));
        let lr = Some(self.learner.lr_current());
        let item = TrainingItem::new(output.item, progress, Some(done), lr);
        let event = LearnerEvent::ProcessedItem(item);
        self.interrupter.fail_on_error(self.events.process_train(event));
        training.observer.borrow_mut().step(&report);
        self.failure()
    }

    /// Steps from one evaluation to the next.
    fn split_length(&self) -> usize {
        self.training.config.eval_every.steps(self.batches)
    }

    fn start_split(&mut self, place: &Place) {
        if !self.in_split {
            let (epoch_number, total_items) = (place.evaluations + 1, self.split_length());
            let start = LearnerEvent::StartSplit { epoch_number, total_items };
            self.interrupter.fail_on_error(self.events.process_train(start));
            self.in_split = true;
        }
    }

    pub fn end_split(&mut self) {
        if self.in_split {
            let end = LearnerEvent::EndSplit(self.place().evaluations + 1);
            self.interrupter.fail_on_error(self.events.process_train(end));
            self.in_split = false;
        }
    }

    fn end_epoch(&mut self) -> Result<(), TrainError> {
        {
            let mut place = self.training.place.borrow_mut();
            place.epoch += 1;
            place.batch = 0;
        }
        if self.training.config.state == StateAtEpoch::Reset {
            self.carry = Carry::default();
        }
        self.save()
    }

    /// All steps are taken; what they led to is measured, if it isn't yet.
    fn finished(&mut self, valid: &ValidLoader<Trainee>) -> Result<Outcome, TrainError> {
        let place = self.place();
        if place.measured != place.step && !self.evaluate(valid, false)? {
            return self.interrupted();
        }
        self.save_changes()?;
        Ok(Outcome::Finished { best_valid_loss: self.place().best, step: place.step })
    }

    fn interrupted(&mut self) -> Result<Outcome, TrainError> {
        self.end_split();
        self.failure()?;
        self.save()?;
        self.write_first_model()?;
        Ok(Outcome::Interrupted { step: self.place().step })
    }

    /// Seconds of the whole run.
    pub fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }

    fn save_changes(&mut self) -> Result<(), TrainError> {
        if self.unsaved { self.save() } else { Ok(()) }
    }

    pub fn save(&mut self) -> Result<(), TrainError> {
        let place = Place { seconds: self.seconds(), ..self.place() };
        let carry = self.carry.get();
        let Self { checkpointer, learner, store, .. } = self;
        let path = self.training.writer.write(&place, carry.as_ref(), || {
            checkpointer.checkpoint(learner, place.step, store);
        })?;
        (self.last_saved, self.unsaved) = (Instant::now(), false);
        self.training.observer.borrow_mut().saved(&path);
        Ok(())
    }

    /// What burn-train ran into, if it did.
    pub fn failure(&self) -> Result<(), TrainError> {
        match self.interrupter.error() {
            Some(error) => Err(TrainError::Burn(error.to_string())),
            None => Ok(()),
        }
    }
}
