//! The learning rates are those of PyTorch's schedulers.

mod goldens;

use charloom_train::{Moment, Plateau, Schedule};

const LR: f64 = 0.2;

/// The rates of one step in each of 12 epochs, or of each of 48 steps in one.
fn rates(schedule: Schedule, by_epoch: bool) -> Vec<f64> {
    let moment = |index: usize| match by_epoch {
        true => Moment { epoch: index + 1, step: 4 * index + 3, steps: 48 },
        false => Moment { epoch: 1, step: index, steps: 48 },
    };
    let count = if by_epoch { 12 } else { 48 };
    (0..count).map(|index| schedule.rate(LR, moment(index), &Plateau::default())).collect()
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
    let exponential = Schedule::Exponential { gamma: 0.97, from_epoch: 1 };
    are_the_goldens("exponential", &rates(exponential, true));
    let step = Schedule::Step { gamma: 0.5, every: 3, from_epoch: 3 };
    are_the_goldens("step", &rates(step, true));
}

#[test]
fn exponential_decay_from_a_later_epoch_is_char_rnns() {
    let schedule = Schedule::Exponential { gamma: 0.97, from_epoch: 5 };
    are_the_goldens("char_rnn", &rates(schedule, true));
    assert_eq!(rates(Schedule::Step { gamma: 0.97, every: 1, from_epoch: 5 }, true), {
        rates(schedule, true)
    });
}

#[test]
fn linear_and_cosine_are_pytorchs() {
    are_the_goldens("linear", &rates(Schedule::Linear { end_factor: 0.1 }, false));
    let cosine = Schedule::Cosine { end_factor: 0.05, warmup_steps: 7 };
    are_the_goldens("cosine", &rates(cosine, false));
}

#[test]
fn a_warmup_longer_than_the_training_never_reaches_the_full_rate() {
    let found = rates(Schedule::Cosine { end_factor: 0.0, warmup_steps: 48 }, false);
    assert!(found.iter().all(|rate| *rate > 0.0 && *rate < LR), "{found:?}");
    let moment = Moment { epoch: 1, step: 48, steps: 48 };
    let schedule = Schedule::Cosine { end_factor: 0.0, warmup_steps: 48 };
    assert_eq!(schedule.rate(LR, moment, &Plateau::default()), LR);
}

#[test]
fn the_rate_falls_on_a_plateau_as_pytorchs_does() {
    let schedule = Schedule::Plateau { factor: 0.5, patience: 2 };
    let mut plateau = Plateau::default();
    let losses = goldens::Golden::open("schedules").floats("plateau_losses");
    let moment = Moment { epoch: 1, step: 0, steps: 1 };
    let found: Vec<f64> = losses
        .iter()
        .map(|loss| {
            plateau.observe(&schedule, LR, f64::from(*loss));
            schedule.rate(LR, moment, &plateau)
        })
        .collect();
    are_the_goldens("plateau", &found);
    assert!(found[29] < LR / 16.0, "{found:?}");
}

#[test]
fn other_schedules_take_no_notice_of_losses() {
    let mut plateau = Plateau::default();
    for _ in 0..5 {
        plateau.observe(&Schedule::Constant, LR, 1.0);
    }
    assert_eq!(plateau, Plateau::default());
}
