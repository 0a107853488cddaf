//! The `charloom` program. Everything that is printed is printed in this crate.

mod args;
mod chart;
mod commands;
mod dashboard;
mod device;
mod interrupt;
mod progress;
mod report;
mod settings;
mod threads;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command, ConfigCommand, DatasetCommand};

/// Training allocates and frees the same large buffers at every step, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Train(args) => commands::train::run(*args),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Score(args) => commands::score::run(&args),
        Command::Complete(args) => commands::complete::run(&args),
        Command::Plot(args) => commands::plot::run(&args),
        Command::Sweep(args) => commands::sweep::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Import(args) => commands::import::run(args),
        Command::Config(ConfigCommand::Show(settings)) => commands::config::show(&settings),
        Command::Config(ConfigCommand::Check { file }) => commands::config::check(&file),
        Command::Dataset(DatasetCommand::List) => commands::dataset::list(),
        Command::Dataset(DatasetCommand::Get { name, from }) => {
            commands::dataset::get(&name, from.as_deref())
        }
        Command::Devices => commands::devices::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    }
}
