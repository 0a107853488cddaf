//! How the program was started, so that the commands that it prints can be pasted into the same shell.

use std::ffi::OsStr;

use crate::report::shell_quoted;

/// What the user types to run this program: `cargo xtask`, a name found on the search path, or a path.
pub fn command() -> String {
    // cargo sets this for the programs that it runs, and a program that `xtask` starts inherits it.
    let package = std::env::var_os("CARGO_PKG_NAME");
    let name = std::env::args_os().next();
    command_of(package.as_deref(), name.as_deref())
}

fn command_of(package: Option<&OsStr>, name: Option<&OsStr>) -> String {
    match name {
        _ if package == Some(OsStr::new("xtask")) => "cargo xtask".to_owned(),
        Some(name) if !name.is_empty() => shell_quoted(&name.to_string_lossy()),
        _ => "charloom".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(package: Option<&str>, name: Option<&str>) -> String {
        command_of(package.map(OsStr::new), name.map(OsStr::new))
    }

    #[test]
    fn a_program_that_xtask_started_prints_xtask_commands() {
        assert_eq!(printed(Some("xtask"), Some("/t/release/charloom")), "cargo xtask");
        assert_eq!(
            printed(Some("charloom"), Some("target/release/charloom")),
            "target/release/charloom"
        );
    }

    #[test]
    fn a_name_or_path_is_printed_as_it_was_typed_in_quotes_if_needed() {
        assert_eq!(printed(None, Some("charloom")), "charloom");
        assert_eq!(printed(None, Some("/opt/my tools/charloom")), "'/opt/my tools/charloom'");
        assert_eq!(printed(None, Some("")), "charloom");
        assert_eq!(printed(None, None), "charloom");
    }
}
