//! `charloom sweep`.

mod status;
mod table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::train::Interrupter;
use charloom_data::Corpus;
use charloom_train::{Outcome, RunError, RunFolder, TrainError, Trainer};

use self::status::{RunStatus, resolve_precision, run_status};
use self::table::{Ending, Table};
use super::plot;
use crate::args::{DeviceArgs, Metric, RunsDir, SweepArgs};
use crate::chart::Chart;
use crate::corpus_hints::corpus_failure;
use crate::interrupt;
use crate::progress::Progress;
use crate::report::{Failure, Result, command, pluralize, print_status, shell_quoted};
use crate::run_banner::banner;
use crate::run_commands::{device_flags, run_command, runs_dir_flag};
use crate::runs::run_failure;
use crate::settings::{self, PlannedRun, Sweep};
use crate::threads;

/// Trains every unfinished run of a sweep, and compares all runs.
pub fn run(args: &SweepArgs) -> Result<()> {
    let SweepArgs { file, device: machine, runs: RunsDir { runs_dir } } = args;
    let mut sweep = Sweep::read(file)?;
    if let Ok(run) = RunFolder::open(runs_dir, &sweep.name) {
        return Err(Failure::request(format!("`{}` is a run, not a sweep", run.path().display()))
            .hint("`name = \"…\"` at the top of the sweep file renames the sweep"));
    }
    let folder = runs_dir.join(&sweep.name);
    threads::limit(machine.threads)?;

    let texts = texts(file, &sweep)?;
    let device = machine.backend.open(machine.device)?;
    for planned in &mut sweep.runs {
        resolve_precision(&folder, planned, &device)?;
    }
    let mut runs = Vec::new();
    for planned in &sweep.runs {
        let corpus = &texts[&planned.config.data.text];
        Trainer::check(&planned.config, corpus).map_err(|error| mismatch(file, planned, &error))?;
        let status = run_status(&folder, planned, corpus)?;
        runs.push(Prepared { planned, corpus, status });
    }
    let interrupter = Interrupter::new();
    interrupt::listen(&interrupter, false)?;

    let mut table = Table::new(&sweep);
    let count = runs.len();
    let done = runs.iter().filter(|run| matches!(run.status, RunStatus::Finished(_))).count();
    print_status!(
        "sweep  `{}`: {}{}",
        folder.display(),
        pluralize(count, "run"),
        if done > 0 { format!(", {done} of them done") } else { String::new() }
    );
    for (number, prepared) in (1..).zip(runs) {
        let planned = prepared.planned;
        if !matches!(prepared.status, RunStatus::Finished(_)) {
            print_status!("\nrun {number}/{count}  `{}`", planned.name);
        }
        let (run, ended) = prepared.train(&folder, &device, &interrupter, machine)?;
        let ending = match ended {
            Ok(Outcome::Interrupted { .. }) => {
                table.save(&folder)?;
                print_status!("stopped in run {number} of {count}; everything is saved");
                print_status!("\nto resume:  {}", resume_command(args));
                return Err(Failure::interrupted());
            }
            Ok(Outcome::Finished { .. } | Outcome::StoppedEarly { .. }) => Ending::Done,
            Err(error) => {
                print_status!("failed: {error}");
                Ending::Failed(error.to_string())
            }
        };
        let rows = match run.read_metrics() {
            Err(RunError::NoMetrics { .. }) => Vec::new(),
            rows => rows.map_err(|error| run_failure(&error))?,
        };
        table.add(planned, ending, rows);
        table.save(&folder)?;
    }
    finish(table, &folder, &sweep.name)
}

/// The texts of all runs, each read once.
fn texts(file: &Path, sweep: &Sweep) -> Result<HashMap<PathBuf, Corpus>> {
    let mut texts = HashMap::new();
    for PlannedRun { config, layers, .. } in &sweep.runs {
        let text = &config.data.text;
        if texts.contains_key(text) {
            continue;
        }
        let corpus = Corpus::read(text).map_err(|error| {
            let place = layers.origin("data.text").unwrap_or_else(|| {
                format!("`{}` does not set it, so it is the default", file.display())
            });
            corpus_failure(&error).at(format!("{place}: `data.text`"))
        })?;
        texts.insert(text.clone(), corpus);
    }
    Ok(texts)
}

/// The failure of a run whose settings don't fit its text.
fn mismatch(file: &Path, planned: &PlannedRun, error: &TrainError) -> Failure {
    let keys: &[&str] = match error {
        TrainError::Prompt(_) => &["sample.prompt"],
        TrainError::BatchSchedule { .. } => {
            &["data.batch_schedule", "data.valid_fraction", "data.text"]
        }
        _ => &["data.batch_size", "data.seq_length", "data.valid_fraction", "data.text"],
    };
    let origins: Vec<_> = keys
        .iter()
        .filter_map(|key| Some(format!("`{key}` is from {}", planned.layers.origin(key)?)))
        .collect();
    let place = format!("`{}`: the run `{}`", file.display(), planned.name);
    let failure = Failure::request_error(error).at(place);
    match origins.is_empty() {
        true => failure.hint(format!("this depends on `{}`", keys.join("`, `"))),
        false => failure.hint(origins.join("; ")),
    }
}

/// A run whose settings fit its text.
struct Prepared<'a> {
    planned: &'a PlannedRun,
    corpus: &'a Corpus,
    status: RunStatus,
}

impl Prepared<'_> {
    /// Trains the run to its end, from its checkpoint if it has one.
    fn train(
        self,
        sweep: &Path,
        device: &Device,
        interrupter: &Interrupter,
        machine: &DeviceArgs,
    ) -> Result<(RunFolder, Result<Outcome, TrainError>)> {
        let Self { planned, corpus, status } = self;
        let config = planned.config.clone();
        let (run, trainer) = match status {
            RunStatus::Finished(run) => {
                let unchanged = Outcome::Finished { best_valid_loss: None, step: 0 };
                return Ok((run, Ok(unchanged)));
            }
            RunStatus::Started(run) => (run, Trainer::new(config, corpus, device)),
            RunStatus::Resumable(run) => {
                let resumed = Trainer::resume(config, corpus, device, &run.checkpoints());
                (run, resumed.map(|(trainer, _skipped)| trainer))
            }
            RunStatus::New => {
                let run = RunFolder::create(sweep, &planned.name);
                let run = run.map_err(|error| run_failure(&error))?;
                (run, Trainer::new(config, corpus, device))
            }
        };
        // Without samples, which would hide the numbers that a sweep is about.
        let mut progress = Progress::new(banner(&planned.config, &run, machine), None);
        let config_toml = settings::show(&planned.config, &planned.layers);
        let ended = trainer.and_then(|trainer| {
            trainer.with_config_toml(config_toml).run(&run, interrupter, &mut progress)
        });
        Ok((run, ended))
    }
}

/// Prints the table, draws the chart, and fails if a run has failed.
fn finish(mut table: Table, folder: &Path, name: &str) -> Result<()> {
    table.sort();
    table.save(folder)?;
    print_status!("\nwrote `{}`", table::file(folder).display());
    let curves = table.curves(|name, rows| {
        let mut curve = plot::curve(name, rows, Metric::Loss);
        curve.train.clear();
        curve
    });
    if !curves.is_empty() {
        let title = format!("{name}: validation loss");
        let chart = Chart { title, label: plot::label(Metric::Loss).to_owned(), curves };
        plot::write(&chart, &plot::files_in(folder, "loss"))?;
    }
    print_status!("");
    table.print()?;
    if let Some(best) = table.best().and_then(|name| RunFolder::open(folder, name).ok()) {
        print_status!(
            "\nto generate text with the best model:  {}",
            run_command("generate", &best, folder)
        );
    }
    match table.failed() {
        0 => Ok(()),
        failed => {
            Err(Failure::work(format!("{failed} of {} failed", pluralize(table.len(), "run")))
                .hint("the same command retries them from their last checkpoints"))
        }
    }
}

/// The command that resumes the sweep.
fn resume_command(args: &SweepArgs) -> String {
    let SweepArgs { file, device, runs: RunsDir { runs_dir } } = args;
    let file = shell_quoted(&file.to_string_lossy());
    let (runs_dir, device) = (runs_dir_flag(runs_dir), device_flags(device));
    format!("{} sweep {file}{runs_dir}{device}", command())
}
