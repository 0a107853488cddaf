//! Training under real MPI, on one machine.
#![cfg(unix)]

mod mpi_env;
#[path = "cli/world.rs"]
#[allow(dead_code, reason = "the tests without MPI use the rest")]
mod world;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mpi_env::ONE_MACHINE;
use world::{Ran, World, search_path};

/// A network so small that four ranks on two cores train it in moments, with SGD: what rounding changes doesn't grow.
const TRAIN: &str = "train --text text.txt --run r --batch-size 6 --seq-length 7 --hidden-size 8 --layers 1 --length 5 \
                     --set train.optimizer={name=\"sgd\",lr=0.5} --set train.eval_every={steps=10}";
/// The transport of ranks on different machines.
const TCP: [(&str, &str); 2] =
    [("OMPI_MCA_btl", "self,tcp"), ("OMPI_MCA_btl_tcp_if_include", "lo")];

fn mpirun(world: &World, ranks: usize, line: &str) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["-n", &ranks.to_string(), "charloom"]).args(line.split_whitespace());
    command.args(["--threads", "1"]).current_dir(world.path("")).env("PATH", search_path());
    command.envs(ONE_MACHINE).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run(mut command: Command) -> Ran {
    let output = command.output().expect("`mpirun` is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A column of metrics.csv.
fn column(world: &World, name: &str) -> Vec<f64> {
    let text = world.read("runs/r/metrics.csv");
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let index =
        header.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{text}"));
    lines.map(|row| row[index].parse().unwrap()).collect()
}

#[track_caller]
fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let is_near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-5 * expected;
    assert!(found.iter().zip(expected).all(is_near), "{found:?}, expected {expected:?}");
}

#[test]
fn several_ranks_train_what_one_process_does_over_memory_and_over_tcp() {
    let line = format!("{TRAIN} --max-steps 20");
    let one = World::with_text();
    one.run(&format!("{line} --threads 1")).succeeds();
    for (ranks, over_tcp) in [(2, false), (2, true), (4, false), (4, true)] {
        let several = World::with_text();
        let mut command = mpirun(&several, ranks, &line);
        if over_tcp {
            command.envs(TCP);
        }
        let ran = run(command).succeeds();
        assert_eq!(ran.err.matches("\ndone after 20 steps").count(), 1, "{}", ran.err);
        assert!(ran.err.contains(&format!("in each of {ranks} processes")), "{}", ran.err);
        assert!(ran.err.contains(" % communication"), "{}", ran.err);
        for name in ["train_loss", "valid_loss"] {
            near(&column(&several, name), &column(&one, name));
        }
        assert!(column(&several, "communication").iter().all(|part| *part > 0.0));
    }
}

#[test]
fn a_run_is_resumed_with_another_number_of_ranks() {
    let (whole, parts) = (World::with_text(), World::with_text());
    whole.run(&format!("{TRAIN} --max-steps 30 --threads 1")).succeeds();
    run(mpirun(&parts, 2, &format!("{TRAIN} --max-steps 10"))).succeeds();
    run(mpirun(&parts, 3, "train --resume --run r --max-steps 20")).succeeds();
    parts.run("train --resume --run r --max-steps 30 --threads 1").succeeds();
    near(&column(&parts, "valid_loss"), &column(&whole, "valid_loss"));
}

#[test]
fn what_rank_0_refuses_ends_all_ranks_with_its_code() {
    let world = World::with_text();
    for (line, message) in [
        ("train --text none.txt --hidden-size 8", "error: there is no file `none.txt`"),
        ("train --text text.txt", "error: the recipe fits a training to the speed of one process"),
        (&format!("{TRAIN} --batch-size 1"), "error: a batch has 1 rows, but 2 processes need"),
    ] {
        let line = match line.contains("--batch-size 1") {
            true => line.replace("--batch-size 6 ", ""),
            false => line.to_owned(),
        };
        let ran = run(mpirun(&world, 2, &line));
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert_eq!(ran.err.matches(message).count(), 1, "{}", ran.err);
    }
}

/// A training of two ranks that lasts until it is ended, after its first evaluation.
fn long_training(world: &World) -> Child {
    let mut command = mpirun(world, 2, &format!("{TRAIN} --epochs 100000"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (sender, evaluated) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // Nobody listens any more after the first evaluation.
            _ = line.contains("validation ").then(|| sender.send(()));
        }
    });
    // The line of the text comes first.
    for _ in 0..2 {
        evaluated.recv_timeout(Duration::from_secs(60)).expect("an evaluation");
    }
    child
}

/// The exit code of a program that ends within seconds.
#[track_caller]
fn ends(mut child: Child) -> Option<i32> {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(30) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("the ranks wait for each other");
}

#[track_caller]
fn resumes(world: &World) {
    let step = *column(world, "step").last().unwrap() as usize + 20;
    run(mpirun(world, 2, &format!("train --resume --run r --max-steps {step}"))).succeeds();
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The name of the program, in parentheses, may have spaces; the parent is the second field after it.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    let mut ids: Vec<u32> = ids.filter(is_child).collect();
    ids.sort_unstable();
    ids
}

fn signal(name: &str, process: u32) {
    let kill = Command::new("kill").args([name, &process.to_string()]).status();
    assert!(kill.unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_rank_that_is_killed_ends_all_and_the_run_resumes() {
    let world = World::with_text();
    let child = long_training(&world);
    signal("-KILL", *children(child.id()).last().expect("ranks"));
    assert!(ends(child).is_some_and(|code| code != 0));
    resumes(&world);
}

#[test]
fn an_interrupted_training_is_saved_and_resumes() {
    let world = World::with_text();
    let child = long_training(&world);
    signal("-TERM", child.id());
    assert!(ends(child).is_some_and(|code| code != 0));
    resumes(&world);
}

/// As where the disk is full: rank 0 can't write a sample.
#[test]
fn rank_0_that_cannot_write_ends_all_and_the_run_resumes() {
    let world = World::with_text();
    let child = long_training(&world);
    let samples = world.path("runs/r/samples");
    std::fs::rename(&samples, world.path("moved")).unwrap();
    std::fs::write(&samples, "").unwrap();
    assert_eq!(ends(child), Some(1));
    std::fs::remove_file(&samples).unwrap();
    std::fs::rename(world.path("moved"), &samples).unwrap();
    resumes(&world);
}

#[test]
fn devices_lists_the_ranks_and_their_threads_once() {
    let world = World::new();
    let mut command = Command::new("mpirun");
    command.args(["-n", "2", "charloom", "devices"]).env("PATH", search_path());
    command.current_dir(world.path("")).envs(ONE_MACHINE);
    let ran = run(command).succeeds();
    assert_eq!(ran.out.matches("2 processes\n").count(), 1, "{}", ran.out);
    assert!(ran.out.contains("  rank 1  ") && ran.out.contains(", local rank 1: "), "{}", ran.out);
    assert_eq!(ran.out.matches("--device 0").count(), 1, "{}", ran.out);
}
