//! [`predict_chars`]: what a model predicted for each character of a text.

use std::collections::VecDeque;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};
use charloom_data::Ids;
use charloom_model::{CharRnn, State};
use thiserror::Error;

use crate::ensemble::{Networks, logits, row_of, size_and_device};
use crate::softmax::{NonFiniteLogits, log_mean_softmax};

/// What a model predicted for one character, given all characters before it.
#[derive(Clone, Debug, PartialEq)]
pub struct CharPrediction {
    /// The character that the text has.
    pub id: u32,
    /// ln p of it, in nats: 0 is certain, minus infinity impossible.
    pub log_prob: f64,
    /// The most likely characters, in order of their probability; of equals the lowest id comes first.
    pub top: Vec<CharProbability>,
    /// Whether it was the most likely character.
    pub correct: bool,
}

/// A character and its probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CharProbability {
    /// The character.
    pub id: u32,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// Why a text can't be predicted.
#[derive(Debug, Error)]
pub enum PredictError {
    /// No character has one before it.
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
    /// The network's logits are not finite, as after training that diverged.
    #[error(transparent)]
    NonFiniteLogits(#[from] NonFiniteLogits),
    /// The device failed.
    #[error("the device could not compute the probabilities: {0}")]
    Device(#[from] TensorReadError),
}

/// An iterator over the predictions for a text, made by [`predict_chars`].
///
/// The text is read in chunks on demand, so that only the predictions of one chunk are in memory. After an
/// error there are no more.
#[derive(Debug)]
pub struct CharPredictions {
    networks: Vec<CharRnn>,
    vocab_size: usize,
    device: Device,
    /// One for each network.
    states: Vec<State>,
    ids: Ids,
    top: usize,
    /// Characters per forward pass.
    chunk: usize,
    /// Number of characters that the network has read.
    read: usize,
    ready: VecDeque<CharPrediction>,
}

/// Predicts every character of a text but the first, each from all characters before it, as
/// [`evaluate`](crate::evaluate()) does with a short text. Each prediction names the `top` most likely characters.
///
/// # Errors
/// If the text has fewer than 2 characters, or an id that isn't one of the network's. Those of the items: the
/// network's logits are not finite, or the device fails.
pub fn predict_chars(
    model: &impl Networks,
    ids: &Ids,
    top: usize,
) -> Result<CharPredictions, PredictError> {
    if ids.len() < 2 {
        return Err(PredictError::TooShort { chars: ids.len() });
    }
    // Without autodiff: nothing is recorded for a backward pass.
    let networks: Vec<CharRnn> = model.networks().iter().map(CharRnn::valid).collect();
    let (vocab_size, device) = size_and_device(&networks);
    // Not every backend checks, and out-of-range ids would be undefined behaviour in the kernels.
    if let Some(id) = ids.iter().find(|&id| id as usize >= vocab_size) {
        return Err(PredictError::UnknownId { id, vocab_size });
    }
    let states = networks.iter().map(|network| network.zero_state(1, &device)).collect();
    let chunk = chunk_length(networks.len(), vocab_size);
    let (ids, ready) = (ids.clone(), VecDeque::new());
    Ok(CharPredictions { networks, vocab_size, device, states, ids, top, chunk, read: 0, ready })
}

/// Characters of each of `rows` texts per forward pass (of K networks, K times as many rows): fewer with a large
/// vocabulary, so that no more than 16 MB of logits exist at once.
pub(crate) fn chunk_length(rows: usize, vocab_size: usize) -> usize {
    ((1 << 22) / (rows * vocab_size)).clamp(1, 256)
}

impl CharPredictions {
    /// Reads the next chunk.
    fn advance(&mut self) -> Result<(), PredictError> {
        let t = self.chunk.min(self.ids.len() - 1 - self.read);
        let mut ids = vec![0; t + 1];
        self.ids.copy_to(self.read, &mut ids);
        self.read += t;
        let inputs = TensorData::new(ids[..t].to_vec(), [1, t]);
        let inputs = Tensor::<2, Int>::from_data(inputs, &self.device);
        let logits = logits(&self.networks, &inputs, &mut self.states)?; // [K][1, T, V]
        let mut log_probs = Vec::with_capacity(self.vocab_size);
        for (step, &id) in ids[1..].iter().enumerate() {
            log_mean_softmax(&row_of(&logits, step, self.vocab_size), &mut log_probs)?;
            self.ready.push_back(prediction(&log_probs, id as u32, self.top));
        }
        Ok(())
    }
}

impl Iterator for CharPredictions {
    type Item = Result<CharPrediction, PredictError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && self.read + 1 < self.ids.len()
            && let Err(error) = self.advance()
        {
            // The chunk's predictions before the error were never returned; nothing follows the error.
            self.ready.clear();
            self.read = self.ids.len();
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

impl std::iter::FusedIterator for CharPredictions {}

fn prediction(log_probs: &[f64], id: u32, top: usize) -> CharPrediction {
    let mut ids: Vec<u32> = (0..log_probs.len() as u32).collect();
    let order = |left: &u32, right: &u32| {
        log_probs[*right as usize].total_cmp(&log_probs[*left as usize]).then(left.cmp(right))
    };
    // A vocabulary may have thousands of characters: only the top ones are sorted.
    let kept = top.max(1).min(ids.len());
    if kept < ids.len() {
        ids.select_nth_unstable_by(kept - 1, order);
        ids.truncate(kept);
    }
    ids.sort_unstable_by(order);
    let with_probability =
        |&id: &u32| CharProbability { id, probability: log_probs[id as usize].exp() };
    CharPrediction {
        id,
        log_prob: log_probs[id as usize],
        correct: ids.first() == Some(&id),
        top: ids.iter().take(top).map(with_probability).collect(),
    }
}

#[cfg(test)]
mod tests;
