//! Sweeps: many runs from one file, with shared settings and with settings in which they differ.
//!
//! [`mod@file`] reads what was typed, [`random`] draws values, [`plan`] makes runs of it.

mod file;
mod plan;
mod random;

use std::path::Path;

use charloom_train::RunConfig;
use toml::Value;
use toml::de::DeTable;

use self::file::SweepFile;
use self::random::RandomSearch;
use super::layers::Setting;
use super::source::Source;
use super::{Flag, Layers};
use crate::report::{Failure, Result};

/// A sweep with its runs, whose settings are checked.
#[derive(Debug)]
pub struct Sweep {
    pub name: String,
    /// The keys in which runs differ, and their short names.
    pub keys: Vec<(String, String)>,
    pub runs: Vec<PlannedRun>,
}

/// A run of a sweep.
#[derive(Debug)]
pub struct PlannedRun {
    pub name: String,
    /// Of each of the sweep's keys, if this run sets it.
    pub values: Vec<Option<String>>,
    pub layers: Layers,
    pub config: RunConfig,
    /// Whether the recipe is to choose settings before the run starts.
    pub by_recipe: bool,
}

impl Sweep {
    /// Reads a sweep file, and resolves the settings of all its runs; `flags` override the file.
    pub fn read(path: &Path, flags: &[Flag]) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::request(format!("could not read the sweep file `{}`: {error}", path.display()))
        })?;
        let file = SweepFile { path, text: &text, flags };
        let table = DeTable::parse(&text).map_err(|error| {
            let problem = error.message().replace('\n', ", ");
            file.wrong(error.span().map_or(0, |span| span.start), problem)
        })?;
        file.read(table.get_ref())
    }

    /// Drops all runs but one: that of this name, or else of this number, from 0.
    pub fn keep(&mut self, only: &str) -> Result<()> {
        let named = self.runs.iter().position(|run| run.name == only);
        let numbered = || only.parse().ok().filter(|number| *number < self.runs.len());
        let Some(index) = named.or_else(numbered) else {
            let last = self.runs.len() - 1;
            return Err(Failure::request(format!(
                "the sweep `{}` has no run `{only}`: `--only` takes a name, or a number from 0 to {last}",
                self.name
            ))
            .hint("`--list` prints the names"));
        };
        self.runs = vec![self.runs.swap_remove(index)];
        Ok(())
    }
}

/// What a sweep file says about its runs.
#[derive(Default)]
struct RunTables {
    /// The settings of all runs.
    shared: Vec<Setting>,
    grid: Vec<GridAxis>,
    random: Option<RandomSearch>,
    list: Vec<ListedRun>,
}

/// A key of the table `[grid]`, and the values that it takes.
struct GridAxis {
    key: String,
    values: Vec<Value>,
    source: Source,
}

/// A `[[run]]` table.
#[derive(Default)]
struct ListedRun {
    name: Option<String>,
    settings: Vec<Setting>,
    line: usize,
}

/// Whether a run or a sweep can have this name: it is one folder name.
fn is_folder_name(name: &str) -> bool {
    !name.starts_with('.')
        && !name.chars().any(|char| char.is_control() || matches!(char, '/' | '\\'))
        && Path::new(name).file_name().is_some_and(|file| file == name)
}
