//! [`BatchPhases`]: the training part of a text, divided into batches again at each change of `data.batch_schedule`.

use charloom_data::{BatchError, Batches, Corpus, DataConfig, Ids, Part};

use crate::{TrainConfig, TrainError};

/// The batches of a training. A phase is the part of it in which they have the same size; without a schedule there is one.
#[derive(Clone, Debug)]
pub(crate) struct BatchPhases {
    /// From the first to the last; there is at least one.
    phases: Vec<Phase>,
}

#[derive(Clone, Debug)]
struct Phase {
    /// Fraction of the training's steps that are taken before it.
    from: f64,
    /// Fraction of the training's steps that are taken in it.
    weight: f64,
    batches: Batches,
}

impl BatchPhases {
    /// Cuts the training part of a text into batches of the sizes of each phase.
    ///
    /// # Errors
    /// If the text is too short for a batch of some phase.
    pub fn new(config: &DataConfig, ids: &Ids) -> Result<Self, TrainError> {
        let sizes = config.batch_phases();
        let ends = sizes.iter().skip(1).map(|(from, _)| *from).chain([1.0]);
        let phases = sizes.iter().zip(ends).enumerate().map(|(index, (&(from, size), end))| {
            let batches = Batches::new(ids.clone(), size).map_err(|error| {
                match (index, error.in_part(Part::Train)) {
                    (0, error) => TrainError::Batches(error),
                    (_, BatchError::Zero(size)) => BatchError::Zero(size).into(),
                    (_, BatchError::TooShort(source)) => {
                        TrainError::BatchSchedule { change: index - 1, source }
                    }
                }
            })?;
            Ok(Phase { from, weight: end - from, batches })
        });
        Ok(Self { phases: phases.collect::<Result<_, TrainError>>()? })
    }

    /// The same, of the training part of a corpus.
    ///
    /// # Errors
    /// Those of [`Self::new`], and if nothing is left to train on.
    pub fn of_corpus(config: &DataConfig, corpus: &Corpus) -> Result<Self, TrainError> {
        let split = corpus.split(config.fractions()?);
        Self::new(config, &corpus.ids().slice(split.train))
    }

    /// The number of phases.
    pub fn len(&self) -> usize {
        self.phases.len()
    }

    /// The batches of a phase, from 0.
    pub fn batches(&self, phase: usize) -> &Batches {
        &self.phases[phase].batches
    }

    /// Optimizer steps of the whole training.
    pub fn total_steps(&self, config: &TrainConfig) -> usize {
        let all = self.steps_of_epochs(config.epochs);
        if config.max_steps > 0 { all.min(config.max_steps) } else { all }
    }

    /// Steps of so many epochs.
    ///
    /// A step of phase k is the fraction 1 / B_k of an epoch of B_k batches. So E epochs take S steps with
    /// E = S · Σ w_k / B_k, where w_k is the phase's fraction of the steps.
    pub fn steps_of_epochs(&self, epochs: usize) -> usize {
        match self.phases.as_slice() {
            [only] => epochs.saturating_mul(only.batches.len()),
            // A float that is too large becomes the largest integer.
            _ => ((epochs as f64 / self.epochs_per_step()).round() as usize).max(1),
        }
    }

    /// The fewest epochs that have so many steps.
    pub fn epochs_of_steps(&self, steps: usize) -> usize {
        let mut epochs = (steps as f64 * self.epochs_per_step()) as usize;
        while self.steps_of_epochs(epochs) < steps {
            epochs += 1;
        }
        epochs.max(1)
    }

    /// The mean over all steps of the fraction of an epoch that a step is.
    fn epochs_per_step(&self) -> f64 {
        self.phases.iter().map(|phase| phase.weight / phase.batches.len() as f64).sum()
    }

    /// The mean over all steps of the characters in a batch.
    pub fn chars_per_step(&self) -> f64 {
        let chars = |phase: &Phase| phase.weight * phase.batches.chars_per_batch() as f64;
        self.phases.iter().map(chars).sum()
    }

    /// The phase in which a step is taken, both from 0.
    pub fn phase_of(&self, step: usize, total_steps: usize) -> usize {
        let starts = |phase: &Phase| phase.first_step(total_steps);
        self.phases.iter().rposition(|phase| starts(phase) <= step).unwrap_or(0)
    }

    /// The batch of phase `to` that is at the same fraction of an epoch as `batch` in phase `from`; the one before where it is
    /// between two.
    pub fn batch_at_same_fraction(&self, batch: usize, from: usize, to: usize) -> usize {
        batch * self.batches(to).len() / self.batches(from).len()
    }

    /// Characters in the batches of all steps after the first `steps`.
    pub fn chars_left(&self, steps: usize, total_steps: usize) -> usize {
        let ends = self.phases.iter().skip(1).map(|phase| phase.first_step(total_steps));
        let phases = self.phases.iter().zip(ends.chain([total_steps]));
        let left = phases.map(|(phase, end)| {
            let first = phase.first_step(total_steps).max(steps);
            end.saturating_sub(first).saturating_mul(phase.batches.chars_per_batch())
        });
        left.fold(0, usize::saturating_add)
    }
}

impl Phase {
    /// Steps that are taken before it.
    fn first_step(&self, total_steps: usize) -> usize {
        (self.from * total_steps as f64).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use charloom_data::{BatchChange, Vocab};

    use super::*;

    /// 1,201 characters in batches of 5 x 8, and of other sizes from two thirds on: 30 batches an epoch, then 15 of 10 x 8.
    fn phases(schedule: Vec<BatchChange>) -> Result<BatchPhases, TrainError> {
        let text = "abc".repeat(400) + "\n";
        let config = DataConfig {
            batch_size: 5,
            seq_length: 8,
            batch_schedule: schedule,
            ..DataConfig::default()
        };
        BatchPhases::new(&config, &Vocab::from_text(&text).encode(&text).unwrap())
    }

    fn change(from: f64, batch_size: Option<usize>, seq_length: Option<usize>) -> BatchChange {
        BatchChange { from, batch_size, seq_length }
    }

    #[test]
    fn without_a_schedule_an_epoch_has_as_many_steps_as_batches() {
        let phases = phases(Vec::new()).unwrap();
        assert_eq!((phases.len(), phases.batches(0).len()), (1, 30));
        assert_eq!(phases.steps_of_epochs(7), 210);
        assert_eq!(phases.steps_of_epochs(usize::MAX), usize::MAX);
        // 30, 31, 60 and 61 steps.
        assert_eq!([30, 31, 60, 61].map(|steps| phases.epochs_of_steps(steps)), [1, 2, 2, 3]);
        assert_eq!([0, 29, 1000].map(|step| phases.phase_of(step, 210)), [0, 0, 0]);
        assert_eq!(phases.chars_left(200, 210), 10 * 40);
    }

    #[test]
    fn the_number_of_steps_follows_from_the_batches_of_each_phase() {
        let phases = phases(vec![change(0.5, Some(10), None)]).unwrap();
        assert_eq!((phases.len(), phases.batches(1).len()), (2, 15));
        // Of 40 steps, 20 are two thirds of an epoch of 30, and 20 are four thirds of an epoch of 15: two epochs.
        assert_eq!(phases.steps_of_epochs(2), 40);
        assert_eq!(phases.epochs_of_steps(40), 2);
        assert_eq!(phases.epochs_of_steps(41), 3);
        assert_eq!([0, 19, 20, 39, 99].map(|step| phases.phase_of(step, 40)), [0, 0, 1, 1, 1]);
        // The mean of 40 and 80 characters.
        assert_eq!(phases.chars_per_step(), 60.0);
        assert_eq!(phases.chars_left(18, 40), 2 * 40 + 20 * 80);
        assert_eq!(phases.chars_left(35, 40), 5 * 80);
        assert_eq!(phases.chars_left(41, 40), 0);
        let limited = TrainConfig { epochs: 2, max_steps: 10, ..TrainConfig::default() };
        assert_eq!(phases.total_steps(&limited), 10);
        assert_eq!(phases.phase_of(5, 10), 1);
    }

    #[test]
    fn a_size_that_a_change_does_not_name_stays_and_the_place_in_the_epoch_too() {
        let changes = vec![change(0.25, Some(10), None), change(0.5, None, Some(24))];
        let phases = phases(changes).unwrap();
        let sizes = (0..3).map(|phase| phases.batches(phase).config());
        let sizes: Vec<_> = sizes.map(|size| (size.batch_size, size.seq_length)).collect();
        assert_eq!(sizes, [(5, 8), (10, 8), (10, 24)]);
        let batches: Vec<_> = (0..3).map(|phase| phases.batches(phase).len()).collect();
        assert_eq!(batches, [30, 15, 5]);
        // 8.5, 4.83 and 24.
        assert_eq!(phases.batch_at_same_fraction(17, 0, 1), 8);
        assert_eq!(phases.batch_at_same_fraction(29, 0, 2), 4);
        assert_eq!(phases.batch_at_same_fraction(4, 2, 0), 24);
    }

    #[test]
    fn a_batch_that_the_text_is_too_short_for_is_refused_with_its_change() {
        let changes = vec![change(0.5, Some(10), None), change(0.6, None, Some(121))];
        match phases(changes).unwrap_err() {
            error @ TrainError::BatchSchedule { change: 1, .. } => assert_eq!(
                error.to_string(),
                "`data.batch_schedule[1]`: the training part has 1201 characters, but one batch of 10 rows x 121 steps \
                 needs 1211"
            ),
            other => panic!("{other}"),
        }
    }
}
