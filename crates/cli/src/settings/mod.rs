//! Settings: the defaults, a file, `--set` and flags, laid one over the other and checked.
//!
//! Which keys there are, what they mean, their defaults and their legal values are told by [`RunConfig`] alone, through
//! its JSON [`schema`]. Each place where settings are typed is a [`Layer`] of keys and values that remember it;
//! [`resolve()`] merges the layers, checks each value, and has serde make a [`RunConfig`] of them. [`show()`] prints one
//! as a settings file, and [`flags`] makes a command's flags.

mod check;
mod flags;
mod layers;
mod names;
mod schema;
mod show;
mod source;
mod sweep;
mod value;

use charloom_data::DataConfig;
use charloom_infer::SampleConfig;
use charloom_train::RunConfig;
use charloom_train::settings::InvalidSetting;
use serde::de::DeserializeOwned;
use toml::Table;

pub use flags::{BatchFlags, Flag, FormatFlags, SampleFlags, SettingsFlags, SplitFlags};
pub use layers::{Layer, Layers};
pub use schema::json_schema;
pub use show::{show, show_changes};
pub use sweep::{PlannedRun, Sweep};
pub use value::inline;

use self::check::Problem;
use self::layers::Merged;
use self::schema::Key;
use crate::report::{Failure, Result};

/// The settings that the layers add up to, each of them legal, and all fit for each other.
pub fn resolve(layers: &Layers) -> Result<RunConfig> {
    let merged = layers.merge();
    check(&merged, |_| true)?;
    let config: RunConfig = read(merged.table.clone())?;
    config.validate().map_err(|InvalidSetting { key, problem, hint }| {
        let hint = hint.map(str::to_owned);
        refusal(&merged, Problem { key: key.to_owned(), message: problem, hint })
    })?;
    Ok(config)
}

/// The section `[sample]` alone: generation needs no more.
pub fn sample(layers: &Layers) -> Result<SampleConfig> {
    let mut merged = layers.merge();
    check(&merged, |key| key.section == "sample")?;
    let sample = merged.table.remove("sample").and_then(|sample| sample.try_into().ok());
    read(sample.unwrap_or_default())
}

/// The section `[data]` alone: reading a text needs no more.
pub fn data(layers: &Layers) -> Result<DataConfig> {
    let mut merged = layers.merge();
    check(&merged, |key| key.section == "data")?;
    let data = merged.table.remove("data").and_then(|data| data.try_into().ok());
    read(data.unwrap_or_default())
}

/// Checks the values of some keys, each by itself.
fn check(merged: &Merged, of: impl Fn(&Key) -> bool) -> Result<()> {
    for key in schema::keys().iter().filter(|key| of(key)) {
        if let Some(value) = merged.value(&key.path) {
            key.rule.check(&key.path, value).map_err(|problem| refusal(merged, problem))?;
        }
    }
    Ok(())
}

/// What the checks let pass and serde doesn't would be a fault of the schema.
fn read<T: DeserializeOwned>(table: Table) -> Result<T> {
    table.try_into().map_err(|error| Failure::request(format!("invalid settings: {error}")))
}

fn refusal(merged: &Merged, problem: Problem) -> Failure {
    let Problem { key, message, hint } = problem;
    let place = match merged.source(&key) {
        Some(source) => source.place_of(&key),
        None => format!("default settings: `{key}`"),
    };
    Failure::request(format!("{place} {message}")).maybe_hint(hint)
}

#[cfg(test)]
mod tests;
