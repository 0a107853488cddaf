//! Invalid sweep files: one message, exit code 2, and nothing is trained.

use crate::sweep::{SET, world};
use crate::world::World;

#[track_caller]
fn refused(rest: &str) -> String {
    let world = world(rest);
    let message = world.run("sweep my.toml").fails(2);
    assert!(!world.exists("runs"), "{message}");
    message
}

#[test]
fn a_sweep_file_that_is_not_there_is_named() {
    insta::assert_snapshot!(
        World::new().run("sweep none.toml").fails(2),
        @"error: could not read the sweep file `none.toml`: No such file or directory (os error 2)"
    );
}

#[test]
fn a_sweep_of_nothing_is_refused() {
    insta::assert_snapshot!(refused(""), @r"
    error: `my.toml` has no run: it needs a table `[grid]` or `[random]`, or `[[run]]` tables

    hint: `charloom sweep --help` shows a sweep file
    ");
    insta::assert_snapshot!(refused("[grid]\n"), @"error: `my.toml`, line 10: `[grid]` is empty");
    insta::assert_snapshot!(
        refused("[grid]\ntrain.seed = []\n"),
        @"error: `my.toml`, line 11: `train.seed` has no values"
    );
    insta::assert_snapshot!(refused("[[run]]\n"), @r#"
    error: `my.toml`, line 10: this run has no settings that it could be named after

    hint: `name = "…"` in a `[[run]]` table names it
    "#);
}

#[test]
fn a_wrong_shape_is_named_with_its_line() {
    insta::assert_snapshot!(
        refused("[grid]\ntrain.seed = 3\n"),
        @"error: `my.toml`, line 11: `train.seed` must be a list of values, such as `[3]`, not `3`"
    );
    insta::assert_snapshot!(
        refused("[run]\ntrain.seed = 3\n"),
        @"error: `my.toml`, line 10: `run` must be tables, each under `[[run]]`"
    );
    insta::assert_snapshot!(
        refused("[[run]]\nname = 5\ntrain.seed = 3\n"),
        @"error: `my.toml`, line 11: `name` must be text in quotes"
    );
    let message = refused("[grid\n");
    assert!(message.starts_with("error: `my.toml`, line 10: "), "{message}");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    insta::assert_snapshot!(refused("[gird]\ntrain.seed = [3]\n"), @r"
    error: `my.toml`, line 10: unknown key `gird`

    hint: valid keys: `name`, `config`, `set`, `grid`, `random`, `run`
    ");
    let message = refused("[grid]\n\nmodel.hiden = [3]\n");
    assert!(
        message.starts_with(
            "error: `my.toml`, line 12: unknown key `model.hiden`\n\nhint: valid keys: `cell`, "
        ),
        "{message}"
    );
    insta::assert_snapshot!(refused("[grid]\nseed = [3]\n"), @r"
    error: `my.toml`, line 11: unknown key `seed`

    hint: did you mean `train.seed`? valid keys: `data`, `model`, `train`, `sample`
    ");
}

#[test]
fn a_value_out_of_range_is_named_before_anything_is_trained() {
    insta::assert_snapshot!(
        refused("[grid]\nmodel.dropout = [0.1, 1.0]\n"),
        @"error: `my.toml`, line 11: `model.dropout` must be a number from 0 to below 1, not `1.0`"
    );
    insta::assert_snapshot!(
        refused("[[run]]\ntrain.clip = { norm = 1 }\n\n[[run]]\ntrain.clip = { norm = 0 }\n"),
        @"error: `my.toml`, line 14: `train.clip.norm` must be a number above 0, up to 1000000, not `0`"
    );
}

#[test]
fn a_key_given_twice_is_refused() {
    insta::assert_snapshot!(
        refused("[grid]\ntrain.epochs = [1, 2]\n"),
        @"error: `my.toml`, line 7: `train.epochs` is also in `[grid]`"
    );
    insta::assert_snapshot!(
        refused("[grid]\ntrain.seed = [1]\n\"train.seed\" = [2]\n"),
        @"error: `my.toml`, line 12: `train.seed` is given twice"
    );
    // A key has one meaning under its old name and its new one.
    insta::assert_snapshot!(
        refused("[grid]\ndata.batch = [1, 2]\n"),
        @"error: `my.toml`, line 3: `data.batch_size` is also in `[grid]`"
    );
}

#[test]
fn two_runs_of_one_name_are_refused() {
    insta::assert_snapshot!(refused("[grid]\ntrain.seed = [1, 2, 1]\n"), @r#"
    error: `my.toml`, line 11: two runs would have the same name: `seed-1`

    hint: list each value once; `name = "…"` in a `[[run]]` table names that run
    "#);
    let message = refused("[[run]]\nname = \"a\"\n[[run]]\nname = \"A\"\n");
    assert!(
        message.starts_with(
            "error: `my.toml`, line 12: two runs would have the same name: `a` and `A`"
        ),
        "{message}"
    );
}

#[test]
fn names_that_are_not_folder_names_are_refused() {
    let world = World::with_text();
    world.write("my.toml", format!("name = \"a/b\"\n{SET}[grid]\ntrain.seed = [1]\n"));
    insta::assert_snapshot!(world.run("sweep my.toml").fails(2), @r#"
    error: `my.toml`: `a/b` is not a sweep name: it must be one folder name, without `/` or a leading `.`

    hint: `name = "…"` at the top of the file sets another one
    "#);
    let message = refused("[[run]]\nname = \"../x\"\n");
    assert!(
        message.starts_with("error: `my.toml`, line 10: `../x` is not a run name"),
        "{message}"
    );
}

#[test]
fn more_than_1000_runs_are_refused() {
    let values: Vec<_> = (1..=40).map(|value| value.to_string()).collect();
    let values = values.join(", ");
    assert_eq!(
        refused(&format!("[grid]\ntrain.seed = [{values}]\ntrain.patience = [{values}]\n")),
        "error: `my.toml` has 1,600 runs; the maximum is 1,000"
    );
}

#[test]
fn a_missing_or_too_short_text_is_refused_before_training() {
    insta::assert_snapshot!(
        refused("[[run]]\nname = \"a\"\n[[run]]\ndata.text = \"none.txt\"\n"),
        @"error: `my.toml`, line 13: `data.text`: there is no file `none.txt`"
    );
    let sweep = SET.replace("data.batch_size = 3\n", "");
    let world = World::with_text();
    world.write("my.toml", format!("{sweep}[grid]\ndata.batch_size = [3, 500]\n"));
    insta::assert_snapshot!(world.run("sweep my.toml").fails(2), @r"
    error: `my.toml`: the run `batch_size-500`: the training part has 1800 characters, but one batch of 500 rows x 7 steps needs 3501

    hint: `data.batch_size` is from `my.toml`, line 10; `data.seq_length` is from `my.toml`, line 3; `data.text` is from `my.toml`, line 2
    ");
    assert!(!world.exists("runs"));
    let message = refused("[grid]\nsample.prime = [\"the\", \"Ü\"]\n");
    assert!(
        message.contains("`my.toml`: the run `prompt-Ü`: the sample's prompt cannot be used"),
        "{message}"
    );
    assert!(message.contains("hint: `sample.prompt` is from `my.toml`, line 11"), "{message}");
}

#[test]
fn a_base_file_that_cannot_be_used_is_named_with_its_key() {
    let world = world("[grid]\ntrain.seed = [1]\n");
    let sweep = world.read("my.toml");
    world.write("my.toml", format!("config = \"base.toml\"\n{sweep}"));
    insta::assert_snapshot!(
        world.run("sweep my.toml").fails(2),
        @"error: `my.toml`: `config`: could not read the settings file `base.toml`: No such file or directory (os error 2)"
    );
    world.write("base.toml", "[train]\n\nepoch = 3\n");
    let message = world.run("sweep my.toml").fails(2);
    assert!(
        message.starts_with(
            "error: `my.toml`: `config`: `base.toml`, line 3: unknown key `train.epoch`"
        ),
        "{message}"
    );
    assert!(!world.exists("runs"));
}
