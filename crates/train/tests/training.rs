//! What a run does from its first step to its end, whatever comes between.

mod runs;

use burn::prelude::*;
use charloom_infer::Sampling;
use charloom_train::{
    CheckpointError, Clip, EvalEvery, Loss, Optimizer, Outcome, RunError, RunFolder, Schedule,
    Start, StateAtEpoch, TrainError,
};
use runs::{Run, config, text};

#[test]
fn a_run_leaves_its_model_metrics_samples_and_checkpoint() {
    let run = Run::new("whole");
    let outcome = run.train(config(|_| {}), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    assert_eq!((told.steps.len(), told.epochs.len()), (48, 2));
    let best = told.epochs.iter().map(|epoch| epoch.valid_loss).fold(f64::MAX, f64::min);
    assert_eq!(outcome, Outcome::Finished { best_valid_loss: Some(best), step: 48 });
    assert_eq!(run.model().summary.valid_loss, Some(best));
    assert_eq!(run.model().vocab.chars(), ['\n', ' ', 'a', 'b', 'c', 'd']);
    assert_eq!(std::fs::read_to_string(run.folder.config()).unwrap(), "# as resolved\n");

    let rows = run.rows();
    let header = "epoch,step,train_loss,valid_loss,valid_perplexity,valid_bits_per_char,\
                  learning_rate";
    assert_eq!(rows[0].join(","), header);
    assert_eq!((rows[1][1].as_str(), rows[2][1].as_str()), ("24", "48"));
    let mean: f64 = told.steps[24..].iter().map(|step| step.loss).sum::<f64>() / 24.0;
    assert!((rows[2][2].parse::<f64>().unwrap() - mean).abs() < 1e-12);
    let sample = std::fs::read_to_string(run.folder.path().join("samples/epoch-002.txt")).unwrap();
    assert_eq!(sample, told.samples[1]);
    assert_eq!(sample.chars().count(), 14, "the prime and twelve characters: {sample:?}");
    assert!(sample.starts_with("ab"));
    assert!(run.folder.checkpoint_exists());
    assert!(run.folder.path().join("logs/train/epoch-2/Loss.log").is_file());
}

#[test]
fn training_lowers_the_loss() {
    let run = Run::new("learns");
    run.train(config(|config| config.epochs = 12), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    assert!(told.epochs[0].valid_loss > 1.3, "{}", told.epochs[0].valid_loss);
    assert!(told.epochs[11].valid_loss < 0.8, "{}", told.epochs[11].valid_loss);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let [first, second, other] = [("first", 3), ("second", 3), ("other", 4)].map(|(name, seed)| {
        let run = Run::new(name);
        run.train(config(|config| config.seed = seed), &Device::flex()).unwrap();
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
    whole.train(config(|config| config.max_steps = 33), &Device::flex()).unwrap();
    let run = Run::new("limited");
    let outcome = run.train(config(|config| config.max_steps = 7), &Device::flex()).unwrap();
    assert!(matches!(outcome, Outcome::Finished { step: 7, .. }), "{outcome:?}");
    assert_eq!(run.told.lock().unwrap().epochs.len(), 1, "what was trained is validated");
    run.resume(config(|config| config.max_steps = 33)).unwrap();
    assert_eq!(run.losses(), whole.losses());
    // The row of step 7 stays: a model may be kept that is of it.
    let mut rows = run.rows();
    assert_eq!(rows.remove(1)[1], "7");
    assert_eq!(rows, whole.rows());
}

#[test]
fn a_finished_run_can_be_given_more_epochs() {
    let run = Run::new("longer");
    run.train(config(|config| config.epochs = 1), &Device::flex()).unwrap();
    run.resume(config(|config| config.epochs = 1)).unwrap();
    assert_eq!(run.losses().len(), 24, "nothing is left to do");
    run.resume(config(|config| config.epochs = 2)).unwrap();
    assert_eq!(run.losses().len(), 48);
}

#[test]
fn training_stops_early_when_validation_stops_improving() {
    let run = Run::new("early");
    // Steps this large make the model worse.
    let change = |config: &mut charloom_train::TrainConfig| {
        (config.epochs, config.patience) = (50, 2);
        config.optimizer = Optimizer::adam(0.5);
    };
    let outcome = run.train(config(change), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    let Outcome::StoppedEarly { best_valid_loss, epoch, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(epoch, told.epochs.len());
    let best = told.epochs.iter().position(|e| Some(e.valid_loss) == best_valid_loss).unwrap();
    assert_eq!(epoch, best + 1 + 2, "two epochs after the best");
    assert_eq!(run.model().summary.epoch, best + 1, "the best model is the one kept");
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_model() {
    let run = Run::new("diverged");
    let exploding = |epochs| {
        config(|config| {
            config.epochs = epochs;
            config.clip = Clip::None;
            // From the second epoch on.
            config.schedule = Schedule::Exponential { gamma: 1e41, from_epoch: 1 };
        })
    };
    run.train(exploding(1), &Device::flex()).unwrap();
    let good = run.model().network.parameters();
    let error = run.resume(exploding(2)).unwrap_err();
    let TrainError::NotFinite { step, epoch: 2, .. } = error else { panic!("{error}") };
    assert!(step > 24 && step <= 30, "{step}");
    assert!(error.to_string().contains(&format!("at step {step} (epoch 2")), "{error}");
    assert_eq!(run.model().network.parameters(), good);
}

#[test]
fn a_run_is_not_resumed_with_settings_that_make_it_another() {
    let run = Run::new("other");
    run.train(config(|config| config.epochs = 1), &Device::flex()).unwrap();
    let changes: [fn(&mut charloom_train::TrainConfig); 4] = [
        |config| config.batch.batch_size += 1,
        |config| config.seed += 1,
        |config| config.clip = Clip::Value(0.25),
        |config| config.optimizer = Optimizer::adam(2.5e-3),
    ];
    for (change, name) in changes.into_iter().zip(["batch", "seed", "clip", "optimizer"]) {
        let error = run.resume(config(change)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{name}` is `")), "{error}");
    }
    run.resume(config(|config| config.epochs = 2)).unwrap();
}

#[test]
fn training_from_a_model_starts_with_its_loss() {
    let first = Run::new("first");
    first.train(config(|config| config.epochs = 6), &Device::flex()).unwrap();
    let second = Run::new("second");
    let start = Start::From(Box::new(first.model()));
    let once = config(|config| config.epochs = 1);
    second.launch(once, &Device::flex(), start, &text()).unwrap();
    let (before, after) = (first.losses(), second.losses());
    assert!(after[0] < before[0] - 0.3, "{} {}", after[0], before[0]);

    let third = Run::new("third");
    let start = Start::From(Box::new(first.model()));
    // A new character and one less.
    let other = text().replace('\n', "é");
    let once = config(|config| config.epochs = 1);
    third.launch(once, &Device::flex(), start, &other).unwrap();
    assert!(third.losses()[0] < before[0] - 0.3, "{} {}", third.losses()[0], before[0]);
    assert_eq!(third.model().vocab.id('é'), Some(5));

    let start = Start::From(Box::new(first.model()));
    let wider = config(|config| config.model.hidden_size = 10);
    let fourth = Run::new("fourth");
    let error = fourth.launch(wider, &Device::flex(), start, &text()).unwrap_err();
    assert!(matches!(error, TrainError::Start(_)), "{error}");
    assert!(
        error.to_string().contains("`rnn.weight_ih_l0` has shape [36, 6], expected [40, 6]"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_of_another_text_or_none_or_a_broken_one_is_refused() {
    let run = Run::new("run").stopping_after(3);
    let error = run.resume(config(|_| {})).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(CheckpointError::None { .. })), "{error}");
    run.train(config(|_| {}), &Device::flex()).unwrap();
    let other = text() + "more";
    let error = run.launch(config(|_| {}), &Device::flex(), Start::Resume, &other).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(CheckpointError::OtherText { .. })), "{error}");
    let file = run.folder.path().join("checkpoints/step-00000003/model.bpk");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let error = run.resume(config(|_| {})).unwrap_err();
    assert!(error.to_string().contains("model.bpk"), "{error}");
}

#[test]
fn a_prime_the_text_cannot_spell_is_refused_before_anything_is_written() {
    let run = Run::new("prime");
    let change = |config: &mut charloom_train::TrainConfig| {
        config.sample.prime = "abx".into();
        config.sample.sampling = Sampling::Greedy;
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
    run.train(config(|config| config.eval_every = EvalEvery::Steps(10)), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    let places: Vec<_> = told.epochs.iter().map(|told| (told.epoch, told.step)).collect();
    assert_eq!(places, [(1, 10), (1, 20), (2, 30), (2, 40), (2, 48)]);
    let mean: f64 = told.steps[20..30].iter().map(|step| step.loss).sum::<f64>() / 10.0;
    assert!((told.epochs[2].train_loss - mean).abs() < 1e-12);
    assert_eq!(run.rows().len(), 6);
    let sample = run.folder.path().join("samples/step-00000030.txt");
    assert_eq!(std::fs::read_to_string(sample).unwrap(), told.samples[2]);
    assert!(run.folder.path().join("logs/valid/epoch-5/Loss.log").is_file());
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
    assert_eq!(told.epochs[1].smooth_loss, smooth);
}

#[test]
fn patience_counts_evaluations_wherever_they_fall() {
    let run = Run::new("early");
    let change = |config: &mut charloom_train::TrainConfig| {
        (config.epochs, config.patience) = (50, 3);
        config.eval_every = EvalEvery::Steps(5);
        config.optimizer = Optimizer::adam(0.5);
    };
    let outcome = run.train(config(change), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    let Outcome::StoppedEarly { best_valid_loss, step, .. } = outcome else {
        panic!("{outcome:?}")
    };
    let best = told.epochs.iter().position(|e| Some(e.valid_loss) == best_valid_loss).unwrap();
    assert_eq!(told.epochs.len(), best + 1 + 3);
    assert_eq!(step, 5 * told.epochs.len());
}

#[test]
fn a_carried_state_changes_nothing_before_the_second_epoch() {
    let losses = [StateAtEpoch::Reset, StateAtEpoch::Carry].map(|state| {
        let run = Run::new("state");
        run.train(config(|config| config.state = state), &Device::flex()).unwrap();
        run.losses()
    });
    assert_eq!(losses[0][..24], losses[1][..24]);
    assert_ne!(losses[0][24], losses[1][24]);
}

/// With plain gradient descent T times the gradient is T times the rate.
#[test]
fn summed_losses_have_as_many_times_the_gradient_as_a_row_has_characters() {
    let losses = [(Loss::Mean, 0.4), (Loss::Sum, 0.05)].map(|(loss, lr)| {
        let run = Run::new("loss");
        let change = |config: &mut charloom_train::TrainConfig| {
            (config.loss, config.clip) = (loss, Clip::None);
            config.optimizer = Optimizer::sgd(lr);
        };
        run.train(config(change), &Device::flex()).unwrap();
        run.losses()
    });
    for (step, (mean, sum)) in losses[0].iter().zip(&losses[1]).enumerate() {
        assert!((mean - sum).abs() < 1e-4, "step {step}: {mean} {sum}");
    }
    assert!(losses[0][47] < losses[0][0] - 0.1, "{losses:?}");
}
