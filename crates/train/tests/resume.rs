//! A run that was stopped goes on as if it never had been, whatever it was told.

mod runs;

use burn::prelude::*;
use charloom_data::{Corpus, RowOffset};
use charloom_model::{Bias, Cell, Init, Readout};
use charloom_train::settings::{AdagradConfig, AdagradForm, AdamWConfig, RmsPropConfig, SgdConfig};
use charloom_train::{
    EpochState, EvalInterval, GradClip, LossReduction, LrSchedule, OptimizerConfig, Outcome,
    RunConfig, Trainer,
};
use runs::{Run, config};
use safetensors::tensor::{Dtype, TensorView};

/// Stops a run after each of `stops` steps and has it go on; everything must be as in a run that was not stopped.
/// Gives back the rows of the whole one.
#[track_caller]
fn resumes_exactly(change: fn(&mut RunConfig), stops: &[usize]) -> Vec<Vec<String>> {
    let whole = Run::new("whole");
    whole.train(config(change), &Device::flex()).unwrap();
    for &steps in stops {
        let mut run = Run::new("stopped").stopping_after(steps);
        let outcome = run.train(config(change), &Device::flex()).unwrap();
        assert_eq!(outcome, Outcome::Interrupted { step: steps });
        run.stop_after = None;
        run.resume(config(change)).unwrap();
        assert_eq!(run.losses(), whole.losses(), "stopped after {steps}");
        assert_eq!(run.rows(), whole.rows(), "stopped after {steps}");
        let (told, all) = (run.told.lock().unwrap(), whole.told.lock().unwrap());
        assert_eq!(told.samples, all.samples, "stopped after {steps}");
        let smoothed = |steps: &[charloom_train::StepReport]| {
            steps.iter().map(|step| step.smooth_loss.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(smoothed(&told.steps), smoothed(&all.steps), "stopped after {steps}");
        assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
    }
    whole.rows()
}

/// The learning rates in the rows.
fn rates(rows: &[Vec<String>]) -> Vec<f64> {
    rows[1..].iter().map(|row| row[6].parse().unwrap()).collect()
}

#[test]
fn with_rmsprop_a_decaying_rate_summed_losses_and_cut_gradients() {
    let rows = resumes_exactly(
        |config| {
            (config.train.epochs, config.train.loss, config.train.clip) =
                (4, LossReduction::Sum, GradClip::Value(0.5));
            config.train.schedule = LrSchedule::Exponential { gamma: 0.5, from_epoch: 2 };
            config.train.optimizer = OptimizerConfig::RmsProp(RmsPropConfig {
                lr: 4e-3,
                alpha: 0.95,
                eps: 1e-8,
                momentum: 0.5,
                centered: true,
                weight_decay: 1e-3,
            });
            config.model.forget_bias = Some(1.0);
        },
        &[10, 48, 71],
    );
    assert_eq!(rates(&rows), [4e-3, 4e-3, 2e-3, 1e-3]);
}

#[test]
fn with_a_state_carried_across_epochs_and_evaluations_between_steps() {
    let rows = resumes_exactly(
        |config| {
            (config.model.cell, config.model.bias) = (Cell::Tanh, Bias::Single);
            (config.model.layers, config.model.init) = (1, Init::Normal(0.1));
            (config.train.state, config.train.eval_every) =
                (EpochState::Carry, EvalInterval::Steps(7));
            config.train.schedule = LrSchedule::Step { gamma: 0.5, every: 1, from_epoch: Some(1) };
            config.train.optimizer = OptimizerConfig::Adagrad(AdagradConfig {
                lr: 0.1,
                eps: 1e-8,
                form: AdagradForm::MinCharRnn,
                ..AdagradConfig::default()
            });
        },
        // In an epoch, before an evaluation, at an epoch's end, and at the very end.
        &[3, 7, 24, 42, 48],
    );
    let steps: Vec<&str> = rows[1..].iter().map(|row| row[1].as_str()).collect();
    assert_eq!(steps, ["7", "14", "21", "28", "35", "42", "48"]);
    assert_eq!(rates(&rows), [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]);
}

#[test]
fn with_a_rate_that_falls_on_a_plateau() {
    let rows = resumes_exactly(
        |config| {
            (config.train.epochs, config.train.eval_every) = (3, EvalInterval::Steps(5));
            config.train.schedule = LrSchedule::Plateau { factor: 0.5, patience: 0 };
            config.train.optimizer = OptimizerConfig::Sgd(SgdConfig {
                lr: 3.0,
                momentum: 0.9,
                dampening: 0.0,
                nesterov: true,
                weight_decay: 0.0,
            });
        },
        &[5, 17, 24, 60],
    );
    let rates = rates(&rows);
    assert!(rates[0] == 3.0 && *rates.last().unwrap() <= 0.75, "it fell: {rates:?}");
}

#[test]
fn with_a_warmed_up_cosine_and_an_evaluation_every_other_epoch() {
    let rows = resumes_exactly(
        |config| {
            (config.train.epochs, config.train.eval_every) = (3, EvalInterval::Epochs(2));
            config.train.schedule = LrSchedule::Cosine { end_factor: 0.1, warmup_steps: 9 };
            config.train.optimizer =
                OptimizerConfig::AdamW(AdamWConfig { lr: 1e-2, ..AdamWConfig::default() });
            config.train.state = EpochState::Carry;
        },
        &[4, 24, 40, 48, 72],
    );
    let places: Vec<_> = rows[1..].iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    assert_eq!(places, [("2", "48"), ("3", "72")], "the end is evaluated too");
}

#[test]
fn with_every_kind_of_dropout_averaged_weights_and_random_offsets() {
    resumes_exactly(
        |config| {
            let model = &mut config.model;
            (model.output_dropout, model.input_dropout) = (Some(0.4), 0.1);
            (model.weight_drop, model.input_std) = (0.2, 1.0);
            let train = &mut config.train;
            (train.ema, train.input_lr, train.dropout_ramp) = (0.9, 0.5, 0.6);
            train.schedule = LrSchedule::Linear { end_factor: 0.0, warmup_steps: 5 };
            let adamw = AdamWConfig { lr: 1e-2, decay_biases: false, ..AdamWConfig::default() };
            train.optimizer = OptimizerConfig::AdamW(adamw);
            config.data.row_offset = RowOffset::Random;
        },
        &[1, 13, 24, 31],
    );
}

#[test]
fn with_gradients_clipped_at_a_quantile_of_the_norms_so_far() {
    resumes_exactly(|config| config.train.clip = GradClip::Quantile(0.2), &[1, 13, 24, 31]);
}

#[test]
fn with_summed_outputs_of_the_layers() {
    resumes_exactly(|config| config.model.readout = Readout::Sum, &[13]);
}

#[test]
fn with_a_rate_on_a_line_down() {
    let rows = resumes_exactly(
        |config| {
            config.train.schedule = LrSchedule::Linear { end_factor: 0.0, warmup_steps: 0 };
            config.train.optimizer =
                OptimizerConfig::Adagrad(AdagradConfig { lr: 1e-1, ..AdagradConfig::default() });
        },
        &[1, 30],
    );
    assert!((rates(&rows)[1] - 1e-1 / 48.0).abs() < 1e-12, "{rows:?}");
}

#[test]
fn a_setting_that_is_changed_on_the_way_holds_from_then_on() {
    let change = |config: &mut RunConfig| {
        config.train.optimizer = runs::adam(4e-3);
        (config.model.dropout, config.train.ema) = (0.1, 0.5);
        config.train.schedule = LrSchedule::Linear { end_factor: 0.0, warmup_steps: 0 };
    };
    let whole = Run::new("whole");
    whole.train(config(|_| {}), &Device::flex()).unwrap();
    // Changed after 10 steps, and resumed once or twice.
    let changed = |stops: &[usize]| {
        let mut run = Run::new("changed").stopping_after(10);
        run.train(config(|_| {}), &Device::flex()).unwrap();
        for &steps in stops {
            run.stop_after = Some(steps);
            run.resume(config(change)).unwrap();
        }
        run.stop_after = None;
        run.resume(config(change)).unwrap();
        run
    };
    let (once, twice) = (changed(&[]), changed(&[13]));
    assert_eq!(once.losses()[..10], whole.losses()[..10]);
    assert_ne!(once.losses()[11..], whole.losses()[11..]);
    assert_eq!(once.losses(), twice.losses());
    assert_eq!(once.rows(), twice.rows());
    let rate = once.told.lock().unwrap().steps[10].learning_rate;
    assert!((rate - 4e-3 * (1.0 - 10.0 / 48.0)).abs() < 1e-12, "{rate}");

    let corpus = charloom_data::Corpus::from_text(&runs::text()).unwrap();
    let resume = |change: fn(&mut RunConfig)| {
        let checkpoints = twice.folder.checkpoints();
        charloom_train::Trainer::resume(config(change), &corpus, &Device::flex(), &checkpoints)
    };
    let (trainer, _) = resume(change).unwrap();
    let changes: Vec<_> = trainer.changes().iter().map(|c| (c.step, c.key.as_str())).collect();
    let keys = ["model.dropout", "train.optimizer.lr", "train.schedule", "train.ema"];
    assert_eq!(changes, keys.map(|key| (10, key)));
    for (key, change) in [
        ("train.seed", (|config| config.train.seed = 9) as fn(&mut RunConfig)),
        ("data.seq_length", |config| config.data.seq_length = 7),
        ("model.hidden_size", |config| config.model.hidden_size = 10),
        ("train.optimizer", |config| {
            config.train.optimizer = OptimizerConfig::Sgd(SgdConfig::default());
        }),
    ] {
        let refused = resume(change).err().expect("it is refused").to_string();
        assert!(refused.starts_with(&format!("`{key}` is ")), "{refused}");
    }
}

#[test]
fn a_learning_rate_that_is_given_replaces_what_a_plateau_made_of_it() {
    let change = |lr: f64| {
        move |config: &mut RunConfig| {
            (config.train.epochs, config.train.eval_every) = (3, EvalInterval::Steps(5));
            config.train.schedule = LrSchedule::Plateau { factor: 0.5, patience: 0 };
            config.train.optimizer = OptimizerConfig::Sgd(SgdConfig { lr, ..SgdConfig::default() });
        }
    };
    let mut run = Run::new("plateau").stopping_after(40);
    run.train(config(change(9.0)), &Device::flex()).unwrap();
    assert!(run.told.lock().unwrap().steps[39].learning_rate < 9.0);
    run.stop_after = Some(1);
    run.resume(config(change(0.5))).unwrap();
    assert_eq!(run.told.lock().unwrap().steps[40].learning_rate, 0.5);
}

/// The evaluation at the limit of steps is not one of the scheduled evaluations.
#[test]
fn a_limit_between_two_evaluations_leaves_no_trace_in_a_longer_run() {
    let change = |steps: usize| {
        move |config: &mut RunConfig| {
            (config.train.max_steps, config.train.eval_every) = (steps, EvalInterval::Steps(10));
            config.train.schedule = LrSchedule::Plateau { factor: 0.5, patience: 0 };
            config.train.optimizer =
                OptimizerConfig::Sgd(SgdConfig { lr: 2.0, ..SgdConfig::default() });
        }
    };
    let whole = Run::new("whole");
    whole.train(config(change(33)), &Device::flex()).unwrap();
    let run = Run::new("limited");
    for _ in 0..2 {
        let outcome = match run.folder.has_checkpoint() {
            false => run.train(config(change(17)), &Device::flex()),
            true => run.resume(config(change(17))),
        };
        assert!(matches!(outcome.unwrap(), Outcome::Finished { step: 17, .. }));
        assert_eq!(run.told.lock().unwrap().evaluations.len(), 2, "once at 10, once at 17");
    }
    run.resume(config(change(33))).unwrap();
    assert_eq!(run.losses(), whole.losses());
    // The row of step 17 stays, between those of 10 and of 20.
    let mut rows = run.rows();
    assert_eq!(rows.remove(2)[1], "17");
    assert_eq!(rows, whole.rows());
    let best = |outcome| match outcome {
        Outcome::Finished { best_valid_loss: Some(best), .. } => best,
        other => panic!("{other:?}"),
    };
    // The model of step 17 is kept if it was the best.
    let (best_of_run, best_of_whole) = (
        best(run.resume(config(change(33))).unwrap()),
        best(whole.resume(config(change(33))).unwrap()),
    );
    assert!(best_of_run <= best_of_whole, "{best_of_run} {best_of_whole}");
    assert_eq!(run.model().summary.valid_loss, Some(best_of_run));
}

/// Between two checkpoints evaluations are made that neither knows of. A kill forgets them, and they are made again.
#[test]
fn after_a_kill_evaluations_that_no_checkpoint_knows_of_are_made_again() {
    let change = |config: &mut RunConfig| {
        // With recoveries there is a checkpoint of each evaluation.
        (config.train.eval_every, config.train.recover) = (EvalInterval::Steps(7), 0);
    };
    let whole = Run::new("whole");
    whole.train(config(change), &Device::flex()).unwrap();
    let mut run = Run::new("killed").stopping_after(38);
    run.train(config(change), &Device::flex()).unwrap();
    assert_eq!(run.rows().len(), 1 + 5, "the last of them after step 35");
    // What was written at the interruption is taken away: the first evaluation's checkpoint is what a kill leaves.
    std::fs::remove_dir_all(run.folder.checkpoints().join("step-00000038")).unwrap();
    run.told.lock().unwrap().steps.clear();
    run.stop_after = None;
    run.resume(config(change)).unwrap();
    assert_eq!(run.losses(), whole.losses()[7..]);
    assert_eq!(run.rows(), whole.rows());
    assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
}

/// `fixtures/format1` was written by the first version, stopped after 30 steps.
#[test]
fn a_checkpoint_of_format_1_is_resumed() {
    let whole = Run::new("whole");
    whole.train(config(|_| {}), &Device::flex()).unwrap();
    let run = Run::new("old");
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format1");
    let checkpoint = run.folder.checkpoints().join("step-00000030");
    std::fs::create_dir(&checkpoint).unwrap();
    for file in std::fs::read_dir(fixture).unwrap().flatten() {
        std::fs::copy(file.path(), checkpoint.join(file.file_name())).unwrap();
    }
    run.resume(config(|_| {})).unwrap();
    assert_eq!(run.losses().len(), 18);
    // The fixture's last bits are those of the machine that wrote it.
    for (ours, theirs) in run.losses().iter().zip(&whole.losses()[30..]) {
        assert!((ours - theirs).abs() < 1e-4, "{ours} {theirs}");
    }
    let (ours, theirs) = (run.told.lock().unwrap(), whole.told.lock().unwrap());
    let (ours, theirs) = (ours.evaluations[0], theirs.evaluations[1]);
    assert_eq!(ours.metrics.epoch, theirs.metrics.epoch);
    assert!((ours.metrics.train_loss - theirs.metrics.train_loss).abs() < 1e-4);
    assert!((ours.smooth_loss - theirs.smooth_loss).abs() < 1e-6);
}

#[test]
fn a_hidden_state_of_other_shapes_or_a_phase_that_is_none_is_not_resumed() {
    let corpus = Corpus::from_text(&"the loom weaves ".repeat(40)).unwrap();
    let mut config = RunConfig::default();
    (config.data.batch_size, config.data.seq_length) = (2, 8);
    (config.model.hidden_size, config.model.layers) = (8, 1);
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config.clone(), &corpus, &Device::flex()).unwrap();
    trainer.step().unwrap();
    let checkpoint = trainer.save(folder.path()).unwrap();
    let resumed = |name: &str, content: &[u8]| {
        let before = std::fs::read(checkpoint.join(name)).unwrap();
        std::fs::write(checkpoint.join(name), content).unwrap();
        let resumed = Trainer::resume(config.clone(), &corpus, &Device::flex(), folder.path());
        std::fs::write(checkpoint.join(name), before).unwrap();
        resumed.map(|_| ()).map_err(|error| error.to_string())
    };
    let state = |dtype, shape: &[usize]| {
        let bytes =
            vec![0; shape.iter().product::<usize>() * if dtype == Dtype::F32 { 4 } else { 2 }];
        let view = TensorView::new(dtype, shape.to_vec(), &bytes).unwrap();
        safetensors::serialize([("layer_0", view)], None).unwrap()
    };
    let of_state = |dtype, shape: &[usize]| resumed("state.safetensors", &state(dtype, shape));
    assert_eq!(of_state(Dtype::F32, &[2, 2, 8]), Ok(()));
    for (dtype, shape) in
        [(Dtype::F16, [2, 2, 8]), (Dtype::F32, [2, 3, 8]), (Dtype::F32, [1, 2, 8])]
    {
        assert!(of_state(dtype, &shape).is_err(), "{dtype:?} {shape:?}");
    }
    let progress = std::fs::read_to_string(checkpoint.join("progress.json")).unwrap();
    let other = progress.replace("\"phase\": 0", "\"phase\": 7");
    assert_ne!(other, progress);
    let error = resumed("progress.json", other.as_bytes()).unwrap_err();
    assert!(error.contains("phase 7 of 1"), "{error}");
}
