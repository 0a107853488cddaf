//! A temporary folder for each test, and the program run in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub struct World {
    folder: TempDir,
}

/// The exit code and output of the program.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A world with `text.txt`, 2,000 characters that a network can learn something from.
    pub fn with_text() -> Self {
        let world = Self::new();
        world.write("text.txt", text(2000));
        world
    }

    /// A world with that text and a run `tiny`, trained for a few steps.
    pub fn with_run() -> Self {
        let world = Self::with_text();
        world.train("--run tiny --max-steps 4").succeeds();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(&path, content).expect("the file is written");
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Runs the program with arguments that are separated by spaces.
    pub fn run(&self, line: &str) -> Ran {
        self.run_args(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn run_args(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().expect("the program starts");
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        // By its name, as an installed program is run: messages repeat what was typed.
        self.command_of("charloom", args)
    }

    /// A command line of a POSIX shell, in which `charloom` is the program.
    pub fn shell(&self, line: &str) -> Command {
        self.command_of("sh", &["-c", line])
    }

    fn command_of(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .env("PATH", search_path())
            .stdin(Stdio::null());
        command
    }

    /// Trains the smallest of networks on `text.txt`, with further arguments.
    pub fn train(&self, line: &str) -> Ran {
        let defaults = [
            ("--text", "text.txt"),
            ("--batch-size", "3"),
            ("--seq-length", "7"),
            ("--hidden-size", "8"),
            ("--layers", "1"),
            ("--epochs", "1"),
            ("--threads", "1"),
            ("--length", "20"),
        ];
        let given: Vec<_> = line.split_whitespace().collect();
        let defaults = defaults.iter().filter(|(flag, _)| !given.contains(flag));
        let defaults: Vec<_> = defaults.map(|(flag, value)| format!("{flag} {value}")).collect();
        self.run(&format!("train {} {line}", defaults.join(" ")))
    }
}

impl Ran {
    /// Asserts success, and returns `self`.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self
    }

    /// Asserts this exit code and an empty standard output, and returns the messages.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        self.err.trim_end().to_owned()
    }
}

/// `PATH` with the program's folder in front.
pub fn search_path() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_charloom"));
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = program.parent().map(Path::to_path_buf).into_iter();
    std::env::join_paths(folders.chain(std::env::split_paths(&others))).expect("a search path")
}

/// Words in an order that a network can learn something from.
pub fn text(chars: usize) -> String {
    let words = ["loom ", "warp ", "weft ", "the ", "shuttle ", "and\n", "thread "];
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= chars {
            break;
        }
        text += words[(number * number + number / 3) % words.len()];
    }
    text.truncate(chars);
    text
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
