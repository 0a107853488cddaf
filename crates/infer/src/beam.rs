//! [`beam_search`]: the most likely continuations of a text.

use std::cmp::Ordering;
use std::num::NonZeroUsize;

use charloom_data::{END_MARK, Vocab};
use serde::{Deserialize, Serialize};

use crate::decoder::BatchDecoder;
use crate::ensemble::LanguageModel;
use crate::generate::{GenerateError, prompt_ids};
use crate::softmax::log_softmax;

/// Settings of a beam search.
///
/// The default is 5 continuations of 20 characters, found with a beam width of 50. Every combination is
/// legal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeamConfig {
    /// The text that the model continues. With an empty prompt the model starts as if after a newline, or
    /// after the character with id 0 if it knows no newline.
    pub prompt: String,
    /// Number of characters of a continuation, unless the stop sequence ends it before.
    pub length: usize,
    /// A continuation ends with this text. An empty one is the same as none. It may contain characters that
    /// the model doesn't know; then it never occurs.
    pub stop: Option<String>,
    /// Number of continuations to find.
    pub count: NonZeroUsize,
    /// Hypotheses kept after each character, B. A continuation is missed where one of its prefixes was not
    /// among the B most likely; with max(V^(length − 1), `count`) none is missed. Fewer than `count` may
    /// find fewer continuations.
    pub beam_width: NonZeroUsize,
}

impl Default for BeamConfig {
    fn default() -> Self {
        const FIVE: NonZeroUsize = NonZeroUsize::new(5).unwrap();
        const FIFTY: NonZeroUsize = NonZeroUsize::new(50).unwrap();
        Self { prompt: String::new(), length: 20, stop: None, count: FIVE, beam_width: FIFTY }
    }
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Its text, without the stop sequence.
    pub text: String,
    /// ln p of it given the prompt, in nats, including the stop sequence if it ended with that.
    pub log_prob: f64,
    /// The number of characters in `log_prob`: those of the text, and of the stop sequence if it ended with
    /// that.
    pub chars: usize,
    /// Whether it ended with the stop sequence.
    pub stopped: bool,
}

impl Completion {
    /// The probability of the whole continuation, 0 to 1; 0 if it is too small for an f64.
    pub fn probability(&self) -> f64 {
        self.log_prob.exp()
    }

    /// The geometric mean of the characters' probabilities, 0 to 1.
    pub fn probability_per_char(&self) -> f64 {
        (self.log_prob / self.chars.max(1) as f64).exp()
    }
}

/// The most likely continuations, in order of their probability.
///
/// Continuations of different lengths, as a stop sequence makes them, are ranked by the probability of the
/// whole as well; there is no length normalisation, so this favours short ones. Nothing is random. Of
/// equally likely ones the one with the lower ids comes first; continuations of probability 0 are left out.
///
/// # Errors
/// If the model doesn't know a character of the prompt, its logits are not finite, or the device fails.
pub fn beam_search(
    model: &impl LanguageModel,
    config: &BeamConfig,
) -> Result<Vec<Completion>, GenerateError> {
    let BeamConfig { prompt, length, stop, count, beam_width } = config;
    let (count, beam_width) = (count.get(), beam_width.get());
    let vocab = model.vocab();
    let prompt = prompt_ids(vocab, prompt)?;
    // A document ends at its mark. A stop sequence with an unknown character never occurs, so none is looked for.
    let mut mark = [0; 4];
    let mark = vocab.id(END_MARK).map(|_| &*END_MARK.encode_utf8(&mut mark));
    let stop = stop.as_deref().filter(|stop| !stop.is_empty()).or(mark);
    let stop: Option<Vec<u32>> =
        stop.and_then(|stop| stop.chars().map(|char| vocab.id(char)).collect());
    let stop = stop.unwrap_or_default();

    let mut back = BackPointers::default();
    let mut ended: Vec<Hypothesis> = Vec::new();
    let mut live = vec![Hypothesis { log_prob: 0.0, last: None, chars: 0 }];
    if *length == 0 {
        return Ok(live.iter().map(|found| back.completion(vocab, found, 0)).collect());
    }
    // Row i of the decoder is that of hypothesis i in `live`.
    let mut decoder = BatchDecoder::new(model);
    decoder.push(&prompt)?;
    for left in (0..*length).rev() {
        let candidates = candidates(&decoder, &live, beam_width, &stop, &back)?;
        let (mut next, mut parents, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for Candidate { log_prob, parent, id, stops } in candidates {
            let from = live[parent];
            let last = Some(back.push(from.last, id));
            let hypothesis = Hypothesis { log_prob, last, chars: from.chars + 1 };
            if stops {
                ended.push(hypothesis);
                continue;
            }
            next.push(hypothesis);
            parents.push(parent);
            ids.push(id);
        }
        // A further character can only lower a hypothesis's probability.
        back.sort(&mut ended);
        ended.truncate(count);
        if let Some(last) = ended.get(count - 1) {
            // They are in order of their probability.
            next.truncate(next.partition_point(|live| live.log_prob >= last.log_prob));
        }
        live = next;
        if live.is_empty() {
            break;
        }
        if left > 0 {
            decoder.select(&parents[..live.len()]);
            decoder.step(&ids[..live.len()])?;
        }
    }
    let ended = ended.into_iter().map(|found| (found, stop.len()));
    let mut found: Vec<(Hypothesis, usize)> =
        ended.chain(live.into_iter().map(|found| (found, 0))).collect();
    found.sort_by(|(left, _), (right, _)| back.order(left, right));
    found.truncate(count);
    Ok(found.iter().map(|(found, stop)| back.completion(vocab, found, *stop)).collect())
}

/// A continuation that may still grow, or a whole one.
#[derive(Clone, Copy, Debug)]
struct Hypothesis {
    log_prob: f64,
    /// Its last character among the back-pointers; none if it has no character.
    last: Option<usize>,
    chars: usize,
}

/// A hypothesis with one more character.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    log_prob: f64,
    /// Which hypothesis.
    parent: usize,
    id: u32,
    /// Whether the character completes the stop sequence.
    stops: bool,
}

/// The `beam_width` most likely candidates that go on and as many that stop, in order of their probability.
/// Those that stop don't count towards the beam width, so the search stays as wide as it was.
fn candidates(
    decoder: &BatchDecoder,
    live: &[Hypothesis],
    beam_width: usize,
    stop: &[u32],
    back: &BackPointers,
) -> Result<Vec<Candidate>, GenerateError> {
    let (mut going, mut stopping) = (Vec::new(), Vec::new());
    let mut log_probs = Vec::new();
    // Any fixed order of equals would do.
    let order = |left: &Candidate, right: &Candidate| {
        (right.log_prob.total_cmp(&left.log_prob))
            .then(left.parent.cmp(&right.parent))
            .then(left.id.cmp(&right.id))
    };
    let prune = |list: &mut Vec<Candidate>| {
        if list.len() > beam_width {
            list.select_nth_unstable_by(beam_width, order);
            list.truncate(beam_width);
        }
    };
    for (parent, from) in live.iter().enumerate() {
        log_softmax(decoder.logits(parent), &mut log_probs)?;
        // The id that completes the stop sequence here, if one does.
        let closing = stop.split_last().filter(|(_, before)| back.ends_with(from.last, before));
        let closing = closing.map(|(&id, _)| id);
        for (id, log_prob) in (0..).zip(&log_probs) {
            let log_prob = from.log_prob + log_prob;
            if log_prob > f64::NEG_INFINITY {
                let stops = closing == Some(id);
                let list = if stops { &mut stopping } else { &mut going };
                list.push(Candidate { log_prob, parent, id, stops });
            }
        }
        // Not only at the end: all B · V candidates at once may be too many.
        if going.len() > 2 * beam_width {
            prune(&mut going);
        }
    }
    prune(&mut going);
    prune(&mut stopping);
    going.append(&mut stopping);
    going.sort_unstable_by(order);
    Ok(going)
}

/// All hypotheses that were ever kept, as a tree: each character with the one before it.
#[derive(Debug, Default)]
struct BackPointers {
    nodes: Vec<(Option<usize>, u32)>,
}

impl BackPointers {
    fn push(&mut self, before: Option<usize>, id: u32) -> usize {
        self.nodes.push((before, id));
        self.nodes.len() - 1
    }

    /// The ids up to a character, from the last to the first.
    fn trace(&self, last: Option<usize>) -> impl Iterator<Item = u32> + '_ {
        let mut at = last;
        std::iter::from_fn(move || {
            let (before, id) = self.nodes[at?];
            at = before;
            Some(id)
        })
    }

    fn ids(&self, last: Option<usize>) -> Vec<u32> {
        let mut ids: Vec<u32> = self.trace(last).collect();
        ids.reverse();
        ids
    }

    fn ends_with(&self, last: Option<usize>, ids: &[u32]) -> bool {
        self.trace(last).take(ids.len()).eq(ids.iter().rev().copied())
    }

    /// The more likely first; of equals the one with the lower ids.
    fn order(&self, left: &Hypothesis, right: &Hypothesis) -> Ordering {
        let by_ids = || self.ids(left.last).cmp(&self.ids(right.last));
        right.log_prob.total_cmp(&left.log_prob).then_with(by_ids)
    }

    fn sort(&self, hypotheses: &mut [Hypothesis]) {
        hypotheses.sort_by(|left, right| self.order(left, right));
    }

    /// The completion that a hypothesis is, whose last `stop` characters are the stop sequence.
    fn completion(&self, vocab: &Vocab, found: &Hypothesis, stop: usize) -> Completion {
        let ids = self.ids(found.last);
        Completion {
            text: vocab.decode(ids[..ids.len() - stop].iter().copied()),
            log_prob: found.log_prob,
            chars: found.chars,
            stopped: stop > 0,
        }
    }
}

#[cfg(test)]
mod tests;
