//! `charloom plot`.

use std::path::{Path, PathBuf};

use charloom_data::atomic;
use charloom_infer::{bits_per_char, perplexity};
use charloom_train::{MetricsRow, RunFolder};

use crate::args::{Metric, PlotArgs, RunsDir};
use crate::chart::{Chart, Curve, Format};
use crate::report::{Failure, Result, print_status};
use crate::runs::{find_run, run_failure};

/// With more runs than this, only validation curves are drawn: training curves would hide them.
const MOST_WITH_TRAINING: usize = 8;

/// Draws the loss of runs over training steps.
pub fn run(args: &PlotArgs) -> Result<()> {
    let PlotArgs { names, runs: RunsDir { runs_dir }, metric, output } = args;
    let output = match output {
        Some(path) => Some((path.clone(), format_of(path)?)),
        None => None,
    };
    let runs = selected(runs_dir, names)?;
    let mut curves = Vec::new();
    for run in &runs {
        let rows = run.read_metrics().map_err(|error| run_failure(&error))?;
        let mut curve = curve(run.name(), &rows, *metric);
        if runs.len() > MOST_WITH_TRAINING {
            curve.train.clear();
        }
        curves.push(curve);
    }
    let chart = Chart { title: title(&runs, *metric), label: label(*metric).to_owned(), curves };
    let files = match output {
        Some(file) => vec![file],
        None => {
            let folder = match runs.as_slice() {
                [run] => run.path(),
                _ => runs_dir,
            };
            files_in(folder, stem(*metric))
        }
    };
    write(&chart, &files)
}

/// The runs of these names, or the newest.
fn selected(runs_dir: &Path, names: &[String]) -> Result<Vec<RunFolder>> {
    let repeated = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    if let Some((_, name)) = repeated {
        return Err(Failure::request(format!("the run `{name}` is named twice")));
    }
    match names {
        [] => Ok(vec![find_run(runs_dir, None)?]),
        names => names.iter().map(|name| find_run(runs_dir, Some(name))).collect(),
    }
}

/// The format of a file, from its extension.
fn format_of(path: &Path) -> Result<Format> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let format = Format::ALL.into_iter().find(|format| format.extension() == extension);
    format.ok_or_else(|| {
        Failure::request(format!(
            "`--output` must end with `.svg` or `.png`, not `{}`",
            path.display()
        ))
        .hint("without `--output`, both formats are written")
    })
}

/// A file of each format in a folder.
pub fn files_in(folder: &Path, stem: &str) -> Vec<(PathBuf, Format)> {
    Format::ALL
        .into_iter()
        .map(|format| (folder.join(format!("{stem}.{}", format.extension())), format))
        .collect()
}

/// Writes a chart to files, and prints their paths.
pub fn write(chart: &Chart, files: &[(PathBuf, Format)]) -> Result<()> {
    for (path, format) in files {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::work(format!("cannot write `{}`: {error}", path.display()))
        };
        let bytes = chart.draw(*format).map_err(|error| failed(&error))?;
        atomic::write(path, &bytes).map_err(|error| failed(&error))?;
        print_status!("wrote `{}`", path.display());
    }
    Ok(())
}

/// The curve of a run.
pub fn curve(name: &str, rows: &[MetricsRow], metric: Metric) -> Curve {
    let converted = |loss: f64| match metric {
        Metric::Loss => loss,
        Metric::Perplexity => perplexity(loss),
        Metric::Bits => bits_per_char(loss),
    };
    let points = |loss: fn(&MetricsRow) -> f64| {
        rows.iter().map(|row| (row.step as f64, converted(loss(row)))).collect()
    };
    Curve {
        name: name.to_owned(),
        valid: points(|row| row.valid_loss),
        train: points(|row| row.train_loss),
    }
}

fn title(runs: &[RunFolder], metric: Metric) -> String {
    let what = match metric {
        Metric::Loss | Metric::Bits => "loss",
        Metric::Perplexity => "perplexity",
    };
    match runs {
        [run] => format!("{}: training and validation {what}", run.name()),
        runs if runs.len() <= MOST_WITH_TRAINING => format!("Training and validation {what}"),
        _ => format!("Validation {what}"),
    }
}

/// The name of a metric, with its unit.
pub fn label(metric: Metric) -> &'static str {
    match metric {
        Metric::Loss => "loss (nats per character)",
        Metric::Perplexity => "perplexity",
        Metric::Bits => "loss (bits per character)",
    }
}

fn stem(metric: Metric) -> &'static str {
    match metric {
        Metric::Loss => "loss",
        Metric::Perplexity => "perplexity",
        Metric::Bits => "bits",
    }
}
