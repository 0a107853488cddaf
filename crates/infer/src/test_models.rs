//! Small models for tests.

use burn::tensor::{Device, Tensor, TensorData};
use charloom_data::Vocab;
use charloom_model::{Bias, Cell, CharRnnConfig, Init, TrainedModel, TrainingSummary};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A model of `chars`, with ids in this order, and random weights that are large enough for its predictions
/// to be far from uniform.
pub(crate) fn random(chars: &str, device: &Device) -> TrainedModel {
    let config =
        CharRnnConfig { hidden_size: 6, init: Init::Normal(1.0), ..CharRnnConfig::default() };
    model(chars, config, device)
}

/// A model that is almost certain that each of `chars` is followed by the next, and the last by the first.
pub(crate) fn cycle(chars: &str) -> TrainedModel {
    let v = chars.chars().count();
    // One tanh layer whose state is the last character alone.
    let config = CharRnnConfig {
        cell: Cell::Tanh,
        hidden_size: v,
        layers: 1,
        bias: Bias::Without,
        ..CharRnnConfig::default()
    };
    let square = |value: &dyn Fn(usize, usize) -> f32| {
        (0..v * v).map(|place| value(place / v, place % v)).collect::<Vec<_>>()
    };
    with_parameters(model(chars, config, &Device::flex()), |name, len| match name {
        "rnn.weight_ih_l0" => square(&|row, column| if row == column { 9.0 } else { 0.0 }),
        "fc.weight" => square(&|next, last| if next == (last + 1) % v { 40.0 } else { 0.0 }),
        _ => vec![0.0; len],
    })
}

/// The model with other parameters: `values` is called with the name and the number of elements of each.
pub(crate) fn with_parameters(
    model: TrainedModel,
    values: impl Fn(&str, usize) -> Vec<f32>,
) -> TrainedModel {
    let find = |name: &str, shape: &[usize]| {
        let values = values(name, shape.iter().product());
        Ok::<_, std::convert::Infallible>(TensorData::new(values, shape.to_vec()))
    };
    let network = model.network.with_parameters(find).unwrap_or_else(|never| match never {});
    TrainedModel { network, ..model }
}

/// The probabilities of every character that a text has after its first, given those before it: `[T][V]`, from the logits of the
/// whole text at once, with the softmax in plain f64.
pub(crate) fn probabilities(model: &TrainedModel, text: &str) -> Vec<Vec<f64>> {
    let all: Vec<i32> = model.vocab.encode(text).unwrap().iter().map(|id| id as i32).collect();
    let device = Device::flex();
    let t = all.len() - 1;
    let inputs = Tensor::from_data(TensorData::new(all[..t].to_vec(), [1, t]), &device);
    let (logits, _) = model.network.forward(inputs, model.network.zero_state(1, &device), None);
    let logits: Vec<f32> = logits.try_into_vec_as().unwrap();
    let softmax = |logits: &[f32]| {
        let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    };
    logits.chunks_exact(model.vocab.len()).map(softmax).collect()
}

fn model(chars: &str, config: CharRnnConfig, device: &Device) -> TrainedModel {
    let vocab = Vocab::from_ordered(chars.chars().collect()).expect("no character twice");
    let network = config.init(vocab.len(), device, &mut ChaCha8Rng::seed_from_u64(3));
    TrainedModel { network, config, vocab, summary: TrainingSummary::default() }
}
