use std::ops::ControlFlow;

use charloom_model::TrainedModel;

use super::*;
use crate::{evaluate, test_models};

const CHARS: &str = "\n abcdefg";
const TEXT: &str = "a bad cab faded\nfeed a caged egg\nace\nbeef";

fn model() -> TrainedModel {
    test_models::random(CHARS, &Device::flex())
}

fn ids(model: &TrainedModel, text: &str) -> Ids {
    model.vocab.encode(text).unwrap()
}

fn predictions(model: &TrainedModel, text: &str, top: usize, chunk: usize) -> Vec<CharPrediction> {
    let predictions = predict_chars(model, &ids(model, text), top).unwrap();
    CharPredictions { chunk, ..predictions }.collect::<Result<_, _>>().unwrap()
}

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 2e-6 * right.abs().max(1.0), "{left} and {right}");
}

#[test]
fn each_character_has_its_probability_given_all_before_it_wherever_chunks_end() {
    let model = model();
    let expected = test_models::probabilities(&model, TEXT);
    for chunk in [1, 2, 5, 41, 256] {
        let found = predictions(&model, TEXT, 3, chunk);
        assert_eq!(found.len(), TEXT.len() - 1);
        for ((found, char), probabilities) in found.iter().zip(TEXT.chars().skip(1)).zip(&expected)
        {
            assert_eq!(model.vocab.char(found.id), Some(char));
            near(found.log_prob.exp(), probabilities[found.id as usize]);

            let mut order: Vec<usize> = (0..probabilities.len()).collect();
            order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
            let top: Vec<usize> = found.top.iter().map(|one| one.id as usize).collect();
            assert_eq!(top, order[..3]);
            assert_eq!(found.correct, order[0] == found.id as usize);
            for one in &found.top {
                near(one.probability, probabilities[one.id as usize]);
            }
        }
    }
}

#[test]
fn the_mean_agrees_with_an_evaluation_of_the_text() {
    let model = model();
    let found = predictions(&model, TEXT, 0, 7);
    let on = &mut |_, _| ControlFlow::Continue(());
    let evaluation = evaluate(&model.network, &ids(&model, TEXT), on).unwrap();
    assert_eq!(found.len(), evaluation.chars);
    let chars = found.len() as f64;
    near(found.iter().map(|found| -found.log_prob).sum::<f64>() / chars, evaluation.loss);
    let correct = found.iter().filter(|found| found.correct).count();
    assert!(correct > 0 && correct < found.len());
    near(correct as f64 / chars, evaluation.accuracy);
}

#[test]
fn there_are_as_many_top_characters_as_asked_for_or_as_the_vocabulary_has() {
    let model = model();
    for (top, count) in [(0, 0), (1, 1), (9, 9), (100, 9)] {
        let found = predictions(&model, "bad", top, 256);
        assert!(found.iter().all(|found| found.top.len() == count));
    }
    let all = predictions(&model, "bad", 9, 256);
    for found in all {
        near(found.top.iter().map(|one| one.probability).sum(), 1.0);
        assert!(found.top.is_sorted_by(|a, b| a.probability >= b.probability));
    }
}

#[test]
fn of_equally_likely_characters_the_first_comes_first() {
    let zeros = test_models::with_parameters(model(), |_, len| vec![0.0; len]);
    let found = predictions(&zeros, "\na\n", 2, 256);
    let top = |found: &CharPrediction| found.top.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(top(&found[0]), [0, 1]);
    assert_eq!([found[0].correct, found[1].correct], [false, true]);
    near(found[0].log_prob, -(9.0_f64.ln()));
}

#[test]
fn two_characters_are_enough_and_one_is_not() {
    let model = model();
    assert_eq!(predictions(&model, "ab", 1, 256).len(), 1);
    for (text, chars) in [("", 0), ("a", 1)] {
        let error = predict_chars(&model, &ids(&model, text), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("a text must have at least 2 characters to be predicted, not {chars}")
        );
    }
}

#[test]
fn a_text_of_another_vocabulary_is_an_error() {
    let error = predict_chars(&test_models::cycle("abc"), &ids(&model(), "ab c"), 1).unwrap_err();
    assert_eq!(error.to_string(), "the text has the character id 3, but the network's are 0 to 2");
}

#[test]
fn logits_that_are_not_finite_are_an_error_and_the_end() {
    for wrong in [f32::NAN, f32::INFINITY] {
        let broken = test_models::with_parameters(model(), |name, len| {
            vec![if name == "fc.bias" { wrong } else { 0.5 }; len]
        });
        let mut found = predict_chars(&broken, &ids(&broken, "bad"), 1).unwrap();
        assert!(matches!(found.next(), Some(Err(PredictError::NonFiniteLogits(_)))));
        assert!(found.next().is_none());
    }
}

#[test]
fn an_impossible_character_has_no_probability_at_all() {
    let one_only = test_models::with_parameters(model(), |name, len| match name {
        "fc.bias" => (0..len).map(|id| if id == 2 { 0.0 } else { f32::NEG_INFINITY }).collect(),
        _ => vec![0.0; len],
    });
    let found = predictions(&one_only, "bab", 2, 256);
    assert_eq!([found[0].log_prob, found[1].log_prob], [0.0, f64::NEG_INFINITY]);
}

#[test]
fn a_network_in_training_predicts_the_same() {
    let training = test_models::random(CHARS, &Device::flex().autodiff());
    assert_eq!(predictions(&training, TEXT, 2, 9), predictions(&model(), TEXT, 2, 9));
}

#[test]
fn chunks_are_shorter_for_large_vocabularies_but_never_empty() {
    assert_eq!(chunk_length(1, 80), 256);
    assert_eq!(chunk_length(64, 80), 256);
    assert_eq!(chunk_length(64, 5000), 13);
    assert_eq!(chunk_length(64, 1 << 20), 1);
}
