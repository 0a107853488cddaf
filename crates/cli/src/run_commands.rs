//! Commands that are printed for the user to type.

use std::path::Path;

use charloom_train::RunFolder;

use crate::args::DeviceArgs;
use crate::device::Backend;
use crate::report::{command, quoted_path, shell_quoted};

/// The command that runs `subcommand` on a run.
pub fn run_command(subcommand: &str, run: &RunFolder) -> String {
    let name = shell_quoted(run.name());
    let runs_dir = run.path().parent().unwrap_or(Path::new(""));
    format!("{} {subcommand} --run {name}{}", command(), runs_dir_flag(runs_dir))
}

/// The command that resumes a run on the same device.
pub fn resume_command(run: &RunFolder, device: &DeviceArgs) -> String {
    run_command("train --resume", run) + &device_flags(device)
}

/// `--runs-dir` with a space before it, unless the folder is the default one.
pub fn runs_dir_flag(runs_dir: &Path) -> String {
    if runs_dir == Path::new("runs") {
        String::new()
    } else {
        format!(" --runs-dir {}", quoted_path(runs_dir))
    }
}

/// The flags that choose the same device again, each with a space before it.
pub fn device_flags(args: &DeviceArgs) -> String {
    let DeviceArgs { backend, device, threads: _ } = args;
    let mut flags = String::new();
    if *backend != Backend::default() {
        flags += &format!(" --backend {backend}");
    }
    if let Some(device) = device {
        flags += &format!(" --device {device}");
    }
    flags
}
