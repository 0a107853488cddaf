//! Failures of a command.

use std::fmt;
use std::process::ExitCode;

pub type Result<T> = std::result::Result<T, Failure>;

/// A message, a hint at what to do about it, and the exit code: 1 if the work failed, 2 if the request was wrong.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// The work failed.
    pub fn work(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    /// The request was wrong.
    pub fn request(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2 }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
