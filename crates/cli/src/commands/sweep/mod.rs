//! `charloom sweep`.

mod prepared;
mod status;
mod table;

use std::path::Path;

use burn::train::Interrupter;
use charloom_train::{Outcome, RunFolder};

use self::prepared::{Prepared, Texts, check, metrics};
use self::status::{RunStatus, settle};
use self::table::{Ending, Table};
use super::plot;
use crate::args::{Metric, RunsDir, SweepArgs};
use crate::chart::Chart;
use crate::interrupt;
use crate::report::{
    Failure, Result, command, pluralize, print_output, print_status, quoted_path, shell_quoted,
};
use crate::run_commands::{device_flags, run_command, runs_dir_flag};
use crate::settings::{Flag, Sweep};
use crate::threads;

/// Trains the unfinished runs of a sweep, or one of them, or compares the runs.
pub fn run(args: &SweepArgs) -> Result<()> {
    let SweepArgs { file, minutes, device: machine, runs: RunsDir { runs_dir }, .. } = args;
    let minutes = minutes.iter().map(|value| Flag {
        typed: "--minutes".to_owned(),
        path: "train.minutes".to_owned(),
        values: vec![value.clone()],
    });
    let mut sweep = Sweep::read(file, &minutes.collect::<Vec<_>>())?;
    if let Ok(run) = RunFolder::open(runs_dir, &sweep.name) {
        return Err(Failure::request(format!("`{}` is a run, not a sweep", run.path().display()))
            .hint("`name = \"…\"` at the top of the sweep file renames the sweep"));
    }
    let folder = runs_dir.join(&sweep.name);
    if let Some(only) = &args.only {
        sweep.keep(only)?;
    }
    threads::limit(machine.threads)?;

    let texts = Texts::read(file, &sweep)?;
    if args.list {
        for planned in &sweep.runs {
            check(file, planned, texts.of(planned))?;
        }
        return sweep.runs.iter().try_for_each(|run| print_output!("{}", run.name));
    }
    let device = machine.backend.open(machine.device)?;
    for planned in &mut sweep.runs {
        settle(&folder, planned, &device)?;
    }
    let prepare = |planned| Prepared::new(file, &folder, planned, texts.of(planned));
    let runs = sweep.runs.iter().map(prepare).collect::<Result<Vec<_>>>()?;
    if args.table {
        return compare(&sweep, runs, &folder);
    }
    let interrupter = Interrupter::new();
    interrupt::listen(&interrupter, false)?;

    let mut table = Table::new(&sweep);
    let count = runs.len();
    let done = runs.iter().filter(|run| run.is_finished()).count();
    print_status!(
        "sweep  `{}`: {}{}",
        folder.display(),
        match &args.only {
            Some(_) => format!("`{}` alone", sweep.runs[0].name),
            None => pluralize(count, "run"),
        },
        if done > 0 { format!(", {done} of them done") } else { String::new() }
    );
    for (number, prepared) in (1..).zip(runs) {
        let planned = prepared.planned;
        if !prepared.is_finished() {
            print_status!("\nrun {number}/{count}  `{}`", planned.name);
        }
        let (run, ended) = prepared.train(&folder, &device, &interrupter, machine)?;
        let ending = match ended {
            Ok(Outcome::Interrupted { .. }) => {
                if args.only.is_none() {
                    table.save(&folder)?;
                }
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
        table.add(planned, ending, metrics(&run)?);
        // Another process may train another run of the sweep: two would overwrite each other's table.
        if args.only.is_none() {
            table.save(&folder)?;
        }
    }
    match args.only {
        Some(_) => failures(&table),
        None => finish(table, &folder, &sweep.name),
    }
}

/// Compares the runs as they are.
fn compare(sweep: &Sweep, runs: Vec<Prepared<'_>>, folder: &Path) -> Result<()> {
    let mut table = Table::new(sweep);
    for Prepared { planned, status, .. } in runs {
        let (ending, rows) = match status {
            RunStatus::Finished(run) => (Ending::Done, metrics(&run)?),
            RunStatus::Started(run) | RunStatus::Resumable(run) => {
                (Ending::Unfinished, metrics(&run)?)
            }
            RunStatus::New => (Ending::NotStarted, Vec::new()),
        };
        table.add(planned, ending, rows);
    }
    if table.is_unstarted() {
        return Err(Failure::request(format!("no run of the sweep `{}` was started", sweep.name)));
    }
    finish(table, folder, &sweep.name)
}

/// Writes and prints the table, draws the chart, and fails if a run has failed.
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
            run_command("generate", &best)
        );
    }
    failures(&table)
}

/// Fails if a run has failed.
fn failures(table: &Table) -> Result<()> {
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
    let SweepArgs { file, minutes, only, device, runs: RunsDir { runs_dir }, .. } = args;
    let file = quoted_path(file);
    let flag = |name, value: &Option<String>| match value {
        Some(value) => format!(" --{name} {}", shell_quoted(value)),
        None => String::new(),
    };
    let (minutes, only) = (flag("minutes", minutes), flag("only", only));
    let (runs_dir, device) = (runs_dir_flag(runs_dir), device_flags(device));
    format!("{} sweep {file}{minutes}{only}{runs_dir}{device}", command())
}
