//! `charloom sweep` in parts: `--list`, `--only` and `--table`, which let processes and machines share a sweep.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::sweep::world;
use crate::world::{World, names, search_path};

#[test]
fn the_runs_are_listed_by_name_and_nothing_is_trained() {
    let world = world("[grid]\ntrain.seed = [1, 2]\nmodel.cell = [\"lstm\", \"gru\"]\n");
    let ran = world.run("sweep my.toml --list").succeeds();
    assert_eq!(ran.out, "seed-1_cell-lstm\nseed-1_cell-gru\nseed-2_cell-lstm\nseed-2_cell-gru\n");
    assert_eq!((ran.err.as_str(), world.exists("runs")), ("", false));
}

#[test]
fn a_list_is_checked_as_the_sweep_is() {
    let world = world("[grid]\nsample.prompt = [\"the\", \"Ü\"]\n");
    let message = world.run("sweep my.toml --list").fails(2);
    assert!(message.contains("the run `prompt-Ü`: the sample's prompt"), "{message}");
}

#[test]
fn runs_that_are_trained_one_by_one_are_those_of_the_whole_sweep() {
    let rest = "[grid]\ntrain.seed = [1, 2]\n";
    let [parts, whole] = [world(rest), world(rest)];
    whole.run("sweep my.toml --threads 1").succeeds();
    // By number, and by name.
    let ran = parts.run("sweep my.toml --only 1 --threads 1").succeeds();
    assert!(ran.err.contains("sweep  `runs/my`: `seed-2` alone"), "{}", ran.err);
    assert_eq!((ran.out.as_str(), names(&parts.path("runs/my"))), ("", vec!["seed-2".to_owned()]));
    let ran = parts.run("sweep my.toml --table").succeeds();
    assert!(ran.out.lines().nth(1).is_some_and(|line| line.starts_with("seed-2 ")), "{}", ran.out);
    assert!(ran.out.contains("not started"), "{}", ran.out);
    parts.run("sweep my.toml --only seed-1 --threads 1").succeeds();
    let table = parts.run("sweep my.toml --table").succeeds();

    let model = |world: &World, run: &str| {
        std::fs::read(world.path(&format!("runs/my/{run}/model.safetensors"))).unwrap()
    };
    for run in ["seed-1", "seed-2"] {
        assert!(model(&parts, run) == model(&whole, run), "{run}");
    }
    assert_eq!(names(&parts.path("runs/my")), names(&whole.path("runs/my")));
    // All but the speed.
    let losses = |out: &str| -> Vec<Vec<String>> {
        let rows = out.lines().map(|line| line.split_whitespace().take(5).map(str::to_owned));
        rows.map(Iterator::collect).collect()
    };
    let again = whole.run("sweep my.toml").succeeds();
    assert_eq!(losses(&table.out), losses(&again.out));
}

#[test]
fn a_run_that_is_done_is_not_trained_again_on_its_own() {
    let world = world("[grid]\ntrain.seed = [1]\n");
    world.run("sweep my.toml --only 0 --threads 1").succeeds();
    let metrics = world.read("runs/my/seed-1/metrics.csv");
    let ran = world.run("sweep my.toml --only 0 --threads 1").succeeds();
    assert!(ran.err.contains("`seed-1` alone, 1 of them done"), "{}", ran.err);
    assert_eq!(metrics, world.read("runs/my/seed-1/metrics.csv"));
}

#[test]
fn a_name_that_looks_like_a_number_is_a_name() {
    let world = world("[[run]]\nname = \"1\"\n[[run]]\nname = \"0\"\n");
    world.run("sweep my.toml --only 1 --threads 1").succeeds();
    assert_eq!(names(&world.path("runs/my")), ["1"]);
}

#[test]
fn a_run_that_is_not_in_the_sweep_is_refused() {
    let world = world("[grid]\ntrain.seed = [1, 2]\n");
    insta::assert_snapshot!(world.run("sweep my.toml --only 2").fails(2), @r"
    error: the sweep `my` has no run `2`: `--only` takes a name, or a number from 0 to 1

    hint: `--list` prints the names
    ");
    insta::assert_snapshot!(
        world.run("sweep my.toml --table").fails(2),
        @"error: no run of the sweep `my` was started"
    );
    assert!(!world.exists("runs"));
}

#[test]
fn a_run_that_fails_on_its_own_ends_with_a_code() {
    let world = world(
        "model.init = { uniform = 1e6 }\nmodel.cell = \"relu\"\ntrain.optimizer.lr = 10\ntrain.clip = \"none\"\n[grid]\ntrain.seed = [1]\n",
    );
    let message = world.run("sweep my.toml --only 0 --threads 1").fails(1);
    assert!(message.contains("failed: the loss became "), "{message}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_of_a_sweep_is_resumed_with_the_command_that_is_printed() {
    let world = world("[grid]\ntrain.seed = [1, 2]\n");
    let sweep = world.read("my.toml").replace("epochs = 1", "epochs = 40");
    world.write("my.toml", sweep.replace("max_steps = 5", "max_steps = 3000"));
    let mut child = world
        .command(&["sweep", "my.toml", "--only", "seed-2", "--threads", "1"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("epoch 2/40") {
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        }
        printed += &format!("{line}\n");
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{printed}");
    let command = "charloom sweep my.toml --only seed-2";
    assert!(printed.ends_with(&format!("to resume:  {command}\n")), "{printed}");
    let resumed = world.run(command.strip_prefix("charloom ").unwrap()).succeeds();
    assert!(resumed.err.contains("resuming after step"), "{}", resumed.err);
}

/// GNU parallel trains two runs at a time; one is killed in the middle, and tried again.
#[cfg(unix)]
#[test]
fn gnu_parallel_trains_a_sweep_and_tries_a_killed_run_again() {
    let version = Command::new("parallel").arg("--version").output();
    if !version.is_ok_and(|ran| String::from_utf8_lossy(&ran.stdout).contains("GNU parallel")) {
        eprintln!("skipped: GNU parallel is not installed");
        return;
    }
    let world = world("[grid]\ntrain.seed = [1, 2, 3, 4]\n");
    let sweep = world.read("my.toml").replace("epochs = 1", "epochs = 5");
    world.write("my.toml", sweep.replace("train.max_steps = 5\n", ""));
    let train = world.write(
        "train.sh",
        "#!/bin/sh\n\
         if [ \"$1\" = seed-2 ] && mkdir tried 2>/dev/null; then\n\
           charloom sweep my.toml --threads 1 --only $1 &\n\
           until [ -s runs/my/$1/metrics.csv ]; do sleep 0.01; done\n\
           kill -9 $!; exit 1\n\
         fi\n\
         exec charloom sweep my.toml --threads 1 --only $1\n",
    );
    let line = format!(
        "charloom sweep my.toml --list | parallel -j2 --retries 2 --joblog log sh '{}' {{}} && charloom sweep my.toml --table",
        train.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(world.path("")).env("PATH", search_path());
    let ran = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    assert!(world.exists("tried"), "{out}{err}");
    let table = world.read("runs/my/sweep.csv");
    assert_eq!(table.matches(",done,").count(), 4, "{table}");
}
