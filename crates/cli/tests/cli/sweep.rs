//! `charloom sweep`.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::world::{World, names};

/// The beginning of every sweep here: the smallest of networks on `text.txt`.
pub const SET: &str = "[set]
data.text = \"text.txt\"
data.batch_size = 3
data.seq_length = 7
model.hidden_size = 8
model.layers = 1
train.epochs = 1
train.max_steps = 5
sample.length = 5
";

/// A world with a text and `my.toml`, which is [`SET`] followed by `rest`.
pub fn world(rest: &str) -> World {
    let world = World::with_text();
    world.write("my.toml", format!("{SET}{rest}"));
    world
}

/// The first `count` columns of a CSV file, as lines.
fn columns(world: &World, file: &str, count: usize) -> Vec<String> {
    let cut = |line: &str| line.split(',').take(count).collect::<Vec<_>>().join(",");
    world.read(file).lines().map(cut).collect()
}

#[test]
fn a_grid_is_trained_compared_and_drawn() {
    let world = World::with_text();
    world.write(
        "my.toml",
        format!(
            "name = \"sizes\"\n{}[grid]\n\"model.hidden_size\" = [4, 12]\ntrain.optimizer.lr = [1e-3, 0.03]\n",
            SET.replace("model.hidden_size = 8\n", "")
        ),
    );
    let ran = world.run("sweep my.toml --threads 1").succeeds();
    for printed in ["sweep  `runs/sizes`: 4 runs", "run 4/4  `hidden_size-12_lr-0.03`", "epoch 1/1"]
    {
        assert!(ran.err.contains(printed), "{printed}: {}", ran.err);
    }
    assert!(!ran.err.contains('│'), "samples hide the numbers: {}", ran.err);
    let runs = [
        "hidden_size-12_lr-0.001",
        "hidden_size-12_lr-0.03",
        "hidden_size-4_lr-0.001",
        "hidden_size-4_lr-0.03",
    ];
    let mut expected = runs.map(str::to_owned).to_vec();
    expected.extend(["loss.png", "loss.svg", "sweep.csv"].map(str::to_owned));
    assert_eq!(names(&world.path("runs/sizes")), expected);

    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", ran.out);
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["run", "hidden_size", "lr", "loss", "perplexity", "epoch", "chars/s", "seconds"]
    );
    let losses: Vec<f64> = lines[1..]
        .iter()
        .map(|line| line.split_whitespace().nth(3).unwrap().parse().unwrap())
        .collect();
    assert!(losses.is_sorted(), "{}", ran.out);
    let table = columns(&world, "runs/sizes/sweep.csv", 4);
    assert_eq!(table[0], "run,status,model.hidden_size,train.optimizer.lr");
    assert!(table.contains(&"hidden_size-12_lr-0.03,done,12,0.03".to_owned()), "{table:?}");
    let picture = world.read("runs/sizes/loss.svg");
    assert!(picture.contains("\nsizes: validation loss\n") && picture.contains(runs[0]));

    // Each is a run like any other.
    let config = world.read("runs/sizes/hidden_size-4_lr-0.03/config.toml");
    assert!(config.contains("hidden_size = 4"), "{config}");
    assert!(config.contains("(from `my.toml`, line"), "{config}");
    world.run("generate --runs-dir runs/sizes --run hidden_size-4_lr-0.03 --length 5").succeeds();
    world.run("plot --runs-dir runs/sizes hidden_size-4_lr-0.03").succeeds();
    let best = lines[1].split_whitespace().next().unwrap();
    let printed = format!(
        "to generate text with the best model:  charloom generate --run {best} --runs-dir runs/sizes\n"
    );
    assert!(ran.err.ends_with(&printed), "{}", ran.err);
}

#[test]
fn listed_runs_are_crossed_with_the_grid() {
    let world = world(
        "[[run]]\nname = \"base\"\n[[run]]\nmodel.cell = \"gru\"\nmodel.layers = 2\n[grid]\ntrain.seed = [1, 2]\n",
    );
    let ran = world.run("sweep my.toml --threads 1").succeeds();
    let runs =
        ["base_seed-1", "base_seed-2", "cell-gru_layers-2_seed-1", "cell-gru_layers-2_seed-2"];
    assert_eq!(names(&world.path("runs/my"))[..4], runs);
    assert!(
        ran.out.lines().any(|line| line.starts_with("base_seed-1               -     -       1")),
        "{}",
        ran.out
    );
    // The settings of a listed run override those of all runs.
    let config = world.read("runs/my/cell-gru_layers-2_seed-1/config.toml");
    assert!(config.contains("layers = 2") && config.contains("cell = \"gru\""), "{config}");
}

#[test]
fn a_base_file_sets_what_the_sweep_does_not() {
    let world = world("[grid]\ntrain.seed = [3]\n");
    world.write("base.toml", "[train]\nseed = 9\npatience = 4\nepochs = 7\n");
    let sweep = world.read("my.toml");
    world.write("my.toml", format!("config = \"base.toml\"\n{sweep}"));
    world.run("sweep my.toml").succeeds();
    let config = world.read("runs/my/seed-3/config.toml");
    for line in ["seed = 3", "patience = 4", "epochs = 1"] {
        assert!(config.contains(line), "{line}: {config}");
    }
}

#[test]
fn a_finished_run_is_not_trained_again() {
    let world = world("[grid]\ntrain.seed = [1, 2]\n");
    let first = world.run("sweep my.toml --threads 1").succeeds();
    let model =
        std::fs::metadata(world.path("runs/my/seed-1/model.safetensors")).unwrap().modified();
    let metrics = world.read("runs/my/seed-1/metrics.csv");
    let again = world.run("sweep my.toml --threads 1").succeeds();
    assert_eq!(first.out, again.out);
    assert!(again.err.contains("2 runs, 2 of them done"), "{}", again.err);
    assert!(!again.err.contains("epoch"), "{}", again.err);
    assert_eq!(metrics, world.read("runs/my/seed-1/metrics.csv"));
    let after =
        std::fs::metadata(world.path("runs/my/seed-1/model.safetensors")).unwrap().modified();
    assert_eq!(model.unwrap(), after.unwrap());
    // A further value trains the run that it adds only.
    let sweep = world.read("my.toml").replace("[1, 2]", "[1, 2, 3]");
    world.write("my.toml", sweep);
    let more = world.run("sweep my.toml --threads 1").succeeds();
    assert!(
        more.err.contains("run 3/3  `seed-3`") && !more.err.contains("run 2/3"),
        "{}",
        more.err
    );
    assert_eq!(more.out.lines().count(), 4);
}

#[test]
fn a_run_that_stopped_early_is_done() {
    let world = world("[grid]\ntrain.patience = [1]\n");
    let sweep = world.read("my.toml").replace("epochs = 1", "epochs = 40");
    // A learning rate so large that the loss soon stops falling.
    let sweep = sweep.replace("max_steps = 5", "optimizer.lr = 2.0");
    world.write("my.toml", sweep);
    let first = world.run("sweep my.toml --threads 1").succeeds();
    let rows = world.read("runs/my/patience-1/metrics.csv").lines().count() - 1;
    assert!((2..40).contains(&rows), "{rows} rows");
    let again = world.run("sweep my.toml --threads 1").succeeds();
    assert!(again.err.contains("1 run, 1 of them done"), "{}", again.err);
    assert_eq!(first.out, again.out);
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_is_resumed_where_it_stopped() {
    let sweep =
        format!("{}[grid]\ntrain.seed = [1, 2]\n", SET.replace("epochs = 1", "epochs = 40"));
    let sweep = sweep.replace("max_steps = 5", "max_steps = 3000");
    let [broken, whole] = [World::with_text(), World::with_text()];
    for world in [&broken, &whole] {
        world.write("my.toml", &sweep);
    }
    let mut child = broken
        .command(&["sweep", "my.toml", "--threads", "1"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut printed = String::new();
    // In the middle of the second run.
    let mut second = false;
    for line in lines.by_ref() {
        let line = line.unwrap();
        printed += &format!("{line}\n");
        second |= line.contains("run 2/2");
        if second && line.contains("epoch 3/40") {
            break;
        }
    }
    let stopped =
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    for line in lines {
        printed += &format!("{}\n", line.unwrap());
    }
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!((child.wait().unwrap().code(), out.as_str()), (Some(130), ""), "{printed}");
    assert!(printed.contains("stopped in run 2 of 2; everything is saved"), "{printed}");
    assert!(printed.contains("to resume:  charloom sweep my.toml\n"), "{printed}");
    assert_eq!(columns(&broken, "runs/my/sweep.csv", 2)[1..], ["seed-1,done"]);

    let resumed = broken.run("sweep my.toml --threads 1").succeeds();
    assert!(resumed.err.contains("2 runs, 1 of them done"), "{}", resumed.err);
    assert!(resumed.err.contains("resuming after step"), "{}", resumed.err);
    whole.run("sweep my.toml --threads 1").succeeds();
    for run in ["seed-1", "seed-2"] {
        let metrics = format!("runs/my/{run}/metrics.csv");
        assert_eq!(columns(&broken, &metrics, 7), columns(&whole, &metrics, 7));
    }
}

#[test]
fn a_failing_run_does_not_stop_the_others_and_is_reported_at_the_end() {
    let world = world(
        "[[run]]\nname = \"wild\"\nmodel.init = { uniform = 1e6 }\nmodel.cell = \"relu\"\ntrain.optimizer.lr = 10\ntrain.clip = \"none\"\n\
         [[run]]\nname = \"tame\"\n",
    );
    let ran = world.run("sweep my.toml --threads 1");
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines[1].starts_with("tame ") && lines[2].starts_with("wild "), "{}", ran.out);
    assert!(lines[2].contains("  failed: the loss became "), "{}", ran.out);
    assert!(ran.err.contains("error: 1 of 2 runs failed"), "{}", ran.err);
    let status = columns(&world, "runs/my/sweep.csv", 2);
    assert_eq!(status[1], "tame,done");
    assert!(world.read("runs/my/sweep.csv").contains("failed: the loss became"));
    assert!(world.exists("runs/my/loss.png"));
}

#[test]
fn a_run_of_other_settings_is_not_mixed_in() {
    let world = world("[grid]\ntrain.seed = [1]\n");
    world.run("sweep my.toml --threads 1").succeeds();
    let sweep = world.read("my.toml");
    world.write("my.toml", sweep.replace("layers = 1", "layers = 2"));
    insta::assert_snapshot!(world.run("sweep my.toml").fails(2), @r#"
    error: the run in `runs/my/seed-1` was trained with settings that differ from the sweep file's

    hint: `name = "…"` at the top of the sweep file starts another sweep; without the folder `runs/my/seed-1` this one trains the run again
    "#);
    world.write("my.toml", sweep);
    world.write("text.txt", crate::world::text(1900));
    let message = world.run("sweep my.toml").fails(2);
    assert!(
        message.starts_with(
            "error: the text is not the one that the checkpoint `runs/my/seed-1/checkpoints/"
        ),
        "{message}"
    );
}

#[test]
fn a_sweep_that_is_extended_trains_its_runs_further() {
    let world = world("[grid]\ntrain.seed = [1, 2]\n");
    world.run("sweep my.toml --threads 1").succeeds();
    // Longer, with other samples: what `train --resume` may change, too.
    let sweep = world.read("my.toml").replace("max_steps = 5", "max_steps = 9");
    world.write("my.toml", sweep.replace("sample.length = 5", "sample.length = 6"));
    let ran = world.run("sweep my.toml --threads 1").succeeds();
    assert!(ran.err.contains("run 2/2  `seed-2`"), "{}", ran.err);
    assert_eq!(ran.err.matches("resuming after step 5").count(), 2, "{}", ran.err);
    assert_eq!(columns(&world, "runs/my/seed-1/metrics.csv", 2)[1..], ["1,5", "1,9"]);
    let config = world.read("runs/my/seed-1/config.toml");
    assert!(config.contains("max_steps = 9") && config.contains("length = 6"), "{config}");
    let again = world.run("sweep my.toml --threads 1").succeeds();
    assert!(again.err.contains("2 runs, 2 of them done"), "{}", again.err);
}

#[test]
fn a_folder_that_is_not_a_run_is_left_alone() {
    let world = world("[grid]\ntrain.seed = [1]\n");
    world.write("runs/my/seed-1/notes.txt", "mine");
    insta::assert_snapshot!(
        world.run("sweep my.toml").fails(2),
        @"error: `runs/my/seed-1` exists but is not a run folder"
    );
    assert_eq!(world.read("runs/my/seed-1/notes.txt"), "mine");
    // A run folder without files is used.
    std::fs::remove_file(world.path("runs/my/seed-1/notes.txt")).unwrap();
    std::fs::create_dir(world.path("runs/my/seed-1/checkpoints")).unwrap();
    world.run("sweep my.toml --threads 1").succeeds();
}

#[test]
fn a_run_is_refused_as_a_sweep() {
    let world = World::with_run();
    world.write("my.toml", format!("name = \"tiny\"\n{SET}[grid]\ntrain.seed = [1]\n"));
    insta::assert_snapshot!(world.run("sweep my.toml").fails(2), @r#"
    error: `runs/tiny` is a run, not a sweep

    hint: `name = "…"` at the top of the sweep file renames the sweep
    "#);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_is_restarted_but_one_without_its_checkpoints_is_not() {
    let world = world("[grid]\ntrain.seed = [1, 2]\n");
    world.run("sweep my.toml --threads 1").succeeds();
    let whole = columns(&world, "runs/my/seed-1/metrics.csv", 7);
    let run = world.path("runs/my/seed-1");
    std::fs::remove_dir_all(run.join("checkpoints")).unwrap();
    let message = world.run("sweep my.toml --threads 1").fails(2);
    assert!(
        message.starts_with(
            "error: the run in `runs/my/seed-1` has no checkpoint to resume from\n\nhint: "
        ),
        "{message}"
    );
    // As it is before the first evaluation.
    std::fs::remove_file(run.join("model.safetensors")).unwrap();
    std::fs::write(run.join("metrics.csv"), "").unwrap();
    let ran = world.run("sweep my.toml --threads 1").succeeds();
    assert!(
        ran.err.contains("2 runs, 1 of them done") && ran.err.contains("run 1/2  `seed-1`"),
        "{}",
        ran.err
    );
    assert_eq!(columns(&world, "runs/my/seed-1/metrics.csv", 7), whole);
}

#[test]
fn an_optimizers_name_does_not_reset_what_the_sweep_sets() {
    let world = world(
        "train.optimizer.lr = 0.5\n[[run]]\nname = \"whole\"\ntrain.optimizer = { eps = 0.25, name = \"adam\" }\n\
         [[run]]\nname = \"none\"\n",
    );
    world.run("sweep my.toml --threads 1").succeeds();
    let optimizer = |run: &str| {
        let config = world.read(&format!("runs/my/{run}/config.toml"));
        config.lines().find(|line| line.starts_with("optimizer = ")).unwrap().to_owned()
    };
    assert!(optimizer("whole").contains("lr = 0.5,"), "{}", optimizer("whole"));
    assert!(optimizer("whole").contains("eps = 0.25,"), "{}", optimizer("whole"));
    assert!(optimizer("none").contains("lr = 0.5,"), "{}", optimizer("none"));
}
