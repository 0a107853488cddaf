//! [`Trainer`]: what is trained, and what a step, an evaluation and a checkpoint of it are.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use charloom_data::{BatchError, Batches, Corpus, Ids, Part, Validation, Vocab, derive_seed};
use charloom_infer::Evaluation;
use charloom_model::{BatchRows, CharRnn, StackDropout, State, TrainedModel, TrainingSummary};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::all_reduce::all_reduce;
use crate::batch_phases::BatchPhases;
use crate::checkpoint::{self, Contents};
use crate::observer::{StepReport, TrainInfo};
use crate::progress::TrainProgress;
use crate::weight_average::{WeightAverage, Weights};
use crate::{
    LossReduction, NormHistory, ProcessGroup, RunConfig, SettingChange, SingleProcess, TrainConfig,
    TrainError,
};

mod position;
mod ranks;
mod restore;

/// A network in training on a text.
///
/// The training part of the text becomes N parallel rows; a batch is the next T columns of all rows. The hidden state is
/// carried from batch to batch and detached between them: truncated BPTT.
pub struct Trainer {
    pub(crate) config: RunConfig,
    /// `config` as TOML, for `config.toml` and the model file.
    pub(crate) config_toml: String,
    device: Device,
    vocab: Vocab,
    text_sha256: String,
    train: BatchPhases,
    valid: Ids,
    model: CharRnn,
    optimizer: ModuleOptimizer,
    /// The average of the weights, where the settings ask for one.
    average: Option<WeightAverage>,
    /// The hidden state after the last batch, detached; `None` is zero.
    state: Option<State>,
    /// Norms of the last steps' gradients, where clipping depends on them.
    norms: NormHistory,
    /// What was changed when the run was resumed.
    changes: Vec<SettingChange>,
    pub(crate) progress: TrainProgress,
    /// The processes that train this model together; the carried state is of this one's rows.
    pub(crate) group: Rc<dyn ProcessGroup>,
}

impl Trainer {
    /// A trainer with new weights, drawn from `config.train.seed`.
    ///
    /// # Errors
    /// If the settings don't fit each other, or the text is too short for a batch of N x T, at first or later in the batch
    /// schedule, or lacks a character of the sample's prompt.
    pub fn new(
        mut config: RunConfig,
        corpus: &Corpus,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let device = device.clone().without_autodiff().autodiff();
        let precision = config.train.precision.resolve(&device)?;
        config.train.precision = precision.into();
        let vocab = corpus.vocab().clone();
        let (train, valid) = Self::parts(&config, corpus)?;
        let mut rng = ChaCha8Rng::seed_from_u64(config.train.seed);
        let model = config.model.init(vocab.len(), &device, &mut rng).with_precision(precision);
        Ok(Self {
            config_toml: toml::to_string(&config).expect("settings become TOML"),
            average: WeightAverage::new(&model, config.train.ema),
            model,
            optimizer: config.train.optimizer.init(),
            progress: TrainProgress::start(vocab.len()),
            text_sha256: corpus.sha256().to_string(),
            state: None,
            norms: NormHistory::default(),
            changes: Vec::new(),
            group: Rc::new(SingleProcess),
            config,
            device,
            vocab,
            train,
            valid,
        })
    }

    /// A trainer with the weights of a model. Where weights belong to characters, those that the text has are taken.
    ///
    /// # Errors
    /// Those of [`Trainer::new`], and if the model has another cell or other sizes.
    pub fn from_model(
        config: RunConfig,
        corpus: &Corpus,
        device: &Device,
        model: &TrainedModel,
    ) -> Result<Self, TrainError> {
        let mut trainer = Self::new(config, corpus, device)?;
        let precision = trainer.model.precision();
        let model = model.remap_vocab(&trainer.model, &trainer.vocab)?;
        trainer.model = model.with_precision(precision);
        trainer.average = WeightAverage::new(&trainer.model, trainer.config.train.ema);
        Ok(trainer)
    }

    /// The batches of the training part, as they are at first, and the characters of the validation part, if the settings
    /// fit the text.
    ///
    /// # Errors
    /// Those of [`Trainer::new`].
    pub fn check(config: &RunConfig, corpus: &Corpus) -> Result<(Batches, Ids), TrainError> {
        let (train, valid) = Self::parts(config, corpus)?;
        Ok((train.batches(0).clone(), valid))
    }

    fn parts(config: &RunConfig, corpus: &Corpus) -> Result<(BatchPhases, Ids), TrainError> {
        config.validate()?;
        config.model.validate()?;
        corpus.vocab().encode(&config.sample.prompt).map_err(TrainError::Prompt)?;
        let split = corpus.split(config.data.fractions()?);
        let train = BatchPhases::new(&config.data, &corpus.ids().slice(split.train))?;
        let valid = corpus.ids().slice(split.valid);
        if config.data.validation == Validation::Rows {
            Batches::new(valid.clone(), config.data.batch())
                .map_err(|error| TrainError::Batches(error.in_part(Part::Valid)))?;
        }
        if valid.len() < 2 {
            return Err(TrainError::NothingToValidate { chars: valid.len() });
        }
        Ok((train, valid))
    }

    /// One optimizer step on the next batch: forward pass, backward pass, gradient clipping, update. In a process group each
    /// rank passes its rows, and the gradients are summed before they are clipped.
    ///
    /// # Errors
    /// If the loss or the norm of the gradients is NaN or infinite; then the weights are left as they were.
    pub fn step(&mut self) -> Result<StepReport, TrainError> {
        let started = Instant::now();
        let total_steps = self.total_steps();
        if self.epoch_is_over() {
            self.start_next_epoch();
        }
        self.enter_phase(total_steps);
        let (config, progress) = (&self.config.train, &self.progress);
        let (epoch, batch, step) = (progress.epoch, progress.batch, progress.step);
        let seed = derive_seed(derive_seed(config.seed, epoch as u64), batch as u64);
        let ramp_steps = (config.dropout_ramp * total_steps as f64).max(1.0);
        let dropout = self.config.model.dropout(((step + 1) as f64 / ramp_steps).min(1.0), seed);

        // Forward, of the rows of this rank.
        let batches = self.batches().of_rows(self.rows());
        let (first, of) = (batches.rows().start, batches.config().batch_size);
        let (inputs, targets) = self.batch(&batches, epoch, batch); // [N, T] each
        let [n, t] = inputs.dims();
        let dropout = StackDropout { rows: (n < of).then_some(BatchRows { first, of }), ..dropout };
        let state = self.state.clone().unwrap_or_else(|| self.model.zero_state(n, &self.device));
        let (loss, state) = self.model.loss(inputs, targets, state, Some(dropout)); // [1]

        // Backward.
        let grads = match config.loss {
            LossReduction::Mean => loss.backward(),
            LossReduction::Sum => loss.clone().mul_scalar(t as f64).backward(),
        };
        let mut grads = GradientsParams::from_grads(grads, &self.model);
        let loss = loss.try_into_scalar::<f64>().unwrap_or(f64::NAN);
        let share = n as f64 / of as f64;
        let (loss, communication) = all_reduce(&*self.group, &self.model, &mut grads, loss, share);
        let not_finite =
            |what| TrainError::NotFinite { what, step: step + 1, epoch, batch: batch + 1 };
        if !loss.is_finite() {
            return Err(not_finite("loss"));
        }

        // Clip and update.
        let norm = config.clip.apply(&self.model, &mut grads, &mut self.norms);
        if norm.is_some_and(|norm| !norm.is_finite()) {
            return Err(not_finite("norm of the gradients"));
        }
        let lr =
            config.schedule.lr(config.optimizer.lr(), epoch, step, total_steps, &progress.plateau)
                * progress.lr_factor();
        self.update(lr, grads);
        self.state = Some(state.detach());

        let seconds = started.elapsed().as_secs_f64();
        self.progress.record_step(loss, lr, batches.chars_per_batch(), seconds);
        self.progress.window.communication_seconds += communication;
        Ok(StepReport {
            epoch,
            batch: batch + 1,
            batches: batches.len(),
            step: step + 1,
            loss,
            smooth_loss: self.progress.smooth_loss,
            learning_rate: lr,
            gradient_norm: norm,
            chars_per_second: self.chars_per_second(),
            communication: communication / seconds,
            chars_left: self.train.chars_left(step + 1, total_steps),
        })
    }

    /// Updates the weights, and their average.
    fn update(&mut self, lr: f64, mut grads: GradientsParams) {
        let TrainConfig { input_lr, .. } = self.config.train;
        if input_lr != 1.0 {
            let id = match &self.model.embed {
                Some(embedding) => embedding.id,
                None => self.model.rnn.layers[0].weight_ih.id,
            };
            let mut of_input = GradientsParams::new();
            if let Some(grad) = grads.remove::<2>(id) {
                of_input.register(id, grad);
            }
            self.model = self.optimizer.step(lr * input_lr, self.model.clone(), of_input);
        }
        self.model = self.optimizer.step(lr, self.model.clone(), grads);
        if let Some(average) = &mut self.average {
            average.update(&self.model, self.progress.step + 1);
        }
    }

    /// The loss on the validation part; the lower one where the weights are averaged too. Nothing is dropped out. In a
    /// process group each rank predicts some of the rows, and all get the same result.
    ///
    /// # Errors
    /// If the loss is NaN or infinite, or the device fails.
    pub fn evaluate(&self) -> Result<Evaluation, TrainError> {
        Ok(self.evaluate_with(&mut |_, _| ControlFlow::Continue(()))?.0)
    }

    /// The same, and the weights that it is of. `progress` receives the amount of work done and the total, and may end the
    /// evaluation.
    pub(crate) fn evaluate_with(
        &self,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<(Evaluation, Weights), TrainError> {
        let current = self.evaluate_together(&self.model, progress)?;
        if let Some(average) = &self.average {
            let average = self.evaluate_together(&average.network, progress)?;
            if average.loss < current.loss {
                return Ok((average, Weights::Average));
            }
        }
        Ok((current, Weights::Current))
    }

    /// The batches of `data.validation = "rows"`.
    fn valid_batches(&self) -> Result<Batches, BatchError> {
        Batches::new(self.valid.clone(), self.config.data.batch())
    }

    /// Writes a checkpoint: all that [`Trainer::resume`] needs. It appears in `folder` whole or not at all, and only the
    /// newest two stay. In a process group rank 0 calls this, and the others [`join_save`](Self::join_save).
    ///
    /// # Errors
    /// If a weight is NaN or infinite, or a file can't be written.
    pub fn save(&self, folder: &Path) -> Result<PathBuf, TrainError> {
        let state = self.gather_state();
        self.check_weights()?;
        Ok(checkpoint::write(folder, &self.checkpoint_info(), self.contents(state.as_ref()))?)
    }

    /// Fails if a weight is NaN or infinite.
    fn check_weights(&self) -> Result<(), TrainError> {
        let mut parameters = self.model.parameters().into_iter();
        match parameters.any(|(_, data)| data.iter::<f32>().any(|x| !x.is_finite())) {
            true => {
                let TrainProgress { epoch, batch, step, .. } = self.progress;
                Err(TrainError::NotFinite { what: "weights", step, epoch, batch })
            }
            false => Ok(()),
        }
    }

    /// What a checkpoint says of the training.
    fn checkpoint_info(&self) -> checkpoint::Info {
        checkpoint::Info::new(
            &self.text_sha256,
            &self.config,
            &self.progress,
            &self.norms,
            &self.changes,
        )
    }

    /// What else is in a checkpoint, with this state.
    fn contents<'a>(&'a self, state: Option<&'a State>) -> Contents<'a> {
        Contents {
            model: &self.model,
            average: self.average.as_ref().map(|average| &average.network),
            optimizer: self.optimizer.to_record(),
            state,
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> TrainedModel {
        self.model_of(Weights::Current)
    }

    /// The model as it is now, with its weights or their average.
    pub(crate) fn model_of(&self, weights: Weights) -> TrainedModel {
        let network = match (weights, &self.average) {
            (Weights::Average, Some(average)) => average.network.clone(),
            _ => self.model.valid(),
        };
        TrainedModel {
            network,
            config: self.config.model,
            vocab: self.vocab.clone(),
            summary: TrainingSummary {
                epoch: self.progress.epochs_done(self.batches().len()),
                step: self.progress.step,
                train_loss: None,
                valid_loss: None,
                text: Some(self.config.data.text.file_name()),
                text_sha256: Some(self.text_sha256.clone()),
                run_config: Some(self.config_toml.clone()),
            },
        }
    }

    /// Keeps this text as the settings' TOML, comments and all, in `config.toml` and in model files.
    #[must_use]
    pub fn with_config_toml(self, config_toml: String) -> Self {
        Self { config_toml, ..self }
    }

    /// What was changed when the run was resumed, now and before, in the order of the steps.
    pub fn changes(&self) -> &[SettingChange] {
        &self.changes
    }

    /// What is trained, and how far it is.
    pub fn info(&self) -> TrainInfo {
        TrainInfo {
            parameters: self.model.num_params(),
            vocab_size: self.vocab.len(),
            train_chars: self.batches().chars(),
            valid_chars: self.valid.len(),
            batches: self.batches().len(),
            phases: self.train.len(),
            total_steps: self.total_steps(),
            epochs: self.config.train.epochs,
            epoch: self.progress.epoch,
            step: self.progress.step,
        }
    }
}
