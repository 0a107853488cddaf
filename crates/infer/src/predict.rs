//! [`Predictions`]: what a model expected at each place of a text.

use std::collections::VecDeque;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};
use charloom_data::Ids;
use charloom_model::{CharRnn, State, TrainedModel};
use thiserror::Error;

use crate::sampling::NotFinite;

/// What a model expected where a character stands, given all the characters before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The character that stands there.
    pub id: u32,
    /// ln p of it, in nats: 0 is certainty, minus infinity impossibility.
    pub log_prob: f64,
    /// The likeliest characters, likeliest first; of equals the one with the lowest id.
    pub guesses: Vec<Guess>,
    /// Whether it was the likeliest of all.
    pub hit: bool,
}

/// A character that may come next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// The character.
    pub id: u32,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// Why a text can't be predicted.
#[derive(Debug, Error)]
pub enum PredictError {
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
        id: u32,
        /// The number of characters that it has, V.
        vocab_size: usize,
    },
    /// The network's logits are not numbers, as after a training that diverged.
    #[error("the network's logits are not finite numbers, so no character has a probability")]
    NotFinite,
    /// The device failed at its work.
    #[error("the device could not compute the probabilities: {0}")]
    Device(#[from] TensorReadError),
}

/// Predicts every character of a text but the first, each from all that stand before it, as
/// [`evaluate_text`](crate::evaluate_text) does: one [`Prediction`] a character, with the `top`
/// likeliest guesses.
///
/// The text is read in pieces as the predictions are asked for, so however long it is, only a piece's
/// are in memory. After an error there are no more.
#[derive(Debug)]
pub struct Predictions {
    network: CharRnn,
    device: Device,
    state: State,
    ids: Ids,
    top: usize,
    /// Characters at a time.
    piece: usize,
    /// So many characters of the text have been read by the network.
    read: usize,
    ready: VecDeque<Prediction>,
}

/// Begins to predict a text.
///
/// # Errors
/// If the text has fewer than 2 characters, or an id that is none of the network's.
pub fn predict(model: &TrainedModel, ids: &Ids, top: usize) -> Result<Predictions, PredictError> {
    if ids.len() < 2 {
        return Err(PredictError::TooShort { chars: ids.len() });
    }
    // A network in training records what is done with it; this one must not.
    let network = model.network.valid();
    let vocab_size = network.vocab_size();
    // Not every backend checks, and a kernel that is handed a wrong id reads who knows what.
    if let Some(id) = ids.iter().find(|&id| id as usize >= vocab_size) {
        return Err(PredictError::UnknownId { id, vocab_size });
    }
    let device = network.fc.weight.val().device();
    let state = network.zero_state(1, &device);
    let (ids, piece, ready) = (ids.clone(), piece(1, vocab_size), VecDeque::new());
    Ok(Predictions { network, device, state, ids, top, piece, read: 0, ready })
}

/// So many characters of each of `rows` texts are read at a time: with a large vocabulary fewer, so that
/// no more than 16 MB of logits exist at once.
pub(crate) fn piece(rows: usize, vocab_size: usize) -> usize {
    ((1 << 22) / (rows * vocab_size)).clamp(1, 256)
}

impl Predictions {
    /// Has the network read the next piece.
    fn advance(&mut self) -> Result<(), PredictError> {
        let t = self.piece.min(self.ids.len() - 1 - self.read);
        let mut ids = vec![0; t + 1];
        self.ids.copy_to(self.read, &mut ids);
        self.read += t;
        let inputs = TensorData::new(ids[..t].to_vec(), [1, t]);
        let inputs = Tensor::<2, Int>::from_data(inputs, &self.device);
        let state = State(std::mem::take(&mut self.state.0));
        let (logits, state) = self.network.forward(inputs, state, None); // [1, T, V]
        self.state = state;
        let logits: Vec<f32> = logits.try_into_vec_as()?;
        let v = self.network.vocab_size();
        let mut log_probs = Vec::with_capacity(v);
        for (logits, &id) in logits.chunks_exact(v).zip(&ids[1..]) {
            log_softmax(logits, &mut log_probs).map_err(|NotFinite| PredictError::NotFinite)?;
            self.ready.push_back(prediction(&log_probs, id as u32, self.top));
        }
        Ok(())
    }
}

impl Iterator for Predictions {
    type Item = Result<Prediction, PredictError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && self.read + 1 < self.ids.len()
            && let Err(error) = self.advance()
        {
            // What came before the error in its piece was never given out; nothing comes after it.
            self.ready.clear();
            self.read = self.ids.len();
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

impl std::iter::FusedIterator for Predictions {}

/// ln softmax of logits `[V]`, in f64, into `out`.
///
/// # Errors
/// If a logit is NaN or plus infinity, or none is finite.
pub(crate) fn log_softmax(logits: &[f32], out: &mut Vec<f64>) -> Result<(), NotFinite> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !largest.is_finite() || logits.iter().any(|logit| logit.is_nan()) {
        return Err(NotFinite);
    }
    let below = |&logit: &f32| f64::from(logit) - f64::from(largest);
    let sum: f64 = logits.iter().map(|logit| below(logit).exp()).sum();
    out.clear();
    out.extend(logits.iter().map(|logit| below(logit) - sum.ln()));
    Ok(())
}

fn prediction(log_probs: &[f64], id: u32, top: usize) -> Prediction {
    let mut ids: Vec<u32> = (0..log_probs.len() as u32).collect();
    let order = |left: &u32, right: &u32| {
        log_probs[*right as usize].total_cmp(&log_probs[*left as usize]).then(left.cmp(right))
    };
    // Only those that are wanted are put in order: a vocabulary may have thousands.
    let wanted = top.max(1).min(ids.len());
    if wanted < ids.len() {
        ids.select_nth_unstable_by(wanted - 1, order);
        ids.truncate(wanted);
    }
    ids.sort_unstable_by(order);
    let guess = |&id: &u32| Guess { id, probability: log_probs[id as usize].exp() };
    Prediction {
        id,
        log_prob: log_probs[id as usize],
        hit: ids.first() == Some(&id),
        guesses: ids.iter().take(top).map(guess).collect(),
    }
}

#[cfg(test)]
mod tests;
