//! The runs of a sweep beside each other: on the terminal, and as `sweep.csv`.

use std::path::{Path, PathBuf};

use charloom_data::atomic;
use charloom_train::MetricsRow;

use crate::chart::Curve;
use crate::report::{Failure, Result, answer, grouped};
use crate::settings::{PlannedRun, Sweep};

/// How a run ended.
pub enum Ending {
    Done,
    /// Why.
    Failed(String),
}

/// A run that has ended.
struct Line {
    name: String,
    values: Vec<Option<String>>,
    ending: Ending,
    rows: Vec<MetricsRow>,
}

impl Line {
    /// The epoch with the lowest validation loss.
    fn best(&self) -> Option<&MetricsRow> {
        let finite = self.rows.iter().filter(|row| row.valid_loss.is_finite());
        finite.min_by(|a, b| a.valid_loss.total_cmp(&b.valid_loss))
    }

    /// The mean over the epochs.
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

/// The runs that have ended.
pub struct Table {
    /// For people, and in full.
    keys: Vec<(String, String)>,
    lines: Vec<Line>,
}

/// `sweep.csv` of the sweep in this folder.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("sweep.csv")
}

impl Table {
    pub fn new(sweep: &Sweep) -> Self {
        let keys = sweep.keys.iter().map(|(key, short)| (short.clone(), key.clone())).collect();
        Self { keys, lines: Vec::new() }
    }

    /// Adds a run that has ended.
    pub fn add(&mut self, planned: &PlannedRun, ending: Ending, rows: Vec<MetricsRow>) {
        let PlannedRun { name, values, layers: _, config: _ } = planned;
        self.lines.push(Line { name: name.clone(), values: values.clone(), ending, rows });
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn failed(&self) -> usize {
        self.lines.iter().filter(|line| line.failed()).count()
    }

    /// Puts the lowest validation loss first, and runs that failed last.
    pub fn sort(&mut self) {
        let loss = |line: &Line| line.best().map_or(f64::INFINITY, |row| row.valid_loss);
        self.lines
            .sort_by(|a, b| a.failed().cmp(&b.failed()).then_with(|| loss(a).total_cmp(&loss(b))));
    }

    /// The run on top of the sorted table, if it has a loss.
    pub fn best(&self) -> Option<&str> {
        let first = self.lines.first().filter(|line| line.best().is_some());
        first.map(|line| line.name.as_str())
    }

    /// A curve for each run that has metrics.
    pub fn curves(&self, curve: impl Fn(&str, &[MetricsRow]) -> Curve) -> Vec<Curve> {
        let measured = self.lines.iter().filter(|line| !line.rows.is_empty());
        measured.map(|line| curve(&line.name, &line.rows)).collect()
    }

    /// Writes `sweep.csv`: what is in the table, in full and without rounding.
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
        for line in &self.lines {
            let status = match &line.ending {
                Ending::Done => "done".to_owned(),
                Ending::Failed(why) => format!("failed: {why}"),
            };
            let mut record = vec![line.name.clone(), status];
            record.extend(line.values.iter().map(|value| value.clone().unwrap_or_default()));
            record.extend(match line.best() {
                Some(best) => [
                    best.valid_loss.to_string(),
                    best.valid_perplexity.to_string(),
                    best.epoch.to_string(),
                    format!("{:.0}", line.chars_per_second()),
                    format!("{:.3}", line.seconds()),
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
        rows.extend(self.lines.iter().map(Self::row));
        let columns = rows[0].len();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let texts = 1 + self.keys.len();
        for (row, line) in rows.iter().zip(std::iter::once(None).chain(self.lines.iter().map(Some)))
        {
            let mut text = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Names and settings begin at one place, numbers end at one.
                text += &match column < texts {
                    true => format!("{cell:<width$}  "),
                    false => format!("{cell:>width$}  "),
                };
            }
            if let Some(Line { ending: Ending::Failed(why), .. }) = line {
                text += &format!("failed: {why}");
            }
            answer!("{}", text.trim_end())?;
        }
        Ok(())
    }

    fn header(&self) -> Vec<String> {
        let keys = self.keys.iter().map(|(short, _)| short.as_str());
        let numbers = ["loss", "perplexity", "epoch", "chars/s", "seconds"];
        ["run"].into_iter().chain(keys).chain(numbers).map(str::to_owned).collect()
    }

    fn row(line: &Line) -> Vec<String> {
        let mut row = vec![line.name.clone()];
        row.extend(line.values.iter().map(|value| value.clone().unwrap_or("-".into())));
        row.extend(match line.best() {
            Some(best) => [
                format!("{:.4}", best.valid_loss),
                format!("{:.3}", best.valid_perplexity),
                best.epoch.to_string(),
                grouped(line.chars_per_second() as u64),
                format!("{:.1}", line.seconds()),
            ],
            None => [const { String::new() }; 5].map(|_| "-".to_owned()),
        });
        row
    }
}
