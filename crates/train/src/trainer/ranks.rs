//! What the ranks of a process group share: rows, decisions, the state that a checkpoint holds.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::rc::Rc;

use burn::tensor::Tensor;
use charloom_data::{Validation, rows_of_rank};
use charloom_infer::{EvaluateError, Evaluation, evaluate_rows, evaluate_share};
use charloom_model::{CharRnn, State};

use super::Trainer;
use crate::checkpoint::{Checkpoint, state_from_bytes, state_to_bytes};
use crate::{ProcessGroup, TrainError};

impl Trainer {
    /// Trains together with the other ranks of `group`, which call this too: each computes a share of the rows of every
    /// batch. All get the weights and everything else from rank 0, so only its trainer need be resumed, or initialised from
    /// a model.
    ///
    /// From here on all ranks call [`step`](Self::step), [`evaluate`](Self::evaluate) and so on together; rank 0 calls
    /// [`run`](Self::run) and [`save`](Self::save) where the others call [`follow`](Self::follow) and
    /// [`join_save`](Self::join_save).
    ///
    /// # Errors
    /// If a batch has fewer rows than there are ranks, or the state of rank 0 can't be sent or used.
    pub fn with_group(mut self, group: Rc<dyn ProcessGroup>) -> Result<Self, TrainError> {
        let ranks = group.size();
        let rows = self.config.data.batch_phases().iter().map(|(_, size)| size.batch_size).min();
        if let Some(rows) = rows.filter(|rows| *rows < ranks) {
            return Err(TrainError::FewerRowsThanRanks { rows, ranks });
        }
        self.group = group;
        self.share_state()?;
        Ok(self)
    }

    /// Takes over weights, optimizer state, carried state and progress of rank 0, which has the carried state of all rows.
    pub(crate) fn share_state(&mut self) -> Result<(), TrainError> {
        if self.group.size() > 1 {
            let mut bytes = match self.group.rank() {
                0 => self.checkpoint_info().to_bytes(self.contents(self.state.as_ref()))?,
                _ => Vec::new(),
            };
            self.group.broadcast(&mut bytes);
            if self.group.rank() > 0 {
                let from = Path::new("rank 0");
                self.restore(Checkpoint::from_bytes(&bytes, from, &self.device)?, from)?;
            }
            let Range { start, end } = self.rows();
            let own = |layer: Tensor<3>| layer.narrow(1, start, end - start);
            let state = self.state.take();
            self.state = state.map(|state| State(state.0.into_iter().map(own).collect()));
        }
        Ok(())
    }

    /// The rows of a batch that this rank computes.
    pub(super) fn rows(&self) -> Range<usize> {
        let rows = self.batches().config().batch_size;
        rows_of_rank(rows, self.group.rank(), self.group.size())
    }

    /// Whether any rank wants each of these things: what depends on a clock, a signal or a disk is decided together.
    pub(crate) fn any_rank<const K: usize>(&self, wishes: [bool; K]) -> [bool; K] {
        let mut counts = wishes.map(|wish| f64::from(u8::from(wish)));
        self.group.all_reduce_f64(&mut counts);
        counts.map(|count| count > 0.0)
    }

    /// The carried state of all rows, on rank 0; all ranks call this together.
    pub(crate) fn gather_state(&self) -> Option<State> {
        let state = self.state.as_ref()?;
        if self.group.size() == 1 {
            return Some(state.clone());
        }
        let parts = self.group.gather(&state_to_bytes(state).expect("a state is made of tensors"));
        let parts: Vec<State> = (parts.iter())
            .map(|part| state_from_bytes(part, &self.device).expect("ranks send states"))
            .collect();
        let layer = |index: usize| {
            Tensor::cat(parts.iter().map(|part| part.0[index].clone()).collect(), 1) // [S, N, H]
        };
        (!parts.is_empty()).then(|| State((0..state.0.len()).map(layer).collect()))
    }

    /// Takes part in a checkpoint that rank 0 [`save`](Self::save)s.
    ///
    /// # Errors
    /// If a weight is NaN or infinite, which all ranks notice.
    pub fn join_save(&self) -> Result<(), TrainError> {
        self.gather_state();
        self.check_weights()
    }

    /// The evaluation of a network on the validation part, of which this rank does a share.
    pub(super) fn evaluate_together(
        &self,
        network: &CharRnn,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Evaluation, TrainError> {
        let (rank, ranks) = (self.group.rank(), self.group.size());
        let share = match self.config.data.validation {
            Validation::All => evaluate_share(network, &self.valid, rank, ranks, progress),
            Validation::Rows => {
                let batches = self.valid_batches()?;
                let rows = rows_of_rank(batches.config().batch_size, rank, ranks);
                evaluate_rows(network, &batches.of_rows(rows), progress).map(Some)
            }
        };
        if ranks == 1 {
            return Ok(share?.expect("one process has all rows"));
        }
        // What ends the evaluation on one rank ends it on all.
        let (mut sums, mut stopped) = ([0.0; 3], None);
        match share {
            Ok(None) => {}
            Ok(Some(Evaluation { chars, loss, accuracy })) => {
                sums = [1.0, loss, accuracy].map(|mean| mean * chars as f64);
            }
            Err(EvaluateError::NotFinite { loss }) => sums[1] = loss,
            Err(error @ EvaluateError::Stopped { .. }) => stopped = Some(error),
            Err(error) => return Err(error.into()),
        }
        let [anywhere] = self.any_rank([stopped.is_some()]);
        self.group.all_reduce_f64(&mut sums);
        let [chars, loss, hits] = sums;
        if anywhere {
            let (done, total) = (chars as usize, self.valid.len());
            return Err(stopped.unwrap_or(EvaluateError::Stopped { done, total }).into());
        }
        let loss = loss / chars;
        match loss.is_finite() {
            true => Ok(Evaluation { chars: chars as usize, loss, accuracy: hits / chars }),
            false => Err(EvaluateError::NotFinite { loss }.into()),
        }
    }
}
