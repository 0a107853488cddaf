//! `--minutes`, and training without sizes.

use crate::world::World;

/// Trains by recipe, for the shortest time that makes sense.
fn by_recipe(world: &World, line: &str) -> String {
    let ran =
        world.run(&format!("train --text text.txt --minutes 0.03 --threads 1 --length 20 {line}"));
    ran.succeeds().err
}

#[test]
fn the_recipe_says_what_it_chose_and_writes_it_down() {
    let world = World::with_text();
    let printed = by_recipe(&world, "--run a");
    for part in
        ["recipe lstm 1 x ", " steps in 0.03 min", " characters/s, so it reads ", "done after "]
    {
        assert!(printed.contains(part), "`{part}` is not in\n{printed}");
    }
    let config = world.read("runs/a/config.toml");
    for key in ["hidden_size", "dropout", "max_steps", "schedule", "optimizer", "ema"] {
        let line = config.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        assert!(line.ends_with("(from the recipe)"), "{line}");
    }
    let minutes = config.lines().find(|line| line.starts_with("minutes = ")).unwrap();
    assert!(minutes.ends_with("(from `--minutes`)"), "{minutes}");
}

#[test]
fn the_settings_that_the_recipe_wrote_give_the_same_model_without_it() {
    let world = World::with_text();
    by_recipe(&world, "--run a");
    let again = "train --config runs/a/config.toml --run b --threads 1";
    let printed = world.run(again).succeeds().err;
    assert!(!printed.contains("recipe"), "{printed}");
    let generated = |run| world.run(&format!("generate --run {run} --seed 3")).succeeds().out;
    assert_eq!(generated("a"), generated("b"));
    let losses = |run| {
        let metrics = world.read(&format!("runs/{run}/metrics.csv"));
        let losses =
            metrics.lines().map(|line| line.split(',').take(4).collect::<Vec<_>>().join(","));
        losses.collect::<Vec<_>>()
    };
    assert_eq!(losses("a"), losses("b"));
}

#[test]
fn what_is_given_beside_the_minutes_is_kept() {
    let world = World::with_text();
    world.write("my.toml", "[model]\nhidden_size = 9\n[train]\nepochs = 1000\n");
    let line =
        "--run a --config my.toml --cell gru --layers 2 --dropout 0.25 --batch-size 5 --lr 0.02";
    let printed = by_recipe(&world, line);
    assert!(printed.contains("recipe gru 2 x 9, N = 5, "), "{printed}");
    let config = world.read("runs/a/config.toml");
    for setting in
        ["cell = \"gru\"", "layers = 2", "hidden_size = 9", "dropout = 0.25", "lr = 0.02"]
    {
        assert!(config.contains(setting), "`{setting}` is not in\n{config}");
    }
    assert!(config.contains("forget_bias = \"none\""), "a GRU has no forget gate: {config}");
    // The length is that of the minutes, which are above the file's epochs.
    let epochs = config.lines().find(|line| line.starts_with("epochs = ")).unwrap();
    assert!(epochs.ends_with("(from the recipe)"), "{epochs}");
}

#[test]
fn sizes_or_a_length_that_are_given_without_minutes_leave_the_defaults_to_the_rest() {
    let world = World::with_text();
    let printed = world.train("--run a --max-steps 2").succeeds().err;
    assert!(!printed.contains("recipe"), "{printed}");
    assert!(world.read("runs/a/config.toml").contains("schedule = \"constant\""));
}

#[test]
fn minutes_and_a_length_are_not_both_given() {
    let world = World::with_text();
    insta::assert_snapshot!(world.run("train --text text.txt --minutes 1 --epochs 3").fails(2), @r"
    error: `--minutes` and `--epochs` can't be given together

    hint: the number of steps follows from the minutes
    ");
    let line = "train --text text.txt --minutes 1 --recipe none";
    insta::assert_snapshot!(world.run(line).fails(2), @r#"
    error: `--minutes` can't be given where `train.recipe` is `"none"`
    "#);
    insta::assert_snapshot!(world.run("train --text text.txt --minutes 0").fails(2), @r"
    error: `--minutes` must be a number above 0, up to 1000000, not `0`
    ");
}

#[test]
fn a_text_of_a_few_lines_is_trained_on_without_any_flag_but_its_name() {
    let world = World::new();
    world.write("tiny.txt", "one fine day\nin the middle of the night\n".repeat(4));
    let printed = world.run("train --text tiny.txt --minutes 0.03 --length 20").succeeds().err;
    assert!(printed.contains("done after "), "{printed}");
}

#[test]
fn members_of_an_ensemble_are_trained_with_seeds_of_their_own_and_resumed_by_the_same_command() {
    let world = World::with_text();
    let line = "--run team --members 2 --max-steps 3 --seed 5";
    let printed = world.train(line).succeeds().err;
    for part in ["member 1/2  `team-1`", "member 2/2  `team-2`"] {
        assert!(printed.contains(part), "`{part}` is not in\n{printed}");
    }
    let command = "charloom eval --average --run team-1 --run team-2 --split valid";
    assert!(printed.contains(command), "{printed}");
    assert!(world.run(command.trim_start_matches("charloom ")).succeeds().out.contains("models"));
    for (run, seed) in [("team-1", "seed = 5 "), ("team-2", "seed = 6 ")] {
        assert!(world.read(&format!("runs/{run}/config.toml")).contains(seed), "{run}");
    }
    // What is trained stays; a member that is missing is trained.
    let first = world.read("runs/team-1/metrics.csv");
    std::fs::remove_dir_all(world.path("runs/team-2")).unwrap();
    world.train(line).succeeds();
    assert_eq!(world.read("runs/team-1/metrics.csv"), first);
    assert!(world.exists("runs/team-2/model.safetensors"));
}

#[test]
fn members_share_the_minutes() {
    let world = World::with_text();
    let line =
        "train --text text.txt --run team --members 2 --minutes 0.06 --threads 1 --length 20";
    world.run(line).succeeds();
    let config = world.read("runs/team-2/config.toml");
    assert!(config.contains("minutes = 0.03 "), "{config}");
}
