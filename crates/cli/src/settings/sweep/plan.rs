//! From a sweep file's tables to its runs.

use std::collections::HashMap;
use std::path::Path;

use toml::Value;

use super::file::SweepFile;
use super::random::RandomSearch;
use super::{GridAxis, ListedRun, PlannedRun, RunTables, Setting, Sweep, is_folder_name};
use crate::report::{Failure, Result, with_thousands};
use crate::settings::names::last;
use crate::settings::value::inline;
use crate::settings::{Layer, Layers, resolve};

/// More would be a typing error, or a year's work.
const MOST_RUNS: usize = 1000;
/// File systems take 255 bytes.
const LONGEST_NAME: usize = 200;

impl SweepFile<'_> {
    /// All runs: each that is listed at every point of the grid, with every sample of the random values.
    pub fn expand(&self, name: String, base: Option<&Path>, tables: RunTables) -> Result<Sweep> {
        let RunTables { shared, grid, random, mut list } = tables;
        if list.is_empty() {
            list.push(ListedRun::default());
        }
        let points = grid.iter().fold(1usize, |all, axis| all.saturating_mul(axis.values.len()));
        let samples = random.as_ref().map_or(1, |random| random.runs);
        let count = points.saturating_mul(samples).saturating_mul(list.len());
        if count > MOST_RUNS {
            return Err(Failure::request(format!(
                "`{}` has {} runs; the maximum is {}",
                self.path.display(),
                with_thousands(count as u64),
                with_thousands(MOST_RUNS as u64)
            )));
        }
        let samples = match &random {
            Some(random) => random.samples()?,
            None => vec![Vec::new()],
        };
        let mut layers = Layers::new();
        if let Some(path) = base {
            let named = || format!("`{}`: `config`", self.path.display());
            layers = layers.over(Layer::file(path).map_err(|failure| failure.at(named()))?);
        }
        let keys = keys(&grid, random.as_ref(), &list);
        let mut runs: Vec<PlannedRun> = Vec::new();
        // Names that differ in case only are one name on some file systems.
        let mut names: HashMap<String, usize> = HashMap::new();
        for listed in &list {
            let all = (0..points).flat_map(|point| samples.iter().map(move |s| (point, s)));
            for (point, sample) in all {
                let mut chosen = at(point, &grid);
                chosen.extend(sample.iter().cloned());
                let run = self.plan(&layers, &shared, listed, &chosen, &keys)?;
                let lines = chosen.iter().map(|setting| setting.source.line());
                let line = listed.line.max(lines.max().unwrap_or(0));
                if let Some(other) = names.insert(run.name.to_lowercase(), runs.len()) {
                    let (one, two) = (&runs[other].name, &run.name);
                    let which = if one == two {
                        format!("`{one}`")
                    } else {
                        format!("`{one}` and `{two}`")
                    };
                    return Err(self
                        .wrong_at(line, format!("two runs would have the same name: {which}"))
                        .hint("list each value once; `name = \"…\"` in a `[[run]]` table names that run"));
                }
                runs.push(run);
            }
        }
        Ok(Sweep { name, keys, runs })
    }

    /// One run, with its settings over those of all runs, over `layers`.
    fn plan(
        &self,
        layers: &Layers,
        shared: &[Setting],
        listed: &ListedRun,
        chosen: &[Setting],
        keys: &[(String, String)],
    ) -> Result<PlannedRun> {
        let own = listed.settings.iter().chain(chosen);
        let of = |key: &str| own.clone().find(|setting| setting.key == key);
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
        // All of these are meant together: an optimizer's name resets what the base file tells it, and no more.
        let layers = layers.clone().over(Layer::of(shared.iter().chain(own.clone()).cloned())?);
        let layers = layers.over_flags(self.flags)?;
        let config = resolve(&layers)?;
        let values = keys.iter().map(|(key, _)| Some(shown(&of(key)?.value))).collect();
        Ok(PlannedRun { name, values, layers, config, by_recipe: false })
    }
}

impl RunTables {
    /// Fails if a key is given in two tables that would contradict each other.
    pub fn check_keys(&self) -> Result<()> {
        let Self { shared, grid, random, list } = self;
        let fixed = shared.iter().chain(list.iter().flat_map(|run| &run.settings));
        let fixed = fixed.map(|setting| (&setting.key, &setting.source));
        let axes = grid.iter().map(|axis| (&axis.key, &axis.source));
        let random = random.iter().flat_map(|random| &random.keys);
        let drawn: Vec<_> = random.map(|key| &key.key).collect();
        let is_axis = |key: &String| grid.iter().any(|axis| axis.key == *key);
        let mut pairs = fixed.clone().chain(axes);
        let (table, twice) = match pairs.find(|(key, _)| drawn.contains(key)) {
            Some(twice) => ("random", Some(twice)),
            None => ("grid", fixed.clone().find(|(key, _)| is_axis(key))),
        };
        match twice {
            Some((key, source)) => {
                Err(Failure::request(format!("`{key}` is also in `[{table}]`")).at(source.place()))
            }
            None => Ok(()),
        }
    }
}

/// The keys in which runs differ, each with its last part or what else tells it apart.
fn keys(
    grid: &[GridAxis],
    random: Option<&RandomSearch>,
    list: &[ListedRun],
) -> Vec<(String, String)> {
    let mut keys: Vec<&str> = Vec::new();
    let listed = list.iter().flat_map(|run| &run.settings).map(|setting| setting.key.as_str());
    let random = random.into_iter().flat_map(|random| &random.keys).map(|key| key.key.as_str());
    for key in listed.chain(grid.iter().map(|axis| axis.key.as_str())).chain(random) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let short = |key: &str| {
        let alone = keys.iter().filter(|other| last(other) == last(key)).count() == 1;
        match key {
            "train.optimizer.name" => "optimizer".to_owned(),
            _ if alone => last(key).to_owned(),
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
