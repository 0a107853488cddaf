//! A training from its parts: everything is checked, then burn-train is set off.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::Device;
use burn::train::metric::LearningRateMetric;
use burn::train::renderer::MetricsRenderer;
use burn::train::{Interrupter, Learner, SupervisedTraining, TrainingStrategy};
use charloom_data::{Batches, Corpus, Part, Split};
use charloom_model::{TrainedModel, TrainingSummary};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::checkpoint::{Always, Place, Saved, Writer};
use crate::logs::StepLogs;
use crate::metrics::StepMetric;
use crate::observer::{Observer, Started};
use crate::schedule::Rate;
use crate::stream::{Carry, StreamLoader};
use crate::trainee::Trainee;
use crate::training::{Outcome, Training};
use crate::{CheckpointError, RunError, RunFolder, StateAtEpoch, TrainConfig, TrainError};

/// A training to be done.
pub struct Job {
    /// Where everything goes.
    pub run: RunFolder,
    /// The text.
    pub corpus: Corpus,
    /// What to train and how.
    pub config: TrainConfig,
    /// On what; with or without autodiff.
    pub device: Device,
    /// From where.
    pub start: Start,
    /// Stops it.
    pub interrupter: Interrupter,
    /// burn-train's view of it.
    pub renderer: Box<dyn MetricsRenderer>,
    /// This crate's view of it.
    pub observer: Box<dyn Observer>,
}

/// Where a training starts.
pub enum Start {
    /// With new parameters.
    Fresh,
    /// With the parameters of a model; of what belongs to characters, those that the text has.
    From(Box<TrainedModel>),
    /// Where the run folder's newest checkpoint was made.
    Resume,
}

/// Trains.
///
/// # Errors
/// Nothing is written before the text, the batches and what is started from are found good. What
/// goes wrong later leaves the best model and the last checkpoint as they are.
pub fn train(job: Job) -> Result<Outcome, TrainError> {
    let Job { run, corpus, config, device, start, interrupter, renderer, mut observer } = job;
    let _lock = run.lock()?;
    let device = device.without_autodiff().autodiff();
    let vocab = corpus.vocab().clone();
    vocab.encode(&config.sample.prime).map_err(TrainError::Prime)?;
    let split = Split::new(corpus.chars(), config.fractions);
    let (train, valid) = batches(&corpus, &config)?;

    let model_config = config.model;
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let fresh = |rng: &mut ChaCha8Rng| model_config.init(vocab.len(), &device, rng);
    let network = match &start {
        Start::Fresh | Start::Resume => fresh(&mut rng),
        Start::From(model) => model.remap_vocab(&fresh(&mut rng), &vocab)?,
    };
    let mut trainee =
        Trainee::new(network, model_config.dropout, config.clip).with_loss(config.loss);
    let mut optimizer = config.optimizer.init();
    let mut place = Place::start(corpus.sha256(), vocab.len(), config.fixed());
    let mut carry = Carry::default();
    if matches!(start, Start::Resume) {
        let none = || CheckpointError::None { run: run.path().to_path_buf() };
        let saved = Saved::newest(&run.checkpoints())?.ok_or_else(none)?;
        if saved.place.text_sha256 != corpus.sha256() {
            return Err(CheckpointError::OtherText { path: saved.path }.into());
        }
        if let Some((name, now)) =
            config.fixed().into_iter().find(|setting| !saved.place.settings.contains(setting))
        {
            let then = saved.place.settings.into_iter().find(|(then, _)| *then == name);
            let then = then.map(|(_, then)| then).unwrap_or_default();
            return Err(CheckpointError::OtherSettings { path: saved.path, name, then, now }.into());
        }
        // A row that can't be read is told before hours of work, not after.
        if let Err(error @ RunError::Metrics { .. }) = run.read_metrics() {
            return Err(error.into());
        }
        let (parameters, moments, _schedule) = saved.records()?;
        trainee = trainee.try_load_record(parameters).map_err(|error| CheckpointError::Read {
            path: saved.path.join("model.bpk"),
            problem: error.to_string(),
        })?;
        optimizer = optimizer.load_record(moments);
        carry = Carry::of(saved.carry(&device)?);
        place = saved.place;
    }
    run.write_config(&config.toml)?;

    observer.started(&Started {
        parameters: trainee.num_params(),
        vocab_size: vocab.len(),
        train_chars: split.train.len(),
        valid_chars: split.valid.len(),
        batches: train.len(),
        valid_batches: valid.len(),
        epoch: place.epoch,
        step: place.step,
    });
    let (writer, [parameters, moments, schedule]) = Writer::new(run.checkpoints());
    let plain = device.clone().inner();
    let steps = config.steps(train.len());
    let rounds = steps.div_ceil(config.eval_every.steps(train.len()).max(1));
    let (epoch, batch) = (place.epoch, place.batch);
    let mut loader =
        StreamLoader::new(train, device.clone(), config.seed, epoch, batch, carry.clone());
    if config.state == StateAtEpoch::Carry {
        loader = loader.endless();
    }
    let valid = StreamLoader::new(valid, plain, config.seed, 1, 0, Carry::default());
    let summary = TrainingSummary {
        text: Some(config.text_name.clone()),
        text_sha256: Some(corpus.sha256().to_string()),
        run_config: Some(config.toml.clone()),
        ..TrainingSummary::default()
    };
    let template =
        TrainedModel { network: trainee.valid().network, config: model_config, vocab, summary };
    let rate = Rate::new(config.optimizer.lr());
    let scheduler = ModuleLrScheduler::new(rate.clone());
    #[allow(clippy::arc_with_non_send_sync, reason = "burn-train takes strategies in an Arc")]
    let training = Arc::new(Training {
        run: run.clone(),
        config,
        device,
        template: RefCell::new(template),
        writer,
        observer: RefCell::new(observer),
        place: RefCell::new(place),
        carry,
        rate,
        ended: Cell::new(None),
    });
    SupervisedTraining::new(run.logs(), Arc::new(loader), Arc::new(valid))
        .metrics((
            StepMetric::loss(),
            StepMetric::perplexity(),
            StepMetric::bits_per_char(),
            StepMetric::chars_per_second(),
        ))
        .metric_train_numeric(LearningRateMetric::new())
        .with_metric_logger(StepLogs::new(run.logs()))
        .with_interrupter(interrupter)
        .with_training_strategy(TrainingStrategy::Custom(training.clone()))
        .with_custom_checkpointers(parameters, moments, schedule)
        .with_checkpointing_strategy(Always)
        .with_application_logger(None)
        .renderer(renderer)
        .num_epochs(rounds)
        .launch(Learner::new(trainee, optimizer, scheduler));
    training.ended.take().expect("the loop says how it ended")
}

/// Finds what [`train`] would say about the text before it trains: too little of it, or a prime
/// that isn't made of its characters.
///
/// # Errors
/// Those that [`train`] would end with.
pub fn check(corpus: &Corpus, config: &TrainConfig) -> Result<(), TrainError> {
    corpus.vocab().encode(&config.sample.prime).map_err(TrainError::Prime)?;
    batches(corpus, config).map(drop)
}

/// The batches to train on, and those to validate with.
fn batches(corpus: &Corpus, config: &TrainConfig) -> Result<(Batches, Batches), TrainError> {
    let split = Split::new(corpus.chars(), config.fractions);
    let of = |part: Part| {
        Batches::new(corpus.ids().slice(split.range(part)), config.batch)
            .map_err(|error| TrainError::Batches(error.in_part(part)))
    };
    Ok((of(Part::Train)?, of(Part::Valid)?))
}
