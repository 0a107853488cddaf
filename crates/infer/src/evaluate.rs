//! How well a model predicts a text.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};
use charloom_data::{Batches, Ids};
use charloom_model::{CharRnn, State, TrainedModel};
use thiserror::Error;

/// How well a model predicted a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// How many characters were predicted.
    pub chars: usize,
    /// Mean cross-entropy, in nats per character. Not a number if the network's logits are none.
    pub loss: f64,
    /// The part of the characters that were the likeliest of all, 0 to 1.
    pub accuracy: f64,
}

impl Evaluation {
    /// exp(loss): as uncertain as a choice among so many equally likely characters.
    pub fn perplexity(&self) -> f64 {
        self.loss.exp()
    }

    /// loss / ln 2: what the text would take, compressed with the model.
    pub fn bits_per_char(&self) -> f64 {
        self.loss / std::f64::consts::LN_2
    }
}

/// Why a model can't be evaluated.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// There is no character that has one before it.
    #[error("a text must have at least 2 characters to be predicted, not {chars}")]
    TooShort {
        /// How many there are.
        chars: usize,
    },
    /// The text was encoded with another vocabulary.
    #[error("the text has the character id {id}, but the network's are 0 to {}", vocab_size - 1)]
    UnknownId {
        /// An id that the network lacks.
        id: i32,
        /// The number of characters that it has, V.
        vocab_size: usize,
    },
    /// The callback asked to stop.
    #[error("the evaluation was stopped after {done} of {total}")]
    Stopped {
        /// How much was done, as the callback was told.
        done: usize,
        /// Of how much.
        total: usize,
    },
    /// The device failed at its work.
    #[error("the device could not compute the loss: {0}")]
    Device(#[from] TensorReadError),
}

/// Predicts every target of the batches. The rows' states start at zero and are carried from batch to
/// batch, as in training; nothing is dropped out.
///
/// `each_batch` is told how many batches of how many are done, and may end the work.
///
/// # Errors
/// If `each_batch` ends the work early, an id is not one of the network's, or the device fails.
pub fn evaluate(
    network: &CharRnn,
    batches: &Batches,
    device: &Device,
    each_batch: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let shape = [batches.config().batch_size, batches.config().seq_length];
    let mut inputs = vec![0; batches.chars_per_batch()];
    let mut targets = inputs.clone();
    let mut scores = Scores::new(network, device, shape[0]);
    for index in 0..batches.len() {
        batches.fill(index, &mut inputs, &mut targets);
        scores.add(&inputs, &targets, shape)?;
        go_on(each_batch, index + 1, batches.len())?;
    }
    Ok(scores.mean())
}

/// Predicts every character of a text but the first, each from all that stand before it.
///
/// So that no character loses its history, the text is read as a single row, which takes longer than
/// [`evaluate`] with many: there each row starts anew.
///
/// `each_piece` is told how many characters of how many are done, and may end the work.
///
/// # Errors
/// If the text has fewer than 2 characters, and those of [`evaluate`].
pub fn evaluate_text(
    model: &TrainedModel,
    ids: &Ids,
    each_piece: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    evaluate_in_pieces(model, ids, 256, each_piece)
}

fn evaluate_in_pieces(
    model: &TrainedModel,
    ids: &Ids,
    piece: usize,
    each_piece: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let total = match ids.len() {
        chars @ (0 | 1) => return Err(EvaluateError::TooShort { chars }),
        chars => chars - 1,
    };
    let device = model.network.fc.weight.val().device();
    let mut scores = Scores::new(&model.network, &device, 1);
    let mut both = vec![0; piece + 1];
    for start in (0..total).step_by(piece) {
        let t = piece.min(total - start);
        let both = &mut both[..t + 1];
        ids.copy_to(start, both);
        scores.add(&both[..t], &both[1..], [1, t])?;
        go_on(each_piece, start + t, total)?;
    }
    Ok(scores.mean())
}

/// Reports progress. Whoever wants to stop when all is done has the result anyway.
fn go_on(
    each: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    done: usize,
    total: usize,
) -> Result<(), EvaluateError> {
    match each(done, total) {
        ControlFlow::Break(()) if done < total => Err(EvaluateError::Stopped { done, total }),
        _ => Ok(()),
    }
}

/// Sums over the characters predicted so far.
struct Scores {
    network: CharRnn,
    device: Device,
    state: State,
    /// With a large vocabulary, T is cut so that no more logits than these exist at a time.
    logits_at_once: usize,
    chars: usize,
    nats: f64,
    hits: f64,
}

impl Scores {
    fn new(network: &CharRnn, device: &Device, n: usize) -> Self {
        // A network in training records what is done with it; this one must not.
        let (network, device) = (network.valid(), device.clone().without_autodiff());
        let state = network.zero_state(n, &device);
        let logits_at_once = 1 << 24; // 64 MB
        Self { network, device, state, logits_at_once, chars: 0, nats: 0.0, hits: 0.0 }
    }

    /// Predicts `targets` from `inputs`, both `[N, T]`, row by row.
    fn add(
        &mut self,
        inputs: &[i32],
        targets: &[i32],
        [n, t]: [usize; 2],
    ) -> Result<(), EvaluateError> {
        let v = self.network.vocab_size();
        // Not every backend checks, and a kernel that is handed a wrong id reads who knows what.
        let known = |id: i32| usize::try_from(id).is_ok_and(|id| id < v);
        if let Some(&id) = inputs.iter().chain(targets).find(|&&id| !known(id)) {
            return Err(EvaluateError::UnknownId { id, vocab_size: v });
        }
        let tensor = |ids: &[i32]| {
            Tensor::<2, Int>::from_data(TensorData::new(ids.to_vec(), [n, t]), &self.device)
        };
        let (inputs, targets) = (tensor(inputs), tensor(targets));
        let steps = (self.logits_at_once / (n * v)).clamp(1, t);
        for start in (0..t).step_by(steps) {
            let part = |ids: &Tensor<2, Int>| ids.clone().narrow(1, start, steps.min(t - start));
            self.add_part(part(&inputs), part(&targets))?;
        }
        self.chars += n * t;
        Ok(())
    }

    fn add_part(
        &mut self,
        inputs: Tensor<2, Int>,
        targets: Tensor<2, Int>,
    ) -> Result<(), TensorReadError> {
        let state = State(std::mem::take(&mut self.state.0));
        let (sums, state) = self.network.scores(inputs, targets, state); // [2]
        self.state = state;
        // Up to 2²⁴ hits are exact in f32.
        let sums: Vec<f32> = sums.try_into_vec_as()?;
        self.nats += f64::from(sums[0]);
        self.hits += f64::from(sums[1]);
        Ok(())
    }

    fn mean(&self) -> Evaluation {
        let chars = self.chars as f64;
        Evaluation { chars: self.chars, loss: self.nats / chars, accuracy: self.hits / chars }
    }
}

#[cfg(test)]
mod tests;
