//! [`Sampler`]: chooses the next character from the network's logits.

use std::cmp::Ordering;
use std::num::NonZeroUsize;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::softmax::{NonFiniteLogits, argmax};

/// How the next character is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sampling {
    /// Greedy decoding: always the most likely character; of equals, the one with the lowest id.
    Greedy,
    /// Drawn from softmax(logits / temperature), restricted by the filter.
    Random {
        /// Finite and above 0: below 1 likely characters become more likely, above 1 the distribution
        /// flattens.
        temperature: f64,
        /// Which characters may be drawn.
        #[serde(default)]
        filter: TopKTopP,
    },
}

/// Which characters may be drawn. Where both limits are set, `top_k` is applied first, and `top_p` to
/// the renormalised probabilities of the characters that remain. The temperature comes before both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopKTopP {
    /// Only the k most likely; of equals, those with the lower ids.
    pub top_k: Option<NonZeroUsize>,
    /// Only the nucleus: the smallest set of most likely characters whose probabilities sum to p or more,
    /// p in `(0, 1]`; at least one character. (Holtzman et al. 2019, "The curious case of neural text
    /// degeneration".)
    pub top_p: Option<f64>,
}

/// Random sampling at a temperature of 0.8, without a filter.
impl Default for Sampling {
    fn default() -> Self {
        Self::Random { temperature: 0.8, filter: TopKTopP::default() }
    }
}

impl Sampling {
    /// Random sampling; a `top_k` of 0 and a `top_p` of 1 restrict nothing.
    ///
    /// # Errors
    /// As of [`validate`](Self::validate).
    pub fn random(temperature: f64, top_k: usize, top_p: f64) -> Result<Self, SamplingError> {
        let filter =
            TopKTopP { top_k: NonZeroUsize::new(top_k), top_p: (top_p != 1.0).then_some(top_p) };
        let sampling = Self::Random { temperature, filter };
        sampling.validate().map(|()| sampling)
    }

    /// Checks the ranges, for settings that were written by hand or deserialised.
    ///
    /// # Errors
    /// If the temperature is not a finite number above 0, or `top_p` is not in `(0, 1]`.
    pub fn validate(&self) -> Result<(), SamplingError> {
        let Self::Random { temperature, filter } = *self else { return Ok(()) };
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(SamplingError::Temperature(temperature));
        }
        match filter.top_p {
            Some(top_p) if !(top_p > 0.0 && top_p <= 1.0) => Err(SamplingError::TopP(top_p)),
            _ => Ok(()),
        }
    }
}

/// A setting of [`Sampling`] is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum SamplingError {
    /// The temperature is not a finite number above 0.
    #[error("`temperature` must be a finite number above 0, not `{0}`")]
    Temperature(f64),
    /// The nucleus's p is not in `(0, 1]`.
    #[error("`top_p` must be above 0 and at most 1, not `{0}`")]
    TopP(f64),
}

impl SamplingError {
    /// A suggestion for the user, where there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Temperature(0.0) => {
                Some("greedy decoding always takes the most likely character")
            }
            Self::TopP(0.0) => Some("a `top_p` of 1 turns the filter off"),
            _ => None,
        }
    }
}

/// Chooses characters, one after another, with a random number generator of its own.
///
/// The softmax is computed in f64. Every random choice takes one number from the generator, so that the
/// same seed and the same logits give the same characters everywhere.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
    /// The unnormalised softmax, per id.
    weights: Vec<f64>,
    /// The ids that may be drawn, most likely first.
    kept: Vec<u32>,
}

impl Sampler {
    /// A sampler of one out of `vocab_size` characters; [`sample`](Self::sample) itself allocates nothing.
    ///
    /// The settings are taken as they are: see [`Sampling::validate`].
    pub fn new(sampling: Sampling, vocab_size: usize, seed: u64) -> Self {
        Self {
            sampling,
            rng: ChaCha8Rng::seed_from_u64(seed),
            weights: Vec::with_capacity(vocab_size),
            kept: Vec::with_capacity(vocab_size),
        }
    }

    /// The sampler of another text with the same seed: each sample has a random sequence of its own, and
    /// that of sample 0 is what the seed alone gives.
    pub(crate) fn for_sample(mut self, sample: u64) -> Self {
        self.rng.set_stream(sample);
        self
    }

    /// Chooses an id.
    ///
    /// # Shapes
    /// `logits`: `[V]`
    ///
    /// # Errors
    /// If a logit is NaN or plus infinity, or none is finite.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, NonFiniteLogits> {
        let (argmax, max) = argmax(logits)?;
        match self.sampling {
            Sampling::Greedy => Ok(argmax),
            Sampling::Random { temperature, filter } => {
                self.weights.clear();
                // Minus the maximum, so that no power overflows and the largest weight is 1.
                self.weights
                    .extend(logits.iter().map(|&l| ((f64::from(l) - max) / temperature).exp()));
                if filter == TopKTopP::default() {
                    let ids = 0..self.weights.len() as u32;
                    sample_weighted(ids, &self.weights, &mut self.rng)
                } else {
                    self.filter(logits, filter);
                    sample_weighted(self.kept.iter().copied(), &self.weights, &mut self.rng)
                }
            }
        }
    }

    /// Fills `kept` with the ids that pass the filter.
    fn filter(&mut self, logits: &[f32], filter: TopKTopP) {
        let Self { weights, kept, .. } = self;
        // By logit rather than weight: small weights can underflow to the same zero.
        let by_logit = |&a: &u32, &b: &u32| {
            let (of_a, of_b) = (logits[a as usize], logits[b as usize]);
            of_b.partial_cmp(&of_a).unwrap_or(Ordering::Equal).then(a.cmp(&b))
        };
        kept.clear();
        kept.extend(0..logits.len() as u32);
        let TopKTopP { top_k, top_p } = filter;
        if let Some(k) = top_k.filter(|k| k.get() < kept.len()) {
            kept.select_nth_unstable_by(k.get() - 1, by_logit);
            kept.truncate(k.get());
        }
        // The same seed draws the same ids only from ids in the same order.
        kept.sort_unstable_by(by_logit);
        if let Some(p) = top_p {
            let enough = p * kept.iter().map(|&id| weights[id as usize]).sum::<f64>();
            let mut sum = 0.0;
            let last = kept.iter().position(|&id| {
                sum += weights[id as usize];
                sum >= enough
            });
            kept.truncate(last.map_or(kept.len(), |last| last + 1));
        }
    }
}

/// One of `ids`, with probabilities in proportion to their weights.
fn sample_weighted(
    ids: impl Iterator<Item = u32> + Clone,
    weights: &[f64],
    rng: &mut ChaCha8Rng,
) -> Result<u32, NonFiniteLogits> {
    let total: f64 = ids.clone().map(|id| weights[id as usize]).sum();
    let point = rng.random::<f64>() * total;
    let (mut sum, mut last) = (0.0, Err(NonFiniteLogits));
    for id in ids {
        let weight = weights[id as usize];
        if weight > 0.0 {
            sum += weight;
            last = Ok(id);
            if point < sum {
                break;
            }
        }
    }
    // `point` can round up to the total: then it is the last id that has a weight.
    last
}

#[cfg(test)]
mod tests;
