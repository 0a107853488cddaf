//! [`NGram`]: a character n-gram model, the classical baseline for a network.

use charloom_data::Ids;
use thiserror::Error;

use self::counts::{Counter, Counts};
use self::discounts::Discounts;

mod counts;
mod discounts;

/// A character n-gram model with interpolated modified Kneser-Ney smoothing (Chen & Goodman, *An Empirical Study of
/// Smoothing Techniques for Language Modeling*, 1998).
///
/// With c the count of a character w after a context h, D(c) the discount of that count, and h′ the context without its
/// first character:
///
/// ```text
/// p(w | h) = (c(h w) − D(c(h w))) / Σ c(h ·)  +  Σ D(c(h ·)) / Σ c(h ·) · p(w | h′)
/// ```
///
/// The longest n-grams are counted as often as they occur, shorter ones by how many distinct characters precede them.
/// After the empty context comes the uniform distribution over the vocabulary, so no character has probability 0. A
/// context that the training text lacks is replaced by the longest end of it that it has.
///
/// # Examples
/// ```
/// use charloom_data::Corpus;
/// use charloom_infer::NGram;
///
/// let corpus = Corpus::from_text(&"the loom weaves the words, ".repeat(9))?;
/// let model = NGram::fit(corpus.ids(), corpus.vocab().len(), 4)?;
/// let context: Vec<i32> = "the".chars().map(|char| corpus.vocab().id(char).unwrap() as i32).collect();
/// let space = corpus.vocab().id(' ').unwrap();
/// assert!(model.distribution(&context)[space as usize] > 0.9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct NGram {
    vocab_size: usize,
    /// Of the n-grams of length 1, 2, … up to the order.
    levels: Vec<Level>,
}

/// The loss of an n-gram model on held-out text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderLoss {
    /// Length of the longest n-grams: the model sees `order` − 1 characters.
    pub order: usize,
    /// Mean cross-entropy in nats per character.
    pub loss: f64,
}

/// Why there is no n-gram model of a text, or why it can't predict one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NGramError {
    /// There is no character to count.
    #[error("an n-gram model can't be fitted to an empty text")]
    Empty,
    /// An n-gram of length 0 predicts nothing.
    #[error("the order of an n-gram model must be at least 1")]
    Order,
    /// The text was encoded with another vocabulary.
    #[error("the text has the character id {id}, but the model's are below {vocab_size}")]
    UnknownId {
        /// An id that the model lacks.
        id: u32,
        /// The model's vocabulary size V.
        vocab_size: usize,
    },
    /// More characters than are counted in 32 bits.
    #[error("an n-gram model can be fitted to at most {} characters, not {chars}", u32::MAX)]
    TooLong {
        /// How many there are.
        chars: usize,
    },
    /// The held-out text has no character to predict.
    #[error("the held-out text has no character to predict")]
    NothingToPredict,
}

impl NGram {
    /// Fits a model of n-grams of up to `order` characters to a text over a vocabulary of `vocab_size` characters.
    ///
    /// It needs about 40 bytes for each distinct n-gram of each length.
    ///
    /// # Errors
    /// If the text is empty, too long or has an id that the vocabulary lacks, or `order` is 0.
    pub fn fit(ids: &Ids, vocab_size: usize, order: usize) -> Result<Self, NGramError> {
        check_training(ids, vocab_size, order)?;
        let levels = (Counter::new(ids).take(order).enumerate())
            .map(|(index, counts)| {
                let kind = if index + 1 == order { Kind::Occurrences } else { Kind::Continuations };
                Level::new(counts, kind)
            })
            .collect();
        Ok(Self { vocab_size, levels })
    }

    /// Fits a model of the order up to `max_order` that has the lowest loss on held-out text, and returns it with the
    /// losses of all, as [`order_losses`](Self::order_losses) measures them.
    ///
    /// # Errors
    /// Those of [`order_losses`](Self::order_losses).
    pub fn fit_best(
        train: &Ids,
        held_out: &Ids,
        from: usize,
        vocab_size: usize,
        max_order: usize,
    ) -> Result<(Self, Vec<OrderLoss>), NGramError> {
        let losses = Self::order_losses(train, held_out, from, vocab_size, max_order)?;
        let best = OrderLoss::best(&losses).ok_or(NGramError::Order)?;
        Ok((Self::fit(train, vocab_size, best.order)?, losses))
    }

    /// The losses of the models of order 1 to `max_order` that [`fit`](Self::fit) would make of `train`, on the
    /// characters of `held_out` from index `from` on. Those before are context alone.
    ///
    /// The n-grams of each length are counted once, and no more than two lengths are in memory at a time.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit) and [`log_probs`](Self::log_probs), or if `held_out` has no character from `from` on.
    pub fn order_losses(
        train: &Ids,
        held_out: &Ids,
        from: usize,
        vocab_size: usize,
        max_order: usize,
    ) -> Result<Vec<OrderLoss>, NGramError> {
        check_training(train, vocab_size, max_order)?;
        check_ids(held_out, vocab_size)?;
        let held_out: Vec<u32> = held_out.iter().collect();
        let targets = from..held_out.len();
        if targets.is_empty() {
            return Err(NGramError::NothingToPredict);
        }
        // The context of each target, and its probability under the model of the next lower order, with continuations.
        let mut contexts = vec![Some(0); targets.len()];
        let mut lower = vec![1.0 / vocab_size as f64; targets.len()];
        let mut losses = Vec::with_capacity(max_order);
        let mut shorter: Option<Counts> = None;
        for (length, counts) in Counter::new(train).take(max_order).enumerate() {
            if let Some(shorter) = &shorter {
                for (target, context) in targets.clone().zip(&mut contexts) {
                    let id = target.checked_sub(length).map(|place| held_out[place]);
                    *context = context.zip(id).and_then(|(at, id)| shorter.child(at, &counts, id));
                }
            }
            let level = Level::new(counts, Kind::Occurrences);
            let predicted = || held_out[from..].iter().zip(&contexts);
            let nll: f64 = (predicted().zip(&lower))
                .map(|((&id, &context), &lower)| -level.probability(context, id, lower).ln())
                .sum();
            losses.push(OrderLoss { order: length + 1, loss: nll / targets.len() as f64 });
            let level = Level::new(level.counts, Kind::Continuations);
            for ((&id, &context), lower) in predicted().zip(&mut lower) {
                *lower = level.probability(context, id, *lower);
            }
            shorter = Some(level.counts);
        }
        Ok(losses)
    }

    /// Length of the longest n-grams.
    pub fn order(&self) -> usize {
        self.levels.len()
    }

    /// The vocabulary size V.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// ln p, in nats, of each character of a text from index `from` on, given the characters before it.
    ///
    /// # Errors
    /// If the text has an id that the vocabulary lacks.
    pub fn log_probs(&self, ids: &Ids, from: usize) -> Result<Vec<f64>, NGramError> {
        check_ids(ids, self.vocab_size)?;
        let ids: Vec<u32> = ids.iter().collect();
        let log_prob = |place: usize| {
            let context = ids[..place].iter().rev().copied();
            let lowest = 1.0 / self.vocab_size as f64;
            let probability = self.contexts(context).fold(lowest, |lower, (level, context)| {
                level.probability(Some(context), ids[place], lower)
            });
            probability.ln()
        };
        Ok((from..ids.len()).map(log_prob).collect())
    }

    /// The probability of each character of the vocabulary after a context, `[V]`.
    ///
    /// Of the context the last [`order`](Self::order) − 1 ids count. Any id will do: the training text lacks those that
    /// the vocabulary lacks.
    pub fn distribution(&self, context: &[i32]) -> Vec<f64> {
        let mut probabilities = vec![1.0 / self.vocab_size as f64; self.vocab_size];
        let context = context.iter().rev().map_while(|&id| u32::try_from(id).ok());
        for (level, context) in self.contexts(context) {
            probabilities.iter_mut().for_each(|lower| *lower *= level.backoff[context]);
            for ngram in level.counts.ngrams(context) {
                probabilities[level.counts.last(ngram) as usize] += level.share(context, ngram);
            }
        }
        probabilities
    }

    /// The ends of a context that the training text has, from the empty one on, each with its level. The ids come last
    /// character first.
    fn contexts(
        &self,
        mut ids_before: impl Iterator<Item = u32>,
    ) -> impl Iterator<Item = (&Level, usize)> {
        let mut place = Some((0, 0));
        std::iter::from_fn(move || {
            let (index, context) = place?;
            let level = &self.levels[index];
            let longer = self.levels.get(index + 1).zip(ids_before.next());
            let child =
                longer.and_then(|(longer, id)| level.counts.child(context, &longer.counts, id));
            place = child.map(|child| (index + 1, child));
            Some((level, context))
        })
    }
}

impl OrderLoss {
    /// The lowest loss; of equal ones, that of the lowest order. `None` if there are no losses.
    pub fn best(losses: &[OrderLoss]) -> Option<OrderLoss> {
        losses.iter().copied().min_by(|one, other| one.loss.total_cmp(&other.loss))
    }
}

/// What a level's counts are of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Occurrences,
    Continuations,
}

/// The discounted distributions after all contexts of one length.
#[derive(Clone, Debug)]
struct Level {
    counts: Counts,
    kind: Kind,
    discounts: Discounts,
    /// Sum of the counts of each context, at least 1.
    totals: Vec<u32>,
    /// The probability of each context that its discounts leave to the shorter context, in (0, 1].
    backoff: Vec<f64>,
}

impl Level {
    fn new(counts: Counts, kind: Kind) -> Self {
        let of_kind = kind.of(&counts);
        let discounts = Discounts::estimate(of_kind);
        let of_context = |context| &of_kind[counts.ngrams(context)];
        // At most the length of the text, so that it fits.
        let total = |context| of_context(context).iter().sum();
        let totals: Vec<u32> = (0..counts.contexts()).map(total).collect();
        let backoff = |(context, &total): (usize, &u32)| {
            let sum: f64 = of_context(context).iter().map(|&count| discounts.of(count)).sum();
            sum / f64::from(total)
        };
        let backoff = totals.iter().enumerate().map(backoff).collect();
        Self { counts, kind, discounts, totals, backoff }
    }

    /// The discounted relative frequency of an n-gram in its context.
    fn share(&self, context: usize, ngram: usize) -> f64 {
        let count = self.kind.of(&self.counts)[ngram];
        (f64::from(count) - self.discounts.of(count)) / f64::from(self.totals[context])
    }

    /// The probability of `id` after a context, of which `lower` is the probability after the context that is shorter by
    /// one character. Without a context it is `lower`.
    fn probability(&self, context: Option<usize>, id: u32, lower: f64) -> f64 {
        let Some(context) = context else { return lower };
        let ngram = self.counts.ngram(context, id);
        let share = ngram.map_or(0.0, |ngram| self.share(context, ngram));
        share + self.backoff[context] * lower
    }
}

impl Kind {
    fn of(self, counts: &Counts) -> &[u32] {
        match self {
            Self::Occurrences => &counts.occurrences,
            Self::Continuations => &counts.continuations,
        }
    }
}

fn check_training(ids: &Ids, vocab_size: usize, order: usize) -> Result<(), NGramError> {
    match ids.len() {
        0 => return Err(NGramError::Empty),
        chars if u32::try_from(chars).is_err() => return Err(NGramError::TooLong { chars }),
        _ => {}
    }
    if order == 0 {
        return Err(NGramError::Order);
    }
    check_ids(ids, vocab_size)
}

fn check_ids(ids: &Ids, vocab_size: usize) -> Result<(), NGramError> {
    match ids.iter().find(|&id| id as usize >= vocab_size) {
        Some(id) => Err(NGramError::UnknownId { id, vocab_size }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
