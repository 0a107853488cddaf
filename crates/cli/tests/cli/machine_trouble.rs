//! Trainings that are killed, run out of disk, lose their folder or meet one another.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::{World, names, text};

/// A training with much that it has to remember, evaluated often.
const TRAINING: &str = "train --run r --text text.txt --batch 3 --seq 7 --hidden 8 --layers 2 --threads 1 \
     --dropout 0.3 --set train.ema=0.9 --set train.clip={quantile=0.5} --row-offset random --step-log \
     --set train.eval_every={steps=20} --schedule {cosine=0.1} --epochs 12 --length 10";

/// Asserts that two runs left the same bytes: settings, model, samples, and all in metrics.csv that time doesn't decide.
#[track_caller]
fn assert_same_run(world: &World, runs: [&str; 2]) {
    let [a, b] = runs.map(|run| world.path(run));
    let bytes = |folder: &Path, name: &str| std::fs::read(folder.join(name)).expect("the file");
    let samples = names(&a.join("samples"));
    let samples = samples.iter().map(|name| format!("samples/{name}"));
    let files = ["config.toml", "model.safetensors", "steps.csv"].map(str::to_owned);
    for file in samples.chain(files) {
        assert!(bytes(&a, &file) == bytes(&b, &file), "`{file}` differs");
    }
    let rows = |folder: &Path| -> Vec<String> {
        let text = String::from_utf8(bytes(folder, "metrics.csv")).expect("UTF-8");
        let timeless = |row: &str| {
            let columns = row.split(',').enumerate().filter(|(column, _)| ![7, 8].contains(column));
            columns.map(|(_, value)| value).collect::<Vec<_>>().join(",")
        };
        text.lines().map(timeless).collect()
    };
    assert_eq!(rows(&a), rows(&b));
}

#[test]
fn a_training_that_is_killed_fifty_times_ends_with_the_bytes_of_one_that_is_not() {
    let world = World::with_text();
    let started = Instant::now();
    world.run(TRAINING).succeeds();
    // Some are killed before they have started, some in the middle of a checkpoint, some when they are done.
    let longest = (started.elapsed() / 4).min(Duration::from_millis(200));
    std::fs::rename(world.path("runs/r"), world.path("runs/whole")).expect("it is renamed");

    let next_command = || {
        if names(&world.path("runs/r/checkpoints")).iter().any(|name| name.starts_with("step-")) {
            return "train --resume --run r --threads 1";
        }
        _ = std::fs::remove_dir_all(world.path("runs/r"));
        TRAINING
    };
    let mut random: u32 = 1;
    for _ in 0..50 {
        let args: Vec<_> = next_command().split_whitespace().collect();
        let mut command = world.command(&args);
        let mut child = command.stderr(Stdio::null()).spawn().expect("the program starts");
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(longest.mul_f64(f64::from(random) / f64::from(u32::MAX)));
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
    }
    world.run(next_command()).succeeds();
    assert_same_run(&world, ["runs/whole", "runs/r"]);
}

#[test]
fn a_full_disk_is_an_error_and_costs_nothing_that_was_saved() {
    let world = World::with_text();
    let whole = TRAINING.replace("--run r", "--run whole").replace("--hidden 8", "--hidden 40");
    world.run(&whole).succeeds();
    // A file may have 128 KB: the first weights fit, but not the state of the optimizer.
    let limited = format!("trap '' XFSZ; ulimit -f 256; charloom {whole}");
    let limited = limited.replace("--run whole", "--run r").replace('{', "'{").replace('}', "}'");
    let output = world.shell(&limited).output().expect("the shell starts");
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let (_, message) = printed.split_once("\nerror: ").expect("a message");
    assert!(message.starts_with("cannot write the checkpoint `runs/r/checkpoints/"), "{printed}");
    assert!(message.contains("File too large"), "{printed}");
    world.run("train --resume --run r --threads 1").succeeds();
    assert_same_run(&world, ["runs/whole", "runs/r"]);
}

#[test]
fn a_run_folder_that_vanishes_is_an_error_and_does_not_come_back() {
    let world = World::new();
    world.write("text.txt", text(40_000));
    let mut child = start_long(&world);
    std::fs::rename(world.path("runs/long"), world.path("elsewhere")).expect("it is renamed");
    let mut printed = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut printed)
        .expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{printed}");
    assert!(printed.contains("error: cannot write "), "{printed}");
    assert!(printed.contains("`runs/long/"), "{printed}");
    assert!(!world.exists("runs/long"));
    // It is a run wherever it is.
    std::fs::create_dir(world.path("other")).expect("a folder");
    std::fs::rename(world.path("elsewhere"), world.path("other/moved")).expect("it is renamed");
    std::fs::rename(world.path("text.txt"), world.path("other/book.txt")).expect("it is renamed");
    let resume = "train --resume --runs-dir other --run moved --text other/book.txt --max-steps 1";
    world.run(resume).succeeds();
}

#[test]
fn a_run_that_another_process_trains_is_refused() {
    let world = World::new();
    world.write("text.txt", text(40_000));
    let mut child = start_long(&world);
    let message = world.run("train --resume --run long").fails(2);
    let busy = "error: the run `long` in `runs` is being trained by another process";
    assert!(message.contains(busy), "{message}");
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    world.run("train --resume --run long --max-steps 1").succeeds();
}

/// Starts a run `long` that is evaluated every 1,000 steps, and waits until its training begins.
fn start_long(world: &World) -> std::process::Child {
    let args = "train --run long --text text.txt --batch 2 --seq 5 --hidden 8 --layers 1 --threads 1 \
                --epochs 500 --length 0 --set train.eval_every={steps=1000}";
    let args: Vec<_> = args.split_whitespace().collect();
    let mut command = world.command(&args);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
    let pipe = child.stderr.as_mut().expect("a pipe");
    let begins =
        BufReader::new(pipe).lines().any(|line| line.is_ok_and(|l| l.starts_with("step ")));
    assert!(begins, "the training ended before its first evaluation");
    child
}
