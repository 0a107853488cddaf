use charloom_model::TrainedModel;

use super::*;
use crate::predict::predict_chars;
use crate::test_models;

const CHARS: &str = "\n abcdefg";

fn model() -> TrainedModel {
    test_models::random(CHARS, &Device::flex())
}

fn scores(model: &TrainedModel, texts: &[&str]) -> Vec<Score> {
    score(model, texts, &mut |_, _| ()).unwrap()
}

/// What the characters of `text` cost after the character with which texts begin.
fn after(model: &TrainedModel, start: char, text: &str) -> f64 {
    let ids = model.vocab.encode(&format!("{start}{text}")).unwrap();
    predict_chars(model, &ids, 0).unwrap().map(|found| -found.unwrap().log_prob).sum()
}

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 5e-6 * right.abs().max(1.0), "{left} and {right}");
}

#[test]
fn every_character_counts_as_it_would_after_a_newline() {
    let model = model();
    for text in ["a", "bad cab", "\n", "feed a caged egg"] {
        let found = scores(&model, &[text])[0];
        assert_eq!((found.chars, found.unknown), (text.len(), 0));
        near(found.nll, after(&model, '\n', text));
        near(found.nll_per_char().unwrap(), found.nll / text.len() as f64);
    }
}

#[test]
fn a_model_without_newline_starts_after_its_first_character() {
    let model = test_models::random("xab", &Device::flex());
    near(scores(&model, &["abba"])[0].nll, after(&model, 'x', "abba"));
}

/// More texts than a batch has rows, of all lengths, one of them much longer than a chunk.
#[test]
fn texts_in_a_batch_score_as_each_alone() {
    let model = model();
    let letter = |place: usize| CHARS.as_bytes()[(place * place + place / 5) % CHARS.len()] as char;
    let texts: Vec<String> = (0..150)
        .map(|number| {
            let length = if number == 70 { 700 } else { number * 7 % 23 };
            (0..length).map(|place| letter(number + place)).collect()
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut calls = Vec::new();
    let together = score(&model, &texts, &mut |done, total| calls.push((done, total))).unwrap();
    for (text, together) in texts.iter().zip(&together) {
        assert_eq!(together.chars, text.len());
        let alone = if text.is_empty() { 0.0 } else { after(&model, '\n', text) };
        near(together.nll, alone);
    }
    let chars = texts.iter().map(|text| text.len()).sum();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls.last(), Some(&(chars, chars)));
    let sum: Score = together.iter().copied().sum();
    assert_eq!(sum.chars, chars);
    near(sum.nll, together.iter().map(|score| score.nll).sum());
}

#[test]
fn an_unknown_character_costs_the_same_in_every_model_and_is_skipped() {
    let model = model();
    let [known, mixed, unknown] = scores(&model, &["bad", "béad☃", "☃☃"])[..] else {
        panic!()
    };
    near(unknown_char_nll(), 13.921_727_5);
    near(mixed.nll, known.nll + 2.0 * unknown_char_nll());
    assert_eq!((mixed.chars, mixed.unknown), (5, 2));
    assert_eq!(unknown, Score { nll: 2.0 * unknown_char_nll(), chars: 2, unknown: 2 });
}

#[test]
fn a_text_without_characters_has_no_nll_per_character() {
    let found = scores(&model(), &[""])[0];
    assert_eq!(found, Score::default());
    assert_eq!(found.nll_per_char(), None);
    assert!(scores(&model(), &[]).is_empty());
}

#[test]
fn the_nll_of_an_impossible_text_is_infinite() {
    let one_only = test_models::with_parameters(model(), |name, len| match name {
        "fc.bias" => (0..len).map(|id| if id == 2 { 0.0 } else { f32::NEG_INFINITY }).collect(),
        _ => vec![0.0; len],
    });
    let found = scores(&one_only, &["aa", "ab"]);
    assert_eq!([found[0].nll, found[1].nll], [0.0, f64::INFINITY]);
}

#[test]
fn logits_that_are_not_finite_are_an_error() {
    let broken = test_models::with_parameters(model(), |_, len| vec![f32::NAN; len]);
    let error = score(&broken, &["bad"], &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, PredictError::NonFiniteLogits(_)));
}

#[test]
fn a_network_in_training_scores_the_same() {
    let training = test_models::random(CHARS, &Device::flex().autodiff());
    assert_eq!(scores(&training, &["bad", "egg a"]), scores(&model(), &["bad", "egg a"]));
}
