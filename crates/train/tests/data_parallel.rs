//! Several ranks train the model that one process trains. The ranks are threads here.

mod runs;

use burn::tensor::Device;
use charloom_data::{BatchChange, RowOffset, Validation};
use charloom_model::{Cell, Readout};
use charloom_train::settings::SgdConfig;
use charloom_train::{
    EvalInterval, GradClip, LossReduction, OptimizerConfig, Outcome, RunConfig, TrainError,
};
use runs::{Run, config};

/// 20 steps with SGD: Adam divides small gradients by their size, so what rounding changes grows. Batches of 6 rows, which 4
/// and 5 ranks share unevenly.
fn short(change: impl FnOnce(&mut RunConfig)) -> RunConfig {
    config(|config| {
        (config.data.batch_size, config.train.max_steps, config.train.epochs) = (6, 20, 9);
        config.train.optimizer =
            OptimizerConfig::Sgd(SgdConfig { lr: 0.5, ..SgdConfig::default() });
        config.train.eval_every = EvalInterval::Steps(10);
        config.model.dropout = 0.5;
        change(config);
    })
}

#[track_caller]
fn train(ranks: usize, config: &RunConfig) -> Run {
    let run = Run::new("run").with_ranks(ranks);
    run.train(config.clone(), &Device::flex()).unwrap();
    run
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs() / expected.abs();
        assert!(error <= tolerance, "{what}: {found}, expected {expected}");
    }
}

fn valid_losses(run: &Run) -> Vec<f64> {
    let told = run.told.lock().unwrap();
    told.evaluations.iter().map(|report| report.metrics.valid_loss).collect()
}

/// Trains with 2 to 5 ranks, and compares the losses with those of one.
#[track_caller]
fn trains_as_one_process(change: impl Fn(&mut RunConfig)) {
    let config = short(change);
    let one = train(1, &config);
    for ranks in 2..=5 {
        let several = train(ranks, &config);
        near(&several.losses(), &one.losses(), 1e-5, &format!("{ranks} ranks"));
        near(&valid_losses(&several), &valid_losses(&one), 1e-5, &format!("{ranks} ranks"));
    }
}

#[test]
fn every_cell_is_trained_as_by_one_process() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Tanh] {
        trains_as_one_process(|config| config.model.cell = cell);
    }
}

#[test]
fn a_summed_loss_is_trained_as_by_one_process() {
    trains_as_one_process(|config| {
        config.train.loss = LossReduction::Sum;
        config.train.clip = GradClip::Norm(0.5);
    });
}

#[test]
fn every_dropout_is_that_of_one_process() {
    trains_as_one_process(|config| {
        config.model.readout = Readout::Sum;
        (config.model.input_dropout, config.model.weight_drop) = (0.2, 0.3);
        config.train.dropout_ramp = 0.5;
    });
}

#[test]
fn averages_quantiles_and_random_rows_are_those_of_one_process() {
    trains_as_one_process(|config| {
        config.train.clip = GradClip::Quantile(0.5);
        config.train.ema = 0.9;
        config.data.row_offset = RowOffset::Random;
        config.data.validation = Validation::Rows;
    });
}

#[test]
fn a_batch_schedule_is_followed_as_by_one_process() {
    trains_as_one_process(|config| {
        let change = BatchChange { from: 0.5, batch_size: Some(9), seq_length: Some(5) };
        config.data.batch_schedule = vec![change];
    });
}

/// The file of the carried state in the run's only checkpoint.
fn state(run: &Run) -> Vec<u8> {
    let checkpoint = run.told.lock().unwrap().checkpoints.last().unwrap().clone();
    std::fs::read(checkpoint.join("state.safetensors")).unwrap()
}

#[test]
fn the_state_after_a_batch_has_the_bits_of_one_process() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Tanh] {
        let config = short(|config| config.model.cell = cell);
        let after_one = |ranks| {
            let run = Run::new("run").with_ranks(ranks).stopping_after(1);
            run.train(config.clone(), &Device::flex()).unwrap();
            state(&run)
        };
        let one = after_one(1);
        for ranks in [2, 3, 5] {
            assert!(after_one(ranks) == one, "{cell}, {ranks} ranks");
        }
    }
}

#[test]
fn the_validation_loss_is_that_of_one_process() {
    for validation in [Validation::All, Validation::Rows] {
        let config = short(|config| {
            (config.train.max_steps, config.data.validation) = (1, validation);
            (config.data.batch_size, config.data.seq_length) = (5, 8);
        });
        let one = train(1, &config);
        for ranks in [2, 3, 5] {
            let several = train(ranks, &config);
            near(&valid_losses(&several), &valid_losses(&one), 1e-6, &format!("{ranks} ranks"));
        }
    }
}

#[test]
fn the_same_number_of_ranks_gives_the_same_bits() {
    let config = short(|config| config.model.layers = 2);
    let [first, second] = [(); 2].map(|()| train(3, &config));
    assert_eq!(first.losses(), second.losses());
    assert_eq!(first.model().network.parameters(), second.model().network.parameters());
}

#[test]
fn a_run_is_resumed_with_any_number_of_ranks() {
    let config = short(|config| config.train.eval_every = EvalInterval::Steps(20));
    let whole = train(1, &config);
    let mut run = Run::new("run").with_ranks(2).stopping_after(7);
    let outcome = run.train(config.clone(), &Device::flex()).unwrap();
    assert_eq!(outcome, Outcome::Interrupted { step: 7 });
    run = run.with_ranks(3).stopping_after(6);
    assert_eq!(run.resume(config.clone()).unwrap(), Outcome::Interrupted { step: 13 });
    (run.ranks, run.stop_after) = (1, None);
    run.resume(config).unwrap();
    near(&run.losses(), &whole.losses(), 1e-5, "resumed");
    let metrics = std::fs::read_to_string(run.folder.metrics()).unwrap();
    assert_eq!(metrics.lines().count(), 2, "{metrics}");
}

#[test]
fn the_same_ranks_resume_with_the_same_bits() {
    let config = short(|_| {});
    let whole = train(2, &config);
    let mut run = Run::new("run").with_ranks(2).stopping_after(7);
    run.train(config.clone(), &Device::flex()).unwrap();
    run.stop_after = None;
    run.resume(config).unwrap();
    assert_eq!(run.losses(), whole.losses());
    assert_eq!(run.model().network.parameters(), whole.model().network.parameters());
}

#[test]
fn the_fraction_of_communication_is_reported_where_there_is_any() {
    let config = short(|_| {});
    let column = |ranks| {
        let run = train(ranks, &config);
        let steps = run.told.lock().unwrap().steps.clone();
        let rows = run.folder.read_metrics().unwrap();
        (steps.iter().all(|step| step.communication > 0.0), rows[0].communication)
    };
    assert_eq!(column(1), (false, None));
    let (in_steps, in_row) = column(2);
    assert!(in_steps && in_row.is_some_and(|part| part > 0.0 && part < 1.0), "{in_row:?}");
}

#[test]
fn all_ranks_notice_at_the_same_step_that_training_diverges() {
    let config = short(|config| {
        config.model.cell = Cell::Relu;
        config.train.clip = GradClip::None;
        config.train.optimizer =
            OptimizerConfig::Sgd(SgdConfig { lr: 1e4, ..SgdConfig::default() });
    });
    let run = Run::new("run").with_ranks(3);
    let error = run.train(config, &Device::flex()).unwrap_err();
    assert!(matches!(error, TrainError::NotFinite { .. }), "{error}");
}

#[test]
fn more_ranks_than_rows_are_refused() {
    let run = Run::new("run").with_ranks(4);
    let config = short(|config| config.data.batch_size = 3);
    let error = run.train(config, &Device::flex()).unwrap_err();
    let message = "a batch has 3 rows, but 4 processes need at least one each";
    assert_eq!(error.to_string(), message);
}
