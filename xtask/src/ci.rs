//! `cargo xtask ci`: what continuous integration runs, cheapest first.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::cargo::{self, Build};
use crate::corpus;
use crate::failure::{Failure, Result};
use crate::run;

/// The work of a step. An exit code other than 0 fails the run.
type Work = fn() -> Result<ExitCode>;

const STEPS: [(&str, Work); 12] = [
    ("formatting", formatting),
    ("clippy", clippy),
    ("documentation", documentation),
    ("kernels under AddressSanitizer", sanitizer),
    ("synchronisation under loom", loom),
    ("cuda type-check", cuda),
    ("tests", tests),
    ("tests under MPI", mpi),
    ("default corpus", default_corpus),
    ("fuzzing", fuzzing),
    ("tests on ndarray", ndarray),
    ("tests on wgpu", wgpu),
];

pub fn run() -> Result<ExitCode> {
    let mut times = Vec::new();
    for (index, (name, work)) in STEPS.into_iter().enumerate() {
        eprintln!("\n[{}/{}] {name}", index + 1, STEPS.len());
        let start = Instant::now();
        let outcome = work();
        times.push((name, start.elapsed()));
        eprintln!("[{}/{}] {name}: {}", index + 1, STEPS.len(), minutes(start.elapsed()));
        if !matches!(outcome, Ok(code) if code == ExitCode::SUCCESS) {
            eprint!("\n{}", table(&times));
            if let Err(failure) = &outcome {
                eprintln!("{failure}");
            }
            return Err(Failure::work(format!(
                "step {} of {} failed: {name}",
                index + 1,
                STEPS.len()
            )));
        }
    }
    eprint!("\n{}", table(&times));
    Ok(ExitCode::SUCCESS)
}

fn formatting() -> Result<ExitCode> {
    run::run_to_completion(cargo::command("fmt")?.args(["--all", "--check"]))
}

fn clippy() -> Result<ExitCode> {
    run::run_to_completion(cargo::command("clippy")?.args([
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

fn documentation() -> Result<ExitCode> {
    let mut doc = cargo::command("doc")?;
    doc.args(["--release", "--workspace", "--no-deps"]);
    run::run_to_completion(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The tests of the CPU kernels. Sanitizers are unstable, which `RUSTC_BOOTSTRAP` lets pass, and known
/// for few targets.
fn sanitizer() -> Result<ExitCode> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        eprintln!("skipped: it needs Linux on x86-64");
        return Ok(ExitCode::SUCCESS);
    }
    let mut test = cargo::command_in("test", "crates/recurrent/sanitize")?;
    // Flags are not meant for build scripts: with a target named, they aren't.
    test.args(["--release", "--lib", "--target", "x86_64-unknown-linux-gnu"]);
    test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address");
    run::run_to_completion(&mut test)
}

/// The synchronisation of two threads, in every order that they can run.
fn loom() -> Result<ExitCode> {
    run::run_to_completion(cargo::command_in("test", "crates/recurrent/loom")?.arg("--release"))
}

/// A type-check: linking would need the LLVM that CubeCL downloads, unless it thinks that docs.rs builds it.
fn cuda() -> Result<ExitCode> {
    let mut check = cargo::command("check")?;
    check.args(["--release", "--package", "charloom", "--features", "cuda"]);
    run::run_to_completion(check.env("DOCS_RS", "1"))
}

fn tests() -> Result<ExitCode> {
    run::run_to_completion(&mut cargo::test(Backend::default(), [])?)
}

/// The targets in `fuzz/fuzz_targets`, half a minute each.
const FUZZ_TARGETS: [&str; 7] =
    ["model_file", "import", "pickle", "vocabulary", "checkpoint", "config", "metrics"];

/// Reads any bytes as files of every kind. What cargo-fuzz passes to the compiler is unstable.
fn fuzzing() -> Result<ExitCode> {
    let fuzz = |arguments: &[&str]| -> Result<Command> {
        // cargo-fuzz has no flag for a manifest: it works on the package in the folder that it runs in.
        let mut command = cargo::bare();
        command.arg("fuzz").args(arguments).current_dir(cargo::root()?);
        Ok(command)
    };
    let version = fuzz(&["--version"])?.output();
    if !version.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: cargo-fuzz is not there; `cargo install cargo-fuzz` installs it");
        return Ok(ExitCode::SUCCESS);
    }
    for target in FUZZ_TARGETS {
        let run = ["run", "--sanitizer", "none", target, "--"];
        let limits = ["-max_total_time=30", "-rss_limit_mb=512", "-verbosity=0"];
        let mut run = fuzz(&[&run[..], &limits[..]].concat())?;
        let code = run::run_to_completion(run.env("RUSTC_BOOTSTRAP", "1"))?;
        if code != ExitCode::SUCCESS {
            return Ok(code);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The tests in files named `mpi.rs`, on the ranks of one machine, and the warnings of what they are about.
fn mpi() -> Result<ExitCode> {
    if Command::new("mpirun").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `mpirun` (`.ci/run` installs one)");
        return Ok(ExitCode::SUCCESS);
    }
    let features = ["--release", "--workspace", "--features", "mpi"];
    let mut clippy = cargo::command("clippy")?;
    clippy.args(features).args(["--all-targets", "--", "-D", "warnings"]);
    let code = run::run_to_completion(&mut clippy)?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    run::run_to_completion(cargo::command("test")?.args(features).args(["--test", "mpi"]))
}

/// Also builds the binary as a user does.
fn default_corpus() -> Result<ExitCode> {
    corpus::write(&cargo::root()?, &Build::run(Backend::default())?)?;
    Ok(ExitCode::SUCCESS)
}

/// The tests in files named `ndarray.rs`.
fn ndarray() -> Result<ExitCode> {
    let ndarray = Backend::parse("ndarray")?;
    run::run_to_completion(&mut cargo::test(ndarray, ["--test".into(), "ndarray".into()])?)
}

/// The tests in files named `wgpu.rs`, then the binary itself, on whichever adapter there is.
fn wgpu() -> Result<ExitCode> {
    let wgpu = Backend::parse("wgpu")?;
    let mut test = cargo::test(wgpu, ["--test".into(), "wgpu".into()])?;
    let code = run::run_to_completion(on_software_adapter(&mut test))?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    let root = cargo::root()?;
    let runs = std::env::temp_dir().join(format!("charloom-ci-{}", std::process::id()));
    let mut train = Build::run(wgpu)?.charloom()?;
    // Any text will do that is always there.
    train.arg("train").arg("--text").arg(root.join("Cargo.toml")).arg("--runs-dir").arg(&runs);
    train.args([
        "--run",
        "smoke",
        "--plain",
        "--backend",
        "wgpu",
        "--epochs",
        "1",
        "--max-steps",
        "3",
    ]);
    train.args(["--batch", "2", "--seq", "8", "--hidden", "12", "--layers", "1"]);
    let code = run::run_to_completion(on_software_adapter(&mut train));
    // What is left in the folder for temporary files harms nobody.
    _ = std::fs::remove_dir_all(&runs);
    code
}

/// Tuning kernels takes minutes on a software adapter, for no benefit.
fn on_software_adapter(command: &mut Command) -> &mut Command {
    command.env("CUBECL_AUTOTUNE_LEVEL", "minimal")
}

/// Name and time of each step, and the sum.
fn table(times: &[(&str, Duration)]) -> String {
    let total = ("total", times.iter().map(|(_, time)| *time).sum());
    times
        .iter()
        .chain([&total])
        .map(|(name, time)| format!("{name:<32}{:>9}\n", minutes(*time)))
        .collect()
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_with_the_sum() {
        let times = [("formatting", Duration::from_secs(2)), ("clippy", Duration::from_secs(119))];
        assert_eq!(
            table(&times),
            format!(
                "{:<33}0:02 min\n{:<33}1:59 min\n{:<33}2:01 min\n",
                "formatting", "clippy", "total"
            )
        );
    }
}
