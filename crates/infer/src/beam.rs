//! [`complete`]: the likeliest continuations of a text, by beam search.

use std::cmp::Ordering;
use std::num::NonZeroUsize;

use charloom_model::TrainedModel;

use crate::generate::{GenerateError, prime_ids};
use crate::predict::log_softmax;
use crate::streams::Streams;

/// What is to be completed, and how hard it is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct BeamConfig {
    /// The text that the model goes on from. If it is empty, the model starts as if after a newline, or
    /// after the character with id 0 if it knows no newline.
    pub prime: String,
    /// How many characters a continuation has, unless the stop text comes first.
    pub length: usize,
    /// A continuation ends when this text has come. Empty is as none. A character in it that the model
    /// doesn't know is no error: such a text never comes.
    pub stop: Option<String>,
    /// How many continuations are wanted.
    pub count: NonZeroUsize,
    /// Beginnings that are kept from character to character, B. A continuation is missed where one of its
    /// beginnings was not among the B likeliest; with V^(length − 1) and `count` none is. Fewer than `count` may
    /// find fewer.
    pub beam: NonZeroUsize,
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Its text, without the stop text.
    pub text: String,
    /// ln p of it given the prime, in nats, the stop text included if it came.
    pub log_prob: f64,
    /// The characters that `log_prob` is of: those of the text, and of the stop text if it came.
    pub chars: usize,
    /// Whether the stop text came.
    pub stopped: bool,
}

impl Completion {
    /// The probability of the whole, 0 to 1. That of a long one may be too small for an f64, and 0.
    pub fn probability(&self) -> f64 {
        self.log_prob.exp()
    }

    /// The geometric mean of the characters' probabilities, 0 to 1.
    pub fn probability_per_char(&self) -> f64 {
        (self.log_prob / self.chars.max(1) as f64).exp()
    }
}

/// The likeliest continuations, the likeliest first.
///
/// Continuations of different lengths, which only a stop text makes, are ranked by the probability of the
/// whole as well: with nothing done about it, short ones win. Nothing is random. Of equally likely ones the
/// one with the lower ids comes first; continuations that can't be, with probability 0, are none.
///
/// # Errors
/// If the model doesn't know a character of the prime, its logits are not numbers, or the device fails.
pub fn complete(
    model: &TrainedModel,
    config: &BeamConfig,
) -> Result<Vec<Completion>, GenerateError> {
    let BeamConfig { prime, length, stop, count, beam } = config;
    let (count, beam) = (count.get(), beam.get());
    let prime = prime_ids(&model.vocab, prime)?;
    // A text with an unknown character never comes, and as None is not looked for.
    let stop = stop.as_deref().filter(|stop| !stop.is_empty());
    let stop: Option<Vec<u32>> =
        stop.and_then(|stop| stop.chars().map(|char| model.vocab.id(char)).collect());
    let stop = stop.unwrap_or_default();

    let mut tree = Tree::default();
    let mut ended: Vec<Beginning> = Vec::new();
    let mut live = vec![Beginning { log_prob: 0.0, last: None, chars: 0 }];
    if *length == 0 {
        return Ok(live.iter().map(|end| tree.completion(model, end, 0)).collect());
    }
    let mut streams = Streams::new(&model.network, &prime, beam)?;
    let (mut parents, mut ids) = (vec![0; beam], vec![0; beam]);
    for left in (0..*length).rev() {
        let candidates = candidates(&streams, &live, beam, &stop, &tree)?;
        let mut next = Vec::with_capacity(beam);
        for Candidate { log_prob, row, id, stops } in candidates {
            let from = live[row];
            let last = Some(tree.add(from.last, id));
            let end = Beginning { log_prob, last, chars: from.chars + 1 };
            if stops {
                ended.push(end);
                continue;
            }
            (parents[next.len()], ids[next.len()]) = (row, id as i32);
            next.push(end);
        }
        // Every further character makes a text less likely, or leaves it as it is.
        tree.sort(&mut ended);
        ended.truncate(count);
        if let Some(last) = ended.get(count - 1) {
            // The likelier ones come first.
            next.truncate(next.partition_point(|end| end.log_prob >= last.log_prob));
        }
        live = next;
        if live.is_empty() {
            break;
        }
        if left > 0 {
            // Rows that no beginning needs go on with whatever: theirs is never looked at.
            streams.reorder(&parents);
            streams.step(&ids)?;
        }
    }
    let ended = ended.into_iter().map(|end| (end, stop.len()));
    let mut found: Vec<(Beginning, usize)> =
        ended.chain(live.into_iter().map(|end| (end, 0))).collect();
    found.sort_by(|(left, _), (right, _)| tree.order(left, right));
    found.truncate(count);
    Ok(found.iter().map(|(end, stop)| tree.completion(model, end, *stop)).collect())
}

/// The beginning of a continuation, or the whole of one.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    log_prob: f64,
    /// Its last character in the tree; none if it has none.
    last: Option<usize>,
    chars: usize,
}

/// One of the beginnings with one more character.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    log_prob: f64,
    /// Which beginning.
    row: usize,
    id: u32,
    /// Whether the stop text is complete with it.
    stops: bool,
}

/// The `beam` likeliest candidates that don't stop and as many that do, the likeliest first. Those that
/// stop take nobody's place: what they hold is found, and the search goes on as wide as before.
fn candidates(
    streams: &Streams,
    live: &[Beginning],
    beam: usize,
    stop: &[u32],
    tree: &Tree,
) -> Result<Vec<Candidate>, GenerateError> {
    let (mut going, mut stopping) = (Vec::new(), Vec::new());
    let mut log_probs = Vec::new();
    // Any fixed order of equals would do.
    let order = |left: &Candidate, right: &Candidate| {
        (right.log_prob.total_cmp(&left.log_prob))
            .then(left.row.cmp(&right.row))
            .then(left.id.cmp(&right.id))
    };
    let cut = |list: &mut Vec<Candidate>| {
        if list.len() > beam {
            list.select_nth_unstable_by(beam, order);
            list.truncate(beam);
        }
    };
    for (row, from) in live.iter().enumerate() {
        log_softmax(streams.logits(row), &mut log_probs)?;
        // With the stop text but its last character just written, that one ends it.
        let closing = stop.split_last().filter(|(_, before)| tree.ends_with(from.last, before));
        let closing = closing.map(|(&id, _)| id);
        for (id, log_prob) in (0..).zip(&log_probs) {
            let log_prob = from.log_prob + log_prob;
            if log_prob > f64::NEG_INFINITY {
                let stops = closing == Some(id);
                let list = if stops { &mut stopping } else { &mut going };
                list.push(Candidate { log_prob, row, id, stops });
            }
        }
        // Not left to the end: B · V of them may be too many.
        if going.len() > 2 * beam {
            cut(&mut going);
        }
    }
    cut(&mut going);
    cut(&mut stopping);
    going.append(&mut stopping);
    going.sort_unstable_by(order);
    Ok(going)
}

/// All beginnings that were ever kept: each character once, with the one before it.
#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<(Option<usize>, u32)>,
}

impl Tree {
    fn add(&mut self, before: Option<usize>, id: u32) -> usize {
        self.nodes.push((before, id));
        self.nodes.len() - 1
    }

    /// The ids up to a character, backwards.
    fn backwards(&self, last: Option<usize>) -> impl Iterator<Item = u32> + '_ {
        let mut at = last;
        std::iter::from_fn(move || {
            let (before, id) = self.nodes[at?];
            at = before;
            Some(id)
        })
    }

    fn ids(&self, last: Option<usize>) -> Vec<u32> {
        let mut ids: Vec<u32> = self.backwards(last).collect();
        ids.reverse();
        ids
    }

    fn ends_with(&self, last: Option<usize>, ids: &[u32]) -> bool {
        self.backwards(last).take(ids.len()).eq(ids.iter().rev().copied())
    }

    /// Likelier first; of equals the one with the lower ids.
    fn order(&self, left: &Beginning, right: &Beginning) -> Ordering {
        let by_ids = || self.ids(left.last).cmp(&self.ids(right.last));
        right.log_prob.total_cmp(&left.log_prob).then_with(by_ids)
    }

    fn sort(&self, beginnings: &mut [Beginning]) {
        beginnings.sort_by(|left, right| self.order(left, right));
    }

    /// What an end stands for, its last `stop` characters being the stop text.
    fn completion(&self, model: &TrainedModel, end: &Beginning, stop: usize) -> Completion {
        let ids = self.ids(end.last);
        Completion {
            text: model.vocab.decode(ids[..ids.len() - stop].iter().copied()),
            log_prob: end.log_prob,
            chars: end.chars,
            stopped: stop > 0,
        }
    }
}

#[cfg(test)]
mod tests;
