//! [`Sampler`]: picks the next character from the network's logits.

use std::cmp::Ordering;
use std::num::NonZeroUsize;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

/// How the next character is picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Always the likeliest; of equals, the one with the lowest id.
    Greedy,
    /// Drawn from softmax(logits / temperature), restricted to what the filter keeps.
    Random {
        /// Finite and above 0: below 1 the likely become likelier, above 1 all become more alike.
        temperature: f64,
        /// Which characters may be drawn.
        filter: Filter,
    },
}

/// Which characters may be drawn. Where both limits are set, `top_k` is applied first, and `top_p` to
/// the probabilities of those that remain, made to sum to 1 again. Temperature comes before both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Filter {
    /// Only the k likeliest; of equals, those with the lower ids.
    pub top_k: Option<NonZeroUsize>,
    /// Only the nucleus: the fewest of the likeliest whose probabilities sum to p or more, p in
    /// `(0, 1]`; at least one. (Holtzman et al. 2019, "The curious case of neural text degeneration".)
    pub top_p: Option<f64>,
}

impl Sampling {
    /// Random sampling; a `top_k` of 0 and a `top_p` of 1 restrict nothing.
    ///
    /// # Errors
    /// If `temperature` is not a finite number above 0, or `top_p` is not in `(0, 1]`.
    pub fn random(temperature: f64, top_k: usize, top_p: f64) -> Result<Self, SamplingError> {
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(SamplingError::Temperature(temperature));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(SamplingError::TopP(top_p));
        }
        let filter =
            Filter { top_k: NonZeroUsize::new(top_k), top_p: (top_p < 1.0).then_some(top_p) };
        Ok(Self::Random { temperature, filter })
    }
}

/// A setting of [`Sampling`] is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum SamplingError {
    /// The temperature.
    #[error("`temperature` must be a finite number above 0, not `{0}`")]
    Temperature(f64),
    /// The nucleus.
    #[error("`top_p` must be above 0 and at most 1, not `{0}`")]
    TopP(f64),
}

impl SamplingError {
    /// What would help, if something would.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Temperature(0.0) => Some("greedy sampling always takes the likeliest character"),
            Self::TopP(0.0) => Some("a `top_p` of 1 turns the filter off"),
            _ => None,
        }
    }
}

/// The logits hold NaN or infinity, or no number at all: nothing can be picked from them.
///
/// Minus infinity is a probability of zero, and is fine as long as another logit is finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the network's logits are not finite numbers, so there is no next character to pick")]
pub struct NotFinite;

/// Picks characters, one after another, with random numbers of its own.
///
/// The softmax is computed in f64. Every random pick takes one number from the generator, so that the
/// same seed and the same logits give the same characters everywhere.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    rng: ChaCha8Rng,
    /// Softmax without its division, per id.
    weights: Vec<f64>,
    /// The ids that may be drawn, likeliest first.
    kept: Vec<u32>,
}

impl Sampler {
    /// A sampler of one out of `vocab_size` characters. After this, [`Sampler::pick`] allocates nothing.
    pub fn new(sampling: Sampling, vocab_size: usize, seed: u64) -> Self {
        Self {
            sampling,
            rng: ChaCha8Rng::seed_from_u64(seed),
            weights: Vec::with_capacity(vocab_size),
            kept: Vec::with_capacity(vocab_size),
        }
    }

    /// The same seed's numbers for another text: each number has a sequence of its own, 0 the plain one.
    pub(crate) fn for_sample(mut self, number: u64) -> Self {
        self.rng.set_stream(number);
        self
    }

    /// Picks an id.
    ///
    /// # Shapes
    /// `logits`: `[V]`
    ///
    /// # Errors
    /// If a logit is NaN or plus infinity, or none is finite.
    pub fn pick(&mut self, logits: &[f32]) -> Result<u32, NotFinite> {
        let (likeliest, highest) = likeliest(logits)?;
        match self.sampling {
            Sampling::Greedy => Ok(likeliest),
            Sampling::Random { temperature, filter } => {
                self.weights.clear();
                // Less the highest, so that no power overflows and the largest weight is 1.
                self.weights
                    .extend(logits.iter().map(|&l| ((f64::from(l) - highest) / temperature).exp()));
                if filter == Filter::default() {
                    let ids = 0..self.weights.len() as u32;
                    draw(ids, &self.weights, &mut self.rng)
                } else {
                    self.keep(logits, filter);
                    draw(self.kept.iter().copied(), &self.weights, &mut self.rng)
                }
            }
        }
    }

    /// Fills `kept` with the ids that pass the filter.
    fn keep(&mut self, logits: &[f32], filter: Filter) {
        let Self { weights, kept, .. } = self;
        // By logit rather than weight: small weights can underflow to the same zero.
        let by_likelihood = |&a: &u32, &b: &u32| {
            let (of_a, of_b) = (logits[a as usize], logits[b as usize]);
            of_b.partial_cmp(&of_a).unwrap_or(Ordering::Equal).then(a.cmp(&b))
        };
        kept.clear();
        kept.extend(0..logits.len() as u32);
        let Filter { top_k, top_p } = filter;
        if let Some(k) = top_k.filter(|k| k.get() < kept.len()) {
            kept.select_nth_unstable_by(k.get() - 1, by_likelihood);
            kept.truncate(k.get());
        }
        // The order in which ids are drawn from is part of what a seed means, so it is always the same.
        kept.sort_unstable_by(by_likelihood);
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

/// The likeliest id and its logit.
fn likeliest(logits: &[f32]) -> Result<(u32, f64), NotFinite> {
    let (mut id, mut highest) = (0, f32::NEG_INFINITY);
    for (place, &logit) in (0..).zip(logits) {
        if logit.is_nan() || logit == f32::INFINITY {
            return Err(NotFinite);
        }
        if logit > highest {
            (id, highest) = (place, logit);
        }
    }
    if highest.is_finite() { Ok((id, highest.into())) } else { Err(NotFinite) }
}

/// Draws one of `ids` with the probabilities of their weights.
fn draw(
    ids: impl Iterator<Item = u32> + Clone,
    weights: &[f64],
    rng: &mut ChaCha8Rng,
) -> Result<u32, NotFinite> {
    let total: f64 = ids.clone().map(|id| weights[id as usize]).sum();
    let point = rng.random::<f64>() * total;
    let (mut sum, mut last) = (0.0, Err(NotFinite));
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
    // `point` can round up to the total, and then the last that may be drawn is drawn.
    last
}

#[cfg(test)]
mod tests;
