//! The `charloom` program. Everything that is printed is printed in this crate.

mod allocator;
mod args;
mod char_list;
mod chart;
mod commands;
mod corpus_hints;
mod dashboard;
mod device;
mod escapes;
mod fit;
mod init_from;
mod interrupt;
mod invocation;
mod loaded_ensemble;
mod loaded_model;
mod machine_memory;
mod memory_limit;
mod preflight;
mod progress;
mod ranks;
mod read_text;
mod recipe;
mod report;
mod run_banner;
mod run_commands;
mod runs;
mod settings;
mod threads;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command, ConfigCommand, DatasetCommand};
use crate::ranks::Ranks;

fn main() -> ExitCode {
    allocator::keep_freed_pages();
    let done = match Arguments::parse().command {
        Command::Train(args) => Ranks::run(|ranks| commands::train::run(*args, ranks)),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Eval(args) => commands::eval::run(&args),
        Command::Baseline(args) => commands::baseline::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Score(args) => commands::score::run(&args),
        Command::Complete(args) => commands::complete::run(&args),
        Command::Plan(args) => commands::plan::run(&args),
        Command::Plot(args) => commands::plot::run(&args),
        Command::Sweep(args) => {
            ranks::refuse_several("sweep").and_then(|()| commands::sweep::run(&args))
        }
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Import(args) => commands::import::run(args),
        Command::Export(args) => commands::export::run(&args),
        Command::Config(ConfigCommand::Show(settings)) => commands::config::show(&settings),
        Command::Config(ConfigCommand::Check { file }) => commands::config::check(&file),
        Command::Config(ConfigCommand::Schema) => commands::config::schema(),
        Command::Dataset(DatasetCommand::List) => commands::dataset::list(),
        Command::Dataset(DatasetCommand::Get { name, from }) => {
            commands::dataset::get(&name, from.as_deref())
        }
        Command::Devices => Ranks::run(commands::devices::run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The names of the commands that `chosen` picks, in the order of the help.
    fn commands(chosen: impl Fn(&clap::Command) -> bool) -> Vec<String> {
        let program = Arguments::command();
        let chosen = program.get_subcommands().filter(|&command| chosen(command));
        chosen.map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn xtask_passes_the_backend_on_to_every_command_that_takes_it() {
        let takes = commands(|command| {
            command.get_arguments().any(|arg| arg.get_long() == Some("backend"))
        });
        let listed = format!("[\"{}\"]", takes.join("\", \""));
        let request = include_str!("../../../xtask/src/request.rs");
        assert!(request.contains(&listed), "`TAKE_BACKEND` is not {listed}");
    }

    #[test]
    fn xtask_lists_every_command_in_its_help() {
        let all = commands(|_| true).join(", ");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let help = words(include_str!("../../../xtask/src/main.rs"));
        assert!(help.contains(&all), "xtask's help does not list {all}");
    }
}
