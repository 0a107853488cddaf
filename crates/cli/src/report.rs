//! What the program prints: status lines, output, and failures as `error: …`, an empty line, `hint: …`.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

pub use crate::invocation::command;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The work failed: exit code 1.
    Work,
    /// The request was wrong (usage, settings, input): exit code 2.
    Request,
    /// The reader of the output closed the pipe, which counts as success.
    ClosedPipe,
    /// The work was interrupted, with everything saved: exit code 130. It has been reported.
    Interrupted,
}

/// The exit code of an interrupted command, as shells have it: 128 and the number of the signal.
pub const INTERRUPTED: u8 = 130;

/// What a command returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The work failed.
    pub fn work(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Work, message: message.to_string(), hint: None }
    }

    /// The request was wrong.
    pub fn request(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Request, message: message.to_string(), hint: None }
    }

    /// [`Failure::work`] with the message of an error and its causes.
    pub fn work_error(error: &dyn Error) -> Self {
        Self::work(chain(error))
    }

    /// [`Failure::request`] with the message of an error and its causes.
    pub fn request_error(error: &dyn Error) -> Self {
        Self::request(chain(error))
    }

    /// The work was interrupted, which has been reported.
    pub fn interrupted() -> Self {
        Self { kind: Kind::Interrupted, message: String::new(), hint: None }
    }

    /// Output that could not be written. A pipe that the reader closed is not an error.
    pub fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => {
                Self { kind: Kind::ClosedPipe, message: error.to_string(), hint: None }
            }
            _ => Self::work(format!("could not write to standard output: {error}")),
        }
    }

    /// Prefixes the message with the place that it is about.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Adds a hint: what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Adds a hint if there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<impl fmt::Display>) -> Self {
        self.hint = hint.map(|hint| hint.to_string()).or(self.hint);
        self
    }

    /// Prints the message and the hint to standard error.
    pub fn print(&self) {
        if matches!(self.kind, Kind::ClosedPipe | Kind::Interrupted) {
            return;
        }
        let (error, hint) = (bold(AnsiColor::Red), bold(AnsiColor::Cyan));
        print_status!("{error}error{error:#}: {}", self.message);
        if let Some(text) = &self.hint {
            print_status!("\n{hint}hint{hint:#}: {text}");
        }
    }

    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.exit_code())
    }

    /// The exit code as a number.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::ClosedPipe => 0,
            Kind::Work => 1,
            Kind::Request => 2,
            Kind::Interrupted => INTERRUPTED,
        }
    }

    /// Whether the work was interrupted, with everything saved.
    #[cfg(feature = "mpi")]
    pub fn is_interruption(&self) -> bool {
        self.kind == Kind::Interrupted
    }
}

fn bold(color: AnsiColor) -> Style {
    color.on_default().bold()
}

/// Prints a line to standard error, in colour only on a terminal.
macro_rules! print_status {
    ($($part:tt)*) => { $crate::report::write_status(format_args!($($part)*)) };
}
pub(crate) use print_status;

/// What [`print_status!`] expands to. A closed standard error doesn't stop the work.
pub fn write_status(line: fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints a line of a command's output to standard output.
macro_rules! print_output {
    ($($part:tt)*) => { $crate::report::write_output(format_args!($($part)*)) };
}
pub(crate) use print_output;

/// What [`print_output!`] expands to.
pub fn write_output(line: fmt::Arguments<'_>) -> Result<()> {
    writeln!(anstream::stdout(), "{line}").map_err(Failure::output)
}

/// The messages of an error and its causes in one line. A cause that the error already quotes is not repeated.
fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

/// `1234567` as `1,234,567`.
pub fn with_thousands(number: impl TryInto<u128>) -> String {
    let digits = number.try_into().unwrap_or_default().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 epoch`, `1,200 epochs`.
pub fn pluralize(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", with_thousands(count as u64))
}

/// A number of bytes as `812 kB`, `3.69 MB` or `1,230 GB`.
pub fn byte_size(bytes: f64) -> String {
    let (number, unit) = match bytes {
        ..1e6 => (bytes / 1e3, "kB"),
        1e6..1e9 => (bytes / 1e6, "MB"),
        _ => (bytes / 1e9, "GB"),
    };
    match number {
        ..9.995 => format!("{number:.2} {unit}"),
        9.995..99.95 => format!("{number:.1} {unit}"),
        _ => format!("{} {unit}", with_thousands(number.round() as u64)),
    }
}

/// `word` as a POSIX shell reads it back as one word, in quotes if it needs them.
pub fn shell_quoted(word: &str) -> String {
    let safe = |char: char| char.is_alphanumeric() || "-_./".contains(char);
    if !word.is_empty() && word.chars().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A path as a POSIX shell reads it back as one word.
pub fn quoted_path(path: &Path) -> String {
    shell_quoted(&path.to_string_lossy())
}

/// Seconds as `8.1 s`, `2 min 5 s` or `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=9 => format!("{seconds:.1} s"),
        10..=59 => format!("{whole} s"),
        60..=3599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [
            (0u64, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_692_790, "1,692,790"),
        ] {
            assert_eq!(with_thousands(number), text);
        }
    }

    #[test]
    fn durations_have_the_units_that_people_use() {
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (8.12, "8.1 s"),
            (59.4, "59 s"),
            (125.0, "2 min 5 s"),
            (12_000.0, "3 h 20 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn sizes_in_bytes_have_three_digits() {
        for (bytes, text) in [
            (0.0, "0.00 kB"),
            (812_345.0, "812 kB"),
            (3_690_000.0, "3.69 MB"),
            (9_999_000.0, "10.0 MB"),
            (64e9, "64.0 GB"),
            (1.2303e12, "1,230 GB"),
        ] {
            assert_eq!(byte_size(bytes), text);
        }
    }

    #[derive(Debug)]
    struct Outer(bool, io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if self.0 { write!(f, "no luck: {}", self.1) } else { f.write_str("no luck") }
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_cause_is_printed_once_whether_the_error_quotes_it_or_not() {
        for quotes in [false, true] {
            let error = Outer(quotes, io::Error::other("disk full"));
            assert_eq!(chain(&error), "no luck: disk full");
        }
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let failure = Failure::output(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.kind, Kind::ClosedPipe);
    }

    #[test]
    fn a_word_is_quoted_if_a_shell_would_not_read_it_as_one() {
        assert_eq!(shell_quoted("anna-1"), "anna-1");
        assert_eq!(shell_quoted("it's me"), r"'it'\''s me'");
        assert_eq!(shell_quoted(""), "''");
    }
}
