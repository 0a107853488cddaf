//! burn-train's log of each step's metrics: `logs/<split>/epoch-<n>/<metric>.log`, a line a step.
//!
//! burn-train's own writer panics where a disk is full. These logs are for looking at afterwards and nothing depends on
//! them: here what can't be written is left out, and training goes on, or fails where something is lost.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricEntry, MetricId, NumericEntry};

/// Writes the logs of a run.
pub(crate) struct StepLogs {
    folder: PathBuf,
    names: HashMap<MetricId, String>,
    /// Of the epoch under way; nothing for a file that could not be made or written.
    files: HashMap<PathBuf, Option<BufWriter<File>>>,
}

impl StepLogs {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, names: HashMap::new(), files: HashMap::new() }
    }

    fn path(&self, name: &str, epoch: usize, split: &Split) -> PathBuf {
        let file = format!("{}.log", name.replace(' ', "_"));
        self.folder.join(split.to_string()).join(format!("epoch-{epoch}")).join(file)
    }

    fn write(&mut self, entry: &MetricEntry, epoch: usize, split: &Split) {
        let Some(name) = self.names.get(&entry.metric_id) else { return };
        let path = self.path(name, epoch, split);
        let file = self.files.entry(path).or_insert_with_key(|path| {
            fs::create_dir_all(path.parent()?).ok()?;
            File::create(path).ok().map(BufWriter::new)
        });
        let line = &entry.serialized_entry.serialized;
        if file.as_mut().is_some_and(|file| writeln!(file, "{line}").is_err()) {
            *file = None;
        }
    }
}

impl MetricLogger for StepLogs {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        let numeric = update.entries_numeric.iter().map(|update| &update.entry);
        for entry in update.entries.iter().chain(numeric) {
            self.write(entry, epoch, split);
        }
    }

    fn read_numeric(
        &mut self,
        name: &str,
        epoch: usize,
        split: &Split,
    ) -> Result<Vec<NumericEntry>, String> {
        let path = self.path(name, epoch, split);
        if let Some(Some(file)) = self.files.get_mut(&path) {
            file.flush().map_err(|error| error.to_string())?;
        }
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().map(NumericEntry::deserialize).collect()
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names.insert(definition.metric_id, definition.name.to_string());
    }

    fn log_epoch_summary(&mut self, _: EpochSummary) {
        // A buffer is written where it is dropped.
        self.files.clear();
    }
}
