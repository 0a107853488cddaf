//! Batches whose sizes change during a training.

mod runs;

use burn::prelude::*;
use charloom_data::{BatchChange, BatchConfig, Batches, Corpus, LastTarget, RowOffset};
use charloom_train::settings::SgdConfig;
use charloom_train::{
    EvalInterval, LrSchedule, OptimizerConfig, Outcome, RunConfig, TrainError, Trainer,
};
use runs::{Run, config, text};

fn change(from: f64, batch_size: Option<usize>, seq_length: Option<usize>) -> BatchChange {
    BatchChange { from, batch_size, seq_length }
}

/// Batches of 5 x 8, 10 x 8 and 10 x 16: epochs of 24, 12 and 6. Four epochs are 4 / (0.3/24 + 0.4/12 + 0.3/6) = 42 steps;
/// the second size begins after 13 and the third after 29.
fn three_sizes(config: &mut RunConfig) {
    config.data.batch_schedule = vec![change(0.3, Some(10), None), change(0.7, None, Some(16))];
    config.train.epochs = 4;
}

#[test]
fn every_step_is_at_the_place_that_the_schedule_gives_it() {
    let run = Run::new("a");
    let outcome = run.train(config(three_sizes), &Device::flex()).unwrap();
    assert!(matches!(outcome, Outcome::Finished { step: 42, .. }), "{outcome:?}");
    let told = run.told.lock().unwrap();
    let mut expected = Vec::new();
    expected.extend((1..=13).map(|batch| (1, batch, 24)));
    // 13 of 24 is 6.5 of 12.
    expected.extend((7..=12).map(|batch| (1, batch, 12)));
    expected.extend((1..=10).map(|batch| (2, batch, 12)));
    // 10 of 12 is 5 of 6.
    expected.push((2, 6, 6));
    expected.extend([3, 4].into_iter().flat_map(|epoch| (1..=6).map(move |n| (epoch, n, 6))));
    let found: Vec<_> =
        told.steps.iter().map(|step| (step.epoch, step.batch, step.batches)).collect();
    assert_eq!(found, expected);
    assert_eq!(told.steps[0].chars_left, 12 * 40 + 16 * 80 + 13 * 160);
    assert_eq!(told.steps[27].chars_left, 80 + 13 * 160);
    assert_eq!(told.steps[41].chars_left, 0);
    let evaluated: Vec<_> = told.evaluations.iter().map(|report| report.metrics.step).collect();
    assert_eq!(evaluated, [19, 30, 36, 42], "at the end of each epoch");
}

#[test]
fn after_a_change_the_batch_at_the_same_place_is_read_from_a_zero_state() {
    let corpus = Corpus::from_text(&text()).unwrap();
    let config = config(|config| {
        three_sizes(config);
        config.model.dropout = 0.0;
    });
    let device = Device::flex();
    let mut trainer = Trainer::new(config.clone(), &corpus, &device).unwrap();
    for _ in 0..13 {
        trainer.step().unwrap();
    }
    let network = trainer.model().network;
    let size = BatchConfig { batch_size: 10, seq_length: 8, last_target: LastTarget::Next };
    let batches = Batches::new(corpus.ids().slice(0..990), size).unwrap();
    let (mut inputs, mut targets) = (vec![0; 80], vec![0; 80]);
    batches.fill(6, &mut inputs, &mut targets);
    let ids = |ids| Tensor::<2, Int>::from_data(TensorData::new(ids, [10, 8]), &device);
    let state = network.zero_state(10, &device);
    let (loss, _) = network.loss(ids(inputs), ids(targets), state, None);
    let expected = loss.into_scalar::<f64>();
    let found = trainer.step().unwrap().loss;
    assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
}

#[test]
fn a_schedule_of_the_same_sizes_trains_until_the_change_as_without_one() {
    let trained = |from: f64| {
        let run = Run::new("a");
        let config =
            config(|config| config.data.batch_schedule = vec![change(from, Some(5), None)]);
        run.train(config, &Device::flex()).unwrap();
        run.losses()
    };
    let without = Run::new("without");
    without.train(config(|_| {}), &Device::flex()).unwrap();
    let (early, without) = (trained(0.25), without.losses());
    assert_eq!((early.len(), &early[..12]), (without.len(), &without[..12]));
    // The state starts at zero there.
    assert_ne!(early[12], without[12]);
    // It also does where an epoch starts.
    assert_eq!(trained(0.5), without);
}

#[test]
fn the_rate_follows_the_steps_of_all_phases() {
    let run = Run::new("a");
    let config = config(|config| {
        three_sizes(config);
        config.train.schedule = LrSchedule::Linear { end_factor: 0.0, warmup_steps: 0 };
        config.train.optimizer =
            OptimizerConfig::Sgd(SgdConfig { lr: 0.42, ..SgdConfig::default() });
    });
    run.train(config, &Device::flex()).unwrap();
    for step in &run.told.lock().unwrap().steps {
        let expected = 0.01 * (43 - step.step) as f64;
        assert!((step.learning_rate - expected).abs() < 1e-12, "{step:?}");
    }
}

/// Everything as in a run that was not stopped, wherever it was.
#[test]
fn a_run_that_is_stopped_inside_a_phase_or_at_its_end_is_resumed_exactly() {
    let change = |config: &mut RunConfig| {
        three_sizes(config);
        config.data.row_offset = RowOffset::Random;
        (config.train.ema, config.train.eval_every) = (0.9, EvalInterval::Steps(8));
        config.train.schedule = LrSchedule::Cosine { end_factor: 0.1, warmup_steps: 3 };
    };
    let whole = Run::new("whole");
    whole.train(config(change), &Device::flex()).unwrap();
    for steps in [5, 13, 14, 20, 29, 33, 42] {
        let mut run = Run::new("stopped").stopping_after(steps);
        run.train(config(change), &Device::flex()).unwrap();
        run.stop_after = None;
        run.resume(config(change)).unwrap();
        assert_eq!(run.losses(), whole.losses(), "stopped after {steps}");
        assert_eq!(run.rows(), whole.rows(), "stopped after {steps}");
        assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
    }
}

#[test]
fn a_finished_run_is_known_and_continues_with_more_epochs() {
    let corpus = Corpus::from_text(&text()).unwrap();
    let run = Run::new("a");
    run.train(config(three_sizes), &Device::flex()).unwrap();
    assert!(run.folder.is_finished(&config(three_sizes), &corpus).unwrap());
    let longer = |config: &mut RunConfig| {
        three_sizes(config);
        config.train.epochs = 8;
    };
    assert!(!run.folder.is_finished(&config(longer), &corpus).unwrap());
    let outcome = run.resume(config(longer)).unwrap();
    // 8 / (0.3/24 + 0.4/12 + 0.3/6) is 83.5. Back in the second phase, of 12 batches, until step 58: 16 steps; then of 6.
    let told = run.told.lock().unwrap();
    let places: Vec<_> = told.steps.iter().map(|step| (step.epoch, step.batches)).collect();
    assert_eq!((places[42], places[57], places[58]), ((5, 12), (6, 12), (6, 6)));
    assert!(matches!(outcome, Outcome::Finished { step: 83, .. }), "{outcome:?}");
}

#[test]
fn sizes_that_do_not_fit_and_fractions_that_do_not_ascend_are_refused() {
    let corpus = Corpus::from_text(&text()).unwrap();
    let refused = |schedule: Vec<BatchChange>| {
        let config = config(|config| config.data.batch_schedule = schedule);
        Trainer::new(config, &corpus, &Device::flex()).map(|_| ()).unwrap_err()
    };
    let error = refused(vec![change(0.5, Some(200), None)]);
    assert!(matches!(error, TrainError::BatchSchedule { change: 0, .. }), "{error}");
    for from in [0.0, 1.0, -1.0, f64::NAN] {
        let error = refused(vec![change(from, Some(6), None)]);
        assert!(matches!(error, TrainError::Settings(_)), "{error}");
    }
    let error = refused(vec![change(0.5, Some(6), None), change(0.5, Some(7), None)]);
    assert_eq!(
        error.to_string(),
        "`data.batch_schedule` must have ascending fractions `from`, not `0.5` before `0.5`"
    );
}
