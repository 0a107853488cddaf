//! From a sweep file's tables to its runs.

use std::path::Path;

use toml::Value;

use super::file::SweepFile;
use super::{GridAxis, ListedRun, PlannedRun, Setting, Sweep, is_folder_name};
use crate::report::{Failure, Result, with_thousands};
use crate::settings::value::inline;
use crate::settings::{Layer, Layers, resolve};

/// More would be a typing error, or a year's work.
const MOST_RUNS: usize = 1000;
/// File systems take 255 bytes.
const LONGEST_NAME: usize = 200;

impl SweepFile<'_> {
    /// All runs: each that is listed at every point of the grid.
    pub fn expand(
        &self,
        name: String,
        base: Option<&Path>,
        shared: &[Setting],
        grid: &[GridAxis],
        mut list: Vec<ListedRun>,
    ) -> Result<Sweep> {
        if list.is_empty() {
            list.push(ListedRun::default());
        }
        let points = grid.iter().fold(1usize, |all, axis| all.saturating_mul(axis.values.len()));
        let count = points.saturating_mul(list.len());
        if count > MOST_RUNS {
            return Err(Failure::request(format!(
                "`{}` has {} runs; the maximum is {}",
                self.path.display(),
                with_thousands(count as u64),
                with_thousands(MOST_RUNS as u64)
            )));
        }
        let keys = keys(grid, &list);
        let mut runs: Vec<(PlannedRun, usize)> = Vec::new();
        for listed in &list {
            for point in 0..points {
                let chosen = at(point, grid);
                let own: Vec<_> = listed.settings.iter().chain(&chosen).collect();
                let run = self.plan(base, shared, &own, listed, &chosen, &keys)?;
                let lines = chosen.iter().map(|setting| setting.source.line());
                let line = listed.line.max(lines.max().unwrap_or(0));
                // Names that differ in case only are one name on some file systems.
                let lower = run.name.to_lowercase();
                if let Some((other, _)) =
                    runs.iter().find(|(other, _)| other.name.to_lowercase() == lower)
                {
                    let (one, two) = (&other.name, &run.name);
                    let which = if one == two {
                        format!("`{one}`")
                    } else {
                        format!("`{one}` and `{two}`")
                    };
                    return Err(self
                        .wrong_at(line, format!("two runs would have the same name: {which}"))
                        .hint("list each value once; `name = \"…\"` in a `[[run]]` table names that run"));
                }
                runs.push((run, line));
            }
        }
        Ok(Sweep { name, keys, runs: runs.into_iter().map(|(run, _)| run).collect() })
    }

    /// One run, with its settings over those of all runs, over the base file's, over the defaults.
    fn plan(
        &self,
        base: Option<&Path>,
        shared: &[Setting],
        own: &[&Setting],
        listed: &ListedRun,
        chosen: &[Setting],
        keys: &[(String, String)],
    ) -> Result<PlannedRun> {
        let of = |key: &str| own.iter().find(|setting| setting.key == key);
        let named_after = |settings: &[Setting]| {
            let short = |key: &str| keys.iter().find(|known| known.0 == key).map(|known| &known.1);
            let parts = settings.iter().filter_map(|setting| {
                Some(folder_name(&format!("{}-{}", short(&setting.key)?, shown(&setting.value))))
            });
            parts.collect::<Vec<_>>()
        };
        let mut parts = match &listed.name {
            Some(name) => vec![name.clone()],
            None => named_after(&listed.settings),
        };
        parts.extend(named_after(chosen));
        let name = parts.join("_");
        if !is_folder_name(&name) || name.len() > LONGEST_NAME {
            let problem = match name.as_str() {
                "" => "this run has no settings that it could be named after".to_owned(),
                name => format!(
                    "`{name}` is not a run name: it must be one folder name of at most {LONGEST_NAME} bytes, without `/` or a leading `.`"
                ),
            };
            return Err(self
                .wrong_at(listed.line.max(1), problem)
                .hint("`name = \"…\"` in a `[[run]]` table names it"));
        }
        let mut layers = Layers::new();
        if let Some(path) = base {
            let named = || format!("`{}`: `config`", self.path.display());
            layers = layers.over(Layer::file(path).map_err(|failure| failure.at(named()))?);
        }
        // All of these are meant together: an optimizer's name resets what the base file tells it, and no more.
        let layers = layers.over(Layer::of(shared.iter().chain(own.iter().copied()).cloned())?);
        let config = resolve(&layers)?;
        let values = keys.iter().map(|(key, _)| Some(shown(&of(key)?.value))).collect();
        Ok(PlannedRun { name, values, layers, config })
    }
}

/// The keys in which runs differ, each with its last part or what else tells it apart.
fn keys(grid: &[GridAxis], list: &[ListedRun]) -> Vec<(String, String)> {
    let mut keys: Vec<&str> = Vec::new();
    let listed = list.iter().flat_map(|run| &run.settings).map(|setting| setting.key.as_str());
    for key in listed.chain(grid.iter().map(|axis| axis.key.as_str())) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let short = |key: &str| {
        let alone = keys.iter().filter(|other| last(other) == last(key)).count() == 1;
        match key {
            "train.optimizer.name" => "optimizer".to_owned(),
            _ if alone => last(key),
            _ => key.replace('.', "-"),
        }
    };
    keys.iter().map(|key| ((*key).to_owned(), short(key))).collect()
}

/// The settings at one of the grid's points. The last axis changes fastest.
fn at(point: usize, grid: &[GridAxis]) -> Vec<Setting> {
    let mut rest = point;
    let mut chosen: Vec<_> = grid
        .iter()
        .rev()
        .map(|GridAxis { key, values, source }| {
            let value = values[rest % values.len()].clone();
            rest /= values.len();
            Setting { key: key.clone(), value, source: source.clone() }
        })
        .collect();
    chosen.reverse();
    chosen
}

/// A value as people write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => inline(other),
    }
}

/// What is left of a text when all that shells and file systems have a use for is a dash.
fn folder_name(text: &str) -> String {
    let mut name = String::new();
    for char in text.chars() {
        let plain = char.is_alphanumeric() || matches!(char, '.' | '_' | '-');
        match plain {
            true => name.push(char),
            false if name.ends_with('-') => {}
            false => name.push('-'),
        }
    }
    name.trim_matches('-').to_owned()
}
