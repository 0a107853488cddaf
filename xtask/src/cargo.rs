//! Invocations of cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::backend::Backend;
use crate::failure::{Failure, Result};

/// The workspace's folder. Known at run time, so that no path of the building machine is in the executable.
pub fn root() -> Result<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|xtask| Path::new(&xtask).parent().map(Path::to_path_buf))
        .ok_or_else(|| {
            Failure::request("xtask doesn't know where the workspace is")
                .hint("run it as `cargo xtask`")
        })
}

/// `cargo …` on this workspace, in the caller's folder.
pub fn command(subcommand: &str) -> Result<Command> {
    command_in(subcommand, "")
}

/// `cargo …` on a package in a folder of the repository, in the caller's folder.
pub fn command_in(subcommand: &str, folder: &str) -> Result<Command> {
    let mut command = bare();
    command.arg(subcommand).arg("--manifest-path");
    command.arg(root()?.join(folder).join("Cargo.toml"));
    Ok(command)
}

/// `cargo`, the one that runs this program if one does.
pub fn bare() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Variables that cargo sets for this program. Some build scripts depend on them, and would rerun whenever the same
    // package is built without `cargo xtask`.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|of| name.to_string_lossy().starts_with(of))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Cargo's messages about a build: one JSON value for each artifact, fresh or built.
pub struct Build(Vec<Value>);

impl Build {
    /// Builds `charloom` with `backend`.
    pub fn run(backend: Backend) -> Result<Self> {
        Self::of("charloom", backend)
    }

    /// Builds `charloom` with `backend` and MPI.
    pub fn with_mpi(backend: Backend) -> Result<Self> {
        Self::with_features("charloom", backend, &["--features", "mpi"])
    }

    /// Builds a package of the workspace with `backend`.
    ///
    /// Cargo's output goes to standard error: standard output is for the command alone.
    pub fn of(package: &str, backend: Backend) -> Result<Self> {
        Self::with_features(package, backend, &[])
    }

    fn with_features(package: &str, backend: Backend, features: &[&str]) -> Result<Self> {
        let mut build = command("build")?;
        // Always together with the program: alone, another package may enable fewer features of Burn's dependencies, and
        // Burn would be compiled again.
        build.args(["--release", "--package", "charloom", "--package", package]);
        build.args(backend.features()).args(features);
        build.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
        let output = build
            .output()
            .map_err(|error| Failure::work(format!("cargo did not start: {error}")))?;
        if output.status.success() {
            Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
        } else {
            Err(backend.build_failure(package))
        }
    }

    pub fn parse(messages: &str) -> Self {
        let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
        Self(messages.filter(|message: &Value| message["reason"] == "compiler-artifact").collect())
    }

    /// The command that runs `charloom`.
    pub fn charloom(&self) -> Result<Command> {
        self.program("charloom")
    }

    /// The command that runs a program that was built.
    pub fn program(&self, name: &str) -> Result<Command> {
        let executable = self.0.iter().find_map(|made| {
            (made["target"]["name"] == name).then(|| made["executable"].as_str()).flatten()
        });
        executable
            .map(Command::new)
            .ok_or_else(|| Failure::work(format!("cargo did not report an executable `{name}`")))
    }

    /// The folder of the package whose library is `name`, wherever this cargo keeps its sources.
    pub fn folder_of(&self, name: &str) -> Result<&Path> {
        let library = name.replace('-', "_");
        let package = self.0.iter().find(|made| made["target"]["name"] == library);
        package
            .and_then(|made| Path::new(made["manifest_path"].as_str()?).parent())
            .ok_or_else(|| Failure::work(format!("cargo did not build `{name}` for charloom")))
    }
}

/// `cargo test` on the whole workspace.
pub fn test(backend: Backend, args: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let mut test = command("test")?;
    test.args(["--release", "--workspace"]).args(backend.features()).args(args);
    Ok(test)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"
        {"reason":"compiler-artifact","target":{"name":"build-script-build"},"manifest_path":"/v/x/Cargo.toml"}
        {"reason":"compiler-artifact","target":{"name":"burn_nn"},"manifest_path":"/v/burn-nn/Cargo.toml"}
        {"reason":"compiler-artifact","target":{"name":"charloom"},"executable":null}
        {"reason":"compiler-artifact","target":{"name":"charloom"},"executable":"/t/release/charloom"}
        {"reason":"build-finished","success":true}
        no json"#;

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let charloom = Build::parse(MESSAGES).charloom().unwrap();
        assert_eq!(charloom.get_program(), "/t/release/charloom");
        assert!(Build::parse("").charloom().is_err());
    }

    #[test]
    fn a_dependencys_folder_is_found_among_cargos_messages() {
        let build = Build::parse(MESSAGES);
        assert_eq!(build.folder_of("burn-nn").unwrap(), Path::new("/v/burn-nn"));
        let error = build.folder_of("burn-core").unwrap_err().to_string();
        assert_eq!(error, "error: cargo did not build `burn-core` for charloom");
    }

    #[test]
    fn tests_run_in_the_release_profile() {
        let test = test(Backend::parse("wgpu").unwrap(), ["--test".into(), "wgpu".into()]).unwrap();
        let args: Vec<_> = test.get_args().skip(3).collect();
        assert_eq!(args, ["--release", "--workspace", "--features", "wgpu", "--test", "wgpu"]);
    }
}
