//! `train.recipe`: settings that aren't given, fitted to the text and the time budget.

use std::time::Instant;

use burn::tensor::Device;
use charloom_data::Corpus;
use charloom_model::CharRnnConfig;
use charloom_train::settings::Recipe;
use charloom_train::{Plan, RECIPE_KEYS, RunConfig, TrainError, plan};
use toml::Table;

use crate::report::{Failure, Result, pluralize, print_status, with_thousands};
use crate::settings::{self, Layer, Layers};

/// The keys that say how large the network is or how long it is trained.
const SIZES: [&str; 6] = [
    "model.cell",
    "model.input",
    "model.hidden_size",
    "model.layers",
    "train.epochs",
    "train.max_steps",
];
const MINUTES: &str = "train.minutes";
const LENGTHS: [&str; 2] = ["train.epochs", "train.max_steps"];

/// Whether the recipe chooses something.
///
/// # Errors
/// If a time budget and a number of epochs or steps are given together.
pub fn applies(layers: &Layers, config: &RunConfig) -> Result<bool> {
    let minutes = layers.level(MINUTES);
    if config.train.recipe == Recipe::None {
        return match minutes.filter(|_| layers.origin(MINUTES).is_some()) {
            Some(_) => Err(Failure::request(
                "`--minutes` can't be given where `train.recipe` is `\"none\"`",
            )),
            None => Ok(false),
        };
    }
    let Some(minutes) = minutes else {
        return Ok(SIZES.iter().all(|key| layers.level(key).is_none()));
    };
    let is_length = |key: &&&str| layers.level(key) == Some(minutes);
    // A run of an earlier version doesn't say its precision.
    let mut chosen = RECIPE_KEYS.iter().filter(|key| **key != "train.precision");
    let is_complete = chosen.all(|key| layers.level(key).is_some());
    match LENGTHS.iter().find(is_length) {
        // The settings of a run that the recipe made.
        Some(_) if is_complete => Ok(false),
        Some(key) => {
            let name = key.rsplit('.').next().unwrap_or(key).replace('_', "-");
            Err(Failure::request(format!("`--minutes` and `--{name}` can't be given together"))
                .hint("the number of steps follows from the minutes"))
        }
        None => Ok(true),
    }
}

/// Whether a time budget is given, and the recipe chooses something.
///
/// # Errors
/// Those of [`applies`].
pub fn applies_for_minutes(layers: &Layers, config: &RunConfig) -> Result<bool> {
    Ok(layers.level(MINUTES).is_some() && applies(layers, config)?)
}

/// The settings with the smallest batches that the recipe may choose.
pub fn with_smallest_batches(layers: &Layers, config: &RunConfig) -> RunConfig {
    let mut config = config.clone();
    if !is_given(layers, "data.batch_size") {
        config.data.batch_size = 1;
    }
    if !is_given(layers, "data.seq_length") {
        config.data.seq_length = 8;
    }
    config
}

/// The settings with what the recipe chooses, which is printed. The inner error is that the settings that were given make no
/// training.
pub fn fitted(
    layers: Layers,
    config: &RunConfig,
    corpus: &Corpus,
    device: &Device,
    started: Instant,
) -> Result<Result<(Layers, RunConfig), TrainError>> {
    let plan = match plan(config, &|key| is_given(&layers, key), corpus, device, started) {
        Ok(plan) => plan,
        Err(error) => return Ok(Err(error)),
    };
    print(&plan);
    let layers = over(layers, &plan.config)?;
    let config = settings::resolve(&layers)?;
    Ok(Ok((layers, config)))
}

/// The layers with what the recipe chose for `config` on top of them.
pub fn over(layers: Layers, config: &RunConfig) -> Result<Layers> {
    let values = Table::try_from(config).expect("settings are TOML");
    let chosen = RECIPE_KEYS.iter().filter(|key| !is_given(&layers, key)).filter_map(|key| {
        // An optimizer is chosen with all its keys.
        let key = key.strip_suffix(".name").unwrap_or(key);
        let (section, name) = key.split_once('.')?;
        Some((key.to_owned(), values.get(section)?.get(name)?.clone()))
    });
    let chosen = Layer::recipe(chosen.collect::<Vec<_>>())?;
    Ok(layers.over(chosen))
}

/// Whether a key is given. A length that is given below the minutes isn't: they replace it.
fn is_given(layers: &Layers, key: &str) -> bool {
    match LENGTHS.contains(&key) {
        true => layers.level(key) > layers.level(MINUTES),
        false => layers.level(key).is_some(),
    }
}

/// Says in two lines what the recipe chose, and why.
fn print(plan: &Plan) {
    let RunConfig { data, model, train, .. } = &plan.config;
    let CharRnnConfig { cell, layers, hidden_size, dropout, .. } = *model;
    print_status!(
        "recipe {cell} {layers} x {hidden_size}, N = {}, T = {}, dropout {dropout}, learning rate {}: {} in {} min (`--minutes`)",
        data.batch_size,
        data.seq_length,
        train.optimizer.lr(),
        pluralize(train.max_steps, "step"),
        train.minutes,
    );
    print_status!(
        "       this machine trains it at {} characters/s, so it reads the text {:.1} times",
        with_thousands(plan.chars_per_second as u64),
        plan.passes,
    );
}
