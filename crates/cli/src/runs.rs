//! Runs by name, and messages about runs that can't be used.

use std::ffi::OsStr;
use std::path::Path;

use charloom_train::{RunError, RunFolder};

use crate::report::{Failure, Result, command};
use crate::run_commands::run_command;

/// The folder of a run and its name, which may be a path: `runs/anna` is `anna` in `runs`.
pub fn place<'a>(runs_dir: &'a Path, name: &'a str) -> (&'a Path, &'a str) {
    let path = Path::new(name);
    match (path.parent(), path.file_name().and_then(OsStr::to_str)) {
        (Some(folder), Some(file)) if !folder.as_os_str().is_empty() => (folder, file),
        // A slash at the end makes a path of a name.
        (Some(_), Some(file)) if file != name => (Path::new("."), file),
        _ => (runs_dir, name),
    }
}

/// The run of that name or path, or the newest.
pub fn find_run(runs_dir: &Path, name: Option<&str>) -> Result<RunFolder> {
    match name {
        Some(name) => {
            let (folder, file) = place(runs_dir, name);
            RunFolder::open(folder, file).map_err(|error| run_failure(&error))
        }
        None => {
            RunFolder::newest(runs_dir).map_err(|error| run_failure(&error))?.ok_or_else(|| {
                Failure::request(format!("there is no run in `{}`", runs_dir.display()))
                    .hint(format!("`{} train --text FILE` starts one", command()))
            })
        }
    }
}

/// The failure of a run folder that can't be used.
pub fn run_failure(error: &RunError) -> Failure {
    match error {
        RunError::Exists { name, folder } => {
            let run = RunFolder::open(folder, name).ok().filter(RunFolder::has_checkpoint);
            let resume =
                run.map(|run| format!("`{}` resumes it; ", run_command("train --resume", &run)));
            Failure::request_error(error)
                .hint(format!("{}`--run NAME` starts another run", resume.unwrap_or_default()))
        }
        RunError::Missing { folder, .. } => {
            let failure = Failure::request_error(error);
            match names(folder) {
                names if names.is_empty() => {
                    failure.hint(format!("`{}` has no runs at all", folder.display()))
                }
                names => failure.hint(format!("available runs: {}", names.join(", "))),
            }
        }
        RunError::NoMetrics { .. } => Failure::request_error(error)
            .hint("a row is written at each evaluation, and when a run ends"),
        RunError::Name { .. } | RunError::Metrics { .. } | RunError::Busy { .. } => {
            Failure::request_error(error)
        }
        RunError::Io { .. } => Failure::work_error(error),
    }
}

/// The names of the first runs in a folder, in backticks.
fn names(runs_dir: &Path) -> Vec<String> {
    const MOST_LISTED: usize = 12;
    let Ok(entries) = std::fs::read_dir(runs_dir) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .flatten()
        .filter_map(|entry| RunFolder::open(runs_dir, entry.file_name().to_str()?).ok())
        .map(|run| format!("`{}`", run.name()))
        .collect();
    names.sort();
    names.truncate(MOST_LISTED);
    names
}
