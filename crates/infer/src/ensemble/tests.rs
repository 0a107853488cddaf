use std::ops::ControlFlow;

use charloom_data::{BatchConfig, Batches, Ids, LastTarget};
use charloom_model::{Cell, CharRnnConfig, Init, TrainingSummary};
use rand::SeedableRng;

use super::*;
use crate::{
    BatchDecoder, Evaluation, Generate, GenerateConfig, Sampling, evaluate, evaluate_rows,
    generate, generate_many, predict_chars, score, test_models,
};

const CHARS: &str = "\n abcdefg";
const TEXT: &str = "a bad cab faded\nfeed a caged egg\nace\nbeef";

fn on(_done: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An LSTM.
fn lstm() -> TrainedModel {
    test_models::random(CHARS, &Device::flex())
}

/// A GRU of another size, with the characters in another order.
fn gru() -> TrainedModel {
    let config = CharRnnConfig {
        cell: Cell::Gru,
        hidden_size: 5,
        layers: 1,
        init: Init::Normal(1.0),
        ..CharRnnConfig::default()
    };
    let vocab = Vocab::from_ordered(CHARS.chars().rev().collect()).unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    let network = config.init(vocab.len(), &Device::flex(), &mut rng);
    TrainedModel { network, config, vocab, summary: TrainingSummary::default() }
}

fn both() -> Ensemble {
    Ensemble::new([lstm(), gru()]).unwrap()
}

fn ids(text: &str) -> Ids {
    lstm().vocab.encode(text).unwrap()
}

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 2e-6 * right.abs().max(1.0), "{left} and {right}");
}

/// The probabilities of a model, `[T][V]`, in the order of the characters in `CHARS`.
fn by_hand(model: &TrainedModel, text: &str) -> Vec<Vec<f64>> {
    let in_order = |by_id: Vec<f64>| {
        CHARS.chars().map(|char| by_id[model.vocab.id(char).unwrap() as usize]).collect()
    };
    test_models::probabilities(model, text).into_iter().map(in_order).collect()
}

/// The means of the two models' probabilities, `[T][V]`.
fn mean_by_hand(text: &str) -> Vec<Vec<f64>> {
    let mean = |(one, other): (Vec<f64>, Vec<f64>)| {
        one.iter().zip(other).map(|(one, other)| (one + other) / 2.0).collect()
    };
    by_hand(&lstm(), text).into_iter().zip(by_hand(&gru(), text)).map(mean).collect()
}

#[test]
fn each_probability_is_the_mean_of_the_models() {
    let found = predict_chars(&both(), &ids(TEXT), 9).unwrap();
    for (found, expected) in found.zip(mean_by_hand(TEXT)) {
        let found = found.unwrap();
        near(found.log_prob.exp(), expected[found.id as usize]);
        assert_eq!(found.top.len(), 9);
        for one in &found.top {
            near(one.probability, expected[one.id as usize]);
        }
    }
}

#[test]
fn the_decoder_gives_the_logarithm_of_the_mean() {
    let expected = mean_by_hand(TEXT);
    let all: Vec<u32> = ids(TEXT).iter().collect();
    for mut decoder in [BatchDecoder::new(&both()), BatchDecoder::without_kernels(&both())] {
        // Other rows join and leave: the means must go with their rows.
        decoder.push(&all[3..6]).unwrap();
        let mut row = decoder.push(&all[..2]).unwrap();
        for (read, &id) in all.iter().enumerate().take(12).skip(2) {
            for (found, expected) in decoder.logits(row).iter().zip(&expected[read - 1]) {
                near(f64::from(*found).exp(), *expected);
            }
            let mut step = vec![5; decoder.rows()];
            step[row] = id;
            decoder.step(&step).unwrap();
            if read == 5 {
                decoder.select(&[row, 0, row]);
                row = 2;
            } else if read == 8 {
                decoder.remove(0);
                row = 1;
            }
        }
    }
}

#[test]
fn an_evaluation_is_the_mean_over_the_predicted_characters() {
    let found: Vec<_> =
        predict_chars(&both(), &ids(TEXT), 0).unwrap().collect::<Result<_, _>>().unwrap();
    let chars = found.len() as f64;
    let Evaluation { chars: predicted, loss, accuracy } =
        evaluate(&both(), &ids(TEXT), &mut on).unwrap();
    assert_eq!(predicted, found.len());
    near(loss, found.iter().map(|found| -found.log_prob).sum::<f64>() / chars);
    let correct = found.iter().filter(|found| found.correct).count();
    assert!(correct > 0 && correct < found.len());
    near(accuracy, correct as f64 / chars);
}

/// Several rows, each with a state for each network; their number doesn't matter to an ensemble of one model twice.
#[test]
fn a_model_averaged_with_itself_is_that_model() {
    let model = lstm();
    let twice = Ensemble::new([model.clone(), model.clone()]).unwrap();
    let long = ids(&TEXT.repeat(300));
    let (one, two) =
        (evaluate(&model, &long, &mut on).unwrap(), evaluate(&twice, &long, &mut on).unwrap());
    assert_eq!(one.chars, two.chars);
    assert!((one.loss - two.loss).abs() < 1e-6, "{} and {}", one.loss, two.loss);
    assert_eq!(one.accuracy, two.accuracy);

    let config = BatchConfig { batch_size: 3, seq_length: 4, last_target: LastTarget::Next };
    let batches = Batches::new(ids(TEXT), config).unwrap();
    let (one, two) = (
        evaluate_rows(&model, &batches, &mut on).unwrap(),
        evaluate_rows(&twice, &batches, &mut on).unwrap(),
    );
    assert!((one.loss - two.loss).abs() < 1e-6, "{} and {}", one.loss, two.loss);

    let texts = ["bad", "feed a caged egg\n", ""];
    let scores = |found: Vec<crate::Score>| found.iter().map(|score| score.nll).collect::<Vec<_>>();
    let one = scores(score(&model, &texts, &mut |_, _| ()).unwrap());
    for (one, two) in one.iter().zip(scores(score(&twice, &texts, &mut |_, _| ()).unwrap())) {
        near(two, *one);
    }
    let greedy = GenerateConfig { sampling: Sampling::Greedy, ..GenerateConfig::default() };
    assert_eq!(generate(&twice, &greedy).unwrap(), generate(&model, &greedy).unwrap());
}

#[test]
fn an_ensemble_of_one_is_that_model_to_the_last_bit() {
    let model = lstm();
    let one = Ensemble::new([model.clone()]).unwrap();
    assert_eq!(
        evaluate(&one, &ids(TEXT), &mut on).unwrap(),
        evaluate(&model, &ids(TEXT), &mut on).unwrap()
    );
    let all =
        |predictions: crate::CharPredictions| predictions.map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(
        all(predict_chars(&one, &ids(TEXT), 3).unwrap()),
        all(predict_chars(&model, &ids(TEXT), 3).unwrap())
    );
    assert_eq!(one.generate("bad").unwrap(), model.generate("bad").unwrap());
}

#[test]
fn scores_are_sums_of_the_means_of_the_first_character_too() {
    let texts = ["bad", "feed a caged egg", "a"];
    for (found, text) in score(&both(), &texts, &mut |_, _| ()).unwrap().iter().zip(texts) {
        let text = format!("\n{text}");
        let expected = mean_by_hand(&text).into_iter().zip(text.chars().skip(1));
        near(found.nll, expected.map(|(probs, char)| -probs[CHARS.find(char).unwrap()].ln()).sum());
    }
}

#[test]
fn a_sample_follows_the_mean_alone_or_in_a_batch() {
    let config = GenerateConfig { length: 60, seed: 3, ..GenerateConfig::default() };
    let text = generate(&both(), &config).unwrap();
    assert_ne!(text, generate(&lstm(), &config).unwrap());
    let several = generate_many(&both(), &config, 3, &mut |_, _| ()).unwrap();
    assert_eq!(several[0], text);
    assert_ne!(several[1], text);
}

#[test]
fn one_network_that_diverged_is_an_error_as_it_is_alone() {
    let broken = test_models::with_parameters(gru(), |_, len| vec![f32::NAN; len]);
    let ensemble = Ensemble::new([lstm(), broken]).unwrap();
    assert!(evaluate(&ensemble, &ids(TEXT), &mut on).is_err());
    assert!(predict_chars(&ensemble, &ids(TEXT), 1).unwrap().next().unwrap().is_err());
    assert!(score(&ensemble, &["bad"], &mut |_, _| ()).is_err());
    assert!(ensemble.generate("bad").is_err());
}

#[test]
fn models_of_other_characters_cannot_be_averaged() {
    let error = |chars: &str| {
        let other = test_models::random(chars, &Device::flex());
        Ensemble::new([lstm(), gru(), other]).unwrap_err().to_string()
    };
    assert_eq!(
        error("\n abcdef"),
        "the models have different vocabularies: model 1 has `g`, but model 3 does not"
    );
    assert_eq!(
        error("\n abcdefg\t"),
        "the models have different vocabularies: model 3 has `\\t`, but model 1 does not"
    );
    assert_eq!(Ensemble::new([]).unwrap_err(), EnsembleError::Empty);
}
