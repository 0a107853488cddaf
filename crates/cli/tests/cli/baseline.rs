//! `charloom baseline`.

use crate::world::{World, text};

/// The numbers of the row that starts with `name`: nats per character, bits per character, perplexity.
#[track_caller]
fn row(out: &str, name: &str) -> [f64; 3] {
    let row = out
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("{name}: {out}"));
    let numbers: Vec<f64> =
        row.split_whitespace().rev().take(3).map(|word| word.parse().unwrap()).collect();
    [numbers[2], numbers[1], numbers[0]]
}

/// A world with `text.txt`, words in a random order: no method can predict all of it.
fn world() -> World {
    let words = "loom warp weft thread shuttle heddle reed cloth bobbin selvage treadle";
    let words: Vec<_> = words.split(' ').collect();
    let (mut text, mut random) = (String::new(), 1_usize);
    while text.len() < 6000 {
        random = (random * 75 + 74) % 65_537;
        text += words[(random >> 3) * words.len() / 8193];
        text.push(if random % 9 == 0 { '\n' } else { ' ' });
    }
    let world = World::new();
    world.write("text.txt", &text[..6000]);
    world
}

#[test]
fn simple_methods_are_compared_in_one_table() {
    let ran = world().run("baseline --text text.txt --max-order 6").succeeds();
    assert_eq!(ran.err, "");
    insta::assert_snapshot!(ran.out, @"
    text        text.txt, 22 distinct
    training    5,400 characters
    validation  600 characters

    method                nats/char  bits/char  perplexity
    uniform                  3.0910     4.4594      22.000
    unigram                  2.7568     3.9772      15.749
    xz -9e                   0.7948     1.1467       2.214
    n-gram, order 6          0.4701     0.6782       1.600

    n-gram order          nats/char  bits/char  perplexity
    1                        2.7566     3.9770      15.747
    2                        1.2602     1.8180       3.526
    3                        0.5949     0.8582       1.813
    4                        0.4935     0.7120       1.638
    5                        0.4947     0.7136       1.640
    6                        0.4701     0.6782       1.600
    ");
}

#[test]
fn a_row_is_one_loss_in_three_units() {
    let out = world().run("baseline --text text.txt").succeeds().out;
    for name in ["uniform ", "unigram ", "xz -9e ", "n-gram, order "] {
        let [nats, bits, perplexity] = row(&out, name);
        assert!((bits - nats / 2f64.ln()).abs() < 2e-4, "{out}");
        assert!((perplexity / nats.exp() - 1.0).abs() < 2e-3, "{out}");
    }
}

#[test]
fn the_order_with_the_lowest_loss_is_in_the_table() {
    let out = world().run("baseline --text text.txt").succeeds().out;
    let losses = (1..=10).map(|order| (row(&out, &format!("{order} "))[0], order));
    let (loss, order) = losses.min_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
    assert_eq!(row(&out, &format!("n-gram, order {order} "))[0], loss, "{out}");
    assert!(row(&out, "unigram ")[0] > loss, "{out}");
}

#[test]
fn the_text_is_split_as_training_splits_it() {
    let world = World::with_text();
    for flags in ["", "--valid-fraction 0.25 --test-fraction 0.1"] {
        let out = world.run(&format!("baseline --text text.txt {flags}")).succeeds().out;
        let err = world.train(&format!("--max-steps 1 {flags}")).succeeds().err;
        let [train, valid] = ["training    ", "validation  "].map(|name| {
            let line = out.lines().find_map(|line| line.strip_prefix(name)).expect("a length");
            line.strip_suffix(" characters").expect("a unit").to_owned()
        });
        let trained = format!("{train} training characters, {valid} validation characters");
        assert!(err.contains(&trained), "`{trained}` is not in\n{err}");
    }
}

#[test]
fn a_run_is_compared_on_the_validation_part_of_its_text() {
    let world = World::with_text();
    world.train("--run tiny --max-steps 4 --valid-fraction 0.2").succeeds();
    let eval = world.run("eval --run tiny --split valid").succeeds().out;
    let loss = eval.lines().find_map(|line| line.strip_prefix("loss ")).expect("a loss");
    let loss: f64 = loss.split_whitespace().next().unwrap().parse().unwrap();
    let out = world.run("baseline --run tiny").succeeds().out;
    assert!(out.contains("validation  400 characters"), "{out}");
    assert_eq!(row(&out, "runs/tiny/model.safetensors ")[0], loss);
    // All of its settings are in the model's file.
    let same = world.run("baseline --model runs/tiny/model.safetensors").succeeds().out;
    assert_eq!(same, out);
}

#[test]
fn a_run_that_was_validated_in_rows_is_measured_on_the_same_characters_as_the_rest() {
    let world = World::with_text();
    let loss = |flags: &str| {
        world.train(&format!("--run {} --max-steps 4 {flags}", flags.len())).succeeds();
        let out = world.run(&format!("baseline --run {}", flags.len())).succeeds().out;
        row(&out, &format!("runs/{}/model.safetensors ", flags.len()))
    };
    assert_eq!(loss("--validation rows"), loss(""));
}

#[test]
fn a_model_is_not_compared_on_a_text_that_it_was_not_validated_on() {
    let world = World::with_run();
    world.write("other.txt", text(1500));
    insta::assert_snapshot!(world.run("baseline --run tiny --text other.txt").fails(2), @"
    error: `other.txt` is not the text that the model was trained on

    hint: leave out `--text` to compare the model on its own text, or compare no model
    ");
    insta::assert_snapshot!(world.run("baseline --run tiny --valid-fraction 0.5").fails(2), @"
    error: the model was trained with another validation part

    hint: leave out `--valid-fraction` and `--test-fraction`, or compare no model
    ");
    world.run("baseline --run tiny --text text.txt --valid-fraction 0.1").succeeds();
    insta::assert_snapshot!(world.run("baseline --run tinny").fails(2), @"
    error: there is no run `tinny` in `runs`

    hint: available runs: `tiny`
    ");
}

#[test]
fn a_text_that_cannot_be_split_is_refused() {
    let refused = |content: &str, flags: &str| {
        let world = World::new();
        world.write("text.txt", content);
        world.run(&format!("baseline --text text.txt {flags}")).fails(2)
    };
    insta::assert_snapshot!(refused("", ""), @"error: `text.txt` is empty");
    insta::assert_snapshot!(refused("a", ""), @"error: `text.txt` contains only one distinct character, `a` (once)");
    insta::assert_snapshot!(refused("ab", ""), @"
    error: the validation part has 1 character, but an evaluation needs at least 2

    hint: a larger `--valid-fraction` holds out more
    ");
    insta::assert_snapshot!(refused("abcdefgh", "--valid-fraction 0.99"), @"
    error: the training part is empty

    hint: a smaller `--valid-fraction` leaves more for training
    ");
    insta::assert_snapshot!(refused("abcdefgh", "--valid-fraction 0"), @"error: `--valid-fraction` must be a number above 0 and below 1, not `0`");
    insta::assert_snapshot!(World::new().run("baseline --text none.txt").fails(2), @"error: there is no file `none.txt`");
}

#[test]
fn every_short_text_has_a_table_or_a_message() {
    let world = World::new();
    for chars in 2..40 {
        for text in [
            text(chars),
            "ab".repeat(chars),
            "日本語の文字と絵文字🦀".chars().cycle().take(chars).collect(),
        ] {
            world.write("text.txt", &text);
            let ran = world.run("baseline --text text.txt --valid-fraction 0.3 --max-order 100");
            match ran.code {
                Some(0) => {
                    assert!(row(&ran.out, "n-gram, order ")[0].is_finite(), "{text}: {}", ran.out)
                }
                Some(2) => assert!(ran.err.starts_with("error: "), "{text}: {}", ran.err),
                _ => panic!("{text}: {ran:?}"),
            }
        }
    }
}
