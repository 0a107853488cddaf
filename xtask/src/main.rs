//! `cargo xtask <command> [--backend B] …`: builds what the command needs and runs it.
//!
//! This crate knows five commands of its own (`test`, `ci`, `bench`, `corpus`, `help`). Every other one belongs to the
//! `charloom` binary, which is built with the features of the backend and gets the arguments as they were typed. It runs
//! in the current folder and with the environment as they are: the program behaves as it does without `cargo xtask`.

mod backend;
mod cargo;
mod ci;
mod corpus;
mod failure;
mod mpi;
mod request;
mod run;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::backend::Backend;
use crate::cargo::Build;
use crate::failure::{Failure, Result};
use crate::request::Request;

const HELP: &str = "\
build what a command needs, and run it

usage: cargo xtask <command> [--backend B] [--features mpi [--ranks N]] ...

commands:
  test     run every test; further arguments go to `cargo test`
  ci       run what continuous integration runs, cheapest first
  bench    measure speed and memory; `--peer PYTHON` measures PyTorch too
  corpus   write the default corpus, `datasets/burn-source.txt`, to the current folder
  help     print this

Every other command goes to charloom, with all its arguments:
  train, generate, eval, baseline, predict, score, complete, plan, plot, sweep, inspect, import, export,
  config, dataset, devices
`cargo xtask train --help` lists the flags of one.

With `--features mpi` it is built with MPI; `--ranks N` starts it in N processes, which train one model
together. That needs an MPI library, a C compiler and libclang (on Debian libopenmpi-dev, openmpi-bin
and libclang-dev). docs/cluster.md has the rest.

backends:
";

fn main() -> ExitCode {
    match run_request(std::env::args_os().skip(1).collect()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            failure.code()
        }
    }
}

fn run_request(args: Vec<OsString>) -> Result<ExitCode> {
    let request = Request::parse(args)?;
    match request.command() {
        Some("help" | "--help" | "-h") => {
            print!("{HELP}{}", Backend::list());
            Ok(ExitCode::SUCCESS)
        }
        None => Err(Failure::request("no command").hint("`cargo xtask help` lists the commands")),
        Some("test") => run::run_to_completion(&mut cargo::test(
            request.backend,
            request.rest_without_backend(),
        )?),
        Some("ci") => ci::run(),
        Some("bench") => bench(&request),
        Some("corpus") => {
            corpus::write(Path::new("."), &Build::run(request.backend)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(_) => {
            let build = match request.mpi {
                true => Build::with_mpi(request.backend)?,
                false => Build::run(request.backend)?,
            };
            if corpus::is_needed_by(&request) {
                corpus::prepare(Path::new("."), &build)?;
            }
            let mut charloom = build.charloom()?;
            if let Some(ranks) = request.ranks {
                charloom = mpi::launch(&charloom, ranks);
            }
            run::exec(charloom.args(request.args_for_charloom()))
        }
    }
}

/// Runs the benchmark program with all arguments but the backend.
fn bench(request: &Request) -> Result<ExitCode> {
    if !["flex", "wgpu"].contains(&request.backend.name) {
        let message = format!("there are no benchmarks for backend `{}`", request.backend.name);
        return Err(Failure::request(message).hint("`--backend wgpu` adds those of the GPU"));
    }
    let mut bench = Build::of("charloom-bench", request.backend)?.program("charloom-bench")?;
    // The folder of the peer's script.
    bench.env("CHARLOOM_ROOT", cargo::root()?);
    run::exec(bench.args(request.rest_without_backend()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn architecture_md_lists_every_crate_of_the_workspace() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
        let mut crates: Vec<String> = std::fs::read_dir(root.join("crates"))
            .unwrap()
            .map(|entry| format!("crates/{}", entry.unwrap().file_name().display()))
            .collect();
        crates.extend(["bench".to_owned(), "xtask".to_owned()]);
        let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
        let mut listed: Vec<String> = page.lines().filter_map(row).collect();
        crates.sort();
        listed.sort();
        assert_eq!(listed, crates);
    }
}
