//! `metrics.csv`, a row an evaluation, and `steps.csv`, a row a step.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use charloom_data::atomic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{RunError, RunFolder, StepReport};

/// A row of `metrics.csv`. Losses are nats per character.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsRow {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Optimizer steps of the whole run.
    pub step: usize,
    /// Mean over the batches since the last evaluation.
    pub train_loss: f64,
    /// On the validation part.
    pub valid_loss: f64,
    /// `exp(valid_loss)`.
    pub valid_perplexity: f64,
    /// `valid_loss / ln 2`.
    pub valid_bits_per_char: f64,
    /// Of the last step.
    pub learning_rate: f64,
    /// Training characters by training time, since the last evaluation.
    pub chars_per_second: f64,
    /// Seconds since the run started, evaluations and samples included, pauses not.
    pub seconds: f64,
    /// How often the training has diverged, gone back and halved its learning rate; files of earlier versions don't say it.
    #[serde(default)]
    pub recoveries: usize,
    /// The fraction of the training time since the last evaluation in which gradients were summed over several processes. A
    /// run of one process has no such column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communication: Option<f64>,
}

/// A row of `steps.csv`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct StepRow {
    epoch: usize,
    batch: usize,
    step: usize,
    loss: f64,
    learning_rate: f64,
}

impl From<&StepReport> for StepRow {
    fn from(report: &StepReport) -> Self {
        let StepReport { epoch, batch, step, loss, learning_rate, .. } = *report;
        Self { epoch, batch, step, loss, learning_rate }
    }
}

impl RunFolder {
    /// The rows of `metrics.csv`, as they are there.
    ///
    /// # Errors
    /// [`RunError::NoMetrics`] where the file is missing or has no row: the run was never evaluated.
    /// [`RunError::Metrics`], with the line, where it isn't such a table.
    pub fn read_metrics(&self) -> Result<Vec<MetricsRow>, RunError> {
        let rows: Vec<MetricsRow> = parse(&self.metrics(), &read(&self.metrics())?)?;
        if rows.is_empty() {
            return Err(RunError::NoMetrics { name: self.name().to_string() });
        }
        Ok(rows)
    }
}

/// A CSV file that rows are appended to.
pub(crate) struct CsvLog {
    path: PathBuf,
    writer: csv::Writer<File>,
    /// Whether `metrics.csv` has the column `communication`.
    with_communication: bool,
}

impl CsvLog {
    /// Opens `metrics.csv`, without the rows of evaluations after step `last`. Where several processes train, or did, it has
    /// the column `communication`.
    pub fn metrics(path: &Path, last: usize, several: bool) -> Result<Self, RunError> {
        let mut with_communication = several;
        let log = Self::open(path, |rows: &mut Vec<MetricsRow>| {
            with_communication |= rows.iter().any(|row| row.communication.is_some());
            rows.retain(|row| row.step <= last);
            if with_communication {
                rows.iter_mut().for_each(|row| _ = row.communication.get_or_insert(0.0));
            }
        })?;
        Ok(Self { with_communication, ..log })
    }

    /// Appends a row of `metrics.csv`.
    pub fn append_metrics(&mut self, row: &MetricsRow) -> Result<(), RunError> {
        let communication = self.with_communication.then_some(row.communication.unwrap_or(0.0));
        self.append(&MetricsRow { communication, ..*row })
    }

    /// Opens `steps.csv`, without the rows of steps after step `last`.
    pub fn steps(path: &Path, last: usize) -> Result<Self, RunError> {
        Self::open(path, |rows: &mut Vec<StepRow>| rows.retain(|row| row.step <= last))
    }

    /// Opens a file, whose rows `change` drops or completes.
    fn open<R: Serialize + DeserializeOwned>(
        path: &Path,
        change: impl FnOnce(&mut Vec<R>),
    ) -> Result<Self, RunError> {
        let text = read(path)?;
        let mut rows: Vec<R> = parse(path, &text)?;
        change(&mut rows);
        let kept = to_bytes(path, rows)?;
        // Some rows are dropped, or there were fewer columns.
        if kept != text {
            atomic::write(path, &kept).map_err(failed("write", path))?;
        }
        let file = File::options().append(true).create(true).open(path);
        let file = file.map_err(failed("open", path))?;
        let is_empty = file.metadata().map_err(failed("open", path))?.len() == 0;
        let writer = csv::WriterBuilder::new().has_headers(is_empty).from_writer(file);
        Ok(Self { path: path.to_owned(), writer, with_communication: false })
    }

    /// Appends a row.
    pub fn append(&mut self, row: &impl Serialize) -> Result<(), RunError> {
        self.writer.serialize(row).map_err(|error| failed("write", &self.path)(error.into()))
    }

    /// Brings what was appended to disk.
    pub fn sync(&mut self) -> Result<(), RunError> {
        let synced = self.writer.flush().and_then(|()| self.writer.get_ref().sync_data());
        synced.map_err(failed("write", &self.path))
    }
}

/// A CSV file of these rows, the one at `path`.
fn to_bytes<R: Serialize>(
    path: &Path,
    rows: impl IntoIterator<Item = R>,
) -> Result<Vec<u8>, RunError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = rows.into_iter().try_for_each(|row| writer.serialize(row));
    written.map_err(|error| failed("write", path)(error.into()))?;
    writer.into_inner().map_err(|error| failed("write", path)(error.into_error()))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
    let path = path.to_path_buf();
    move |source| RunError::Io { action, path, source }
}

/// The bytes of a CSV file, none if there is no such file.
fn read(path: &Path) -> Result<Vec<u8>, RunError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        text => text.map_err(failed("read", path)),
    }
}

/// The rows of a CSV file; a last line that a crash cut short is left out.
fn parse<R: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<Vec<R>, RunError> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut reader = csv::Reader::from_reader(&text[..whole]);
    let wrong = |error: csv::Error, columns: &csv::StringRecord| RunError::Metrics {
        path: path.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
        problem: problem(&error, columns),
    };
    let columns =
        reader.headers().cloned().map_err(|error| wrong(error, &csv::StringRecord::new()))?;
    let rows: Result<Vec<_>, _> = reader.deserialize().collect();
    rows.map_err(|error| wrong(error, &columns))
}

/// What is wrong with a row, without its position, which is reported beside it.
fn problem(error: &csv::Error, columns: &csv::StringRecord) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|field| columns.get(field as usize));
            let column = column.map(|name| format!("`{name}`: ")).unwrap_or_default();
            format!("{column}{}", err.kind())
        }
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} columns, where the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "epoch,step,train_loss,valid_loss,valid_perplexity,valid_bits_per_char,\
                          learning_rate,chars_per_second,seconds\n";

    fn run_with(metrics: &str) -> (tempfile::TempDir, RunFolder) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path(), "a").unwrap();
        std::fs::write(run.metrics(), metrics).unwrap();
        (folder, run)
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let (_folder, run) = run_with(&format!(
            "{HEADER}1,85,2.5,2.25,9.5,3.2,0.002,1000.0,0.5\n2,170,2,1.75,5.75,2.5,1e-3,900,1\n"
        ));
        let rows = run.read_metrics().unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].step, rows[0].train_loss, rows[0].seconds), (85, 2.5, 0.5));
        assert_eq!((rows[1].epoch, rows[1].valid_loss, rows[1].learning_rate), (2, 1.75, 1e-3));
    }

    #[test]
    fn a_run_that_was_never_evaluated_has_no_metrics() {
        let (_folder, run) = run_with(HEADER);
        assert!(matches!(run.read_metrics(), Err(RunError::NoMetrics { .. })));
        std::fs::remove_file(run.metrics()).unwrap();
        let message = run.read_metrics().unwrap_err().to_string();
        assert_eq!(message, "the run `a` has no metrics yet");
    }

    #[test]
    fn a_malformed_row_is_named_with_its_line_and_column() {
        let good = "1,85,2.5,2.25,9.5,3.2,0.002,1000.0,0.5\n";
        for (rows, line, problem) in [
            (
                format!("{HEADER}{good}2,170,2,much,5.75,2.5,1e-3,900,1\n"),
                3,
                "`valid_loss`: invalid float literal",
            ),
            (format!("{HEADER}{good}{good}3,255\n"), 4, "2 columns, where the first line has 9"),
            (format!("{HEADER}-1{}", &good[1..]), 2, "`epoch`: invalid digit found in string"),
            ("epoch,step\n1,85\n".to_string(), 2, "missing field `train_loss`"),
        ] {
            let (_folder, run) = run_with(&rows);
            match run.read_metrics() {
                Err(RunError::Metrics { line: at, problem: what, .. }) => {
                    assert_eq!((at, what.as_str()), (line, problem), "{rows}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_file_of_an_earlier_version_is_given_the_columns_that_it_lacks() {
        let old = "1,10,2.5,2.25,9.5,3.2,0.002,1000.0,0.5";
        let (_folder, run) = run_with(&format!("{HEADER}{old}\n"));
        let mut log = CsvLog::metrics(&run.metrics(), 10, false).unwrap();
        log.append(&MetricsRow { step: 20, recoveries: 1, ..run.read_metrics().unwrap()[0] })
            .unwrap();
        log.sync().unwrap();
        let text = std::fs::read_to_string(run.metrics()).unwrap();
        let header = HEADER.trim_end();
        let new = old.replace(",10,", ",20,");
        assert_eq!(text, format!("{header},recoveries\n{old},0\n{new},1\n"));
    }

    #[test]
    fn rows_are_appended_and_those_after_the_resumed_step_are_cut() {
        let (_folder, run) = run_with(HEADER);
        std::fs::remove_file(run.metrics()).unwrap();
        let row = |step| MetricsRow {
            epoch: 1,
            step,
            train_loss: 0.1 + 0.2,
            valid_loss: 2.5,
            valid_perplexity: 12.0,
            valid_bits_per_char: 3.5,
            learning_rate: 2e-3,
            chars_per_second: 900.0,
            seconds: 1.25,
            recoveries: 0,
            communication: None,
        };
        let mut log = CsvLog::metrics(&run.metrics(), 0, false).unwrap();
        for step in [10, 20, 30] {
            log.append(&row(step)).unwrap();
            log.sync().unwrap();
        }
        assert_eq!(run.read_metrics().unwrap(), [row(10), row(20), row(30)]);
        // A crash in the middle of a line.
        let text = std::fs::read_to_string(run.metrics()).unwrap();
        std::fs::write(run.metrics(), format!("{text}1,40,2.")).unwrap();
        let mut log = CsvLog::metrics(&run.metrics(), 20, false).unwrap();
        log.append(&row(25)).unwrap();
        log.sync().unwrap();
        assert_eq!(run.read_metrics().unwrap(), [row(10), row(20), row(25)]);
        let text = std::fs::read_to_string(run.metrics()).unwrap();
        assert_eq!(text.lines().count(), 4, "one header: {text}");

        // From here on several processes train, and then one again.
        let mut log = CsvLog::metrics(&run.metrics(), 25, true).unwrap();
        let shared = MetricsRow { communication: Some(0.25), ..row(30) };
        log.append_metrics(&shared).unwrap();
        log.sync().unwrap();
        let mut log = CsvLog::metrics(&run.metrics(), 30, false).unwrap();
        log.append_metrics(&row(40)).unwrap();
        log.sync().unwrap();
        let rows = run.read_metrics().unwrap();
        let column: Vec<_> = rows.iter().map(|row| row.communication).collect();
        assert_eq!(column, [0.0, 0.0, 0.0, 0.25, 0.0].map(Some));
    }
}
