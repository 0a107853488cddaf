use burn::module::ModuleVisitor;
use charloom_data::Vocab;
use charloom_infer::{Ensemble, evaluate};
use charloom_model::{Bias, CharRnnConfig, Init, TrainedModel, TrainingSummary};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const CHARS: &str = "\n abcdefg";
const TEXT: &str = "a bad cab faded\nfeed a caged egg\nace\nbeef";

fn model() -> TrainedModel {
    let config = CharRnnConfig {
        hidden_size: 7,
        layers: 2,
        bias: Bias::Single,
        init: Init::Normal(0.6),
        ..CharRnnConfig::default()
    };
    let vocab = Vocab::from_ordered(CHARS.chars().collect()).unwrap();
    let network = config.init(vocab.len(), &Device::flex(), &mut ChaCha8Rng::seed_from_u64(5));
    TrainedModel { network, config, vocab, summary: TrainingSummary::default() }
}

fn ids(text: &str) -> Ids {
    model().vocab.encode(text).unwrap()
}

fn config(lr: f64, decay: f64, segment: usize) -> AdaptConfig {
    AdaptConfig { lr, decay, segment: segment.try_into().unwrap() }
}

fn on(_done: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn adaptive(text: &str, config: AdaptConfig) -> Evaluation {
    evaluate_adaptively(&model(), &ids(text), &config, &mut on).unwrap()
}

/// The NLL after each segment, of all characters before it.
fn sums(text: &str, config: AdaptConfig) -> Vec<f64> {
    let mut sums = Vec::new();
    adapt(&model(), &ids(text), &config, &mut |found| {
        sums.push(found.mean().unwrap().loss * found.chars() as f64);
        ControlFlow::Continue(())
    })
    .unwrap();
    sums
}

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 3e-6 * right.abs().max(1.0), "{left} and {right}");
}

#[test]
fn weights_that_stay_as_they_are_predict_as_in_any_evaluation() {
    let fixed = evaluate(&model(), &ids(TEXT), &mut on).unwrap();
    for segment in [1, 6, 40, 41, 1000] {
        for decay in [0.0, 1.0] {
            let found = adaptive(TEXT, config(0.0, decay, segment));
            assert_eq!(found.chars, fixed.chars);
            near(found.loss, fixed.loss);
            assert_eq!(found.accuracy, fixed.accuracy);
        }
    }
    // A text of one segment is predicted before anything is learnt from it.
    near(adaptive(TEXT, config(9.0, 0.0, 41)).loss, fixed.loss);
}

#[test]
fn no_character_changes_what_is_predicted_before_it() {
    let settings = config(0.5, 0.01, 6);
    let before = sums(TEXT, settings);
    // Characters 1 to 24 are predicted in the first four segments; character 25 is another.
    let (start, end) = TEXT.split_at(25);
    let other = format!("{start}b{}", &end[1..]);
    assert_ne!(other, TEXT);
    let after = sums(&other, settings);
    assert_eq!(before[..4], after[..4]);
    assert_ne!(before[4], after[4]);
    // And one that was read changes what follows.
    let other = format!("{}g{}", &TEXT[..3], &TEXT[4..]);
    assert_ne!(sums(&other, settings)[3] - sums(&other, settings)[2], before[3] - before[2]);
}

#[test]
fn a_repetitive_text_is_predicted_better_with_every_repetition() {
    let text = "feed a caged egg\n".repeat(100);
    let fixed = evaluate(&model(), &ids(&text), &mut on).unwrap();
    let found = adaptive(&text, config(0.5, 0.0, 17));
    assert!(found.loss < 0.85 * fixed.loss, "{} and {}", found.loss, fixed.loss);
    assert!(found.accuracy > fixed.accuracy);
    // Weights that are pulled back learn less.
    let pulled = adaptive(&text, config(0.5, 0.3, 17));
    assert!(pulled.loss > found.loss && pulled.loss < fixed.loss, "{}", pulled.loss);
}

#[test]
fn the_network_that_is_passed_in_stays_as_it_is() {
    let numbers = |network: &CharRnn| {
        let parameters = network.parameters().into_iter();
        parameters.map(|(_, data)| data.iter::<f32>().collect()).collect::<Vec<Vec<_>>>()
    };
    let model = model();
    let before = numbers(&model.network);
    evaluate_adaptively(&model, &ids(TEXT), &config(0.5, 0.0, 5), &mut on).unwrap();
    assert_eq!(numbers(&model.network), before);
}

/// Three segments: the second is predicted with weights that were updated once, the third with weights that were updated
/// twice, of which the second update decays towards the trained weights.
#[test]
fn each_update_is_the_formula() {
    const T: usize = 8;
    let settings = config(0.7, 0.2, T);
    let text = &TEXT[..3 * T + 1];
    let device = Device::flex().autodiff();
    let all: Vec<i32> = ids(text).iter().map(|id| id as i32).collect();

    let trained = model().network;
    let mut network = trained.clone();
    let mut state = network.zero_state(1, &device);
    let mut expected = Vec::new();
    for start in (0..3 * T).step_by(T) {
        let row = |from: usize| {
            let ids = TensorData::new(all[from..from + T].to_vec(), [1, T]);
            Tensor::<2, Int>::from_data(ids, &device)
        };
        let training = network.clone().train();
        let (loss, after) = training.loss(row(start), row(start + 1), state, None);
        state = after.detach();
        expected.push(loss.clone().try_into_scalar::<f64>().unwrap() * T as f64);
        let grads = GradientsParams::from_grads(loss.backward(), &training);
        let mut by_id = Gradients { grads: &grads, found: Vec::new() };
        training.visit(&mut by_id);
        let norm = by_id.found.iter().flatten().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        let scale = (1.0 / (norm + 1e-6)).min(1.0);

        let (now, first) = (network.parameters(), trained.parameters());
        let mut updated =
            now.iter().zip(&first).zip(&by_id.found).map(|(((_, now), (_, first)), grads)| {
                let numbers = now.iter::<f64>().zip(first.iter::<f64>()).zip(grads);
                let step = |((now, first), &g): ((f64, f64), &f32)| {
                    (now - 0.7 * scale * f64::from(g) + 0.2 * (first - now)) as f32
                };
                TensorData::new(numbers.map(step).collect::<Vec<f32>>(), now.shape().to_vec())
            });
        network = network
            .clone()
            .with_parameters(|_, _| Ok::<_, std::convert::Infallible>(updated.next().unwrap()))
            .unwrap();
    }
    let found = sums(text, settings);
    near(found[0], expected[0]);
    near(found[1] - found[0], expected[1]);
    near(found[2] - found[1], expected[2]);
    // The updates matter: the trained weights predict the last segment otherwise.
    let fixed = sums(text, config(0.0, 0.0, T));
    assert!((fixed[2] - fixed[1] - expected[2]).abs() > 1e-2);
}

/// The gradients in the order of the parameters.
struct Gradients<'a> {
    grads: &'a GradientsParams,
    found: Vec<Vec<f32>>,
}

impl ModuleVisitor for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let grad = self.grads.get::<D>(param.id).expect("each parameter has a gradient");
        self.found.push(grad.into_data().iter::<f32>().collect());
    }
}

#[test]
fn each_network_of_an_ensemble_adapts() {
    let twice = Ensemble::new([model(), model()]).unwrap();
    let settings = config(0.5, 0.01, 6);
    let found = evaluate_adaptively(&twice, &ids(TEXT), &settings, &mut on).unwrap();
    near(found.loss, adaptive(TEXT, settings).loss);
    assert!((found.loss - evaluate(&model(), &ids(TEXT), &mut on).unwrap().loss).abs() > 1e-3);
}

#[test]
fn texts_that_cannot_be_predicted_are_errors() {
    let error = |ids: &Ids, lr| {
        let error = evaluate_adaptively(&model(), ids, &config(lr, 0.0, 6), &mut on).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        error(&ids("a"), 0.1),
        "a text must have at least 2 characters to be predicted, not 1"
    );
    let other = Vocab::from_text("abcdefghijklm").encode("abml").unwrap();
    assert_eq!(
        error(&other, 0.1),
        "the text has the character id 12, but the network's are 0 to 8"
    );
    let message = error(&ids(TEXT), f64::INFINITY);
    assert!(message.ends_with("the network's logits are not finite numbers"), "{message}");
}

#[test]
fn whoever_asked_for_it_can_end_the_work() {
    let mut calls = Vec::new();
    let stopped =
        evaluate_adaptively(&model(), &ids(TEXT), &config(0.1, 0.0, 15), &mut |done, total| {
            calls.push((done, total));
            if done < 30 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    assert!(matches!(stopped, Err(EvaluateError::Stopped { done: 30, total: 40 })));
    assert_eq!(calls, [(15, 40), (30, 40)]);
}
