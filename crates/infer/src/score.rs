//! [`score`]: how likely texts are under a model, first character included.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use charloom_model::{CharRnn, State, TrainedModel};

use crate::generate::prime_ids;
use crate::predict::{PredictError, piece};

/// Unicode has so many characters (scalar values: code points without surrogates).
const UNICODE_CHARS: f64 = 1_112_064.0;

/// Texts that are read side by side.
const ROWS: usize = 64;

/// How likely a text is under a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// −ln p of the whole text, in nats; infinite if the model holds it for impossible.
    pub nats: f64,
    /// Its characters.
    pub chars: usize,
    /// Those among them that the model doesn't know.
    pub unknown: usize,
}

impl Score {
    /// Nats per character; none of an empty text.
    pub fn nats_per_char(&self) -> Option<f64> {
        (self.chars > 0).then(|| self.nats / self.chars as f64)
    }
}

/// The sum over texts.
impl std::iter::Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), |sum, score| Self {
            nats: sum.nats + score.nats,
            chars: sum.chars + score.chars,
            unknown: sum.unknown + score.unknown,
        })
    }
}

/// What a character costs that a model doesn't know, in nats: ln 1,112,064 ≈ 13.92, as if it were drawn
/// evenly from all of Unicode. It is the same for every model, and far more than a character costs that
/// a model knows and learned something about; so a model can't gain by not knowing a text's alphabet.
pub fn unknown_nats() -> f64 {
    UNICODE_CHARS.ln()
}

/// Scores each of the texts, in their order.
///
/// Each is read from a state of zeros after a newline, as [`generate`](crate::generate()) writes with an
/// empty prime (or after the character with id 0, if the model knows no newline), so that its first
/// character counts like the others. A character that the model doesn't know costs [`unknown_nats`], and
/// the network reads on as if it weren't there.
///
/// `each_batch` is told how many characters of how many are done.
///
/// # Errors
/// If the network's logits are not numbers, or the device fails.
pub fn score(
    model: &TrainedModel,
    texts: &[&str],
    each_batch: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Score>, PredictError> {
    // An empty prime has no character that could be unknown.
    let start = prime_ids(&model.vocab, "").unwrap_or_default().first().copied().unwrap_or(0);
    let mut scores = vec![Score::default(); texts.len()];
    let mut rows = Vec::with_capacity(texts.len());
    for (index, (text, score)) in texts.iter().zip(&mut scores).enumerate() {
        score.chars = text.chars().count();
        let ids = text.chars().filter_map(|char| model.vocab.id(char)).map(|id| id as i32);
        // What the network reads, and one further what it is to predict: [T + 1].
        let ids: Vec<i32> = std::iter::once(start).chain(ids).collect();
        score.unknown = score.chars - (ids.len() - 1);
        score.nats = score.unknown as f64 * unknown_nats();
        rows.push((index, ids));
    }
    // Texts of like length stand side by side, the longest first.
    rows.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    let total = rows.iter().map(|(_, ids)| ids.len() - 1).sum();
    let mut done = 0;
    let reader = Reader::new(&model.network);
    for batch in rows.chunks(ROWS) {
        let ids: Vec<&[i32]> = batch.iter().map(|(_, ids)| ids.as_slice()).collect();
        for ((index, ids), nats) in batch.iter().zip(reader.nats(&ids)?) {
            scores[*index].nats += nats;
            done += ids.len() - 1;
        }
        each_batch(done, total);
    }
    Ok(scores)
}

/// A network that reads texts side by side.
struct Reader {
    network: CharRnn,
    device: Device,
}

impl Reader {
    fn new(network: &CharRnn) -> Self {
        // A network in training records what is done with it; this one must not.
        let network = network.valid();
        let device = network.fc.weight.val().device();
        Self { network, device }
    }

    /// −ln p of all ids but the first of each row; the rows are in order of their lengths, the longest
    /// first.
    fn nats(&self, rows: &[&[i32]]) -> Result<Vec<f64>, PredictError> {
        let mut nats = vec![0.0; rows.len()];
        let longest = rows.first().map_or(0, |ids| ids.len() - 1);
        let mut state = self.network.zero_state(rows.len(), &self.device);
        let mut start = 0;
        while start < longest {
            // The rows that are not at their end yet are the first ones.
            let n = rows.partition_point(|ids| ids.len() - 1 > start);
            if n < state.rows() {
                let layers = state.0.into_iter().map(|layer| layer.narrow(1, 0, n)); // [S, N, H]
                state = State(layers.collect());
            }
            let t = piece(n, self.network.vocab_size()).min(longest - start);
            let (inputs, targets) =
                (self.window(&rows[..n], start, t), self.window(&rows[..n], start + 1, t));
            let (logits, after) = self.network.forward(inputs, state, None); // [N, T, V]
            state = after;
            let targets = targets.unsqueeze_dim::<3>(2); // [N, T, 1]
            let log_probs: Vec<f32> =
                log_softmax(logits, 2).gather(2, targets).try_into_vec_as()?;
            for ((row, log_probs), nats) in rows.iter().zip(log_probs.chunks(t)).zip(&mut nats) {
                let counted = t.min((row.len() - 1).saturating_sub(start));
                for &log_prob in &log_probs[..counted] {
                    if log_prob.is_nan() {
                        return Err(PredictError::NotFinite);
                    }
                    *nats -= f64::from(log_prob);
                }
            }
            start += t;
        }
        Ok(nats)
    }

    /// The ids of each row from `start` on, `[N, T]`.
    fn window(&self, rows: &[&[i32]], start: usize, t: usize) -> Tensor<2, Int> {
        let mut ids = Vec::with_capacity(rows.len() * t);
        for row in rows {
            // Past a row's end anything may stand: it comes after all that counts.
            ids.extend((start..start + t).map(|place| row.get(place).copied().unwrap_or(0)));
        }
        Tensor::from_data(TensorData::new(ids, [rows.len(), t]), &self.device)
    }
}

#[cfg(test)]
mod tests;
