//! `train.precision` and `--precision`.

use crate::world::World;

/// The line of a run's settings that says its precision, without what follows it.
fn precision(world: &World, run: &str) -> String {
    let config = world.read(&format!("runs/{run}/config.toml"));
    let line = config.lines().find(|line| line.starts_with("precision")).expect("the key");
    line.split('#').next().expect("the value").trim().to_owned()
}

#[test]
fn a_run_says_its_precision_and_is_evaluated_and_resumed_in_it() {
    let world = World::with_text();
    let settings = "--hidden-size 33 --dropout 0.2 --precision bf16 --epochs 3";
    world.train(&format!("--run whole {settings}")).succeeds();
    assert_eq!(precision(&world, "whole"), r#"precision = "bf16""#);
    world.train(&format!("--run stopped {settings} --max-steps 50")).succeeds();
    world.run("train --resume --run stopped --max-steps 0 --threads 1").succeeds();
    let losses = |run: &str| {
        let rows = world.read(&format!("runs/{run}/metrics.csv"));
        rows.lines()
            .last()
            .expect("a row")
            .split(',')
            .take(4)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(losses("stopped"), losses("whole"));
    // Rounded as in training, the loss is that of the last evaluation; in f32 it is close, but another.
    let loss = |precision: &str| {
        let out = world.run(&format!("eval --run whole --split valid --precision {precision}"));
        let out = out.succeeds().out;
        let line = out.lines().find(|line| line.starts_with("loss")).expect("the loss");
        line.split_whitespace().nth(1).expect("a number").parse::<f64>().expect("a number")
    };
    let trained: f64 = losses("whole")[3].parse().expect("a number");
    assert!((loss("bf16") - trained).abs() < 1e-4, "{} {trained}", loss("bf16"));
    assert!((loss("f32") - trained).abs() < 0.02, "{} {trained}", loss("f32"));
}

#[test]
fn what_is_left_to_the_machine_is_settled_before_the_first_step() {
    let world = World::with_run();
    let settled = precision(&world, "tiny");
    assert!(
        ["precision = \"f32\"", "precision = \"bf16\""].contains(&settled.as_str()),
        "{settled}"
    );
    assert_eq!(precision(&World::with_run(), "tiny"), settled);
}

#[test]
fn other_precisions_are_refused() {
    let world = World::with_text();
    let message = world.train("--precision f16").fails(2);
    assert!(message.contains(r#"not `"f16"`"#), "{message}");
    let world = World::with_run();
    let message = world.run("eval --run tiny --precision f64").fails(2);
    assert!(message.contains("f64"), "{message}");
}
