//! `charloom config`, and settings that are wrong.

use crate::world::World;

/// What is said about a settings file with this text.
#[track_caller]
fn refused(text: &str) -> String {
    let world = World::new();
    world.write("my.toml", text);
    let checked = world.run("config check my.toml").fails(2);
    let shown = world.run("config show --config my.toml").fails(2);
    let trained = world.run("train --config my.toml").fails(2);
    assert_eq!((&checked, &checked), (&shown, &trained));
    assert!(!world.exists("runs"));
    checked
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    insta::assert_snapshot!(refused("[train]\n\nepoch = 3\n"), @r"
    error: `my.toml`, line 3: unknown key `epoch`

    hint: known here: `epochs`, `max_steps`, `patience`, `seed`, `clip`, `schedule`, `loss`, `state`, `optimizer`
    ");
    insta::assert_snapshot!(refused("[training]\nepochs = 3\n"), @r"
    error: `my.toml`, line 1: unknown key `training`

    hint: known here: `data`, `model`, `train`, `sample`
    ");
    insta::assert_snapshot!(refused("[train]\noptimizer = { name = \"adam\", momentum = 0.9 }\n"), @r"
    error: `my.toml`, line 2: unknown key `momentum`

    hint: known here: `name`, `lr`, `beta1`, `beta2`, `eps`, `weight_decay`
    ");
}

#[test]
fn a_wrong_type_is_named_with_what_is_legal() {
    insta::assert_snapshot!(
        refused("# mine\n[train]\nepochs = \"ten\"\n"),
        @r#"error: `my.toml`, line 3: `train.epochs` must be a whole number from 1 to 1000000000, not `"ten"`"#
    );
    insta::assert_snapshot!(
        refused("[data]\ntext = 5\n"),
        @"error: `my.toml`, line 2: `data.text` must be text in quotes, not `5`"
    );
    insta::assert_snapshot!(
        refused("train = 5\n"),
        @"error: `my.toml`, line 1: invalid type: integer `5`, expected the section `[train]`"
    );
    insta::assert_snapshot!(
        refused("[train]\noptimizer = \"adam\"\n"),
        @r#"error: `my.toml`, line 2: invalid type: string "adam", expected a table such as `{ name = "adam", lr = 1e-3 }`"#
    );
}

#[test]
fn a_value_out_of_range_is_named_with_the_range() {
    for (text, message) in [
        (
            "[model]\ndropout = 1.0",
            "line 2: `model.dropout` must be a number from 0 to below 1, not `1.0`",
        ),
        (
            "[model]\nlayers = 0",
            "line 2: `model.layers` must be a whole number from 1 to 64, not `0`",
        ),
        (
            "[train]\nseed = -1",
            "line 2: `train.seed` must be a whole number from 0 to 9223372036854775807, not `-1`",
        ),
        (
            "[data]\nvalid_fraction = 0.6\n\ntest_fraction = 0.4",
            "line 4: `data.test_fraction` must be less than 1 - `valid_fraction`, which is 0.6, not `0.4`",
        ),
        (
            "[data]\nlast_target = \"none\"",
            "line 2: `data.last_target` must be `\"next\"` or `\"wrap\"`, not `\"none\"`",
        ),
        (
            "[model]\ncell = \"LSTM\"",
            "line 2: `model.cell` must be `\"lstm\"`, `\"gru\"`, `\"tanh\"` or `\"relu\"`, not `\"LSTM\"`",
        ),
        (
            "[train.optimizer]\nname = \"adam\"\nlr = nan",
            "line 3: `train.optimizer.lr` must be a number above 0, up to 10, not `nan`",
        ),
        (
            "[train]\nclip = { norm = 0 }",
            "line 2: `train.clip` must be `\"none\"`, `{ norm = a number above 0, up to 1000000 }` or \
             `{ value = a number above 0, up to 1000000 }`, not `{ norm = 0 }`",
        ),
        (
            "[model]\ninput = { embedding = 2.5 }",
            "line 2: `model.input` must be `\"one-hot\"` or `{ embedding = a whole number from 1 to 65536 }`, \
             not `{ embedding = 2.5 }`",
        ),
    ] {
        assert_eq!(refused(text), format!("error: `my.toml`, {message}"));
    }
}

#[test]
fn an_optimizer_that_there_is_not_is_told_which_there_are() {
    insta::assert_snapshot!(
        refused("[train]\noptimizer = { name = \"sgd\" }"),
        @r#"error: `my.toml`, line 2: `train.optimizer.name` must be `"adam"`, not `"sgd"`"#
    );
}

#[test]
fn a_file_that_is_not_toml_is_refused_at_its_line() {
    let message = refused("[data]\nbatch_size = 3\nseq_length 4\n");
    assert!(message.starts_with("error: `my.toml`, line 3: "), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_settings_file_that_is_not_there_is_named() {
    insta::assert_snapshot!(
        World::new().run("config check none.toml").fails(2),
        @"error: could not read the settings file `none.toml`: No such file or directory (os error 2)"
    );
}

#[test]
fn a_flag_out_of_range_is_named_itself() {
    let world = World::with_text();
    for (line, message) in [
        ("--epochs 0", "`--epochs` must be a whole number from 1 to 1000000000, not `0`"),
        ("--dropout 1.5", "`--dropout` must be a number from 0 to below 1, not `1.5`"),
        ("--lr -1e-3", "`--lr` must be a number above 0, up to 10, not `-0.001`"),
        ("--hidden big", "`--hidden` must be a whole number from 1 to 65536, not `\"big\"`"),
        (
            "--set model.cell=rnn",
            "`--set model.cell` must be `\"lstm\"`, `\"gru\"`, `\"tanh\"` or `\"relu\"`, not `\"rnn\"`",
        ),
    ] {
        let message = format!("error: {message}");
        assert_eq!(world.run(&format!("train --text text.txt {line}")).fails(2), message);
        assert_eq!(world.run(&format!("config show {line}")).fails(2), message);
    }
}

#[test]
fn a_bad_set_is_told_what_a_good_one_is() {
    let world = World::new();
    insta::assert_snapshot!(world.run("config show --set model.width=3").fails(2), @r"
    error: `--set`: there is no key `model.width`

    hint: known here: `cell`, `input`, `hidden_size`, `layers`, `dropout`, `bias`, `init`
    ");
    insta::assert_snapshot!(world.run("config show --set epochs").fails(2), @r"
    error: `--set` needs `section.key=value`, not `epochs`

    hint: `charloom config show` prints every section and key
    ");
    for wrong in ["epochs=3", "train.epochs=", "train.=3", "train.epochs\n.x=3", "=3"] {
        let message = world.run_args(&["config", "show", "--set", wrong]).fails(2);
        assert!(message.starts_with("error: `--set`"), "{message}");
    }
}

#[test]
fn all_settings_are_shown_and_what_is_shown_is_good() {
    let world = World::new();
    let shown = world.run("config show").succeeds();
    assert_eq!(shown.err, "");
    for section in ["[data]", "[model]", "[train]", "[sample]"] {
        assert!(shown.out.contains(section));
    }
    world.write("shown.toml", &shown.out);
    assert_eq!(
        world
            .run("config show --config shown.toml --set data.text=a")
            .succeeds()
            .out
            .lines()
            .count(),
        shown.out.lines().count()
    );
    let checked = world.run("config check shown.toml").succeeds();
    assert_eq!(
        (checked.out.as_str(), checked.err.as_str()),
        ("", "`shown.toml` is a valid settings file\n")
    );
}

#[test]
fn a_presets_settings_are_shown_under_the_flags() {
    let world = World::new();
    let anna = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/anna.toml");
    let shown = world
        .run_args(&["config", "show", "--config", anna, "--epochs", "3", "--text", "anna.txt"])
        .succeeds()
        .out;
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(key)).unwrap();
        line.split('#').next().unwrap().trim().to_owned()
    };
    assert_eq!(line("epochs"), "epochs = 3");
    assert_eq!(line("text"), "text = \"anna.txt\"");
    assert_eq!(line("batch_size"), "batch_size = 128");
    assert_eq!(line("last_target"), "last_target = \"wrap\"");
}
