//! `eval --window` and `eval --mix`.

use crate::world::World;

/// The first number of the line of the output that has `text`.
fn number(out: &str, text: &str) -> f64 {
    let line = out.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{out}"));
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    numbers.next().unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn windows_start_cold_and_a_window_as_long_as_the_text_is_the_ordinary_evaluation() {
    let world = World::with_text();
    world.train("--run tiny --epochs 3 --lr 0.03").succeeds();
    let loss = |line: &str| {
        number(&world.run(&format!("eval --run tiny {line}")).succeeds().out, "nats per character")
    };
    let carried = loss("--split valid");
    assert_eq!(loss("--split valid --window 199"), carried);
    assert!(loss("--split valid --window 1") > carried + 0.05, "one character of context");
}

#[test]
fn a_mixture_with_a_better_n_gram_model_is_better_than_the_network() {
    let world = World::with_text();
    world.train("--run tiny --epochs 3 --lr 0.03").succeeds();
    let out = world.run("eval --run tiny --split valid --mix").succeeds().out;
    let network = number(&out, "of the network");
    let ngram = number(&out, "of the n-gram model, order ");
    let both = number(&out, "of both");
    assert!(both < network && both < ngram + 0.15, "{out}");
    let valid = number(&world.run("eval --run tiny --split valid").succeeds().out, "nats per");
    assert_eq!(network, valid);
}

#[test]
fn a_mixture_needs_the_text_of_the_training() {
    let world = World::with_run();
    insta::assert_snapshot!(world.run("eval --run tiny --text text.txt --mix").fails(2), @r"
    error: `--mix` needs the text that the model was trained on

    hint: leave out `--text`, or add `--split valid`
    ");
}
