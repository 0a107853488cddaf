//! `charloom score`.

use crate::world::World;

/// Words of two languages over different, overlapping alphabets.
const LETTERS: &str = "abc bca cab acb ";
const OTHERS: &str = "xyc yxc cxy ycx ";

/// A world with a run `abc` and a run `xyz`, each trained well enough to know its own alphabet, and their models as files.
fn world() -> World {
    let world = World::new();
    for (run, words) in [("abc", LETTERS), ("xyz", OTHERS)] {
        world.write("text.txt", format!("{}\n", words.repeat(5)).repeat(12));
        world.train(&format!("--run {run} --max-steps 40 --lr 0.02")).succeeds();
    }
    world
}

const BOTH: &str = "--run abc --run xyz";

#[test]
fn each_line_is_scored_with_its_first_character() {
    let world = world();
    world.write("lines.txt", "abc bca\nc\n\nbac acb");
    let ran = world.run("score --run abc --lines lines.txt").succeeds();
    let rows: Vec<_> = ran.out.lines().map(|row| row.split_once('\t').unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), ["abc bca", "c", "", "bac acb"]);
    assert_eq!(rows[2].0, "-");

    // `eval` counts all but the first character, here a newline: the rest must have the line's loss.
    world.write("page.txt", "\nabc bca");
    let loss = world.run("eval --run abc --text page.txt").succeeds().out;
    let loss = loss.lines().find(|line| line.starts_with("loss")).unwrap();
    assert_eq!(rows[0].0, loss.split_whitespace().nth(1).unwrap());
    assert!(ran.err.starts_with("abc: 15 characters, "), "{}", ran.err);
}

#[test]
fn a_lines_score_does_not_depend_on_its_position_or_line_ending() {
    let world = world();
    world.write("a.txt", "abc bca\n");
    world.write("b.txt", "cab\r\nabc bca\r\nbbbbbbbb cccccc aa");
    let row =
        |line: &str, place| world.run(line).succeeds().out.lines().nth(place).unwrap().to_owned();
    let alone = row("score --run abc --lines a.txt", 0);
    assert_eq!(row("score --run abc --lines b.txt", 1), alone);
    assert_eq!(row("score --run abc --lines b.txt a.txt", 3), alone);
}

#[test]
fn a_file_is_one_text_unless_lines_are_asked_for() {
    let world = world();
    world.write("a.txt", "abc bca\ncab");
    world.write("b.txt", "ccc");
    let ran = world.run("score --run abc a.txt b.txt").succeeds();
    let names: Vec<_> = ran.out.lines().map(|row| row.split_once('\t').unwrap().1).collect();
    assert_eq!(names, ["a.txt", "b.txt"]);
}

#[test]
fn of_several_models_the_best_is_named() {
    let world = world();
    world.write("lines.txt", "abc cab\nxyc\n");
    let ran = world.run(&format!("score {BOTH} --lines lines.txt")).succeeds();
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!((rows[0][0], rows[0][3]), ("abc", "abc cab"));
    assert_eq!((rows[1][0], rows[1][3]), ("xyz", "xyc"));
    let nats = |cell: &str| cell.parse::<f64>().unwrap();
    assert!(nats(rows[0][1]) < nats(rows[0][2]) && nats(rows[1][1]) > nats(rows[1][2]));
    // A model alone gives the same losses; a model file in a run's folder has the run's name.
    let alone = world.run("score --run xyz --lines lines.txt").succeeds();
    assert!(alone.out.starts_with(&format!("{}\tabc cab\n", rows[0][2])), "{}", alone.out);
    let files = "--model runs/abc/model.safetensors --model runs/xyz/model.safetensors";
    assert_eq!(world.run(&format!("score {files} --lines lines.txt")).out, ran.out);
}

#[test]
fn unknown_characters_have_a_fixed_loss_and_are_counted() {
    let world = world();
    world.write("lines.txt", "☃☃\na☃\n");
    let ran = world.run(&format!("score {BOTH} --lines lines.txt")).succeeds();
    // Unknown to both: of equal models the first is named.
    assert!(ran.out.starts_with("abc\t13.9217\t13.9217\t☃☃\nabc\t"), "{}", ran.out);
    assert!(ran.err.contains("abc: 4 characters, "), "{}", ran.err);
    assert!(
        ran.err.contains(", 3 of them unknown to the model (at 13.92 nats each)\n"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains(", 4 of them unknown to the model (at 13.92 nats each)\n"),
        "{}",
        ran.err
    );
}

#[test]
fn labels_are_compared_with_the_best_model() {
    let world = world();
    world.write("labels.txt", "abc\tabc cab\nxyz\txyc\nxyz\tabc\nabc\tbca\nabc\t\n\nxyz\tyx\tyx\n");
    let ran = world.run(&format!("score {BOTH} --labels labels.txt")).succeeds();
    insta::assert_snapshot!(ran.out, @"
    accuracy  80.00 %, 4 of 5 texts

    label / best model  abc  xyz
    abc                   2    0
    xyz                   1    2
    ");
    assert!(ran.err.ends_with("skipped 1 empty text\n"), "{}", ran.err);
}

#[test]
fn labels_that_no_model_has_are_refused() {
    let world = world();
    let refused = |content: &str, models: &str| {
        world.write("labels.txt", content);
        world.run(&format!("score {models} --labels labels.txt")).fails(2)
    };
    insta::assert_snapshot!(refused("abc\tabc\nabc abc\n", BOTH), @"
    error: line 2 of `labels.txt` has no tab

    hint: with `--labels`, each line is a label, a tab and a text
    ");
    insta::assert_snapshot!(refused("abc\tabc\n\nklm\tabc\n", BOTH), @"
    error: line 3 of `labels.txt` has the label `klm`, which is not the name of a model

    hint: model names: `abc`, `xyz`
    ");
    // A byte-order mark, with which some editors begin a file, is no part of a label.
    let message = refused("\u{feff}klm\tabc\n", BOTH);
    assert!(message.contains("has the label `klm`, which is not the name of a model"), "{message}");
    insta::assert_snapshot!(refused("abc\t\n", BOTH), @"error: all labelled texts are empty");
    insta::assert_snapshot!(refused("abc\tabc\n", "--run abc"), @"
    error: `--labels` needs at least two models

    hint: `--run NAME` and `--model FILE` may be repeated
    ");
}

#[test]
fn two_models_of_one_name_are_refused() {
    let world = world();
    world.write("lines.txt", "abc");
    let bytes = std::fs::read(world.path("runs/abc/model.safetensors")).unwrap();
    world.write("other/xyz.safetensors", bytes);
    for models in ["--run xyz --model other/xyz.safetensors", "--run xyz --run xyz"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(world.run(&format!("score {models} lines.txt")).fails(2), @"
            error: two models have the name `xyz`

            hint: a model is named after its run, or after its file without the extension: copy one to a file of another name
            ");
        }
    }
}

#[test]
fn texts_that_cannot_be_scored_are_refused() {
    let world = world();
    let message = world.run("score").fails(2);
    assert!(message.contains("<FILE>..."), "{message}");
    insta::assert_snapshot!(
        world.run("score none.txt").fails(2),
        @"error: there is no file `none.txt`"
    );
    let message = world.run("score text.txt runs").fails(2);
    assert!(message.contains("` is a safetensors file: text is needed"), "{message}");
    world.write("empty.txt", "");
    insta::assert_snapshot!(
        world.run("score --lines empty.txt").fails(2),
        @"error: `empty.txt` is empty"
    );
    world.write("latin.txt", b"caf\xe9");
    let scored = world.run("score latin.txt").succeeds();
    assert!(scored.err.contains("`latin.txt` is decoded from windows-1252"), "{}", scored.err);
    world.write("one.txt", "a");
    assert!(world.run("score --run abc one.txt").succeeds().out.ends_with("\tone.txt\n"));
}

#[test]
fn a_line_cannot_steer_the_terminal() {
    let world = world();
    world.write("lines.txt", "a\u{1b}[31mb\tc");
    let ran = world.run("score --run abc --lines lines.txt").succeeds();
    assert!(ran.out.ends_with("\taU+001B[31mb\\tc\n"), "{}", ran.out);
}

#[test]
fn score_needs_a_model() {
    let world = World::with_text();
    insta::assert_snapshot!(world.run("score text.txt").fails(2), @"
    error: there is no run in `runs`

    hint: `charloom train --text FILE` starts one
    ");
    insta::assert_snapshot!(world.run("score --run none text.txt").fails(2), @"
    error: there is no run `none` in `runs`

    hint: `runs` has no runs at all
    ");
}
