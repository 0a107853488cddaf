//! `train --init-from`.

use crate::world::{World, text};

const MODEL: &str = "runs/tiny/model.safetensors";

/// The validation loss in a run's model.
fn loss(world: &World, run: &str) -> f64 {
    let shown = world.run(&format!("inspect runs/{run}/model.safetensors")).succeeds().out;
    let line = shown.lines().find(|line| line.starts_with("validation")).unwrap().to_owned();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn trained() -> World {
    let world = World::with_text();
    world.train("--run tiny --epochs 3 --lr 1e-2").succeeds();
    world
}

/// A command line without any setting of the network.
fn start(text: &str, run: &str, more: &str) -> String {
    format!(
        "train --text {text} --batch 3 --seq 7 --threads 1 --max-steps 1 --lr 1e-9 \
         --set sample.length=20 --init-from {MODEL} --run {run} {more}"
    )
}

#[test]
fn the_models_sizes_are_the_defaults() {
    let world = trained();
    let ran = world.run(&start("text.txt", "next", "")).succeeds();
    assert!(ran.err.contains("the model knows all 17 characters of the text"), "{}", ran.err);
    assert!(ran.err.contains("lstm, 1 layer of 8"), "{}", ran.err);
    assert!((loss(&world, "tiny") - loss(&world, "next")).abs() < 1e-3);
    let config = world.read("runs/next/config.toml");
    assert!(config.contains("hidden_size = 8") && config.contains("layers = 1"), "{config}");
}

#[test]
fn explicit_sizes_must_match_the_model() {
    let world = trained();
    world.run(&start("text.txt", "same", "--hidden 8")).succeeds();
    insta::assert_snapshot!(world.run(&start("text.txt", "wide", "--hidden 9 --layers 2")).fails(2), @"
    error: `runs/tiny/model.safetensors` has `hidden_size = 8`, `layers = 1`, but the settings ask for `hidden_size = 9`, `layers = 2`

    hint: leave these settings out to use the model's, or add `--set 'model.hidden_size=8' --set 'model.layers=1'`
    ");
    assert!(!world.exists("runs/wide"));
    world.write("gru.toml", "[model]\ncell = \"gru\"\n");
    let message = world.run(&start("text.txt", "gru", "--config gru.toml")).fails(2);
    assert!(
        message.contains("has `cell = \"lstm\"`, but the settings ask for `cell = \"gru\"`"),
        "{message}"
    );
}

#[test]
fn a_text_with_new_characters_keeps_the_weights_of_the_others() {
    let world = trained();
    world.write("other.txt", text(2000).replace('w', "v").replace('\n', "é"));
    let ran = world.run(&start("other.txt", "next", "")).succeeds();
    let printed: Vec<_> = ran.err.lines().take(3).collect();
    insta::assert_snapshot!(printed.join("\n"), @r"
    initialising from `runs/tiny/model.safetensors`
    2 of the text's 17 characters are new to the model: `v`, `é`
    2 characters of the model are not in the text and dropped: `\n`, `w`
    ");
    // `w` and the line's end are one character in eight; the rest is predicted as before.
    let (known, other, fresh) = (loss(&world, "tiny"), loss(&world, "next"), 17f64.ln());
    assert!(known < other && other < fresh, "{known} {other} {fresh}");
    let shown = world.run("inspect runs/next/model.safetensors").succeeds().out;
    assert!(shown.contains("`v`") && !shown.contains("`w`"), "{shown}");
}

#[test]
fn a_text_with_fewer_characters_drops_the_others() {
    let world = trained();
    world.write("fewer.txt", text(2000).replace(['w', '\n'], "l"));
    let ran = world.run(&start("fewer.txt", "next", "")).succeeds();
    let printed: Vec<_> = ran.err.lines().take(3).collect();
    insta::assert_snapshot!(printed.join("\n"), @r"
    initialising from `runs/tiny/model.safetensors`
    the model knows all 15 characters of the text
    2 characters of the model are not in the text and dropped: `\n`, `w`
    ");
    let shown = world.run("inspect runs/next/model.safetensors").succeeds().out;
    assert!(shown.contains("characters  15: "), "{shown}");
}

#[test]
fn an_imported_model_can_be_trained_further() {
    let world = trained();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join("../model/tests/pytorch_files/gru_embedding.pt");
    world.write("gru.pt", std::fs::read(file).unwrap());
    world.run("import gru.pt").succeeds();
    let ran = world
        .run("train --text text.txt --batch 3 --seq 7 --threads 1 --max-steps 2 --run on --init-from gru.safetensors")
        .succeeds();
    assert!(ran.err.contains("gru, 2 layers of 5"), "{}", ran.err);
    assert!(
        ran.err.contains("11 of the text's 17 characters are new to the model: `a`, `d`"),
        "{}",
        ran.err
    );
}

#[test]
fn a_missing_model_is_named_before_anything_is_written() {
    let world = World::with_text();
    let line = "train --text text.txt --init-from none.safetensors --run next";
    let message = world.run(line).fails(2);
    assert_eq!(message, "error: there is no model at `none.safetensors`");
    assert!(!world.exists("runs"));
}
