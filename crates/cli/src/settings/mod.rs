//! The settings: defaults, a file, `--set` and flags, one over the other, checked.
//!
//! [`RunConfig`] is the one definition of every key: its default, its documentation, its legal values. Everything here is
//! made of its JSON [`schema`]: the checks, the [`flags`], [`show()`]. A [`Layer`] has what one source says, with the
//! place where it says so; [`resolve()`] takes each key from the topmost layer that has it.

mod flags;
mod layers;
mod schema;
mod show;
mod sweep;

use charloom_infer::SampleConfig;
use charloom_train::RunConfig;
use charloom_train::settings::InvalidSetting;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use flags::{Flag, SampleFlags, SettingsFlags};
pub use layers::{Layer, Layers};
pub use show::{inline, show};
pub use sweep::{PlannedRun, Sweep};

use self::layers::Setting;
use crate::report::{Failure, Result};

/// Checks the settings that the layers add up to.
pub fn resolve(layers: &Layers) -> Result<RunConfig> {
    let config: RunConfig = read(&layers.merged()?)?;
    config.validate().map_err(|InvalidSetting { key, problem, hint }| {
        let setting = layers.setting(key);
        let failure = match setting {
            Some(setting) => setting.failure(problem),
            None => Failure::request(format!("`{key}` {problem}")),
        };
        failure.maybe_hint(hint)
    })?;
    Ok(config)
}

/// The section `[sample]` alone: generation needs no more.
pub fn sample(layers: &Layers) -> Result<SampleConfig> {
    let settings = layers.merged()?;
    let settings: Vec<_> =
        settings.into_iter().filter(|setting| setting.path.starts_with("sample.")).collect();
    read::<RunConfig>(&settings).map(|config| config.sample)
}

/// Checks each setting by itself, and reads all of them.
fn read<T: DeserializeOwned>(settings: &[Setting<'_>]) -> Result<T> {
    let mut table = Table::new();
    for setting in settings {
        schema::check(setting, settings)?;
        let mut place = &mut table;
        let (sections, name) = setting.path.rsplit_once('.').unwrap_or(("", &setting.path));
        for section in sections.split('.') {
            let inner = place.entry(section).or_insert_with(|| Value::Table(Table::new()));
            place = inner.as_table_mut().expect("sections are tables");
        }
        place.insert(name.to_owned(), setting.value.clone());
    }
    // What the checks let pass and serde doesn't would be a fault of the schema.
    table.try_into().map_err(|error| Failure::request(format!("invalid settings: {error}")))
}

#[cfg(test)]
mod tests;
