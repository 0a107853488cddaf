//! `cargo xtask <command> [--backend B] …`: builds what the command needs and runs it.
//!
//! This crate knows four commands of its own (`test`, `ci`, `corpus`, `help`). Every other one belongs to the
//! `charloom` binary: it is built with the features of the backend, and gets all arguments as they were typed.

mod backend;
mod cargo;
mod ci;
mod corpus;
mod failure;
mod request;
mod run;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::backend::Backend;
use crate::cargo::Build;
use crate::failure::{Failure, Result};
use crate::request::Request;

const HELP: &str = "\
build what a command needs, and run it

usage: cargo xtask <command> [--backend B] ...

commands:
  test     run every test; further arguments go to `cargo test`
  ci       run what continuous integration runs, cheapest first
  corpus   write the default corpus, `datasets/burn-source.txt`
  help     print this

Every other command goes to charloom, with all its arguments: `train`, `generate`,
`eval`, `inspect`, `config`, `dataset`, `devices`. `cargo xtask train --help` lists its flags.

backends:
";

fn main() -> ExitCode {
    match answer(std::env::args_os().skip(1).collect()) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{failure}");
            failure.code()
        }
    }
}

fn answer(args: Vec<OsString>) -> Result<ExitCode> {
    let request = Request::parse(args)?;
    match request.command() {
        Some("help" | "--help" | "-h") => {
            print!("{HELP}{}", Backend::list());
            Ok(ExitCode::SUCCESS)
        }
        None => Err(Failure::request("no command").hint("`cargo xtask help` lists the commands")),
        Some("test") => {
            run::to_end(&mut cargo::test(request.backend, request.rest_without_backend())?)
        }
        Some("ci") => ci::run(),
        Some("corpus") => {
            corpus::write(&cargo::root()?, &Build::run(request.backend)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(_) => {
            let build = Build::run(request.backend)?;
            if corpus::is_needed_by(&request) {
                corpus::prepare(&cargo::root()?, &build)?;
            }
            let mut charloom = build.charloom()?;
            // What the user types to run it again, and where Burn puts what nobody gave a place.
            charloom.env("CHARLOOM_COMMAND", "cargo xtask");
            charloom.env("BURN_DEVICE", request.backend.name);
            run::in_place_of_this(charloom.args(request.args_for_charloom()))
        }
    }
}
