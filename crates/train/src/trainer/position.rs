//! Where a training is: in the epoch, in the batch schedule, between evaluations.

use burn::tensor::{Int, Tensor, TensorData};
use charloom_data::{Batches, RowOffset, derive_seed};

use super::Trainer;
use crate::progress::TrainProgress;
use crate::{EpochState, EvalInterval};

impl Trainer {
    /// Whether all epochs or steps are done and evaluated, or the validation loss has stopped improving.
    pub fn is_finished(&self) -> bool {
        self.progress.is_finished(&self.config.train, self.total_steps())
    }

    /// Optimizer steps of the whole training.
    pub(crate) fn total_steps(&self) -> usize {
        self.train.total_steps(&self.config.train)
    }

    /// Whether the settings ask for an evaluation before the next step.
    pub fn evaluation_is_due(&self) -> bool {
        let TrainProgress { epoch, step, last_scheduled_eval_step, .. } = self.progress;
        step > last_scheduled_eval_step
            && match self.config.train.eval_every {
                EvalInterval::Epochs(every) => self.epoch_is_over() && epoch.is_multiple_of(every),
                EvalInterval::Steps(every) => step.is_multiple_of(every),
            }
    }

    pub(crate) fn epoch_is_over(&self) -> bool {
        self.progress.batch == self.batches().len()
    }

    pub(crate) fn start_next_epoch(&mut self) {
        (self.progress.epoch, self.progress.batch) = (self.progress.epoch + 1, 0);
        if self.config.train.state == EpochState::Reset {
            self.state = None;
        }
    }

    /// Changes the sizes of the batches where the schedule says so before the next step. The training continues at the same
    /// fraction of the epoch. The state starts at zero: the rows of the new batches are elsewhere in the text.
    pub(super) fn enter_phase(&mut self, total_steps: usize) {
        let progress = &mut self.progress;
        let phase = self.train.phase_of(progress.step, total_steps);
        if phase != progress.phase {
            progress.batch =
                self.train.batch_at_same_fraction(progress.batch, progress.phase, phase);
            progress.phase = phase;
            self.state = None;
        }
    }

    /// The batches of the phase that the training is in.
    pub(super) fn batches(&self) -> &Batches {
        self.train.batches(self.progress.phase)
    }

    /// Characters in a batch of the phase that the training is in.
    pub(crate) fn chars_per_step(&self) -> usize {
        self.batches().chars_per_batch()
    }

    /// Training characters by training time, since the last evaluation.
    pub(crate) fn chars_per_second(&self) -> f64 {
        let window = self.progress.window;
        window.chars as f64 / window.seconds
    }

    /// Inputs and targets of the rows of a batch that are copied, `[N, T]` each.
    pub(super) fn batch(
        &self,
        batches: &Batches,
        epoch: usize,
        index: usize,
    ) -> (Tensor<2, Int>, Tensor<2, Int>) {
        let shape = batches.shape();
        let mut inputs = vec![0; shape.iter().product()];
        let mut targets = inputs.clone();
        match self.config.data.row_offset {
            RowOffset::Fixed => batches.fill(index, &mut inputs, &mut targets),
            RowOffset::Random => {
                // The complement: another seed than that of the epoch's dropout.
                let seed = derive_seed(!self.config.train.seed, epoch as u64);
                batches.fill_random(index, seed, &mut inputs, &mut targets);
            }
        }
        let tensor = |ids| Tensor::from_data(TensorData::new(ids, shape), &self.device);
        (tensor(inputs), tensor(targets))
    }
}
