//! [`plan`]: the network, batches, regularisation and length of a training, from the text's length and a time budget.
//!
//! The rule and the experiments that it was fitted to are in `docs/quality.md`.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use charloom_data::{Corpus, RowOffset, Split};
use charloom_model::{Bias, Cell, CharRnnConfig, InputEncoding};

use crate::batch_phases::BatchPhases;
use crate::settings::{AdamWConfig, EvalInterval, GradClip, OptimizerConfig, PrecisionConfig};
use crate::{LrSchedule, RunConfig, TrainError, Trainer};

/// The settings that a recipe chooses, where they aren't given.
pub const RECIPE_KEYS: [&str; 19] = [
    "data.batch_size",
    "data.seq_length",
    "data.row_offset",
    "model.cell",
    "model.hidden_size",
    "model.layers",
    "model.dropout",
    "model.forget_bias",
    "model.input_std",
    "train.epochs",
    "train.max_steps",
    "train.eval_every",
    "train.optimizer.name",
    "train.clip",
    "train.schedule",
    "train.ema",
    "train.precision",
    "train.minutes",
    "train.recipe",
];

/// What a recipe chose, and why.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The settings with everything that was chosen.
    pub config: RunConfig,
    /// Training speed of the network on this machine, characters per second.
    pub chars_per_second: f64,
    /// How often the training reads the training part.
    pub passes: f64,
}

/// Plans a training that ends `config.train.minutes` after `started`.
///
/// `config` has the settings that were given over their defaults, and `given` tells which those are: they are kept, and the
/// others fitted to them. The speed of this machine is measured for about two seconds, with training steps whose results are
/// discarded. Where a batch schedule is given, all steps together fit the time, at the speed of the first batches.
///
/// # Errors
/// Those of [`Trainer::new`], for the settings that were given.
pub fn plan(
    config: &RunConfig,
    given: &dyn Fn(&str) -> bool,
    corpus: &Corpus,
    device: &Device,
    started: Instant,
) -> Result<Plan, TrainError> {
    config.validate()?;
    let mut config = config.clone();
    let Split { train, valid, .. } = corpus.split(config.data.fractions()?);
    let text = Text { train_chars: train.len(), vocab_size: corpus.vocab().len() };
    let budget = config.train.minutes * 60.0;

    choose_fixed(&mut config, given);
    if !given("train.precision") {
        config.train.precision = PrecisionConfig::Auto.resolve(device)?.into();
    }
    choose_batch(&mut config, given, &text);
    let expected_speed = if given("model.hidden_size") {
        training_speed(&config, corpus, device)?
    } else {
        let flops = flops_per_second(&config, corpus, device)?;
        choose_size(&mut config, &text, flops * budget);
        flops / flops_per_char(&config.model, text.vocab_size)
    };
    choose_regularisation(&mut config, given, &text, expected_speed * budget);
    let phases = BatchPhases::of_corpus(&config.data, corpus)?;

    let chars_per_second = training_speed(&config, corpus, device)?;
    let left = (budget - started.elapsed().as_secs_f64()).max(0.0);
    // The weights and their average are evaluated.
    let evaluation =
        2.0 * valid.len() as f64 / (EVALUATION_SPEED * chars_per_second) + SAVE_SECONDS;
    let evaluations = ((left * EVALUATION_SHARE / evaluation) as usize).clamp(1, MAX_EVALUATIONS);
    // The speed is measured with the first batches; larger ones of a batch schedule may be a little faster.
    let seconds_per_step = phases.chars_per_step() / chars_per_second;
    let steps = ((left - evaluations as f64 * evaluation) / seconds_per_step) as usize;
    choose_length(&mut config, given, steps.max(MIN_STEPS), evaluations, &phases);
    let steps = config.train.max_steps as f64;
    let passes = steps * phases.chars_per_step() / text.train_chars as f64;
    Ok(Plan { passes, chars_per_second, config })
}

/// How long the speed is measured, each time.
const MEASURE: Duration = Duration::from_millis(1200);
/// Speed over minutes relative to that of the first seconds: processors lower their clock as they warm up.
const SUSTAINED: f64 = 0.97;
/// Characters that are evaluated in the time in which one is trained on.
const EVALUATION_SPEED: f64 = 2.5;
/// Seconds to write the model, a sample and a checkpoint at an evaluation.
const SAVE_SECONDS: f64 = 0.2;
/// Fewest steps of a training: even a text of a few lines is read so often.
const MIN_STEPS: usize = 20;
/// The share of the budget that evaluations may take, unless one alone takes more.
const EVALUATION_SHARE: f64 = 0.06;
/// Most evaluations.
const MAX_EVALUATIONS: usize = 10;
/// Most passes over the training part: what a longer training would still learn is lost to overfitting.
const MAX_PASSES: f64 = 400.0;

/// What the rule knows of a text.
struct Text {
    train_chars: usize,
    vocab_size: usize,
}

/// What is the same for all texts and budgets.
fn choose_fixed(config: &mut RunConfig, given: &dyn Fn(&str) -> bool) {
    let RunConfig { data, model, train, .. } = config;
    if !given("data.row_offset") {
        data.row_offset = RowOffset::Random;
    }
    if !given("model.cell") {
        model.cell = Cell::Lstm;
    }
    if !given("model.layers") {
        model.layers = 1;
    }
    let has_forget_gate = model.cell == Cell::Lstm && model.bias != Bias::Without;
    if !given("model.forget_bias") && has_forget_gate {
        model.forget_bias = Some(1.0);
    }
    if !given("model.input_std") && model.input == InputEncoding::OneHot {
        model.input_std = 1.5;
    }
    if !given("train.clip") {
        train.clip = GradClip::Norm(1.0);
    }
}

/// Small batches take many steps, and a text must have room for some of them.
fn choose_batch(config: &mut RunConfig, given: &dyn Fn(&str) -> bool, text: &Text) {
    let data = &mut config.data;
    let [fixed_n, fixed_t] = ["data.batch_size", "data.seq_length"].map(given);
    if !fixed_n {
        data.batch_size = 32;
    }
    if !fixed_t {
        data.seq_length = 64;
    }
    let shortest = (!fixed_t).then_some(SHORTEST);
    let batch = data.batch().shrunk_to(text.train_chars, MIN_BATCHES, !fixed_n, shortest);
    (data.batch_size, data.seq_length) = (batch.batch_size, batch.seq_length);
}

/// Shortest sequence that the recipe takes.
const SHORTEST: usize = 8;
/// Fewest batches of an epoch, if the text is long enough.
const MIN_BATCHES: usize = 4;

/// The largest network of the ladder that reads enough characters in the budget.
fn choose_size(config: &mut RunConfig, text: &Text, flops: f64) {
    let size = |hidden_size| CharRnnConfig { hidden_size, ..config.model };
    let fits = |&hidden_size: &usize| {
        let model = size(hidden_size);
        let parameters = parameters(&model, text.vocab_size);
        let trained = flops / flops_per_char(&model, text.vocab_size);
        let most = MAX_PARAMETERS_PER_CHAR * text.train_chars as f64;
        trained >= MIN_CHARS_PER_PARAMETER * parameters && parameters <= most
    };
    config.model.hidden_size = HIDDEN_SIZES.into_iter().rev().find(fits).unwrap_or(HIDDEN_SIZES[0]);
}

/// Hidden sizes to choose from, multiples of the vector width.
const HIDDEN_SIZES: [usize; 9] = [64, 128, 192, 256, 384, 512, 640, 768, 1024];
/// Fewest characters that a training reads for each parameter of the network.
const MIN_CHARS_PER_PARAMETER: f64 = 3.0;
/// Most parameters for each character of the training part.
const MAX_PARAMETERS_PER_CHAR: f64 = 8.0;

/// Parameters of a network.
fn parameters(model: &CharRnnConfig, vocab_size: usize) -> f64 {
    let specs = model.parameters(vocab_size);
    specs.iter().map(|spec| spec.num_elements() as f64).sum()
}

/// Floating-point operations of training on a character: two for each weight that is multiplied in the forward pass, and
/// twice as many in the backward pass. The one-hot input weights are selected, not multiplied.
fn flops_per_char(model: &CharRnnConfig, vocab_size: usize) -> f64 {
    let selected = |name: &str| {
        name == "embed.weight"
            || (name == "rnn.weight_ih_l0" && model.input == InputEncoding::OneHot)
    };
    let specs = model.parameters(vocab_size);
    let multiplied = specs.iter().filter(|spec| !selected(&spec.name));
    6.0 * multiplied.map(|spec| spec.num_elements() as f64).sum::<f64>()
}

/// What this machine computes in training, measured with a network of middling size.
fn flops_per_second(
    config: &RunConfig,
    corpus: &Corpus,
    device: &Device,
) -> Result<f64, TrainError> {
    let mut probe = config.clone();
    probe.model.hidden_size = 256;
    let speed = training_speed(&probe, corpus, device)?;
    Ok(speed * flops_per_char(&probe.model, corpus.vocab().len()))
}

/// The more often a text is read by a network that could learn it by heart, the more is dropped.
fn choose_regularisation(
    config: &mut RunConfig,
    given: &dyn Fn(&str) -> bool,
    text: &Text,
    trained: f64,
) {
    let d = text.train_chars as f64;
    let passes = (trained / d).min(MAX_PASSES);
    let capacity = parameters(&config.model, text.vocab_size) / d;
    let strength = (DROPOUT_SLOPE * (passes / PASSES_WITHOUT_DROPOUT).log2() * capacity.powf(0.25))
        .clamp(0.0, MAX_DROPOUT);
    let rounded = |p: f64| (p * 100.0).round() / 100.0;
    let model = &mut config.model;
    if !given("model.dropout") {
        model.dropout = rounded(strength);
    }
    if !given("train.optimizer.name") {
        let given_lr = given("train.optimizer.lr").then(|| config.train.optimizer.lr());
        config.train.optimizer = OptimizerConfig::AdamW(AdamWConfig {
            lr: given_lr.unwrap_or(LR),
            weight_decay: 0.1,
            beta2: 0.99,
            decay_biases: false,
            ..AdamWConfig::default()
        });
    }
}

/// The learning rate after the warm-up. It is three times what such networks are usually trained with: input weights of
/// order 1 and small batches allow it.
const LR: f64 = 1e-2;
/// Dropout for each doubling of the passes over a text with as many characters as the network has parameters.
const DROPOUT_SLOPE: f64 = 0.17;
/// Passes that need no dropout.
const PASSES_WITHOUT_DROPOUT: f64 = 2.0;
const MAX_DROPOUT: f64 = 0.6;

/// The number of steps, and what depends on it.
fn choose_length(
    config: &mut RunConfig,
    given: &dyn Fn(&str) -> bool,
    steps: usize,
    evaluations: usize,
    phases: &BatchPhases,
) {
    let train = &mut config.train;
    let most = phases.steps_of_epochs(MAX_PASSES as usize);
    if !given("train.epochs") && !given("train.max_steps") {
        train.max_steps = steps.min(most.max(MIN_STEPS));
        train.epochs = phases.epochs_of_steps(train.max_steps);
    }
    let steps = phases.total_steps(train);
    if !given("train.eval_every") {
        train.eval_every = EvalInterval::Steps(steps.div_ceil(evaluations).max(1));
    }
    if !given("train.schedule") {
        let warmup_steps = (steps / 50).clamp(1, 200);
        train.schedule = LrSchedule::Linear { end_factor: 0.0, warmup_steps };
    }
    if !given("train.ema") {
        // A time constant of 3 % of the training.
        let decay = 1.0 - 1.0 / (0.03 * steps as f64).max(1.0);
        train.ema = (decay * 1e4).round() / 1e4;
    }
}

/// The speed of training a network on this machine, in characters per second, measured with steps that are discarded.
fn training_speed(config: &RunConfig, corpus: &Corpus, device: &Device) -> Result<f64, TrainError> {
    let mut config = config.clone();
    config.data.batch_schedule.clear();
    Trainer::new(config, corpus, device)?.measure_speed()
}

impl Trainer {
    /// The speed of training on this machine over minutes, in characters per second, measured with steps for about a second.
    ///
    /// # Errors
    /// If the training diverges.
    pub fn measure_speed(&mut self) -> Result<f64, TrainError> {
        // The first steps allocate, and set up threads.
        for _ in 0..2 {
            self.step()?;
        }
        let (started, mut chars) = (Instant::now(), 0);
        while started.elapsed() < MEASURE {
            self.step()?;
            chars += self.chars_per_step();
        }
        Ok(SUSTAINED * chars as f64 / started.elapsed().as_secs_f64())
    }
}
