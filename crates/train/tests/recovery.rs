//! A training that diverges goes back and continues at half the learning rate, interrupted or not.

mod runs;

use burn::prelude::*;
use charloom_train::settings::SgdConfig;
use charloom_train::{EvalInterval, GradClip, LrSchedule, OptimizerConfig, RunConfig, TrainError};
use runs::{Run, Start, config, text};

/// A training whose learning rate is multiplied by `gamma` after its first epoch of 24 steps. Gradients are clipped so small
/// that updates are of order 1 as long as the rate is below 3.4e38; beyond, it is infinite in single precision.
fn growing(gamma: f64) -> impl Fn(&mut RunConfig) {
    move |config| {
        config.train.optimizer =
            OptimizerConfig::Sgd(SgdConfig { lr: 1e38, ..SgdConfig::default() });
        config.train.clip = GradClip::Norm(1e-38);
        config.train.schedule = LrSchedule::Exponential { gamma, from_epoch: 1 };
    }
}

/// The last column of metrics.csv.
fn recoveries(run: &Run) -> Vec<String> {
    let text = std::fs::read_to_string(run.folder.metrics()).unwrap();
    text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().to_owned()).collect()
}

#[test]
fn a_training_that_diverges_goes_back_to_its_last_evaluation_at_half_the_learning_rate() {
    let run = Run::new("run");
    run.train(config(growing(12.0)), &Device::flex()).unwrap();
    let told = run.told.lock().unwrap();
    assert_eq!(told.recoveries, [(24, 1), (24, 2)]);
    let rates: Vec<f64> = told.steps.iter().map(|step| step.learning_rate).collect();
    assert_eq!(rates[23], 1e38);
    assert!((rates.last().unwrap() / 3e38 - 1.0).abs() < 1e-12, "{rates:?}");
    drop(told);
    assert_eq!(recoveries(&run), ["0", "2"]);
}

#[test]
fn a_training_that_diverges_before_its_first_evaluation_starts_again() {
    let later = |config: &mut RunConfig| {
        growing(12.0)(config);
        config.train.eval_every = EvalInterval::Epochs(2);
    };
    let first = Run::new("first");
    first.train(config(|_| {}), &Device::flex()).unwrap();
    for start in [Start::New, Start::From(Box::new(first.model()))] {
        let run = Run::new("run");
        run.launch(config(later), &Device::flex(), start, &text()).unwrap();
        let told = run.told.lock().unwrap();
        assert_eq!(told.recoveries, [(0, 1), (0, 2)]);
        let starts: Vec<_> = told.steps.iter().filter(|step| step.step == 1).collect();
        assert_eq!(starts.len(), 3);
        assert!(starts.iter().all(|step| step.loss == starts[0].loss), "from the same weights");
        drop(told);
        assert_eq!(recoveries(&run), ["2"]);
    }
}

#[test]
fn an_interrupted_run_recovers_as_an_uninterrupted_one() {
    let whole = Run::new("whole");
    whole.train(config(growing(12.0)), &Device::flex()).unwrap();
    // In the first epoch, at its end, with weights that aren't finite, after one recovery, after both.
    for steps in [10, 24, 25, 26, 27, 40] {
        let mut run = Run::new("stopped").stopping_after(steps);
        run.train(config(growing(12.0)), &Device::flex()).unwrap();
        run.stop_after = None;
        run.resume(config(growing(12.0))).unwrap();
        assert_eq!(run.losses(), whole.losses(), "stopped after {steps}");
        assert_eq!(run.rows(), whole.rows(), "stopped after {steps}");
        assert_eq!(recoveries(&run), recoveries(&whole), "stopped after {steps}");
        assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
    }
}

#[test]
fn after_so_many_recoveries_divergence_is_an_error_and_another_learning_rate_helps() {
    for (recover, gone_back) in [(0, 0), (1, 1), (3, 3)] {
        let run = Run::new("run");
        let wild = |config: &mut RunConfig| {
            growing(1e30)(config);
            config.train.recover = recover;
        };
        let error = run.train(config(wild), &Device::flex()).unwrap_err();
        assert!(matches!(error, TrainError::NotFinite { .. }), "{error}");
        assert_eq!(run.told.lock().unwrap().recoveries.len(), gone_back);
        if recover > 0 {
            let tame = |config: &mut RunConfig| {
                wild(config);
                config.train.schedule = LrSchedule::default();
            };
            run.resume(config(tame)).unwrap();
            assert_eq!(run.told.lock().unwrap().steps.last().unwrap().learning_rate, 1e38);
            assert_eq!(recoveries(&run), ["0", "0"]);
        }
    }
}
