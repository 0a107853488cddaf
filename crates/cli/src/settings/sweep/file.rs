//! The sweep file, as it was typed.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use super::super::layers::plain;
use super::{GridAxis, ListedRun, Setting, Sweep, is_plain};
use crate::report::{Failure, Result};

const KEYS: &str = "`name`, `config`, `set`, `grid`, `run`";
/// What a table of this name holds are settings of their own. Any other table is a value.
const SECTIONS: [&str; 5] = ["data", "model", "train", "sample", "train.optimizer"];

/// A sweep file and its text, to name lines of.
pub struct File<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl File<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or(self.text).matches('\n').count() + 1
    }

    /// Says what is wrong at a place of the text.
    pub fn wrong(&self, offset: usize, problem: impl std::fmt::Display) -> Failure {
        self.wrong_at(self.line(offset), problem)
    }

    /// Says what is wrong in a line.
    pub fn wrong_at(&self, line: usize, problem: impl std::fmt::Display) -> Failure {
        Failure::request(format!("`{}`, line {line}: {problem}", self.path.display()))
    }

    /// Reads the file, and plans its runs.
    pub fn read(&self, table: &DeTable<'_>) -> Result<Sweep> {
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
                    return Err(failure.hint(format!("valid keys: {KEYS}")));
                }
            }
        }
        if !is_plain(&name) {
            return Err(Failure::request(format!(
                "`{}`: `{name}` is not a sweep name: it must be one folder name, without `/` or a leading `.`",
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
                let failure = self.wrong_at(line, format!("unknown setting `{key}`"));
                return Err(failure.hint(
                    "settings are named `section.key`, and `charloom config show` prints them all",
                ));
            }
            if settings.iter().any(|setting| setting.key == key) {
                return Err(self.wrong_at(line, format!("`{key}` is given twice")));
            }
            let value = plain(&value);
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

    /// The table `[grid]`.
    fn dimensions(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<GridAxis>> {
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
            grid.push(GridAxis { key, values, line });
        }
        if grid.is_empty() {
            return Err(self.wrong(value.span().start, "`[grid]` is empty"));
        }
        Ok(grid)
    }

    /// The `[[run]]` tables.
    fn list(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<ListedRun>> {
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

/// `section.key`, with nothing in it that TOML would take for something else.
fn is_setting(key: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
    };
    key.contains('.') && key.split('.').all(plain)
}
