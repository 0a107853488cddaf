//! The file of a sweep: a table of settings that runs share, and those in which they differ.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

use super::layer::{Layer, Layers};
use super::{Resolved, resolve};
use crate::report::{Failure, Result, grouped};

/// More would be a typing error, or a year's work.
const MOST_RUNS: usize = 1000;
/// File systems take 255 bytes.
const LONGEST_NAME: usize = 200;
const KEYS: &str = "`name`, `config`, `set`, `grid`, `run`";
/// What a table of this name holds are settings of their own. Any other table is a value.
const SECTIONS: [&str; 5] = ["data", "model", "train", "sample", "train.optimizer"];

/// A sweep, every run of it with settings in their ranges.
#[derive(Debug)]
pub struct Sweep {
    pub name: String,
    /// The keys in which runs differ, and what they are called for short.
    pub keys: Vec<(String, String)>,
    pub runs: Vec<Planned>,
}

/// A run of a sweep.
#[derive(Debug)]
pub struct Planned {
    pub name: String,
    /// Of each of the sweep's keys, if this run sets it.
    pub values: Vec<Option<String>>,
    pub layers: Layers,
    pub resolved: Resolved,
}

impl Sweep {
    /// Reads a sweep file, and resolves the settings of all its runs.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::request(format!("could not read the sweep file `{}`: {error}", path.display()))
        })?;
        let file = File { path, text: &text };
        let table = DeTable::parse(&text).map_err(|error| {
            let problem = error.message().replace('\n', ", ");
            file.wrong(error.span().map_or(0, |span| span.start), problem)
        })?;
        file.read(table.get_ref())
    }
}

/// A key, its value, and the line where they stand.
#[derive(Clone, Debug)]
struct Setting {
    key: String,
    value: Value,
    line: usize,
}

/// A key, and the values that it takes one after the other.
struct Dimension {
    key: String,
    values: Vec<Value>,
    line: usize,
}

/// A `[[run]]` table.
#[derive(Default)]
struct Listed {
    name: Option<String>,
    settings: Vec<Setting>,
    line: usize,
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(self.text).matches('\n').count() + 1
    }

    fn wrong(&self, offset: usize, problem: impl std::fmt::Display) -> Failure {
        self.wrong_at(self.line(offset), problem)
    }

    fn wrong_at(&self, line: usize, problem: impl std::fmt::Display) -> Failure {
        Failure::request(format!("`{}`, line {line}: {problem}", self.path.display()))
    }

    fn read(&self, table: &DeTable<'_>) -> Result<Sweep> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (mut name, mut base) = (stem, None);
        let (mut shared, mut grid, mut list) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = self.name(value)?,
                "config" => base = Some(PathBuf::from(self.text_of("config", value)?)),
                "set" => shared = self.settings("set", value)?,
                "grid" => grid = self.dimensions(value)?,
                "run" => list = self.list(value)?,
                unknown => {
                    let failure = self.wrong(key.span().start, format!("unknown key `{unknown}`"));
                    return Err(failure.hint(format!("known here: {KEYS}")));
                }
            }
        }
        if !is_plain(&name) {
            return Err(Failure::request(format!(
                "`{}`: `{name}` cannot name a sweep: a name is one folder name, with no `/` and no leading `.`",
                self.path.display()
            ))
            .hint("`name = \"…\"` at the top of the file gives it another"));
        }
        if grid.is_empty() && list.is_empty() {
            return Err(Failure::request(format!(
                "`{}` has no run: it needs a table `[grid]`, or `[[run]]` tables",
                self.path.display()
            ))
            .hint("`charloom sweep --help` shows a sweep file"));
        }
        let sets = shared.iter().chain(list.iter().flat_map(|run| &run.settings));
        for setting in sets {
            if grid.iter().any(|dimension| dimension.key == setting.key) {
                let problem = format!("`{}` is in `[grid]` too", setting.key);
                return Err(self.wrong_at(setting.line, problem));
            }
        }
        self.expand(name, base.as_deref(), &shared, &grid, list)
    }

    fn name(&self, value: &Spanned<DeValue<'_>>) -> Result<String> {
        self.text_of("name", value).map(str::to_owned)
    }

    fn text_of<'t>(&self, key: &str, value: &'t Spanned<DeValue<'_>>) -> Result<&'t str> {
        value.get_ref().as_str().filter(|text| !text.is_empty()).ok_or_else(|| {
            self.wrong(value.span().start, format!("`{key}` must be text in quotes"))
        })
    }

    /// The settings of a table, in the order of the file.
    fn settings(&self, place: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<Setting>> {
        let table = value.get_ref().as_table().ok_or_else(|| {
            self.wrong(value.span().start, format!("`{place}` must be a table of settings"))
        })?;
        self.settings_of(table)
    }

    fn settings_of(&self, table: &DeTable<'_>) -> Result<Vec<Setting>> {
        let mut found = Vec::new();
        self.collect("", table, &mut found);
        found.sort_by_key(|(_, start, _)| *start);
        let mut settings: Vec<Setting> = Vec::new();
        for (key, start, value) in found {
            let line = self.line(start);
            if !is_setting(&key) {
                let failure = self.wrong_at(line, format!("`{key}` is no setting"));
                return Err(failure.hint(
                    "settings are named `section.key`, and `charloom config show` prints them all",
                ));
            }
            if settings.iter().any(|setting| setting.key == key) {
                return Err(self.wrong_at(line, format!("`{key}` is given twice")));
            }
            let value = self.value(&value)?;
            settings.push(Setting { key, value, line });
        }
        Ok(settings)
    }

    /// What is in a table and in those of its tables that are sections: key, place and value.
    fn collect<'t>(
        &self,
        above: &str,
        table: &DeTable<'t>,
        found: &mut Vec<(String, usize, Spanned<DeValue<'t>>)>,
    ) {
        for (key, value) in table {
            let path = match above {
                "" => key.get_ref().to_string(),
                above => format!("{above}.{}", key.get_ref()),
            };
            match value.get_ref() {
                DeValue::Table(inner) if SECTIONS.contains(&path.as_str()) => {
                    self.collect(&path, inner, found);
                }
                _ => found.push((path, key.span().start, value.clone())),
            }
        }
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Result<Value> {
        Value::deserialize(ValueDeserializer::from(value.clone()))
            .map_err(|error| self.wrong(value.span().start, error.message()))
    }

    /// The table `[grid]`.
    fn dimensions(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Dimension>> {
        let settings = self.settings("grid", value)?;
        let mut grid = Vec::new();
        for Setting { key, value, line } in settings {
            let Value::Array(values) = value else {
                let problem =
                    format!("`{key}` must be a list of values, such as `[{value}]`, not `{value}`");
                return Err(self.wrong_at(line, problem));
            };
            if values.is_empty() {
                return Err(self.wrong_at(line, format!("`{key}` has no values")));
            }
            grid.push(Dimension { key, values, line });
        }
        if grid.is_empty() {
            return Err(self.wrong(value.span().start, "`[grid]` is empty"));
        }
        Ok(grid)
    }

    /// The `[[run]]` tables.
    fn list(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Listed>> {
        let not_tables =
            || self.wrong(value.span().start, "`run` must be tables, each under `[[run]]`");
        let tables = value.get_ref().as_array().ok_or_else(not_tables)?;
        let mut list = Vec::new();
        for table in tables {
            let line = self.line(table.span().start);
            let mut inner = table.get_ref().as_table().ok_or_else(not_tables)?.clone();
            let name = match inner.remove("name") {
                Some(name) => Some(self.name(&name)?),
                None => None,
            };
            list.push(Listed { name, settings: self.settings_of(&inner)?, line });
        }
        match list.is_empty() {
            true => Err(self.wrong(value.span().start, "`run` is empty")),
            false => Ok(list),
        }
    }

    /// All runs: each that is listed at every point of the grid.
    fn expand(
        &self,
        name: String,
        base: Option<&Path>,
        shared: &[Setting],
        grid: &[Dimension],
        mut list: Vec<Listed>,
    ) -> Result<Sweep> {
        if list.is_empty() {
            list.push(Listed::default());
        }
        let points = grid.iter().fold(1usize, |all, axis| all.saturating_mul(axis.values.len()));
        let count = points.saturating_mul(list.len());
        if count > MOST_RUNS {
            return Err(Failure::request(format!(
                "`{}` has {} runs, and {} are the most",
                self.path.display(),
                grouped(count as u64),
                grouped(MOST_RUNS as u64)
            )));
        }
        let keys = keys(grid, &list);
        let mut runs: Vec<(Planned, usize)> = Vec::new();
        for listed in &list {
            for point in 0..points {
                let chosen = at(point, grid);
                let own: Vec<_> = listed.settings.iter().chain(&chosen).collect();
                let run = self.plan(base, shared, &own, listed, &chosen, &keys)?;
                let line =
                    listed.line.max(chosen.iter().map(|setting| setting.line).max().unwrap_or(0));
                // Some file systems take both for one.
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
                        .wrong_at(line, format!("two runs would have one name: {which}"))
                        .hint("a value that is listed twice is one too many; `name = \"…\"` names a `[[run]]`"));
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
        listed: &Listed,
        chosen: &[Setting],
        keys: &[(String, String)],
    ) -> Result<Planned> {
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
        if !is_plain(&name) || name.len() > LONGEST_NAME {
            let problem = match name.as_str() {
                "" => "this run has no settings that it could be named after".to_owned(),
                name => format!(
                    "`{name}` cannot name a run: a name is one folder name of {LONGEST_NAME} bytes at most, with no `/` and no leading `.`"
                ),
            };
            return Err(self
                .wrong_at(listed.line.max(1), problem)
                .hint("`name = \"…\"` in a `[[run]]` table names it"));
        }
        let mut layers = Layers::new();
        if let Some(path) = base {
            layers = layers.over(Layer::file(path)?);
        }
        let overridden = |setting: &Setting| of(&setting.key).is_some();
        let mut settings: Vec<_> = shared.iter().filter(|setting| !overridden(setting)).collect();
        settings.extend(own);
        // An optimizer's name resets what lies below it, and all of these are meant together.
        settings.sort_by_key(|setting| setting.key != "train.optimizer.name");
        for Setting { key, value, line } in settings {
            layers = layers.over(Layer::in_sweep(self.path, *line, key, value)?);
        }
        let resolved = resolve(&layers)?;
        let values = keys.iter().map(|(key, _)| Some(shown(&of(key)?.value))).collect();
        Ok(Planned { name, values, layers, resolved })
    }
}

/// The keys in which runs differ, each with its last part or what else tells it apart.
fn keys(grid: &[Dimension], list: &[Listed]) -> Vec<(String, String)> {
    let mut keys: Vec<&str> = Vec::new();
    let listed = list.iter().flat_map(|run| &run.settings).map(|setting| setting.key.as_str());
    for key in listed.chain(grid.iter().map(|dimension| dimension.key.as_str())) {
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

/// The settings at one of the grid's points. The last dimension changes fastest.
fn at(point: usize, grid: &[Dimension]) -> Vec<Setting> {
    let mut rest = point;
    let mut chosen: Vec<_> = grid
        .iter()
        .rev()
        .map(|Dimension { key, values, line }| {
            let value = values[rest % values.len()].clone();
            rest /= values.len();
            Setting { key: key.clone(), value, line: *line }
        })
        .collect();
    chosen.reverse();
    chosen
}

/// A value as people write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
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

fn is_plain(name: &str) -> bool {
    !name.starts_with('.')
        && !name.chars().any(|char| char.is_control() || matches!(char, '/' | '\\'))
        && Path::new(name).file_name().is_some_and(|file| file == name)
}

/// `section.key`, with nothing in it that TOML would take for something else.
fn is_setting(key: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    key.contains('.') && key.split('.').all(plain)
}
