//! `--average`: several models as one.

use crate::world::World;

/// A world with two runs on the same text, of different cells.
fn world() -> World {
    let world = World::with_text();
    world.train("--run one --max-steps 30 --lr 0.02 --seed 1").succeeds();
    world.train("--run two --max-steps 30 --lr 0.02 --seed 2 --set model.cell=gru").succeeds();
    world.write("page.txt", "the loom\nand the weft");
    world
}

const BOTH: &str = "--run one --run two --average";

/// The number after `name` at the start of a line.
fn number(out: &str, name: &str) -> f64 {
    let line = out.lines().find(|line| line.starts_with(name)).expect("a line of that name");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// The probability of each predicted character, as `predict` prints it.
fn probabilities(world: &World, models: &str) -> Vec<f64> {
    let out = world.run(&format!("predict {models} --text page.txt --top 0")).succeeds().out;
    let cell = |line: &str| line.rsplit('\t').next().unwrap().parse().unwrap();
    out.lines().skip(1).map(cell).collect()
}

#[test]
fn each_character_has_the_mean_of_its_probabilities() {
    let world = world();
    let [one, two, both] =
        ["--run one", "--run two", BOTH].map(|models| probabilities(&world, models));
    assert_eq!(both.len(), 20);
    for ((one, two), both) in one.iter().zip(&two).zip(&both) {
        let mean = (one + two) / 2.0;
        // Printed with three digits.
        assert!((both - mean).abs() <= 2e-3 * mean.max(0.5), "{one} and {two}, but {both}");
    }
    assert!(one.iter().zip(&two).any(|(one, two)| (one - two).abs() > 0.05));
}

#[test]
fn an_evaluation_of_the_average_lists_the_models_and_agrees_with_predict_and_score() {
    let world = world();
    let out = world.run(&format!("eval {BOTH} --text page.txt")).succeeds().out;
    assert!(
        out.starts_with(
            "models      runs/one/model.safetensors\n            runs/two/model.safetensors\ntext "
        ),
        "{out}"
    );
    let said = world.run(&format!("predict {BOTH} --text page.txt")).succeeds().err;
    let loss = format!("20 characters predicted: {:.4} nats", number(&out, "loss"));
    assert!(said.contains(&loss), "{said}");

    // `score` counts from the first character on, after a newline.
    world.write("line.txt", "and the weft");
    world.write("after.txt", "\nand the weft");
    let scored = world.run(&format!("score {BOTH} --lines line.txt")).succeeds();
    let out = world.run(&format!("eval {BOTH} --text after.txt")).succeeds().out;
    assert_eq!(scored.out, format!("{:.4}\tand the weft\n", number(&out, "loss")));
    assert!(scored.err.starts_with("one + two: 12 characters, "), "{}", scored.err);
}

#[test]
fn the_loss_of_the_average_is_at_most_the_mean_of_the_losses() {
    let world = world();
    let loss = |models: &str| {
        let out = world.run(&format!("eval {models} --split valid")).succeeds().out;
        number(&out, "loss")
    };
    let (one, two, both) = (loss("--run one"), loss("--run two"), loss(BOTH));
    assert!(both < (one + two) / 2.0, "{one} and {two}, but {both}");
}

#[test]
fn a_model_averaged_with_itself_is_that_model() {
    let world = world();
    let alone = world.run("eval --run one --text text.txt").succeeds().out;
    let twice = "--run one --model runs/one/model.safetensors --average";
    let twice = world.run(&format!("eval {twice} --text text.txt")).succeeds().out;
    assert_eq!(number(&twice, "loss"), number(&alone, "loss"));
    let one = world.run("eval --run one --average --text text.txt").succeeds().out;
    assert_eq!(one, alone);
}

#[test]
fn text_is_generated_with_the_average() {
    let world = world();
    let ran = world.run(&format!("generate {BOTH} --prompt the --length 40 --seed 3")).succeeds();
    assert!(ran.out.starts_with("the") && ran.out.chars().count() == 43, "{}", ran.out);
    assert!(
        ran.err.contains("runs/one/model.safetensors (epoch ")
            && ran.err.contains(" + runs/two/model.safetensors (epoch "),
        "{}",
        ran.err
    );
    let alone = world.run("generate --run one --prompt the --length 40 --seed 3").succeeds().out;
    assert_ne!(ran.out, alone);
    let three = world
        .run(&format!("generate {BOTH} --prompt the --length 40 --seed 3 --samples 3"))
        .succeeds();
    assert!(three.out.starts_with(&format!("--- sample 1 ---\n{}", ran.out)), "{}", three.out);
    let completed = world.run(&format!("complete {BOTH} --prompt th --length 2")).succeeds().out;
    assert_eq!(completed.lines().count(), 5);
}

#[test]
fn several_models_need_to_be_told_what_they_are_for() {
    let world = World::with_run();
    for command in ["eval", "generate", "predict --text text.txt", "complete"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(
                world.run(&format!("{command} --run tiny --model runs/tiny/model.safetensors")).fails(2),
                @"
            error: 2 models were given, but one is used

            hint: `--average` averages their probabilities, so that they act as one; `charloom score` compares models
            "
            );
        }
    }
    let message = world.run("score --run tiny --average --labels text.txt").fails(2);
    assert!(message.contains("'--average' cannot be used with '--labels'"), "{message}");
}

#[test]
fn models_of_other_characters_cannot_be_averaged() {
    let world = World::with_run();
    world.write("text.txt", world.read("text.txt").replace('f', "é"));
    world.train("--run other --max-steps 1").succeeds();
    for command in ["eval --text text.txt", "generate", "score text.txt"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(
                world.run(&format!("{command} --run tiny --run other --average")).fails(2),
                @"
            error: the models have different vocabularies: `runs/tiny/model.safetensors` has `f`, but `runs/other/model.safetensors` does not

            hint: only models that know the same characters can be averaged
            "
            );
        }
    }
}

#[test]
fn models_that_held_out_other_parts_are_not_evaluated_on_one_of_them() {
    let world = World::with_run();
    world.train("--run more --max-steps 1 --valid-fraction 0.2").succeeds();
    insta::assert_snapshot!(
        world.run("eval --run tiny --run more --average --split valid").fails(2),
        @"
    error: the validation part of `text.txt` is not the same for all models: the run of `runs/more/model.safetensors` split it differently

    hint: `--text FILE` without `--split` evaluates the whole of any text
    "
    );
    world.run("eval --run tiny --run more --average --text text.txt").succeeds();
}
