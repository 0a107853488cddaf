//! The program as `cargo install` leaves it: one file, somewhere outside the repository, started without cargo.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::world::text;

/// A folder with a copy of the program in `bin dir/`, and an empty folder to work in.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin dir");
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_charloom"), bin.join(program_name())).unwrap();
        Self { folder }
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("bin dir").join(program_name())
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs the program, as `program`, with nothing in the environment but `PATH`.
    fn run(&self, program: impl AsRef<OsStr>, line: &str) -> Output {
        let mut command = Command::new(program);
        command
            .args(line.split_whitespace())
            .current_dir(self.work())
            .env_clear()
            .env("PATH", self.folder.path().join("bin dir"))
            .stdin(Stdio::null());
        loop {
            match command.output() {
                // A process that another test is just starting inherited the copy while it was being written.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                output => return output.unwrap(),
            }
        }
    }
}

fn program_name() -> &'static OsStr {
    Path::new(env!("CARGO_BIN_EXE_charloom")).file_name().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn training_without_a_text_names_the_missing_file_and_how_to_get_one() {
    let installed = Installed::new();
    let output = installed.run("charloom", "train");
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"
    error: there is no file `datasets/burn-source.txt`

    hint: `--text FILE` names your own text; `charloom dataset get tiny-shakespeare` downloads one (in charloom's repository, `cargo xtask corpus` writes the default text)
    ");
    assert_eq!(std::fs::read_dir(installed.work()).unwrap().count(), 0);
}

#[test]
fn it_trains_and_generates_by_its_bare_name() {
    let installed = Installed::new();
    std::fs::write(installed.work().join("text.txt"), text(2000)).unwrap();
    let small = "--batch 3 --seq 7 --hidden 8 --layers 1 --epochs 1 --max-steps 2 --threads 1";
    let train = installed.run("charloom", &format!("train --text text.txt --run tiny {small}"));
    let printed = stderr(&train);
    assert!(train.status.success(), "{printed}");
    assert!(printed.contains("to generate text:  charloom generate --run tiny\n"), "{printed}");
    let generate = installed.run("charloom", "generate --run tiny --length 5");
    assert!(generate.status.success());
    assert!(!generate.stdout.is_empty());
}

#[test]
fn hints_repeat_the_path_that_it_was_started_by() {
    let installed = Installed::new();
    let message = stderr(&installed.run(installed.program(), "generate"));
    let path = installed.program();
    assert!(
        message.contains(&format!("hint: `'{}' train --text FILE`", path.display())),
        "{message}"
    );
}

#[test]
fn a_backend_that_is_not_built_in_is_installed_with_its_feature() {
    let installed = Installed::new();
    let message = stderr(&installed.run("charloom", "generate --backend rocm"));
    assert!(
        message.contains(
            "hint: to build it in: `cargo install --path crates/cli --features rocm` in charloom's repository"
        ),
        "{message}"
    );
}
