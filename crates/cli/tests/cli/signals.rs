//! What signals do to a training.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Stdio};
use std::time::Duration;

use crate::world::{World, text};

/// Flags of a training of short steps, and of one whose steps take about a second.
const SHORT_STEPS: &str = "--batch 2 --seq 5 --hidden 8";
const LONG_STEPS: &str = "--batch 64 --seq 256 --hidden 512";

/// A training that takes its first steps.
struct Training {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Training {
    /// Starts a run `long` from a shell, after `setup`, and waits until its training begins.
    fn start(world: &World, setup: &str, flags: &str) -> Self {
        world.write("text.txt", text(40_000));
        // Whoever runs the tests may ignore signals, as a script does in the background.
        let defaults = match setup.is_empty() && cfg!(target_os = "linux") {
            true => "env --default-signal=HUP,INT,TERM",
            false => "",
        };
        let line = format!(
            "{setup} exec {defaults} charloom train --text text.txt {flags} --layers 1 --epochs 500 --run long \
             --threads 1 --set sample.length=0"
        );
        let mut command = world.shell(&line);
        let command = command.env("CARGO_PKG_NAME", "xtask").stderr(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).spawn().expect("the shell starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut training = Self { child, lines };
        training.wait_for("run ");
        training
    }

    fn wait_for(&mut self, start: &str) {
        let line = self.lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with(start)));
        line.unwrap_or_else(|| panic!("the training ended before `{start}`")).expect("a line");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(kill.expect("`kill` runs").success());
        // Two of a kind at the same moment count as one.
        std::thread::sleep(Duration::from_millis(20));
    }

    /// The exit code, and what was printed since the last line that was waited for.
    fn end(mut self) -> (Option<i32>, String) {
        let printed: Vec<String> = self.lines.map(|line| line.expect("a line")).collect();
        (self.child.wait().expect("the training ends").code(), printed.join("\n"))
    }
}

#[test]
fn an_interrupted_training_is_saved_and_prints_how_to_resume() {
    let world = World::new();
    let training = Training::start(&world, "", SHORT_STEPS);
    training.signal("INT");
    let (code, printed) = training.end();
    assert_eq!(code, Some(130), "{printed}");
    assert!(printed.contains("stopping after this step"), "{printed}");
    assert!(printed.contains("to resume:  cargo xtask train --resume --run long"), "{printed}");

    let resumed = world.run("train --resume --run long --max-steps 1").succeeds();
    assert!(resumed.err.contains("long"), "{}", resumed.err);
    world.run("generate --run long --length 5").succeeds();
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let world = World::new();
    let mut training = Training::start(&world, "trap '' HUP INT;", SHORT_STEPS);
    for signal in ["HUP", "INT", "INT", "HUP"] {
        training.signal(signal);
    }
    // A step takes less than a millisecond.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(training.child.try_wait().expect("it can be asked"), None);
    training.signal("TERM");
    let (code, printed) = training.end();
    assert_eq!(code, Some(130), "{printed}");
    assert!(printed.contains("everything is saved"), "{printed}");
}

#[test]
fn any_number_of_hangups_and_requests_to_terminate_end_a_training_after_its_step() {
    let world = World::new();
    let training = Training::start(&world, "", LONG_STEPS);
    for signal in ["HUP", "HUP", "TERM", "TERM", "INT"] {
        training.signal(signal);
    }
    let (code, printed) = training.end();
    assert_eq!(code, Some(130), "{printed}");
    assert_eq!(printed.matches("stopping after this step").count(), 1, "{printed}");
    assert!(printed.contains("everything is saved"), "{printed}");
    world.run("train --resume --run long --max-steps 1").succeeds();
}

#[test]
fn a_second_interrupt_ends_a_training_at_once() {
    let world = World::new();
    let mut training = Training::start(&world, "", LONG_STEPS);
    training.signal("INT");
    training.wait_for("stopping after this step");
    training.signal("INT");
    let (code, printed) = training.end();
    assert_eq!(code, Some(130), "{printed}");
    assert!(!printed.contains("everything is saved"), "{printed}");
}
