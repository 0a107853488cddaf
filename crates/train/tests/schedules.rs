//! The learning rates are those of PyTorch's schedulers.

mod goldens;

use charloom_train::settings::Constant;
use charloom_train::{LrSchedule, PlateauState};

const LR: f64 = 0.2;

/// The rates of one step in each of 12 epochs, or of each of 48 steps in one.
fn rates(schedule: LrSchedule, by_epoch: bool) -> Vec<f64> {
    let rate = |index: usize| match by_epoch {
        true => schedule.lr(LR, index + 1, 4 * index + 3, 48, &PlateauState::default()),
        false => schedule.lr(LR, 1, index, 48, &PlateauState::default()),
    };
    (0..if by_epoch { 12 } else { 48 }).map(rate).collect()
}

#[track_caller]
fn are_the_goldens(name: &str, found: &[f64]) {
    let expected = goldens::Golden::open("schedules").floats(name);
    assert_eq!(expected.len(), found.len());
    for (index, (theirs, ours)) in expected.iter().zip(found).enumerate() {
        let theirs = f64::from(*theirs);
        assert!(
            (theirs - ours).abs() <= 1e-6 * theirs,
            "{name} {index}: PyTorch {theirs}, here {ours}"
        );
    }
}

#[test]
fn exponential_and_step_decay_are_pytorchs() {
    let exponential = LrSchedule::Exponential { gamma: 0.97, from_epoch: 1 };
    are_the_goldens("exponential", &rates(exponential, true));
    let step = LrSchedule::Step { gamma: 0.5, every: 3, from_epoch: None };
    are_the_goldens("step", &rates(step, true));
}

#[test]
fn exponential_decay_from_a_later_epoch_is_char_rnns() {
    let schedule = LrSchedule::Exponential { gamma: 0.97, from_epoch: 5 };
    are_the_goldens("char_rnn", &rates(schedule, true));
    assert_eq!(rates(LrSchedule::Step { gamma: 0.97, every: 1, from_epoch: Some(5) }, true), {
        rates(schedule, true)
    });
}

#[test]
fn linear_and_cosine_are_pytorchs() {
    let linear = LrSchedule::Linear { end_factor: 0.1, warmup_steps: 0 };
    are_the_goldens("linear", &rates(linear, false));
    let warmed_up = LrSchedule::Linear { end_factor: 0.05, warmup_steps: 7 };
    are_the_goldens("linear_warmup", &rates(warmed_up, false));
    let cosine = LrSchedule::Cosine { end_factor: 0.05, warmup_steps: 7 };
    are_the_goldens("cosine", &rates(cosine, false));
}

#[test]
fn a_warmup_longer_than_the_training_never_reaches_the_full_rate() {
    let found = rates(LrSchedule::Cosine { end_factor: 0.0, warmup_steps: 48 }, false);
    assert!(found.iter().all(|rate| *rate > 0.0 && *rate < LR), "{found:?}");
    let schedule = LrSchedule::Cosine { end_factor: 0.0, warmup_steps: 48 };
    assert_eq!(schedule.lr(LR, 1, 48, 48, &PlateauState::default()), LR);
}

#[test]
fn the_rate_falls_on_a_plateau_as_pytorchs_does() {
    let schedule = LrSchedule::Plateau { factor: 0.5, patience: 2 };
    let mut plateau = PlateauState::default();
    let losses = goldens::Golden::open("schedules").floats("plateau_losses");
    let found: Vec<f64> = losses
        .iter()
        .map(|loss| {
            plateau.observe(&schedule, LR, f64::from(*loss));
            schedule.lr(LR, 1, 0, 1, &plateau)
        })
        .collect();
    are_the_goldens("plateau", &found);
    assert!(found[29] < LR / 16.0, "{found:?}");
}

#[test]
fn other_schedules_take_no_notice_of_losses() {
    let mut plateau = PlateauState::default();
    for _ in 0..5 {
        plateau.observe(&LrSchedule::Constant(Constant::Constant), LR, 1.0);
    }
    assert_eq!(plateau, PlateauState::default());
}
