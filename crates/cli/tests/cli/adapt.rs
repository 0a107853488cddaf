//! `charloom eval --adapt`: dynamic evaluation.

use crate::world::World;

/// The two numbers after `name`, static and adaptive.
fn numbers(out: &str, name: &str) -> [f64; 2] {
    let line = out.lines().find(|line| line.starts_with(name)).expect("a line of that name");
    let numbers: Vec<f64> =
        line.split_whitespace().skip(1).take(2).map(|number| number.parse().unwrap()).collect();
    numbers.try_into().expect("two numbers")
}

#[test]
fn the_static_and_the_adaptive_loss_are_printed_beside_each_other() {
    let world = World::with_run();
    let fixed = world.run("eval --text text.txt").succeeds().out;
    let out = world.run("eval --text text.txt --adapt").succeeds().out;
    let [of_fixed, adaptive] = numbers(&out, "loss");
    assert!(
        fixed.contains(&format!("\nloss        {of_fixed:.4} nats per character\n")),
        "{fixed}"
    );
    assert!(adaptive < of_fixed - 0.05, "{out}");
    let [_, perplexity] = numbers(&out, "perplexity");
    assert!((adaptive.exp() - perplexity).abs() < 1e-3 * perplexity, "{out}");
    assert!(out.contains("            static    adaptive\nloss        "), "{out}");
    assert!(out.lines().all(|line| line == line.trim_end()), "{out:?}");
    // The model file is as it was.
    assert_eq!(world.run("eval --text text.txt").succeeds().out, fixed);
}

#[test]
fn weights_with_a_learning_rate_of_zero_stay_as_they_are() {
    let world = World::with_run();
    let line = "eval --split valid --adapt --adapt-lr 0 --adapt-decay 0.5 --adapt-length 7";
    let out = world.run(line).succeeds().out;
    for name in ["loss", "perplexity", "accuracy"] {
        let [fixed, adaptive] = numbers(&out, name);
        assert_eq!(fixed, adaptive, "{out}");
    }
}

#[test]
fn several_models_adapt_and_are_averaged() {
    let world = World::with_run();
    world.train("--run other --max-steps 4 --seed 5").succeeds();
    let out =
        world.run("eval --run tiny --run other --average --split valid --adapt").succeeds().out;
    let [fixed, adaptive] = numbers(&out, "loss");
    assert!(adaptive < fixed, "{out}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let world = World::with_run();
    for (flags, problem) in [
        ("--adapt --adapt-lr -1", "'-1' for '--adapt-lr <LR>': it must be a number from 0 on"),
        ("--adapt --adapt-lr inf", "'inf' for '--adapt-lr <LR>': it must be a number from 0 on"),
        (
            "--adapt --adapt-decay 1.5",
            "'1.5' for '--adapt-decay <D>': it must be a number from 0 to 1",
        ),
        ("--adapt --adapt-length 0", "'0' for '--adapt-length <T>': 0 is not in 1..=10000"),
        ("--adapt-lr 0.1", "--adapt"),
    ] {
        let message = world.run(&format!("eval {flags}")).fails(2);
        assert!(message.contains(problem), "{message}");
    }
    // Infinite in the weights' precision.
    let message = world.run("eval --adapt --adapt-lr 1e300").fails(1);
    assert!(message.contains("not finite numbers") && message.contains("--adapt-lr"), "{message}");
}
