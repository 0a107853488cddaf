//! Sweeps: many runs from one file, with shared settings and with settings in which they differ.
//!
//! [`mod@file`] reads what was typed, [`plan`] makes runs of it.

mod file;
mod plan;

use std::path::Path;

use charloom_train::RunConfig;
use toml::Value;
use toml::de::DeTable;

use self::file::SweepFile;
use super::Layers;
use super::layers::{Setting, Source};
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
}

impl Sweep {
    /// Reads a sweep file, and resolves the settings of all its runs.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::request(format!("could not read the sweep file `{}`: {error}", path.display()))
        })?;
        let file = SweepFile { path, text: &text };
        let table = DeTable::parse(&text).map_err(|error| {
            let problem = error.message().replace('\n', ", ");
            file.wrong(error.span().map_or(0, |span| span.start), problem)
        })?;
        file.read(table.get_ref())
    }
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
