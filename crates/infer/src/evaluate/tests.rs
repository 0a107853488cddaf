use std::path::Path;

use charloom_data::{BatchConfig, LastTarget, Vocab};
use charloom_model::{Cell, CharRnnConfig, InputEncoding, TrainedModel};
use rand::SeedableRng;
use safetensors::SafeTensors;

use super::*;
use crate::test_models;

const CHARS: &str = "\n abcdefg";
const TEXT: &str = "a bad cab faded\nfeed a caged egg\nace\nbeef";

fn on(_done: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn model() -> TrainedModel {
    test_models::random(CHARS, &Device::flex())
}

fn ids(text: &str) -> Ids {
    Vocab::from_ordered(CHARS.chars().collect()).unwrap().encode(text).unwrap()
}

fn batches(batch_size: usize, seq_length: usize) -> Batches {
    let config = BatchConfig { batch_size, seq_length, last_target: LastTarget::Next };
    Batches::new(ids(TEXT), config).unwrap()
}

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 2e-6 * right.abs().max(1.0), "{left} and {right}");
}

/// Loss and accuracy from logits `[…, V]`, in f64 on the host.
fn by_hand(logits: &[f32], targets: &[i32], v: usize) -> (f64, f64) {
    let (mut nats, mut hits) = (0.0, 0.0);
    for (logits, &target) in logits.chunks_exact(v).zip(targets) {
        let powers: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        let target = logits[target as usize];
        nats += powers.ln() - f64::from(target);
        hits += f64::from(u8::from(logits.iter().all(|&l| l <= target)));
    }
    let chars = targets.len() as f64;
    (nats / chars, hits / chars)
}

#[test]
fn loss_and_accuracy_are_those_of_pytorch() {
    let cells = [
        ("lstm", Cell::Lstm, InputEncoding::OneHot),
        ("gru", Cell::Gru, InputEncoding::OneHot),
        ("tanh", Cell::Tanh, InputEncoding::OneHot),
        ("relu", Cell::Relu, InputEncoding::OneHot),
        ("gru_embedding", Cell::Gru, InputEncoding::Embedding(5)),
    ];
    for (name, cell, input) in cells {
        let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/goldens");
        let bytes = std::fs::read(goldens.join(format!("char_{name}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let words = |name: &str| {
            let words = file.tensor(name).unwrap().data().chunks_exact(4);
            words.map(|b| [b[0], b[1], b[2], b[3]]).collect::<Vec<_>>()
        };
        let floats =
            |name: &str| -> Vec<f32> { words(name).into_iter().map(f32::from_le_bytes).collect() };
        let ints =
            |name: &str| -> Vec<i32> { words(name).into_iter().map(i32::from_le_bytes).collect() };

        let (n, t, v, h, l) = (3, 5, 11, 6, 2);
        let config = CharRnnConfig { cell, input, hidden_size: h, ..CharRnnConfig::default() };
        let device = Device::flex();
        let network = config
            .init(v, &device, &mut rand_chacha::ChaCha8Rng::seed_from_u64(0))
            .with_parameters(|name, shape| {
                Ok::<_, std::convert::Infallible>(TensorData::new(floats(name), shape.to_vec()))
            })
            .unwrap();
        // The goldens start from a state that isn't zero: [L, N, H] each of h and c, here [2, N, H] a layer.
        let mut scores = Scores::new(&network);
        let letters: &[&str] = if cell == Cell::Lstm { &["h0", "c0"] } else { &["h0"] };
        let layers = (0..l).map(|layer| {
            let of = |letter: &&str| floats(letter)[layer * n * h..(layer + 1) * n * h].to_vec();
            let values: Vec<f32> = letters.iter().flat_map(of).collect();
            Tensor::from_data(TensorData::new(values, [letters.len(), n, h]), &device)
        });
        let state = State(layers.collect());

        scores.add(&ints("ids"), &ints("targets"), [n, t], Some(vec![state])).unwrap();
        let Evaluation { chars, loss, accuracy } = scores.sums.mean().unwrap();
        assert_eq!(chars, 15);
        near(loss, floats("loss")[0].into());
        let (hand_loss, hand_accuracy) = by_hand(&floats("logits"), &ints("targets"), v);
        near(loss, hand_loss);
        near(accuracy, hand_accuracy);
    }
}

/// The loss of every character but the first of `ids`, from the logits of one row from a zero state.
fn losses_of_one_row(model: &TrainedModel, ids: &Ids) -> (Vec<f64>, f64) {
    let (device, v) = (Device::flex(), model.network.vocab_size());
    let all: Vec<i32> = ids.iter().map(|id| id as i32).collect();
    let (inputs, targets) = (&all[..all.len() - 1], &all[1..]);
    let row = TensorData::new(inputs.to_vec(), [1, inputs.len()]);
    let state = model.network.zero_state(1, &device);
    let (logits, _) = model.network.forward(Tensor::from_data(row, &device), state, None);
    let logits: Vec<f32> = logits.try_into_vec_as().unwrap();
    let each = logits
        .chunks_exact(v)
        .zip(targets)
        .map(|(logits, &target)| by_hand(logits, &[target], v).0);
    (each.collect(), by_hand(&logits, targets, v).1)
}

#[test]
fn a_short_text_is_one_row_that_starts_at_zero() {
    let (model, ids) = (model(), ids(TEXT));
    let (losses, accuracy) = losses_of_one_row(&model, &ids);
    assert!(accuracy > 0.0 && accuracy < 1.0, "a test that can fail");
    let evaluation = evaluate(&model.network, &ids, &mut on).unwrap();
    assert_eq!(evaluation.chars, TEXT.len() - 1);
    near(evaluation.loss, losses.iter().sum::<f64>() / losses.len() as f64);
    near(evaluation.accuracy, accuracy);
}

/// Each row must give what it gives alone, whatever the length of the last one.
#[test]
fn every_character_of_a_long_text_is_predicted_once_after_a_warm_up() {
    let model = model();
    let long = TEXT.repeat(30); // 1,200 characters
    for (chars, warm_up, most, shortest) in [
        (1200, 32, 5, 100),
        (1113, 7, 4, 64),
        (1001, 300, 3, 330),
        (601, 1, 7, 10),
        (1200, 0, 6, 9),
    ] {
        let ids = ids(&long[..chars]);
        let total = chars - 1;
        let rows = Rows { warm_up, most, shortest };
        let n = (total / shortest).min(most);
        assert!(n > 1);
        let stride = (total - warm_up).div_ceil(n);
        let mut sum = 0.0;
        let mut counted = 0;
        for row in 0..n {
            let start = row * stride;
            let end = (start + stride + warm_up).min(total);
            let (losses, _) = losses_of_one_row(&model, &ids.slice(start..end + 1));
            let skipped = if row == 0 { 0 } else { warm_up };
            sum += losses[skipped..].iter().sum::<f64>();
            counted += losses.len() - skipped;
        }
        assert_eq!(counted, total);
        let mut done = Vec::new();
        let evaluation = evaluate_in(&rows, &model.network, &ids, &mut |so_far, of| {
            assert_eq!(of, total);
            done.push(so_far);
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(evaluation.chars, total);
        near(evaluation.loss, sum / total as f64);
        assert_eq!(done.last(), Some(&total));
    }
}

#[test]
fn the_shares_of_several_processes_are_the_whole() {
    let (model, ids) = (model(), ids(&TEXT.repeat(6)));
    let rows = Rows { warm_up: 5, most: 4, shortest: 40 };
    let whole = evaluate_in(&rows, &model.network, &ids, &mut on).unwrap();
    for ranks in [1, 2, 3, 5] {
        let (mut chars, mut loss, mut hits) = (0, 0.0, 0.0);
        for rank in 0..ranks {
            let mut last = (0, 0);
            let mut progress = |done, total| {
                last = (done, total);
                ControlFlow::Continue(())
            };
            let share = (rank, ranks);
            let part = evaluate_share_in(&rows, &model.network, &ids, share, &mut progress);
            let Some(part) = part.unwrap() else { continue };
            assert_eq!((last.0, part.chars), (last.1, last.1), "rank {rank} of {ranks}");
            chars += part.chars;
            loss += part.loss * part.chars as f64;
            hits += part.accuracy * part.chars as f64;
        }
        assert_eq!(chars, whole.chars, "{ranks}");
        near(loss / chars as f64, whole.loss);
        near(hits / chars as f64, whole.accuracy);
    }
}

#[test]
fn the_rows_of_a_long_text_lose_little_by_their_cuts() {
    let model = model();
    let ids = ids(&TEXT.repeat(250)); // 10,000 characters
    let (losses, _) = losses_of_one_row(&model, &ids);
    let evaluation = evaluate(&model.network, &ids, &mut on).unwrap();
    let loss = losses.iter().sum::<f64>() / losses.len() as f64;
    assert!((evaluation.loss - loss).abs() < 1e-5, "{} {loss}", evaluation.loss);
}

#[test]
fn logits_that_are_not_finite_are_an_error() {
    let broken = test_models::with_parameters(model(), |name, len| {
        vec![if name == "fc.bias" { f32::NAN } else { 0.0 }; len]
    });
    let error = evaluate(&broken.network, &ids(TEXT), &mut on).unwrap_err();
    assert!(matches!(error, EvaluateError::NotFinite { .. }), "{error}");
    let error = evaluate_rows(&broken.network, &batches(2, 4), &mut on).unwrap_err();
    assert!(matches!(error, EvaluateError::NotFinite { .. }), "{error}");
}

#[test]
fn batches_are_evaluated_with_their_state_carried_from_zero() {
    let (model, device) = (model(), Device::flex());
    for (n, t) in [(1, 4), (3, 4), (2, 7), (5, 1)] {
        let batches = batches(n, t);
        assert!(batches.len() > 1);
        let (mut state, mut sum) = (model.network.zero_state(n, &device), 0.0);
        for index in 0..batches.len() {
            let (mut inputs, mut targets) = (vec![0; n * t], vec![0; n * t]);
            batches.fill(index, &mut inputs, &mut targets);
            let tensor = |ids| Tensor::from_data(TensorData::new(ids, [n, t]), &device);
            let (loss, after) = model.network.loss(tensor(inputs), tensor(targets), state, None);
            sum += loss.try_into_scalar::<f64>().unwrap();
            state = after;
        }
        let evaluation = evaluate_rows(&model.network, &batches, &mut on).unwrap();
        assert_eq!(evaluation.chars, batches.len() * n * t);
        near(evaluation.loss, sum / batches.len() as f64);
    }
}

/// The same characters in the same rows, cut otherwise in time.
#[test]
fn the_length_of_a_batch_changes_nothing() {
    let model = model();
    let evaluation = |t| {
        let config = BatchConfig { batch_size: 3, seq_length: t, last_target: LastTarget::Next };
        let batches = Batches::new(ids(&TEXT[..37]), config).unwrap();
        evaluate_rows(&model.network, &batches, &mut on).unwrap()
    };
    for t in [1, 2, 3, 4, 6] {
        assert_eq!(evaluation(t).chars, 36);
        near(evaluation(t).loss, evaluation(12).loss);
        near(evaluation(t).accuracy, evaluation(12).accuracy);
    }
}

#[test]
fn logits_that_would_take_too_much_memory_are_computed_in_parts() {
    let model = model();
    let all: Vec<i32> = ids(TEXT).iter().map(|id| id as i32).collect();
    let score = |max_logits| {
        let mut scores = Scores { max_logits, ..Scores::new(&model.network) };
        scores.add(&all[..14], &all[1..15], [2, 7], None).unwrap();
        scores.sums.mean().unwrap()
    };
    // 2 rows of 9 characters: parts of 1, 1, 3 and all 7 steps.
    for max_logits in [0, 18, 60, 126] {
        near(score(max_logits).loss, score(1 << 24).loss);
        near(score(max_logits).accuracy, score(1 << 24).accuracy);
    }
}

#[test]
fn a_model_that_knows_nothing_is_as_uncertain_as_there_are_characters() {
    let zeros = test_models::with_parameters(model(), |_, len| vec![0.0; len]);
    let evaluation = evaluate(&zeros.network, &ids(TEXT), &mut on).unwrap();
    near(evaluation.perplexity(), 9.0);
    near(evaluation.loss, 2.197_224_577_336_219);
    near(evaluation.bits_per_char(), 3.169_925_001_442_312);
}

#[test]
fn a_model_that_knows_the_text_is_certain_and_right() {
    let model = test_models::cycle("abc");
    let text = |text: &str| model.vocab.encode(text).unwrap();
    let evaluation = evaluate(&model.network, &text("abcabcab"), &mut on).unwrap();
    assert_eq!(evaluation.accuracy, 1.0);
    near(evaluation.perplexity(), 1.0);
    // One of four comes otherwise: c after a.
    assert_eq!(
        evaluate(&model.network, &text("abcac").slice(1..5), &mut on).unwrap().accuracy,
        2.0 / 3.0
    );
}

#[test]
fn two_characters_are_enough_and_one_is_not() {
    let evaluation = evaluate(&model().network, &ids("ab"), &mut on).unwrap();
    assert_eq!(evaluation.chars, 1);
    assert!(evaluation.loss > 0.0);
    for (text, chars) in [("", 0), ("a", 1)] {
        let error = evaluate(&model().network, &ids(text), &mut on).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("a text must have at least 2 characters to be predicted, not {chars}")
        );
    }
}

#[test]
fn a_text_of_another_vocabulary_is_an_error() {
    let model = test_models::cycle("abc");
    let error = evaluate(&model.network, &ids("ab c"), &mut on).unwrap_err();
    assert_eq!(error.to_string(), "the text has the character id 3, but the network's are 0 to 2");
}

#[test]
fn whoever_asked_for_it_is_calls_how_far_the_work_is_and_can_end_it() {
    let model = model();
    let mut calls = Vec::new();
    let stopped = evaluate_rows(&model.network, &batches(3, 3), &mut |done, total| {
        calls.push((done, total));
        if done < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert!(matches!(stopped, Err(EvaluateError::Stopped { done: 2, total: 4 })));
    assert_eq!(calls, [(1, 4), (2, 4)]);

    let end = |done, total| if done < total { on(done, total) } else { ControlFlow::Break(()) };
    assert!(evaluate(&model.network, &ids(TEXT), &mut { end }).is_ok(), "nothing was left to end");
}

#[test]
fn a_network_in_training_is_evaluated_as_any_other() {
    let device = Device::flex().autodiff();
    let training = test_models::random(CHARS, &device);
    let (of_training, of_other) = (
        evaluate_rows(&training.network, &batches(2, 5), &mut on).unwrap(),
        evaluate_rows(&model().network, &batches(2, 5), &mut on).unwrap(),
    );
    assert_eq!(of_training, of_other);
}

#[test]
fn a_window_is_predicted_as_a_text_of_its_own() {
    let (model, ids) = (model(), ids(TEXT)); // 41 characters, 40 predicted
    for window in [1, 7, 40, 100] {
        let found = evaluate_windows(&model.network, &ids, window, &mut on).unwrap();
        assert_eq!(found.chars, ids.len() - 1);
        let mut nats = 0.0;
        for start in (0..ids.len() - 1).step_by(window) {
            let end = (start + window + 1).min(ids.len());
            let alone = evaluate(&model.network, &ids.slice(start..end), &mut on).unwrap();
            nats += alone.loss * alone.chars as f64;
        }
        near(found.loss, nats / found.chars as f64);
    }
}
