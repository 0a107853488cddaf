//! Running programs in the terminal, and their exit codes.

use std::process::{Command, ExitCode, ExitStatus};

use crate::failure::{Failure, Result};

/// Runs `command` and waits for its exit code.
pub fn run_to_completion(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().map_err(|error| did_not_start(command, &error))?;
    Ok(ExitCode::from(code(status)))
}

/// Replaces this process with `command`: signals and exit code are its own, so Ctrl-C reaches nothing else.
#[cfg(unix)]
pub fn exec(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;

    let error = command.exec();
    Err(did_not_start(command, &error))
}

/// Runs `command` and ignores Ctrl-C in the meantime, so that the command can save its work.
#[cfg(not(unix))]
pub fn exec(command: &mut Command) -> Result<ExitCode> {
    ctrlc::set_handler(|| {})
        .map_err(|error| Failure::work(format!("cannot leave Ctrl-C to charloom: {error}")))?;
    run_to_completion(command)
}

/// The exit code as a shell gives it: 128 + n after signal n.
pub fn code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    let by_signal =
        std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    #[cfg(not(unix))]
    let by_signal = None;
    status.code().or(by_signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn did_not_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::work(format!("`{}` did not start: {error}", command.get_program().display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn code_of(script: &str) -> u8 {
        code(Command::new("sh").args(["-c", script]).status().unwrap())
    }

    #[test]
    fn the_exit_code_is_the_childs() {
        assert_eq!(code_of("exit 0"), 0);
        assert_eq!(code_of("exit 2"), 2);
    }

    #[test]
    fn a_signal_gives_128_and_its_number() {
        assert_eq!(code_of("kill -TERM $$"), 143);
    }

    #[test]
    fn a_missing_program_is_named_in_the_message() {
        let error =
            run_to_completion(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.starts_with("error: `no-such-program` did not start: "), "{error}");
    }
}
