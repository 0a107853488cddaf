//! What a run does from its first step to its end, whatever comes between.

mod runs;

use burn::prelude::*;
use charloom_data::{Corpus, Validation};
use charloom_train::settings::SgdConfig;
use charloom_train::{
    CheckpointError, EpochState, EvalInterval, GradClip, LossReduction, LrSchedule,
    OptimizerConfig, Outcome, RunConfig, RunError, RunFolder, TrainError, Trainer,
};
use runs::{Run, Start, adam, config, text};

#[test]
fn a_run_leaves_its_model_metrics_samples_and_checkpoint() {
    let run = Run::new("whole");
    let outcome = run.train(config(|_| {}), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    assert_eq!((told.steps.len(), told.evaluations.len()), (48, 2));
    let best =
        told.evaluations.iter().map(|report| report.metrics.valid_loss).fold(f64::MAX, f64::min);
    assert_eq!(outcome, Outcome::Finished { best_valid_loss: Some(best), step: 48 });
    assert_eq!(run.model().summary.valid_loss, Some(best));
    assert_eq!(run.model().vocab.chars(), ['\n', ' ', 'a', 'b', 'c', 'd']);
    let written = std::fs::read_to_string(run.folder.config()).unwrap();
    assert_eq!(toml::from_str::<RunConfig>(&written).unwrap(), config(|_| {}));
    assert_eq!(run.model().summary.run_config, Some(written));

    let rows = run.rows();
    let header = "epoch,step,train_loss,valid_loss,valid_perplexity,valid_bits_per_char,\
                  learning_rate";
    assert_eq!(rows[0].join(","), header);
    assert_eq!((rows[1][1].as_str(), rows[2][1].as_str()), ("24", "48"));
    let mean: f64 = told.steps[24..].iter().map(|step| step.loss).sum::<f64>() / 24.0;
    assert!((rows[2][2].parse::<f64>().unwrap() - mean).abs() < 1e-12);
    let sample = std::fs::read_to_string(run.folder.path().join("samples/epoch-002.txt")).unwrap();
    assert_eq!(sample, told.samples[1]);
    assert_eq!(sample.chars().count(), 14, "the prompt and twelve characters: {sample:?}");
    assert!(sample.starts_with("ab"));
    assert!(run.folder.has_checkpoint());
    assert!(!run.folder.steps().exists(), "it was not asked for");
}

#[test]
fn training_lowers_the_loss() {
    let run = Run::new("learns");
    run.train(config(|config| config.train.epochs = 12), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    assert!(
        told.evaluations[0].metrics.valid_loss > 1.3,
        "{}",
        told.evaluations[0].metrics.valid_loss
    );
    assert!(
        told.evaluations[11].metrics.valid_loss < 0.8,
        "{}",
        told.evaluations[11].metrics.valid_loss
    );
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let [first, second, other] = [("first", 3), ("second", 3), ("other", 4)].map(|(name, seed)| {
        let run = Run::new(name);
        run.train(config(|config| config.train.seed = seed), &Device::flex()).unwrap();
        run
    });
    assert_eq!(first.losses(), second.losses());
    assert_eq!(first.rows(), second.rows());
    assert_eq!(first.told.lock().unwrap().samples, second.told.lock().unwrap().samples);
    assert_ne!(first.losses(), other.losses());
}

/// Interrupted within an epoch, between epochs, and in the last step.
#[test]
fn resuming_after_an_interruption_gives_the_same_weights() {
    let whole = Run::new("whole");
    whole.train(config(|_| {}), &Device::flex()).unwrap();
    for steps in [1, 10, 24, 31, 48] {
        let mut run = Run::new("stopped").stopping_after(steps);
        let outcome = run.train(config(|_| {}), &Device::flex()).unwrap();
        assert_eq!(outcome, Outcome::Interrupted { step: steps });
        assert!(run.folder.model().is_file(), "a stopped run leaves a model");
        run.stop_after = None;
        run.resume(config(|_| {})).unwrap();
        assert_eq!(run.losses(), whole.losses(), "stopped after {steps}");
        assert_eq!(run.rows(), whole.rows(), "stopped after {steps}");
        assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
    }
}

/// A killed process leaves what it had renamed, and perhaps half of what it had not.
#[test]
fn resuming_after_a_kill_gives_the_same_weights() {
    let whole = Run::new("whole");
    whole.train(config(|_| {}), &Device::flex()).unwrap();
    let run = Run::new("killed").stopping_after(30);
    run.train(config(|_| {}), &Device::flex()).unwrap();
    let checkpoints = run.folder.path().join("checkpoints");
    // What was written at the interruption is taken away: the epoch's end is what a kill leaves.
    std::fs::remove_dir_all(checkpoints.join("step-00000030")).unwrap();
    std::fs::create_dir(checkpoints.join(".step-00000031.tmp")).unwrap();
    std::fs::write(checkpoints.join(".step-00000031.tmp/model.bpk"), b"half").unwrap();
    run.told.lock().unwrap().steps.clear();
    let run = Run { stop_after: None, ..run };
    run.resume(config(|_| {})).unwrap();
    assert_eq!(run.losses(), whole.losses()[24..]);
    assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
}

#[test]
fn a_limit_of_steps_ends_a_run_and_more_steps_go_on_from_there() {
    let whole = Run::new("whole");
    whole.train(config(|config| config.train.max_steps = 33), &Device::flex()).unwrap();
    let run = Run::new("limited");
    let outcome = run.train(config(|config| config.train.max_steps = 7), &Device::flex()).unwrap();
    assert!(matches!(outcome, Outcome::Finished { step: 7, .. }), "{outcome:?}");
    assert_eq!(run.told.lock().unwrap().evaluations.len(), 1, "what was trained is validated");
    run.resume(config(|config| config.train.max_steps = 33)).unwrap();
    assert_eq!(run.losses(), whole.losses());
    // The row of step 7 stays: a model may be kept that is of it.
    let mut rows = run.rows();
    assert_eq!(rows.remove(1)[1], "7");
    assert_eq!(rows, whole.rows());
}

#[test]
fn a_finished_run_can_be_given_more_epochs() {
    let run = Run::new("longer");
    run.train(config(|config| config.train.epochs = 1), &Device::flex()).unwrap();
    run.resume(config(|config| config.train.epochs = 1)).unwrap();
    assert_eq!(run.losses().len(), 24, "nothing is left to do");
    run.resume(config(|config| config.train.epochs = 2)).unwrap();
    assert_eq!(run.losses().len(), 48);
}

#[test]
fn training_stops_early_when_validation_stops_improving() {
    let run = Run::new("early");
    // Steps this large make the model worse.
    let change = |config: &mut RunConfig| {
        (config.train.epochs, config.train.patience) = (50, 2);
        config.train.optimizer = adam(0.5);
    };
    let outcome = run.train(config(change), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    let Outcome::StoppedEarly { best_valid_loss, epoch, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(epoch, told.evaluations.len());
    let best = told
        .evaluations
        .iter()
        .position(|e| Some(e.metrics.valid_loss) == best_valid_loss)
        .unwrap();
    assert_eq!(epoch, best + 1 + 2, "two epochs after the best");
    assert_eq!(run.model().summary.epoch, best + 1, "the best model is the one kept");
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_model() {
    let run = Run::new("diverged");
    let exploding = |epochs| {
        config(|config| {
            config.train.epochs = epochs;
            config.train.clip = GradClip::None;
            // From the second epoch on.
            config.train.schedule = LrSchedule::Exponential { gamma: 1e41, from_epoch: 1 };
        })
    };
    run.train(exploding(1), &Device::flex()).unwrap();
    let good = run.model().network.parameters();
    let error = run.resume(exploding(2)).unwrap_err();
    let TrainError::NotFinite { what: "loss", step, epoch: 2, .. } = error else {
        panic!("{error}")
    };
    assert!(step > 24 && step <= 30, "{step}");
    assert!(error.to_string().contains(&format!("at step {step} (epoch 2")), "{error}");
    assert_eq!(run.model().network.parameters(), good);
}

#[test]
fn a_run_is_not_resumed_with_settings_that_make_it_another() {
    let run = Run::new("other");
    run.train(config(|config| config.train.epochs = 1), &Device::flex()).unwrap();
    let changes: [fn(&mut RunConfig); 4] = [
        |config| config.data.batch_size += 1,
        |config| config.train.seed += 1,
        |config| config.model.forget_bias = Some(1.0),
        |config| config.train.optimizer = OptimizerConfig::Sgd(SgdConfig::default()),
    ];
    let messages = [
        "`data.batch_size` is 6, but was 5",
        "`train.seed` is 4, but was 3",
        "`model.forget_bias` is 1.0, but was \"none\"",
        "`train.optimizer` is {\"name\":\"sgd\",",
    ];
    for (change, message) in changes.into_iter().zip(messages) {
        let error = run.resume(config(change)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    run.resume(config(|config| config.train.epochs = 2)).unwrap();
}

#[test]
fn training_from_a_model_starts_with_its_loss() {
    let first = Run::new("first");
    first.train(config(|config| config.train.epochs = 6), &Device::flex()).unwrap();
    let second = Run::new("second");
    let start = Start::From(Box::new(first.model()));
    let once = config(|config| config.train.epochs = 1);
    second.launch(once, &Device::flex(), start, &text()).unwrap();
    let (before, after) = (first.losses(), second.losses());
    assert!(after[0] < before[0] - 0.3, "{} {}", after[0], before[0]);

    let third = Run::new("third");
    let start = Start::From(Box::new(first.model()));
    // A new character and one less.
    let other = text().replace('\n', "é");
    let once = config(|config| config.train.epochs = 1);
    third.launch(once, &Device::flex(), start, &other).unwrap();
    assert!(third.losses()[0] < before[0] - 0.3, "{} {}", third.losses()[0], before[0]);
    assert_eq!(third.model().vocab.id('é'), Some(5));

    let start = Start::From(Box::new(first.model()));
    let wider = config(|config| config.model.hidden_size = 10);
    let fourth = Run::new("fourth");
    let error = fourth.launch(wider, &Device::flex(), start, &text()).unwrap_err();
    assert!(matches!(error, TrainError::InitFrom(_)), "{error}");
    assert!(
        error.to_string().contains("`rnn.weight_ih_l0` has shape [36, 6], expected [40, 6]"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_of_another_text_or_none_is_refused() {
    let run = Run::new("run").stopping_after(3);
    let error = run.resume(config(|_| {})).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(CheckpointError::None { .. })), "{error}");
    run.train(config(|_| {}), &Device::flex()).unwrap();
    let other = text() + "more";
    let error = run.launch(config(|_| {}), &Device::flex(), Start::Resume, &other).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(CheckpointError::OtherText { .. })), "{error}");
}

fn cut_in_half(file: &std::path::Path) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_skipped_for_the_one_before_it() {
    let whole = Run::new("whole");
    whole.train(config(|_| {}), &Device::flex()).unwrap();
    for file in ["model.bpk", "optimizer.bpk", "state.safetensors", "progress.json"] {
        let mut run = Run::new("run").stopping_after(3);
        run.train(config(|_| {}), &Device::flex()).unwrap();
        run.resume(config(|_| {})).unwrap();
        let checkpoints = run.folder.checkpoints();
        assert!(checkpoints.join("step-00000006").is_dir());
        cut_in_half(&checkpoints.join("step-00000006").join(file));
        run.stop_after = None;
        run.resume(config(|_| {})).unwrap();
        let told = run.told.lock().unwrap();
        assert_eq!(told.skipped.len(), 1, "{file}");
        assert!(told.skipped[0].contains(file), "{}", told.skipped[0]);
        assert_eq!(told.steps[6].step, 4, "{file}");
        drop(told);
        assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
    }
}

#[test]
fn where_no_checkpoint_can_be_read_the_newest_is_named() {
    let run = Run::new("run").stopping_after(3);
    run.train(config(|_| {}), &Device::flex()).unwrap();
    for checkpoint in ["step-00000000", "step-00000003"] {
        cut_in_half(&run.folder.checkpoints().join(checkpoint).join("model.bpk"));
    }
    let error = run.resume(config(|_| {})).unwrap_err().to_string();
    assert!(error.contains("step-00000003/model.bpk"), "{error}");
}

/// The gradients overflow where the loss doesn't: the weights are small, the loss is summed over many steps.
#[test]
fn weights_that_are_not_finite_are_never_saved() {
    let corpus = Corpus::from_text(&text()).unwrap();
    let exploding = config(|config| {
        config.train.clip = GradClip::None;
        config.train.schedule = LrSchedule::Exponential { gamma: 1e41, from_epoch: 1 };
    });
    let mut trainer = Trainer::new(exploding, &corpus, &Device::flex()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..24 {
        trainer.step().unwrap();
    }
    trainer.save(folder.path()).unwrap();
    trainer.step().unwrap();
    let error = trainer.save(folder.path()).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { what: "weights", step: 25, .. }), "{error}");
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["step-00000024"]);
}

#[test]
fn a_loop_of_ones_own_takes_the_steps_of_a_run() {
    let run = Run::new("run");
    run.train(config(|_| {}), &Device::flex()).unwrap();
    let corpus = Corpus::from_text(&text()).unwrap();
    let mut trainer = Trainer::new(config(|_| {}), &corpus, &Device::flex()).unwrap();
    let losses: Vec<f64> = (0..48).map(|_| trainer.step().unwrap().loss).collect();
    assert_eq!(losses, run.losses());
    let last = run.told.lock().unwrap().evaluations[1].metrics.valid_loss;
    assert_eq!(trainer.evaluate().unwrap().loss, last);
}

#[test]
fn the_validation_loss_of_all_characters_does_not_depend_on_the_batches() {
    let corpus = Corpus::from_text(&text()).unwrap();
    let loss = |validation, batch_size, seq_length| {
        let sizes = config(|config| {
            (config.data.batch_size, config.data.seq_length) = (batch_size, seq_length);
            config.data.validation = validation;
        });
        Trainer::new(sizes, &corpus, &Device::flex()).unwrap().evaluate().unwrap()
    };
    let (one, other) = (loss(Validation::All, 5, 8), loss(Validation::All, 3, 30));
    assert_eq!(one, other);
    assert_eq!(one.chars, 110, "every character of the part but the first");
    let (one, other) = (loss(Validation::Rows, 5, 8), loss(Validation::Rows, 3, 30));
    assert_eq!((one.chars, other.chars), (80, 90));
    assert_ne!(one.loss, other.loss);
}

#[test]
fn every_step_is_logged_where_that_is_asked_for() {
    let logged = |config: &mut RunConfig| config.train.step_log = true;
    let mut run = Run::new("logged").stopping_after(30);
    run.train(config(logged), &Device::flex()).unwrap();
    run.stop_after = None;
    run.resume(config(logged)).unwrap();
    let log = std::fs::read_to_string(run.folder.steps()).unwrap();
    let rows: Vec<Vec<&str>> = log.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["epoch", "batch", "step", "loss", "learning_rate"]);
    assert_eq!(rows.len(), 1 + 48);
    assert_eq!(rows[31][..3], ["2", "7", "31"]);
    let losses: Vec<f64> = rows[1..].iter().map(|row| row[3].parse().unwrap()).collect();
    assert_eq!(losses, run.losses());
}

#[test]
fn a_prompt_the_text_cannot_spell_is_refused_before_anything_is_written() {
    let run = Run::new("prompt");
    let change = |config: &mut RunConfig| {
        config.sample.prompt = "abx".into();
        config.sample.temperature = 0.0;
    };
    let error = run.train(config(change), &Device::flex()).unwrap_err();
    assert!(error.to_string().contains("`x`"), "{error}");
    assert!(!run.folder.config().exists());
}

#[test]
fn run_folders_are_never_overwritten_and_the_newest_is_found() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(RunFolder::newest(&home.path().join("none")).unwrap(), None);
    let run = RunFolder::create(home.path(), "a").unwrap();
    assert!(matches!(RunFolder::create(home.path(), "a"), Err(RunError::Exists { .. })));
    assert!(matches!(RunFolder::open(home.path(), "b"), Err(RunError::Missing { .. })));
    for name in ["", ".", "..", "x/y", ".hidden"] {
        assert!(
            matches!(RunFolder::create(home.path(), name), Err(RunError::Name { .. })),
            "{name}"
        );
    }
    std::fs::write(run.config(), "").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let second = RunFolder::create(home.path(), "b").unwrap();
    std::fs::write(second.config(), "").unwrap();
    assert_eq!(RunFolder::newest(home.path()).unwrap(), Some(second));
}

#[test]
fn an_evaluation_after_so_many_steps_is_of_what_was_trained_since_the_last() {
    let run = Run::new("steps");
    run.train(config(|config| config.train.eval_every = EvalInterval::Steps(10)), &Device::flex())
        .unwrap();
    let told = run.told.lock().unwrap();
    let places: Vec<_> =
        told.evaluations.iter().map(|told| (told.metrics.epoch, told.metrics.step)).collect();
    assert_eq!(places, [(1, 10), (1, 20), (2, 30), (2, 40), (2, 48)]);
    let mean: f64 = told.steps[20..30].iter().map(|step| step.loss).sum::<f64>() / 10.0;
    assert!((told.evaluations[2].metrics.train_loss - mean).abs() < 1e-12);
    assert_eq!(run.rows().len(), 6);
    let sample = run.folder.path().join("samples/step-00000030.txt");
    assert_eq!(std::fs::read_to_string(sample).unwrap(), told.samples[2]);
}

#[test]
fn the_smoothed_loss_begins_with_all_characters_alike() {
    let run = Run::new("smooth");
    run.train(config(|_| {}), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    let mut smooth = 6f64.ln();
    for step in &told.steps {
        smooth = smooth * 0.999 + step.loss * 0.001;
        assert_eq!(step.smooth_loss, smooth);
    }
    assert_eq!(told.evaluations[1].smooth_loss, smooth);
}

#[test]
fn patience_counts_evaluations_wherever_they_fall() {
    let run = Run::new("early");
    let change = |config: &mut RunConfig| {
        (config.train.epochs, config.train.patience) = (50, 3);
        config.train.eval_every = EvalInterval::Steps(5);
        config.train.optimizer = adam(0.5);
    };
    let outcome = run.train(config(change), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    let Outcome::StoppedEarly { best_valid_loss, step, .. } = outcome else {
        panic!("{outcome:?}")
    };
    let best = told
        .evaluations
        .iter()
        .position(|e| Some(e.metrics.valid_loss) == best_valid_loss)
        .unwrap();
    assert_eq!(told.evaluations.len(), best + 1 + 3);
    assert_eq!(step, 5 * told.evaluations.len());
}

#[test]
fn a_carried_state_changes_nothing_before_the_second_epoch() {
    let losses = [EpochState::Reset, EpochState::Carry].map(|state| {
        let run = Run::new("state");
        run.train(config(|config| config.train.state = state), &Device::flex()).unwrap();
        run.losses()
    });
    assert_eq!(losses[0][..24], losses[1][..24]);
    assert_ne!(losses[0][24], losses[1][24]);
}

/// With plain gradient descent T times the gradient is T times the rate.
#[test]
fn summed_losses_have_as_many_times_the_gradient_as_a_row_has_characters() {
    let losses = [(LossReduction::Mean, 0.4), (LossReduction::Sum, 0.05)].map(|(loss, lr)| {
        let run = Run::new("loss");
        let change = |config: &mut RunConfig| {
            (config.train.loss, config.train.clip) = (loss, GradClip::None);
            config.train.optimizer = OptimizerConfig::Sgd(SgdConfig { lr, ..SgdConfig::default() });
        };
        run.train(config(change), &Device::flex()).unwrap();
        run.losses()
    });
    for (step, (mean, sum)) in losses[0].iter().zip(&losses[1]).enumerate() {
        assert!((mean - sum).abs() < 1e-4, "step {step}: {mean} {sum}");
    }
    assert!(losses[0][47] < losses[0][0] - 0.1, "{losses:?}");
}
