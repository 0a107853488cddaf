//! `charloom sweep` with random values, and with a time budget for each run.

use crate::sweep::{SET, world};
use crate::world::World;

const RANDOM: &str = "[random]\nruns = 3\ntrain.optimizer.lr = { log_uniform = [1e-4, 1e-2] }\n\
                      model.hidden_size = { uniform = [4, 12] }\n";

/// A world whose sweep draws the hidden size, which [`SET`] sets.
fn random_world(random: &str) -> World {
    let world = World::with_text();
    let set = SET.replace("model.hidden_size = 8\n", "");
    world.write("my.toml", format!("{set}{random}"));
    world
}

fn list(world: &World) -> Vec<String> {
    world.run("sweep my.toml --list").succeeds().out.lines().map(str::to_owned).collect()
}

#[test]
fn random_values_are_drawn_from_their_ranges_and_stay_when_runs_are_added() {
    let world = random_world(RANDOM);
    let first = list(&world);
    assert_eq!(first.len(), 3);
    for run in &first {
        let (lr, size) = run.strip_prefix("lr-").unwrap().split_once("_hidden_size-").unwrap();
        assert!((1e-4..=1e-2).contains(&lr.parse::<f64>().unwrap()), "{run}");
        assert!((4..=12).contains(&size.parse::<i64>().unwrap()), "{run}");
    }
    world.run("sweep my.toml --threads 1").succeeds();
    world.write("my.toml", world.read("my.toml").replace("runs = 3", "runs = 4"));
    let more = list(&world);
    assert_eq!(more[..3], first);
    let ran = world.run("sweep my.toml --threads 1").succeeds();
    assert!(ran.err.contains("4 runs, 3 of them done"), "{}", ran.err);
    // Another seed draws others.
    world.write("my.toml", world.read("my.toml").replace("runs = 4", "runs = 3\nseed = 2"));
    assert!(list(&world).iter().all(|run| !first.contains(run)));
}

#[test]
fn random_values_are_drawn_at_every_point_of_the_grid() {
    let world = random_world(&format!("[grid]\nmodel.cell = [\"lstm\", \"gru\"]\n{RANDOM}"));
    let runs = list(&world);
    let drawn = |cell: &str| {
        let prefix = format!("cell-{cell}_");
        let of_cell = runs.iter().filter_map(|run| run.strip_prefix(&prefix));
        of_cell.collect::<Vec<_>>()
    };
    assert_eq!((runs.len(), drawn("lstm").len()), (6, 3));
    assert_eq!(drawn("lstm"), drawn("gru"));
}

#[track_caller]
fn refused(rest: &str) -> String {
    world(rest).run("sweep my.toml").fails(2)
}

#[test]
fn a_wrong_random_table_is_named_with_its_line() {
    insta::assert_snapshot!(
        refused("[random]\ntrain.seed = [1, 2]\n"),
        @"error: `my.toml`, line 10: `[random]` needs the number of runs, such as `runs = 20`"
    );
    insta::assert_snapshot!(
        refused("[random]\nruns = 0\n"),
        @"error: `my.toml`, line 11: `runs` must be a whole number of at least 1"
    );
    insta::assert_snapshot!(
        refused("[random]\nruns = 2\n"),
        @"error: `my.toml`, line 10: `[random]` has no setting, such as `model.dropout = { uniform = [0.0, 0.5] }`"
    );
    insta::assert_snapshot!(
        refused("[random]\nruns = 2\nmodel.dropout = { normal = [0.0, 0.5] }\n"),
        @"error: `my.toml`, line 12: `model.dropout` must be a list of values, `{ uniform = [low, high] }` or `{ log_uniform = [low, high] }`, not `{ normal = [0.0, 0.5] }`"
    );
    insta::assert_snapshot!(
        refused("[random]\nruns = 2\nmodel.dropout = { uniform = [0.5, 0.1] }\n"),
        @"error: `my.toml`, line 12: `model.dropout` must have a low end below the high end, not `[0.5, 0.1]`"
    );
    insta::assert_snapshot!(
        refused("[random]\nruns = 2\nmodel.dropout = { log_uniform = [0, 0.5] }\n"),
        @"error: `my.toml`, line 12: `model.dropout` must have a low end above 0 for `log_uniform`, not `0`"
    );
    insta::assert_snapshot!(
        refused("[random]\nruns = 2\nmodel.layers = [1, 2]\n"),
        @"error: `my.toml`, line 6: `model.layers` is also in `[random]`"
    );
    insta::assert_snapshot!(refused("[random]\nruns = 3\ntrain.seed = [1, 2]\n"), @r"
    error: `my.toml`, line 10: `[random]` has too few different values for 3 runs

    hint: `[grid]` trains every combination of a few values
    ");
    // A value that is drawn is checked as one that is typed.
    let message = refused("[random]\nruns = 2\nmodel.dropout = { uniform = [2.0, 3.0] }\n");
    assert!(
        message.contains("line 12: `model.dropout` must be a number from 0 to below 1"),
        "{message}"
    );
}

#[test]
fn each_run_takes_the_minutes_that_are_given() {
    let world = World::with_text();
    let set = SET.replace("train.epochs = 1\ntrain.max_steps = 5\n", "");
    world.write(
        "my.toml",
        format!("{set}[grid]\nmodel.hidden_size = [4, 6]\n").replace("model.hidden_size = 8\n", ""),
    );
    let ran = world.run("sweep my.toml --minutes 0.02 --threads 1").succeeds();
    assert_eq!(ran.err.matches("\nrecipe lstm 1 x ").count(), 2, "{}", ran.err);
    let config = world.read("runs/my/hidden_size-4/config.toml");
    for line in ["minutes = 0.02", "hidden_size = 4", "batch_size = 3", "name = \"adamw\""] {
        assert!(config.contains(line), "{line}: {config}");
    }
    // What was chosen stays.
    let again = world.run("sweep my.toml --minutes 0.02 --threads 1").succeeds();
    assert!(again.err.contains("2 runs, 2 of them done"), "{}", again.err);
    let message = world.run("sweep my.toml --minutes 0.03 --threads 1").fails(2);
    assert!(message.contains("was trained with settings that differ"), "{message}");
}

#[test]
fn minutes_replace_the_length_in_the_file_but_not_beside_them() {
    let world = world("[grid]\ntrain.seed = [1]\n");
    let ran = world.run("sweep my.toml --minutes 0.02 --threads 1").succeeds();
    assert!(ran.err.contains("steps in 0.02 min"), "{}", ran.err);
    let message = refused("train.minutes = 0.02\n[grid]\ntrain.seed = [1]\n");
    assert!(message.contains("`--minutes` and `--epochs` can't be given together"), "{message}");
    let message = world.run("sweep my.toml --minutes never").fails(2);
    assert!(message.contains("`--minutes` must be a number"), "{message}");
}
