//! What a run has been through: the rows of its `metrics.csv`, and whether it has ended.

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Place, Saved};
use crate::{CheckpointError, RunError, RunFolder, TrainConfig};

/// A row of `metrics.csv`. Losses are nats per character.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsRow {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps taken in the whole run.
    pub step: usize,
    /// Mean over the epoch's batches.
    pub train_loss: f64,
    /// On the validation part.
    pub valid_loss: f64,
    /// `exp(valid_loss)`.
    pub valid_perplexity: f64,
    /// `valid_loss / ln 2`.
    pub valid_bits_per_char: f64,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Training characters by training time.
    pub chars_per_second: f64,
    /// Since the run began, validation and samples included, pauses not.
    pub seconds: f64,
}

impl RunFolder {
    /// The rows of `metrics.csv`, as they stand there: one for each validation.
    ///
    /// # Errors
    /// [`RunError::NoMetrics`] where the file is missing or has no row: the run was never
    /// validated. [`RunError::Metrics`], with the line, where it isn't such a table.
    pub fn read_metrics(&self) -> Result<Vec<MetricsRow>, RunError> {
        let path = self.metrics();
        let text = std::fs::read(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => RunError::NoMetrics { name: self.name().to_string() },
            _ => RunError::Io { action: "read", path: path.clone(), source },
        })?;
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let wrong = |error: csv::Error, columns: &csv::StringRecord| RunError::Metrics {
            path: path.clone(),
            line: error.position().map_or(1, csv::Position::line),
            problem: problem(&error, columns),
        };
        let columns =
            reader.headers().cloned().map_err(|error| wrong(error, &csv::StringRecord::new()))?;
        let rows: Result<Vec<_>, _> = reader.deserialize().collect();
        let rows = rows.map_err(|error| wrong(error, &columns))?;
        if rows.is_empty() {
            return Err(RunError::NoMetrics { name: self.name().to_string() });
        }
        Ok(rows)
    }

    /// Whether nothing is left to do of the run, if it has this configuration and is of the text
    /// with this hash. A run without a checkpoint has everything before it.
    ///
    /// # Errors
    /// The newest checkpoint can't be read, or belongs to another text.
    pub fn has_ended(
        &self,
        config: &TrainConfig,
        text_sha256: &str,
    ) -> Result<bool, CheckpointError> {
        let Some(saved) = Saved::newest(&self.checkpoints())? else { return Ok(false) };
        if saved.place.text_sha256 != text_sha256 {
            return Err(CheckpointError::OtherText { path: saved.path });
        }
        Ok(nothing_is_left(&saved.place, config))
    }
}

/// Whether the training loop would end at once. It knows; here it is known without a loop.
fn nothing_is_left(place: &Place, config: &TrainConfig) -> bool {
    let steps_done =
        place.epoch > config.epochs || (config.max_steps > 0 && place.step >= config.max_steps);
    // What the last steps led to may have been left to measure.
    (steps_done && place.measured == place.step)
        || (config.patience > 0 && place.stale >= config.patience)
}

/// What is wrong with a row, without the place, which is told beside it.
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
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_string(),
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
    fn a_run_that_was_never_validated_has_no_metrics() {
        let (_folder, run) = run_with(HEADER);
        assert!(matches!(run.read_metrics(), Err(RunError::NoMetrics { .. })));
        std::fs::remove_file(run.metrics()).unwrap();
        let message = run.read_metrics().unwrap_err().to_string();
        assert_eq!(message, "the run `a` has no metrics yet");
    }

    #[test]
    fn what_is_no_row_is_named_with_its_line_and_column() {
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
}
