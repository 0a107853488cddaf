//! The comparison of a sweep's runs: a table on standard output, and `sweep.csv`.

use std::path::{Path, PathBuf};

use charloom_data::atomic;
use charloom_train::MetricsRow;

use crate::chart::Curve;
use crate::report::{Failure, Result, print_output, with_thousands};
use crate::settings::{PlannedRun, Sweep};

/// How a run ended, or that it didn't.
pub enum Ending {
    Done,
    /// The error's message.
    Failed(String),
    /// It was stopped, or another process trains it.
    Unfinished,
    NotStarted,
}

impl Ending {
    /// What `sweep.csv` says of it.
    fn status(&self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::Failed(why) => format!("failed: {why}"),
            Self::Unfinished => "unfinished".to_owned(),
            Self::NotStarted => "not started".to_owned(),
        }
    }
}

/// A row of the table: a run.
struct RunRow {
    name: String,
    values: Vec<Option<String>>,
    ending: Ending,
    rows: Vec<MetricsRow>,
}

impl RunRow {
    /// The evaluation with the lowest validation loss.
    fn best(&self) -> Option<&MetricsRow> {
        let finite = self.rows.iter().filter(|row| row.valid_loss.is_finite());
        finite.min_by(|a, b| a.valid_loss.total_cmp(&b.valid_loss))
    }

    /// The mean over the evaluations.
    fn chars_per_second(&self) -> f64 {
        self.rows.iter().map(|row| row.chars_per_second).sum::<f64>() / self.rows.len() as f64
    }

    fn seconds(&self) -> f64 {
        self.rows.last().map_or(0.0, |row| row.seconds)
    }

    fn failed(&self) -> bool {
        matches!(self.ending, Ending::Failed(_))
    }
}

/// The comparison so far.
pub struct Table {
    /// The keys that differ between runs: short for the table, in full for the CSV file.
    keys: Vec<(String, String)>,
    runs: Vec<RunRow>,
}

/// `sweep.csv` of the sweep in this folder.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("sweep.csv")
}

impl Table {
    pub fn new(sweep: &Sweep) -> Self {
        let keys = sweep.keys.iter().map(|(key, short)| (short.clone(), key.clone())).collect();
        Self { keys, runs: Vec::new() }
    }

    /// Adds a run, with its evaluations.
    pub fn add(&mut self, planned: &PlannedRun, ending: Ending, rows: Vec<MetricsRow>) {
        let PlannedRun { name, values, .. } = planned;
        self.runs.push(RunRow { name: name.clone(), values: values.clone(), ending, rows });
    }

    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether no run was ever started.
    pub fn is_unstarted(&self) -> bool {
        self.runs.iter().all(|run| matches!(run.ending, Ending::NotStarted))
    }

    pub fn failed(&self) -> usize {
        self.runs.iter().filter(|run| run.failed()).count()
    }

    /// Sorts by validation loss, lowest first; failed runs come last.
    pub fn sort(&mut self) {
        let loss = |run: &RunRow| run.best().map_or(f64::INFINITY, |row| row.valid_loss);
        self.runs
            .sort_by(|a, b| a.failed().cmp(&b.failed()).then_with(|| loss(a).total_cmp(&loss(b))));
    }

    /// The name of the first run of the sorted table, if it has a loss.
    pub fn best(&self) -> Option<&str> {
        let first = self.runs.first().filter(|run| run.best().is_some());
        first.map(|run| run.name.as_str())
    }

    /// A curve for each run that has metrics.
    pub fn curves(&self, curve: impl Fn(&str, &[MetricsRow]) -> Curve) -> Vec<Curve> {
        let measured = self.runs.iter().filter(|run| !run.rows.is_empty());
        measured.map(|run| curve(&run.name, &run.rows)).collect()
    }

    /// Writes `sweep.csv`: the table's contents, with keys in full and numbers unrounded.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = file(folder);
        let bytes = self.csv().map_err(|error| error.to_string());
        let written =
            bytes.and_then(|bytes| atomic::write(&path, &bytes).map_err(|error| error.to_string()));
        written
            .map_err(|error| Failure::work(format!("cannot write `{}`: {error}", path.display())))
    }

    fn csv(&self) -> std::result::Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let keys = self.keys.iter().map(|(_, key)| key.as_str());
        let numbers = [
            "best_valid_loss",
            "best_valid_perplexity",
            "best_epoch",
            "chars_per_second",
            "seconds",
        ];
        writer.write_record(["run", "status"].into_iter().chain(keys).chain(numbers))?;
        for run in &self.runs {
            let mut record = vec![run.name.clone(), run.ending.status()];
            record.extend(run.values.iter().map(|value| value.clone().unwrap_or_default()));
            record.extend(match run.best() {
                Some(best) => [
                    best.valid_loss.to_string(),
                    best.valid_perplexity.to_string(),
                    best.epoch.to_string(),
                    format!("{:.0}", run.chars_per_second()),
                    format!("{:.3}", run.seconds()),
                ],
                None => [const { String::new() }; 5],
            });
            writer.write_record(record)?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    /// Prints the table to standard output.
    pub fn print(&self) -> Result<()> {
        let mut rows = vec![self.header()];
        rows.extend(self.runs.iter().map(Self::row));
        let columns = rows[0].len();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let texts = 1 + self.keys.len();
        for (row, run) in rows.iter().zip(std::iter::once(None).chain(self.runs.iter().map(Some))) {
            let mut text = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Names and settings are left-aligned, numbers right-aligned.
                text += &match column < texts {
                    true => format!("{cell:<width$}  "),
                    false => format!("{cell:>width$}  "),
                };
            }
            if let Some(run) = run.filter(|run| !matches!(run.ending, Ending::Done)) {
                text += &run.ending.status();
            }
            print_output!("{}", text.trim_end())?;
        }
        Ok(())
    }

    fn header(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|(short, _)| short.as_str());
        let numbers = ["loss", "perplexity", "epoch", "chars/s", "seconds"];
        ["run"].into_iter().chain(keys).chain(numbers).map(str::to_owned).collect()
    }

    fn row(run: &RunRow) -> Vec<String> {
        let mut row = vec![run.name.clone()];
        row.extend(run.values.iter().map(|value| value.clone().unwrap_or("-".into())));
        row.extend(match run.best() {
            Some(best) => [
                format!("{:.4}", best.valid_loss),
                format!("{:.3}", best.valid_perplexity),
                best.epoch.to_string(),
                with_thousands(run.chars_per_second() as u64),
                format!("{:.1}", run.seconds()),
            ],
            None => [const { String::new() }; 5].map(|_| "-".to_owned()),
        });
        row
    }
}
