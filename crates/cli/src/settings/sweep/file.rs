//! The sweep file, as it was typed.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use super::random::{Distribution, RandomKey, RandomSearch};
use super::{GridAxis, ListedRun, RunTables, Setting, Source, Sweep, is_folder_name};
use crate::report::{Failure, Result, command};
use crate::settings::Flag;
use crate::settings::layers::{flatten, line_of, plain};
use crate::settings::names::{canonical, unknown};
use crate::settings::value::inline;

const KEYS: &str = "`name`, `config`, `set`, `grid`, `random`, `run`";

/// A sweep file and its text, to name lines of, and the flags that override its settings.
pub struct SweepFile<'a> {
    pub path: &'a Path,
    pub text: &'a str,
    pub flags: &'a [Flag],
}

impl SweepFile<'_> {
    fn line(&self, offset: usize) -> usize {
        line_of(self.text, offset)
    }

    /// Says what is wrong at a place of the text.
    pub fn wrong(&self, offset: usize, problem: impl std::fmt::Display) -> Failure {
        self.wrong_at(self.line(offset), problem)
    }

    /// Says what is wrong in a line.
    pub fn wrong_at(&self, line: usize, problem: impl std::fmt::Display) -> Failure {
        let source = Source::File(self.path.to_owned(), line);
        Failure::request(problem).at(source.place())
    }

    /// Reads the file, and plans its runs.
    pub fn read(&self, table: &DeTable<'_>) -> Result<Sweep> {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (mut name, mut base) = (stem, None);
        let mut tables = RunTables::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = self.name(value)?,
                "config" => base = Some(PathBuf::from(self.text_of("config", value)?)),
                "set" => tables.shared = self.settings("set", value)?,
                "grid" => tables.grid = self.grid(value)?,
                "random" => tables.random = Some(self.random(value)?),
                "run" => tables.list = self.run_tables(value)?,
                unknown => {
                    let failure = self.wrong(key.span().start, format!("unknown key `{unknown}`"));
                    return Err(failure.hint(format!("valid keys: {KEYS}")));
                }
            }
        }
        if !is_folder_name(&name) {
            return Err(Failure::request(format!(
                "`{}`: `{name}` is not a sweep name: it must be one folder name, without `/` or a leading `.`",
                self.path.display()
            ))
            .hint("`name = \"…\"` at the top of the file sets another one"));
        }
        if tables.grid.is_empty() && tables.random.is_none() && tables.list.is_empty() {
            return Err(Failure::request(format!(
                "`{}` has no run: it needs a table `[grid]` or `[random]`, or `[[run]]` tables",
                self.path.display()
            ))
            .hint(format!("`{} sweep --help` shows a sweep file", command())));
        }
        tables.check_keys()?;
        self.expand(name, base.as_deref(), tables)
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
        let mut settings: Vec<Setting> = Vec::new();
        for (typed, offset, value) in flatten(table) {
            let line = self.line(offset);
            let source = Source::File(self.path.to_owned(), line);
            let Some(key) = canonical(&typed) else { return Err(unknown(&typed, &source)) };
            if settings.iter().any(|setting| setting.key == key) {
                return Err(self.wrong_at(line, format!("`{key}` is given twice")));
            }
            let value = plain(value).map_err(|problem| self.wrong_at(line, problem))?;
            settings.push(Setting { key: key.to_owned(), value, source });
        }
        Ok(settings)
    }

    /// The table `[grid]`.
    fn grid(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<GridAxis>> {
        let mut grid = Vec::new();
        for Setting { key, value, source } in self.settings("grid", value)? {
            let wrong = |problem: String| Failure::request(problem).at(source.place());
            let Value::Array(values) = value else {
                let value = inline(&value);
                return Err(wrong(format!(
                    "`{key}` must be a list of values, such as `[{value}]`, not `{value}`"
                )));
            };
            if values.is_empty() {
                return Err(wrong(format!("`{key}` has no values")));
            }
            grid.push(GridAxis { key, values, source });
        }
        if grid.is_empty() {
            return Err(self.wrong(value.span().start, "`[grid]` is empty"));
        }
        Ok(grid)
    }

    /// The table `[random]`.
    fn random(&self, value: &Spanned<DeValue<'_>>) -> Result<RandomSearch> {
        let line = self.line(value.span().start);
        let not_a_table =
            || self.wrong_at(line, "`random` must be a table: the number of `runs`, and settings");
        let mut table = value.get_ref().as_table().ok_or_else(not_a_table)?.clone();
        let mut number = |name: &str, least: u64| match table.remove(name) {
            None => Ok(None),
            Some(value) => {
                let place = value.span().start;
                let number = plain(value).ok().and_then(|value| value.as_integer());
                let number = number.and_then(|number| u64::try_from(number).ok());
                number.filter(|number| *number >= least).map(Some).ok_or_else(|| {
                    let problem = format!("`{name}` must be a whole number of at least {least}");
                    self.wrong(place, problem)
                })
            }
        };
        let (runs, seed) = (number("runs", 1)?, number("seed", 0)?.unwrap_or(1));
        let runs = runs.ok_or_else(|| {
            self.wrong_at(line, "`[random]` needs the number of runs, such as `runs = 20`")
        })?;
        let mut keys = Vec::new();
        for Setting { key, value, source } in self.settings_of(&table)? {
            let distribution = Distribution::parse(&key, &value)
                .map_err(|problem| Failure::request(problem).at(source.place()))?;
            keys.push(RandomKey { key, distribution, source });
        }
        if keys.is_empty() {
            let problem =
                "`[random]` has no setting, such as `model.dropout = { uniform = [0.0, 0.5] }`";
            return Err(self.wrong_at(line, problem));
        }
        let source = Source::File(self.path.to_owned(), line);
        Ok(RandomSearch { runs: runs as usize, seed, keys, source })
    }

    /// The `[[run]]` tables.
    fn run_tables(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<ListedRun>> {
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
            list.push(ListedRun { name, settings: self.settings_of(&inner)?, line });
        }
        match list.is_empty() {
            true => Err(self.wrong(value.span().start, "`run` is empty")),
            false => Ok(list),
        }
    }
}
