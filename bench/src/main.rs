//! `charloom-bench`, which `cargo xtask bench` builds and runs: how fast charloom is, beside what comes with Burn and
//! beside PyTorch.
//!
//! Each benchmark runs in a process of its own, so that it doesn't share caches, memory or threads with another.

// As in the program.
#[path = "../../crates/cli/src/allocator.rs"]
mod allocator;
mod measure;
mod table;
mod training;
mod using;
mod with_burn;
mod work;

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;

use crate::measure::{Measured, Plan};
use crate::table::Row;
use crate::work::{BENCHMARKS, Benchmark, Hardware, Target, Task};

/// Measure how fast charloom trains, evaluates and generates.
///
/// Measure on an idle machine. The text of 1 GB is written to the folder for temporary files.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", max_term_width = 100)]
struct Arguments {
    /// Measure PyTorch too: a Python interpreter that has torch
    #[arg(long, value_name = "PYTHON", num_args = 0..=1, default_missing_value = "python3")]
    peer: Option<PathBuf>,
    /// Benchmarks to run, by name or its beginning; may be repeated [default: all]
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Number of CPU threads, also of PyTorch [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Number of samples; the median is reported
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeat: u16,
    /// Minimum length of a sample
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0, value_parser = positive)]
    seconds: f64,
    /// JSON file to write
    #[arg(long, value_name = "FILE", default_value = "bench.json")]
    json: PathBuf,
    /// Run one benchmark in this process (which the program starts for each)
    #[arg(long, value_name = "NAME", hide = true)]
    benchmark: Option<String>,
}

fn positive(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("must be a number above 0, up to 3600".to_string()),
    }
}

/// Why nothing was measured.
pub struct Failure {
    message: String,
    code: u8,
}

type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    fn new(error: impl Error) -> Self {
        Self { message: error.to_string(), code: 1 }
    }

    fn request(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)
    }
}

fn main() -> ExitCode {
    allocator::keep_freed_pages();
    let arguments = Arguments::parse();
    let done = match &arguments.benchmark {
        Some(name) => measure_here(name, &arguments),
        None => measure_all(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.code)
        }
    }
}

/// Runs one benchmark and prints its result as JSON.
fn measure_here(name: &str, arguments: &Arguments) -> Result<()> {
    let Benchmark { name, task, hardware, targets: _ } = BENCHMARKS
        .into_iter()
        .find(|benchmark| benchmark.name == name)
        .ok_or_else(|| Failure::request(format!("there is no benchmark `{name}`")))?;
    if let Some(threads) = arguments.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.into());
        pool.build_global().map_err(Failure::new)?;
    }
    let plan = Plan { samples: arguments.repeat.into(), seconds: arguments.seconds };
    let device = hardware.device();
    let rates = match task {
        Task::Train(size) => training::run(size, device, plan)?,
        Task::TrainWithBurn(size) => with_burn::run(size, &device, plan)?,
        Task::Evaluate(size) => using::evaluation(size, &device, plan)?,
        Task::Generate(size, streams) => using::generation(size, streams, &device, plan)?,
        Task::LargeText(size) => {
            training::large_text(size, device)?;
            Vec::new()
        }
    };
    if !matches!(task, Task::LargeText(_)) && rates.len() < plan.samples {
        return Err(Failure::request(format!(
            "the text of the benchmark ended after {} of {} samples: reduce `--repeat` or `--seconds`",
            rates.len(),
            plan.samples
        )));
    }
    println!("{}", serde_json::to_string(&Measured::new(name, &rates)).map_err(Failure::new)?);
    Ok(())
}

/// Runs all benchmarks, each with its peers, prints the table and writes the JSON file.
fn measure_all(arguments: &Arguments) -> Result<()> {
    let Arguments { peer, only, threads: _, repeat: _, seconds: _, json, benchmark: _ } = arguments;
    let selected = |benchmark: &&Benchmark| {
        only.is_empty() || only.iter().any(|start| benchmark.name.starts_with(start.as_str()))
    };
    let benchmarks: Vec<&Benchmark> = BENCHMARKS.iter().filter(selected).collect();
    if benchmarks.is_empty() {
        let names = BENCHMARKS.map(|benchmark| format!("`{}`", benchmark.name)).join(", ");
        return Err(Failure::request(format!("`--only` matches none of {names}")));
    }
    if let Some(python) = peer {
        find_torch(python)?;
    }
    let mut rows: Vec<Row> = Vec::new();
    for benchmark in benchmarks {
        if !benchmark.hardware.is_built_in() {
            eprintln!("{}: skipped (`cargo xtask bench --backend wgpu` runs it)", benchmark.name);
            continue;
        }
        eprintln!("{} ...", benchmark.name);
        let ours = ours(benchmark, arguments)?;
        let mut peers = Vec::new();
        if let Some(python) = peer {
            for target in benchmark.targets {
                let Target::Peer(_, names) = target else { continue };
                for name in *names {
                    eprintln!("{name}, PyTorch ...");
                    peers.push(theirs(name, python, arguments)?);
                }
            }
        }
        rows.push(Row::new(benchmark, ours, peers, &rows));
        // Written after each benchmark, so that a later failure loses nothing.
        write_json(json, &rows)?;
    }
    print!("{}", table::show(&rows));
    eprintln!("\nwrote `{}`", json.display());
    Ok(())
}

fn write_json(path: &Path, rows: &[Row]) -> Result<()> {
    let text = serde_json::to_string_pretty(rows).map_err(Failure::new)?;
    charloom_data::atomic::write(path, text.as_bytes()).map_err(|error| Failure {
        message: format!("cannot write `{}`: {error}", path.display()),
        code: 1,
    })
}

fn ours(benchmark: &Benchmark, arguments: &Arguments) -> Result<Measured> {
    let mut child = Command::new(std::env::current_exe().map_err(Failure::new)?);
    child.args(["--benchmark", benchmark.name]);
    if benchmark.hardware == Hardware::Wgpu {
        // Tuning kernels takes longer than measuring them.
        child.env("CUBECL_AUTOTUNE_LEVEL", "minimal");
    }
    run(child, arguments)
}

fn theirs(name: &str, python: &Path, arguments: &Arguments) -> Result<Measured> {
    let mut child = Command::new(python);
    child.arg(peer_script()).args(["--only", name]);
    run(child, arguments)
}

/// The path of `peer.py`.
fn peer_script() -> PathBuf {
    let folder = std::env::var_os("CHARLOOM_ROOT").map_or_else(PathBuf::new, PathBuf::from);
    folder.join("bench").join("peer.py")
}

fn find_torch(python: &Path) -> Result<()> {
    if !peer_script().is_file() {
        return Err(Failure::request(format!("there is no `{}`", peer_script().display())));
    }
    let mut child = Command::new(python);
    let found = child.args(["-c", "import torch"]).stderr(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::request(format!(
            "`{}` is not a Python interpreter that has torch\n\nhint: `--peer PYTHON` names another one",
            python.display()
        ))),
    }
}

/// Runs a child that prints one line of JSON.
fn run(mut child: Command, arguments: &Arguments) -> Result<Measured> {
    let Arguments { threads, repeat, seconds, .. } = arguments;
    child.args(["--repeat", &repeat.to_string(), "--seconds", &seconds.to_string()]);
    if let Some(threads) = threads {
        child.args(["--threads", &threads.to_string()]);
    }
    let output = child.stderr(Stdio::inherit()).output().map_err(Failure::new)?;
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim()).map_err(|_| Failure {
        message: format!(
            "`{}` ended with {} without a result",
            child.get_program().display(),
            output.status
        ),
        code: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_length_that_is_not_a_duration_is_refused() {
        for typed in ["0", "-1", "NaN", "inf", "x", "3601"] {
            assert!(positive(typed).is_err(), "{typed}");
        }
        assert_eq!(positive("0.5"), Ok(0.5));
    }
}
