//! From a text to a model to new text.

use std::io::Read;
use std::process::Stdio;

use crate::world::{World, names};

#[test]
fn a_training_writes_a_run_folder_and_reports_its_progress() {
    let world = World::with_text();
    let ran = world.train("--epochs 2").succeeds();
    assert_eq!(ran.out, "");
    for printed in [
        "1,800 training characters, 200 validation characters, ",
        "lstm, 1 layer of 8",
        "run    `runs/text-1`: 2 epochs of 85 batches",
        "epoch 1/2 training ",
        "epoch 2/2 training ",
        " best\n",
        "  │ ",
        "done after 170 steps, best validation loss ",
        "to generate text:  charloom generate --run text-1",
    ] {
        assert!(ran.err.contains(printed), "`{printed}` is not in\n{}", ran.err);
    }
    assert!(!ran.err.contains('\u{1b}'), "colours where none were asked for");

    let metrics = world.read("runs/text-1/metrics.csv");
    assert_eq!(metrics.lines().count(), 3, "{metrics}");
    let config = world.read("runs/text-1/config.toml");
    assert!(config.contains("hidden_size = 8") && config.contains("epochs = 2"), "{config}");
    assert_eq!(names(&world.path("runs/text-1/samples")).len(), 2);
    world.run("config check runs/text-1/config.toml").succeeds();
}

#[test]
fn runs_without_a_name_are_numbered() {
    let world = World::with_text();
    for _ in 0..2 {
        world.train("--max-steps 1").succeeds();
    }
    assert_eq!(names(&world.path("runs")), ["text-1", "text-2"]);
}

#[test]
fn the_same_seed_trains_the_same_model() {
    let world = World::with_text();
    for run in ["a", "b"] {
        world.train(&format!("--run {run} --max-steps 5 --seed 9")).succeeds();
    }
    let weights = |run: &str| {
        let shown = world.run(&format!("inspect runs/{run}/model.safetensors")).succeeds().out;
        let loss = shown.lines().find(|line| line.starts_with("validation")).unwrap().to_owned();
        (loss, world.run(&format!("generate --run {run} --seed 1")).succeeds().out)
    };
    assert_eq!(weights("a"), weights("b"));
}

#[test]
fn a_finished_run_is_resumed_for_more_epochs() {
    let world = World::with_text();
    world.train("--run go").succeeds();
    let ran = world.run("train --resume --run go --threads 1").succeeds();
    assert!(ran.err.ends_with("train --resume --run go --epochs 2\n"), "{}", ran.err);
    let ran = world.run("train --resume --run go --epochs 2 --threads 1").succeeds();
    assert!(!ran.err.contains("to train further"), "{}", ran.err);
    assert!(ran.err.contains("resuming after step 85, in epoch 2"), "{}", ran.err);
    assert_eq!(world.read("runs/go/metrics.csv").lines().count(), 3);
}

#[test]
fn a_resumed_run_ends_like_an_uninterrupted_one() {
    let world = World::with_text();
    world.train("--run whole --epochs 2 --dropout 0.3").succeeds();
    world.train("--run parts --epochs 1 --dropout 0.3").succeeds();
    world.run("train --resume --run parts --epochs 2 --threads 1").succeeds();
    let losses = |run: &str| {
        let metrics = world.read(&format!("runs/{run}/metrics.csv"));
        let columns = |line: &str| line.split(',').take(7).collect::<Vec<_>>().join(",");
        metrics.lines().map(columns).collect::<Vec<_>>()
    };
    assert_eq!(losses("whole"), losses("parts"));
}

#[test]
fn a_run_is_resumed_with_another_learning_rate_and_says_since_when() {
    let world = World::with_text();
    world.train("--run go --max-steps 20 --lr 0.01 --set train.clip={norm=1}").succeeds();
    let before = world.read("runs/go/config.toml");
    world.run("train --resume --run go --threads 1").succeeds();
    assert_eq!(world.read("runs/go/config.toml"), before);

    let changed = "--lr 0.004 --dropout 0.2 --schedule {cosine=0} --patience 9 --max-steps 30";
    world.run(&format!("train --resume --run go --threads 1 {changed}")).succeeds();
    let after = world.read("runs/go/config.toml");
    for line in [
        "# after step 20: `model.dropout` changed from 0.5 to 0.2",
        "# after step 20: `train.max_steps` changed from 20 to 30",
        "# after step 20: `train.patience` changed from 0 to 9",
        "# after step 20: `train.optimizer.lr` changed from 0.01 to 0.004",
        "# after step 20: `train.schedule` changed from \"constant\" to { cosine = 0.0, warmup_steps = 0 }",
    ] {
        assert!(after.lines().any(|found| found == line), "{line} is not in\n{after}");
    }
    assert!(after.contains("(from `--set train.clip`)"), "{after}");
    world.run("config check runs/go/config.toml").succeeds();

    world.run("train --resume --run go --set train.ema=0.5 --max-steps 40 --threads 1").succeeds();
    let last = world.read("runs/go/config.toml");
    let changes = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("# after step "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(changes(&last)[..5], changes(&after));
    assert_eq!(changes(&last).len(), 7);
    let rates: Vec<f64> = world
        .read("runs/go/metrics.csv")
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(6).expect("the learning rate").parse().expect("a number"))
        .collect();
    assert_eq!(rates[0], 0.01);
    assert!(rates[1] < 1e-4, "{rates:?}");
}

#[test]
fn a_training_is_initialised_from_another_models_weights() {
    let world = World::with_run();
    let ran = world
        .train("--run next --max-steps 1 --lr 1e-9 --init-from runs/tiny/model.safetensors")
        .succeeds();
    let loss = |run: &str| {
        let shown = world.run(&format!("inspect runs/{run}/model.safetensors")).succeeds().out;
        let line = shown.lines().find(|line| line.starts_with("validation")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
    };
    assert!((loss("tiny") - loss("next")).abs() < 1e-3, "{}", ran.err);
}

#[test]
fn generated_text_alone_goes_to_standard_output() {
    let world = World::with_run();
    let ran = world.run("generate --prime the --length 30 --seed 3").succeeds();
    assert!(ran.out.starts_with("the"), "{}", ran.out);
    assert_eq!(ran.out.chars().count(), 33);
    assert!(
        ran.err.contains("runs/tiny/model.safetensors") && ran.err.contains("--seed 3"),
        "{}",
        ran.err
    );
    assert_eq!(world.run("generate --prime the --length 30 --seed 3").out, ran.out);
    assert_ne!(world.run("generate --prime the --length 30 --seed 4").out, ran.out);
    let model = "generate --model runs/tiny/model.safetensors --prime the --length 30 --seed 3";
    assert_eq!(world.run(model).out, ran.out);
}

#[test]
fn greedy_text_needs_no_seed() {
    let world = World::with_run();
    let ran = world.run("generate --greedy --length 25").succeeds();
    assert_eq!(world.run("generate --temperature 0 --length 25 --seed 8").out, ran.out);
}

#[test]
fn the_default_length_of_a_sample_is_that_of_the_run() {
    let world = World::with_run();
    assert_eq!(world.run("generate").succeeds().out.chars().count(), 20);
}

#[test]
fn samples_are_numbered_and_the_first_equals_a_single_one() {
    let world = World::with_run();
    let alone = world.run("generate --length 30 --seed 5").succeeds().out;
    let three = world.run("generate --length 30 --seed 5 --samples 3").succeeds().out;
    let ended = if alone.ends_with('\n') { "" } else { "\n" };
    assert!(
        three.starts_with(&format!("--- sample 1 ---\n{alone}{ended}--- sample 2 ---\n")),
        "{three}"
    );
    assert!(three.contains("--- sample 3 ---\n"));
}

#[test]
fn a_sample_ends_at_the_stop_sequence() {
    let world = World::with_run();
    let whole = world.run("generate --length 400 --seed 2").succeeds().out;
    let (before, _) = whole.split_once('t').expect("the letter is common");
    assert_eq!(world.run("generate --length 400 --seed 2 --stop t").succeeds().out, before);
}

#[test]
fn a_closed_pipe_is_success_and_ends_the_work() {
    let world = World::with_run();
    // All of it would take minutes.
    for flags in ["--length 50000000", "--length 50000000 --samples 16"] {
        let args = format!("generate {flags}");
        let mut child = world
            .command(&args.split_whitespace().collect::<Vec<_>>())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut start = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut start).unwrap();
        // The pipe is now closed, with nearly all of the text unwritten.
        assert!(child.wait().unwrap().success());
        let mut printed = String::new();
        child.stderr.take().unwrap().read_to_string(&mut printed).unwrap();
        assert!(!printed.contains("error"), "{printed}");
    }
}

#[test]
fn a_model_is_evaluated_on_a_text() {
    let world = World::with_run();
    let out = world.run("eval --text text.txt").succeeds().out;
    let number = |name: &str, place: usize| -> f64 {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(place).unwrap().parse().unwrap()
    };
    let (loss, perplexity) = (number("loss", 1), number("perplexity", 1));
    assert!((loss.exp() - perplexity).abs() < 1e-2 * perplexity, "{out}");
    assert!(out.contains("1,999 predicted") && out.contains("accuracy"), "{out}");
}

#[test]
fn a_model_is_inspected() {
    let world = World::with_run();
    let out = world.run("inspect runs/tiny/model.safetensors").succeeds().out;
    for printed in [
        "lstm, 1 layer of 8",
        "4 steps",
        "rnn.weight_hh_l0",
        "[32, 8]",
        "text.txt",
        "hidden_size = 8",
    ] {
        assert!(out.contains(printed), "`{printed}` is not in\n{out}");
    }
}

#[test]
fn a_text_is_inspected() {
    let world = World::new();
    world.write("text.txt", "ab\n".repeat(60) + "é");
    let out = world.run("inspect text.txt --batch 2 --seq 5").succeeds().out;
    for printed in [
        "length      181 characters, 182 bytes, 61 lines",
        "distinct    4 characters: `\\n`, `a`, `b`, `é`",
        "most frequent   `\\n` 60, `a` 60, `b` 60, `é` 1",
        "least frequent  `é` 1, ",
        "batches     16 for training, 1 for validation, with --batch-size 2 --seq-length 5",
    ] {
        assert!(out.contains(printed), "`{printed}` is not in\n{out}");
    }
}

#[test]
fn a_large_vocabulary_is_listed_in_part() {
    let world = World::new();
    let rare: String = ('\u{4e00}'..='\u{4e63}').collect();
    world.write("text.txt", format!("{}{rare}", "zz".repeat(300)));
    let out = world.run("inspect text.txt").succeeds().out;
    assert!(
        out.contains("distinct    101 characters, the most frequent first: `z`, `\u{4e00}`, "),
        "{out}"
    );
    assert!(out.contains("`\u{4e26}` and 61 more\n"), "{out}");
    world.train("--run many --max-steps 1").succeeds();
    let out = world.run("inspect runs/many/model.safetensors").succeeds().out;
    assert!(out.contains("characters  101: `z`, "), "{out}");
    assert!(out.contains(" and 61 more\n"), "{out}");
}

#[test]
fn the_devices_of_this_binary_are_listed() {
    let out = World::new().run("devices").succeeds().out;
    assert!(out.starts_with("flex "), "{out}");
    assert!(out.contains("--device 0"), "{out}");
}

#[test]
fn the_known_texts_are_listed() {
    let out = World::new().run("dataset list").succeeds().out;
    assert!(out.contains("tiny-shakespeare\n") && out.contains("licence"), "{out}");
}

#[test]
fn a_non_finite_loss_ends_the_training_and_keeps_the_best_model() {
    let world = World::with_text();
    let diverging = "--epochs 9 --lr 10 --set model.cell=relu --set model.init={normal=100} \
                     --set train.clip=none --run wild";
    let message = world.train(diverging).fails(1);
    for gone_back in ["(1 of 3, `train.recover`)", "(3 of 3, `train.recover`)"] {
        let line = format!(": back to the start, at half the learning rate {gone_back}");
        assert!(message.contains(&line), "{message}");
    }
    assert!(message.contains("error: the loss became "), "{message}");
    assert!(message.contains(" at step ") && message.contains("hint: "), "{message}");
}
