//! [`Evaluation`]: how well a model predicted a text, and [`EvaluationSums`] that it is computed from.

use crate::ensemble::row_of;
use crate::evaluate::EvaluateError;
use crate::score::unknown_char_nll;
use crate::softmax::{NonFiniteLogits, argmax, log_mean_softmax, mean_nll};

/// Perplexity of a loss in nats per character: exp(loss).
pub fn perplexity(loss: f64) -> f64 {
    loss.exp()
}

/// Bits per character of a loss in nats per character: loss / ln 2.
pub fn bits_per_char(loss: f64) -> f64 {
    loss / std::f64::consts::LN_2
}

/// How well a model predicted a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Number of characters predicted.
    pub chars: usize,
    /// Mean cross-entropy in nats per character, a finite number.
    pub loss: f64,
    /// Fraction of the characters that were the most likely one, 0 to 1.
    pub accuracy: f64,
}

impl Evaluation {
    /// The same with so many characters more that the model doesn't know, each at [`unknown_char_nll`] and none predicted
    /// correctly.
    #[must_use]
    pub fn with_unknown(self, unknown: usize) -> Self {
        let chars = self.chars + unknown;
        let share = self.chars as f64 / chars.max(1) as f64;
        let loss = self.loss * share + unknown_char_nll() * (1.0 - share);
        match unknown {
            0 => self,
            _ => Self { chars, loss, accuracy: self.accuracy * share },
        }
    }

    /// exp(loss): as uncertain as a choice among so many equally likely characters.
    pub fn perplexity(&self) -> f64 {
        perplexity(self.loss)
    }

    /// loss / ln 2: the size of the text if it were compressed with the model.
    pub fn bits_per_char(&self) -> f64 {
        bits_per_char(self.loss)
    }
}

/// Sums over the characters that a model has predicted so far, for a loop that has the logits. Most programs need
/// [`evaluate`](crate::evaluate()) only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EvaluationSums {
    chars: usize,
    /// Cross-entropy in nats; NaN after logits that weren't finite.
    nll: f64,
    /// Characters that were the most likely one.
    hits: f64,
}

impl EvaluationSums {
    /// Number of characters predicted.
    pub fn chars(&self) -> usize {
        self.chars
    }

    pub(crate) fn add(&mut self, chars: usize, nll: f64, hits: f64) {
        self.chars += chars;
        self.nll += nll;
        self.hits += hits;
    }

    /// Adds R characters, given the logits of each of K networks, whose probabilities are averaged.
    ///
    /// # Shapes
    /// - `logits`: K of `[R, V]`, row by row
    /// - `targets`: `[R]`, each in `0..V`
    ///
    /// # Panics
    /// If there is no network, the logits of one aren't R rows, or a target isn't in `0..V`.
    pub fn add_logits(&mut self, logits: &[Vec<f32>], targets: &[i32]) {
        let v = logits[0].len() / targets.len().max(1);
        let mut log_probs = Vec::with_capacity(v);
        for (row, &target) in targets.iter().enumerate() {
            let (nll, hit) = predicted(&row_of(logits, row, v), target as usize, &mut log_probs)
                .unwrap_or((f64::NAN, false));
            self.add(1, nll, f64::from(u8::from(hit)));
        }
    }

    /// The mean over the characters.
    ///
    /// # Errors
    /// [`EvaluateError::TooShort`] if there is none, [`EvaluateError::NotFinite`] if the loss isn't a finite number.
    pub fn mean(&self) -> Result<Evaluation, EvaluateError> {
        if self.chars == 0 {
            return Err(EvaluateError::TooShort { chars: 0 });
        }
        let chars = self.chars as f64;
        let loss = self.nll / chars;
        match loss.is_finite() {
            true => Ok(Evaluation { chars: self.chars, loss, accuracy: self.hits / chars }),
            false => Err(EvaluateError::NotFinite { loss }),
        }
    }
}

/// −ln of the mean probability of `target` given the logits `[V]` of each network, and whether it is the most likely
/// character (of equals, the one with the lowest id is).
fn predicted(
    logits: &[&[f32]],
    target: usize,
    log_probs: &mut Vec<f64>,
) -> Result<(f64, bool), NonFiniteLogits> {
    if let [alone] = logits {
        return Ok((mean_nll(logits, target)?, argmax(alone)?.0 as usize == target));
    }
    log_mean_softmax(logits, log_probs)?;
    let of_target = log_probs[target];
    let hit = log_probs[..target].iter().all(|&other| other < of_target)
        && log_probs[target..].iter().all(|&other| other <= of_target);
    Ok((0.0 - of_target, hit))
}
