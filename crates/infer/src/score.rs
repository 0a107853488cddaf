//! [`score`]: the likelihood of texts under a model, including their first characters.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use charloom_model::{CharRnn, State};

use crate::ensemble::{LanguageModel, logits, row_of, size_and_device};
use crate::generate::start_id;
use crate::predict::{PredictError, chunk_length};
use crate::softmax::mean_nll;

/// Number of Unicode scalar values (code points without surrogates).
const UNICODE_CHARS: f64 = 1_112_064.0;

/// Texts per batch.
const ROWS: usize = 64;

/// The likelihood of a text under a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Negative log-likelihood −ln p of the whole text, in nats; infinite if its probability is 0.
    pub nll: f64,
    /// Number of characters.
    pub chars: usize,
    /// Number of characters that the model doesn't know.
    pub unknown: usize,
}

impl Score {
    /// Nats per character; `None` for an empty text.
    pub fn nll_per_char(&self) -> Option<f64> {
        (self.chars > 0).then(|| self.nll / self.chars as f64)
    }
}

/// The score of all texts together.
impl std::iter::Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), |sum, score| Self {
            nll: sum.nll + score.nll,
            chars: sum.chars + score.chars,
            unknown: sum.unknown + score.unknown,
        })
    }
}

/// The NLL of a character that a model doesn't know, in nats: ln 1,112,064 ≈ 13.92, as if it were drawn
/// uniformly from all of Unicode. It is the same for every model, and far more than the NLL of a character
/// that a model knows and has learned something about; so no model gains by lacking a text's characters.
pub fn unknown_char_nll() -> f64 {
    UNICODE_CHARS.ln()
}

/// Scores each of the texts; the scores are in the order of the texts.
///
/// Each text is read from a zero state after a newline, as [`generate`](crate::generate()) starts with an
/// empty prompt (or after the character with id 0, if the model knows no newline), so that its first
/// character counts like the others. A character that the model doesn't know costs [`unknown_char_nll`], and
/// the network skips it.
///
/// `on_batch` is called with the number of characters done and their total.
///
/// # Errors
/// If the network's logits are not finite, or the device fails.
pub fn score(
    model: &impl LanguageModel,
    texts: &[&str],
    on_batch: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Score>, PredictError> {
    let vocab = model.vocab();
    let start = start_id(vocab) as i32;
    let mut scores = vec![Score::default(); texts.len()];
    let mut rows = Vec::with_capacity(texts.len());
    for (index, (text, score)) in texts.iter().zip(&mut scores).enumerate() {
        score.chars = text.chars().count();
        let ids = text.chars().filter_map(|char| vocab.id(char)).map(|id| id as i32);
        // The inputs, and one further the targets: [T + 1].
        let ids: Vec<i32> = std::iter::once(start).chain(ids).collect();
        score.unknown = score.chars - (ids.len() - 1);
        score.nll = score.unknown as f64 * unknown_char_nll();
        rows.push((index, ids));
    }
    // Texts of similar length share a batch, the longest first.
    rows.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    let total = rows.iter().map(|(_, ids)| ids.len() - 1).sum();
    let mut done = 0;
    let scorer = Scorer::new(model.networks());
    for batch in rows.chunks(ROWS) {
        let ids: Vec<&[i32]> = batch.iter().map(|(_, ids)| ids.as_slice()).collect();
        for ((index, ids), nll) in batch.iter().zip(scorer.nll(&ids)?) {
            scores[*index].nll += nll;
            done += ids.len() - 1;
        }
        on_batch(done, total);
    }
    Ok(scores)
}

/// Networks that read a batch of texts.
struct Scorer {
    networks: Vec<CharRnn>,
    vocab_size: usize,
    device: Device,
}

impl Scorer {
    fn new(networks: &[CharRnn]) -> Self {
        // Without autodiff: nothing is recorded for a backward pass.
        let networks: Vec<CharRnn> = networks.iter().map(CharRnn::valid).collect();
        let (vocab_size, device) = size_and_device(&networks);
        Self { networks, vocab_size, device }
    }

    /// The NLL of all ids but the first of each row; the rows are in order of their lengths, the longest
    /// first.
    fn nll(&self, rows: &[&[i32]]) -> Result<Vec<f64>, PredictError> {
        let (v, k) = (self.vocab_size, self.networks.len());
        let mut sums = vec![0.0; rows.len()];
        let longest = rows.first().map_or(0, |ids| ids.len() - 1);
        let zero = |network: &CharRnn| network.zero_state(rows.len(), &self.device);
        let mut states: Vec<State> = self.networks.iter().map(zero).collect();
        let mut start = 0;
        while start < longest {
            // The rows that are not finished come first.
            let n = rows.partition_point(|ids| ids.len() - 1 > start);
            for state in states.iter_mut().filter(|state| state.rows() > n) {
                let layers = std::mem::take(&mut state.0).into_iter();
                state.0 = layers.map(|layer| layer.narrow(1, 0, n)).collect(); // [S, N, H]
            }
            let t = chunk_length(n * k, v).min(longest - start);
            let inputs = self.window(&rows[..n], start, t);
            let logits = logits(&self.networks, &inputs, &mut states)?; // [K][N, T, V]
            for (row, (ids, sum)) in rows.iter().zip(&mut sums).enumerate().take(n) {
                for (step, &target) in ids[start + 1..].iter().take(t).enumerate() {
                    *sum += mean_nll(&row_of(&logits, row * t + step, v), target as usize)?;
                }
            }
            start += t;
        }
        Ok(sums)
    }

    /// The ids of each row from `start` on, `[N, T]`.
    fn window(&self, rows: &[&[i32]], start: usize, t: usize) -> Tensor<2, Int> {
        let mut ids = Vec::with_capacity(rows.len() * t);
        for row in rows {
            // Beyond the end of a row any id will do: nothing after it is counted.
            ids.extend((start..start + t).map(|place| row.get(place).copied().unwrap_or(0)));
        }
        Tensor::from_data(TensorData::new(ids, [rows.len(), t]), &self.device)
    }
}

#[cfg(test)]
mod tests;
