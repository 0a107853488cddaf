use std::collections::{BTreeMap, BTreeSet};

use charloom_data::Vocab;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn vocab(size: usize) -> Vocab {
    Vocab::from_chars(('!'..).take(size))
}

/// A text over a vocabulary of `vocab_size`.
fn encode(ids: &[u32], vocab_size: usize) -> Ids {
    let vocab = vocab(vocab_size);
    vocab.encode(&vocab.decode(ids.iter().copied())).unwrap()
}

/// Characters that depend on the two before them: one of three that follow them with different probabilities.
fn markov(length: usize, vocab_size: u32, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text = vec![0, 1];
    while text.len() < length {
        let (a, b) = (text[text.len() - 2], text[text.len() - 1]);
        let choice = [0, 0, 0, 0, 1, 1, 1, 2][rng.random_range(0..8)];
        text.push((a * 5 + b * 3 + choice * choice) % vocab_size);
    }
    text
}

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-12, "{left} and {right}");
}

/// The model of a text as textbooks write it: counts of n-grams in maps, and the recursion.
struct Textbook {
    vocab_size: usize,
    order: usize,
    /// Of n-grams of each length, from 1 on.
    counts: Vec<BTreeMap<Vec<u32>, usize>>,
}

impl Textbook {
    fn new(text: &[u32], vocab_size: usize, order: usize) -> Self {
        let counts = (1..=order).map(|n| {
            let mut lefts = BTreeMap::<Vec<u32>, Vec<Option<u32>>>::new();
            for end in n..=text.len() {
                let left = (end - n).checked_sub(1).map(|place| text[place]);
                lefts.entry(text[end - n..end].to_vec()).or_default().push(left);
            }
            let count = |lefts: Vec<Option<u32>>| {
                if n == order { lefts.len() } else { BTreeSet::from_iter(lefts).len() }
            };
            lefts.into_iter().map(|(ngram, lefts)| (ngram, count(lefts))).collect()
        });
        Self { vocab_size, order, counts: counts.collect() }
    }

    fn discount(&self, n: usize, count: usize) -> f64 {
        let of = |r: usize| self.counts[n - 1].values().filter(|&&count| count == r).count() as f64;
        if count == 0 {
            return 0.0;
        }
        let r = count.min(3);
        let estimate =
            r as f64 - (r as f64 + 1.0) * of(1) / (of(1) + 2.0 * of(2)) * of(r + 1) / of(r);
        if estimate > 0.0 && estimate < r as f64 { estimate } else { r as f64 / 2.0 }
    }

    fn probability(&self, context: &[u32], id: u32) -> f64 {
        let context = &context[context.len() - context.len().min(self.order - 1)..];
        let lower = match context {
            [] => 1.0 / self.vocab_size as f64,
            [_, shorter @ ..] => self.probability(shorter, id),
        };
        let n = context.len() + 1;
        let count = |id: u32| {
            let ngram = [context, &[id]].concat();
            self.counts[n - 1].get(&ngram).copied().unwrap_or(0)
        };
        let all = || (0..self.vocab_size as u32).map(count);
        match all().sum::<usize>() {
            0 => lower,
            total => {
                let left: f64 = all().map(|count| self.discount(n, count)).sum();
                let own = count(id) as f64 - self.discount(n, count(id));
                own / total as f64 + left / total as f64 * lower
            }
        }
    }
}

#[test]
fn it_agrees_with_the_textbook() {
    for (seed, vocab_size, length) in [(1, 2, 9), (2, 3, 70), (3, 7, 150), (4, 40, 60), (5, 5, 1)] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Squared, so that some characters are more frequent than others.
        let mut draw = |_| rng.random_range(0..vocab_size) * rng.random_range(0..vocab_size);
        let text: Vec<u32> = (0..length).map(&mut draw).map(|id| id / vocab_size).collect();
        let other: Vec<u32> = (0..25).map(&mut draw).map(|id| id / vocab_size).collect();
        let v = vocab_size as usize;
        for order in 1..=6 {
            let model = NGram::fit(&encode(&text, v), v, order).unwrap();
            let textbook = Textbook::new(&text, v, order);
            let found = model.log_probs(&encode(&other, v), 0).unwrap();
            assert_eq!(found.len(), other.len());
            for (place, found) in found.into_iter().enumerate() {
                near(found.exp(), textbook.probability(&other[..place], other[place]));
            }
        }
    }
}

#[test]
fn a_distribution_sums_to_1_after_any_context() {
    let text = markov(400, 6, 1);
    for order in [1, 2, 3, 5] {
        // Two characters of the vocabulary are not in the text.
        let model = NGram::fit(&encode(&text, 8), 8, order).unwrap();
        for context in
            [&[][..], &[0, 1], &[5, 0, 1], &[7], &[1, 7, 1], &[7, 1, 0], &[-1, 0], &[900]]
        {
            let found = model.distribution(context);
            near(found.iter().sum(), 1.0);
            assert!(found.len() == 8 && found.iter().all(|&p| p > 0.0), "{context:?}: {found:?}");
        }
    }
}

#[test]
fn a_distribution_has_the_probabilities_of_the_text() {
    let text = markov(300, 6, 2);
    let model = NGram::fit(&encode(&text, 6), 6, 4).unwrap();
    let other = markov(40, 6, 3);
    let found = model.log_probs(&encode(&other, 6), 5).unwrap();
    assert_eq!(found.len(), 35);
    for (place, found) in (5..).zip(found) {
        let context: Vec<i32> = other[..place].iter().map(|&id| id as i32).collect();
        near(model.distribution(&context)[other[place] as usize], found.exp());
    }
}

#[test]
fn a_small_text_gives_what_is_computed_by_hand() {
    // `abab`: `ab` twice and `ba` once, so Y = 1/3, D₁ = 1 - 2/3, and D₂ falls back to 1. Continuations: `a` follows `b`
    // and the beginning of the text, `b` only `a`; the discounts are the same.
    let model = NGram::fit(&encode(&[0, 1, 0, 1], 2), 2, 2).unwrap();
    let (a, b) = (1.0 / 3.0 + 4.0 / 9.0 / 2.0, 2.0 / 9.0 + 4.0 / 9.0 / 2.0);
    for (context, expected) in [
        (&[][..], [a, b]),
        (&[0], [a / 2.0, 0.5 + b / 2.0]),
        (&[1], [2.0 / 3.0 + a / 3.0, b / 3.0]),
        (&[1, 0], [a / 2.0, 0.5 + b / 2.0]),
    ] {
        let found = model.distribution(context);
        near(found[0], expected[0]);
        near(found[1], expected[1]);
    }
}

#[test]
fn order_1_is_the_relative_frequency_with_a_discount_that_all_characters_share() {
    let text = [vec![0; 50], vec![1; 30], vec![2; 20]].concat();
    let model = NGram::fit(&encode(&text, 5), 5, 1).unwrap();
    // Each of the three gives 1.5 of its count away.
    let shared = 3.0 * 1.5 / 100.0 / 5.0;
    let expected = [0.485 + shared, 0.285 + shared, 0.185 + shared, shared, shared];
    for context in [&[][..], &[2]] {
        model.distribution(context).iter().zip(expected).for_each(|(&p, other)| near(p, other));
    }
}

#[test]
fn more_text_of_a_kind_lowers_the_loss() {
    let held_out = encode(&markov(3000, 9, 1), 9);
    let losses = [300, 1000, 3000, 30_000].map(|length| {
        let train = encode(&markov(length, 9, 2), 9);
        NGram::order_losses(&train, &held_out, 1, 9, 3).unwrap()[2].loss
    });
    assert!(losses.is_sorted_by(|one, next| one > next), "{losses:?}");
    // The entropy of 4, 3 and 1 in 8.
    let entropy: f64 = [4.0, 3.0, 1.0].map(|n: f64| -n / 8.0 * (n / 8.0).ln()).iter().sum();
    assert!((losses[3] - entropy).abs() < 0.04, "{losses:?}, entropy {entropy}");
}

#[test]
fn the_best_order_is_as_long_as_the_texts_memory() {
    let (train, held_out) = (encode(&markov(4000, 9, 1), 9), encode(&markov(900, 9, 2), 9));
    let (model, losses) = NGram::fit_best(&train, &held_out, 1, 9, 6).unwrap();
    assert_eq!(model.order(), 3, "{losses:?}");
    assert_eq!(OrderLoss::best(&losses).unwrap().order, 3);
}

#[test]
fn the_losses_of_all_orders_are_those_of_the_models_of_each() {
    let (train, held_out) = (encode(&markov(500, 7, 1), 8), encode(&markov(90, 7, 2), 8));
    let losses = NGram::order_losses(&train, &held_out, 4, 8, 7).unwrap();
    assert_eq!(losses.len(), 7);
    for (order, found) in (1..).zip(losses) {
        let model = NGram::fit(&train, 8, order).unwrap();
        let log_probs = model.log_probs(&held_out, 4).unwrap();
        assert_eq!((found.order, log_probs.len()), (order, 86));
        near(found.loss, -log_probs.iter().sum::<f64>() / 86.0);
    }
}

#[test]
fn a_large_vocabulary_and_an_order_beyond_the_text_are_no_problem() {
    let text: Vec<u32> = (0..60).map(|place| place * 977 % 50_000).collect();
    let v = 50_000;
    let vocab = Vocab::from_chars(('\u{20000}'..).take(v));
    let ids = vocab.encode(&vocab.decode(text.iter().copied())).unwrap();
    let model = NGram::fit(&ids, v, 90).unwrap();
    assert_eq!((model.order(), model.vocab_size()), (90, v));
    assert!(model.log_probs(&ids, 0).unwrap().iter().all(|p| p.is_finite()));
    near(model.distribution(&[0, 977]).iter().sum(), 1.0);
}

#[test]
fn what_cannot_be_fitted_or_predicted_is_an_error() {
    let (empty, text) = (encode(&[], 3), encode(&[0, 2, 1], 3));
    assert_eq!(NGram::fit(&empty, 3, 2).unwrap_err(), NGramError::Empty);
    assert_eq!(NGram::fit(&text, 3, 0).unwrap_err(), NGramError::Order);
    let unknown = NGramError::UnknownId { id: 2, vocab_size: 2 };
    assert_eq!(NGram::fit(&text, 2, 2).unwrap_err(), unknown);
    let model = NGram::fit(&encode(&[0, 1, 1], 2), 2, 2).unwrap();
    assert_eq!(model.log_probs(&text, 0).unwrap_err(), unknown);
    let nothing = NGram::order_losses(&text, &text, 3, 3, 2).unwrap_err();
    assert_eq!(nothing, NGramError::NothingToPredict);
    assert!(model.log_probs(&encode(&[0], 2), 9).unwrap().is_empty());
}
