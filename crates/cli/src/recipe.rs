//! `train.recipe`: settings that aren't given, fitted to the text and the time budget.

use std::time::Instant;

use burn::tensor::Device;
use charloom_data::Corpus;
use charloom_model::CharRnnConfig;
use charloom_train::settings::Recipe;
use charloom_train::{Plan, RECIPE_KEYS, RunConfig, TrainError, plan};
use toml::{Table, Value};

use crate::report::{Failure, Result, pluralize, print_status, with_thousands};
use crate::settings::{Layer, Layers};

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
    let is_complete = RECIPE_KEYS.iter().all(|key| layers.level(key).is_some());
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

/// The layers with what the recipe chooses on top of them, and what it says.
pub fn choose(
    layers: Layers,
    config: &RunConfig,
    corpus: &Corpus,
    device: &Device,
    started: Instant,
) -> Result<(Layers, Plan), PlanFailure> {
    let minutes = layers.level(MINUTES);
    // A length that is given below the minutes is replaced by them.
    let given = |key: &str| match LENGTHS.contains(&key) {
        true => layers.level(key) > minutes,
        false => layers.level(key).is_some(),
    };
    let plan = plan(config, &given, corpus, device, started).map_err(PlanFailure::Train)?;
    let values = Table::try_from(&plan.config).expect("settings are TOML");
    let chosen = RECIPE_KEYS.iter().filter(|key| !given(key)).filter_map(|key| {
        // An optimizer is chosen with all its keys.
        let key = key.strip_suffix(".name").unwrap_or(key);
        let (section, name) = key.split_once('.')?;
        Some((key.to_owned(), values.get(section)?.get(name)?.clone()))
    });
    let chosen: Vec<(String, Value)> = chosen.collect();
    let layer = Layer::recipe(chosen).map_err(PlanFailure::Settings)?;
    Ok((layers.over(layer), plan))
}

/// Why there is no plan.
pub enum PlanFailure {
    /// The settings that were given make no training.
    Train(TrainError),
    /// What was chosen makes no settings.
    Settings(Failure),
}

/// Says in two lines what the recipe chose, and why.
pub fn print(plan: &Plan) {
    let RunConfig { data, model, train, .. } = &plan.config;
    let CharRnnConfig { cell, layers, hidden_size, dropout, .. } = *model;
    let [n, t, lr] = [data.batch_size as f64, data.seq_length as f64, train.optimizer.lr()];
    print_status!(
        "recipe {cell} {layers} x {hidden_size}, N = {n}, T = {t}, dropout {dropout}, learning rate {lr}: {} in {} min (`--minutes`)",
        pluralize(train.max_steps, "step"),
        train.minutes,
    );
    print_status!(
        "       this machine trains it at {} characters/s, so it reads the text {:.1} times",
        with_thousands(plan.chars_per_second as u64),
        plan.passes,
    );
}
