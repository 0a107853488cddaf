//! How the program was started, so that the commands it prints can be pasted into the same shell.

use std::ffi::OsStr;

use crate::report::quoted;

/// What the user types to run this program: `cargo xtask`, a name found on the search path, or a path.
pub fn command() -> String {
    // cargo tells what it runs which package it is of, and `xtask` lets the program that it starts inherit that.
    let package = std::env::var_os("CARGO_PKG_NAME");
    let name = std::env::args_os().next();
    command_of(package.as_deref(), name.as_deref())
}

fn command_of(package: Option<&OsStr>, name: Option<&OsStr>) -> String {
    match name {
        _ if package == Some(OsStr::new("xtask")) => "cargo xtask".to_owned(),
        Some(name) if !name.is_empty() => quoted(&name.to_string_lossy()),
        _ => "charloom".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(package: Option<&str>, name: Option<&str>) -> String {
        command_of(package.map(OsStr::new), name.map(OsStr::new))
    }

    #[test]
    fn a_program_that_xtask_started_is_started_by_xtask_again() {
        assert_eq!(typed(Some("xtask"), Some("/t/release/charloom")), "cargo xtask");
        assert_eq!(
            typed(Some("charloom"), Some("target/release/charloom")),
            "target/release/charloom"
        );
    }

    #[test]
    fn a_name_or_path_is_as_it_was_typed_and_quoted_where_a_shell_needs_it() {
        assert_eq!(typed(None, Some("charloom")), "charloom");
        assert_eq!(typed(None, Some("/opt/my tools/charloom")), "'/opt/my tools/charloom'");
        assert_eq!(typed(None, Some("")), "charloom");
        assert_eq!(typed(None, None), "charloom");
    }
}
