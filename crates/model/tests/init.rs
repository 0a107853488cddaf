//! Where a network's parameters start.

use burn::prelude::*;
use charloom_model::{Bias, Cell, CharRnn, CharRnnConfig, Init, InputEncoding};
use rand::SeedableRng;

fn network(config: CharRnnConfig) -> CharRnn {
    config.init(7, &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(3))
}

/// The largest of a parameter's numbers, whatever their sign.
fn largest(network: &CharRnn, parameter: &str) -> f32 {
    let parameters = network.parameters();
    let (_, data) = parameters.iter().find(|(name, _)| name == parameter).unwrap();
    data.iter::<f32>().fold(0.0, |largest, number| largest.max(number.abs()))
}

#[test]
fn min_char_rnns_start_is_small_weights_and_no_biases() {
    let network = network(CharRnnConfig {
        cell: Cell::Tanh,
        layers: 1,
        hidden_size: 20,
        bias: Bias::Single,
        init: Init::Normal(0.01),
        ..CharRnnConfig::default()
    });
    for weight in ["rnn.weight_ih_l0", "rnn.weight_hh_l0", "fc.weight"] {
        let largest = largest(&network, weight);
        assert!(largest > 0.015 && largest < 0.06, "{weight}: {largest}");
    }
    for bias in ["rnn.bias_ih_l0", "fc.bias"] {
        assert_eq!(largest(&network, bias), 0.0, "{bias}");
    }
}

#[test]
fn char_rnns_start_is_one_range_for_all_and_open_forget_gates() {
    let network = network(CharRnnConfig {
        hidden_size: 20,
        input: InputEncoding::Embedding(5),
        init: Init::Uniform(0.08),
        forget_bias: Some(1.0),
        ..CharRnnConfig::default()
    });
    for parameter in ["embed.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l1", "fc.weight"] {
        let largest = largest(&network, parameter);
        assert!(largest > 0.06 && largest <= 0.08, "{parameter}: {largest}");
    }
    assert!(largest(&network, "fc.bias") > 0.0);
    for layer in &network.rnn.layers {
        let bias: Vec<f32> = layer.bias_ih.as_ref().unwrap().val().into_data().iter().collect();
        assert_eq!(bias[20..40], [1.0; 20]);
        assert!(bias[..20].iter().chain(&bias[40..]).all(|number| number.abs() <= 0.08));
    }
}

#[test]
fn the_one_hot_input_weights_can_be_drawn_wider_and_nothing_else_changes() {
    let base = CharRnnConfig { hidden_size: 30, ..CharRnnConfig::default() };
    let wide = CharRnnConfig { input_std: 1.5, ..base };
    for ((name, plain), (_, wide)) in
        network(base).parameters().into_iter().zip(network(wide).parameters())
    {
        if name != "rnn.weight_ih_l0" {
            assert_eq!(plain, wide, "{name}");
            continue;
        }
        let squares: Vec<f64> = wide.iter::<f32>().map(|x| f64::from(x).powi(2)).collect();
        let std = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
        assert_eq!(squares.len(), 4 * 30 * 7);
        assert!((std - 1.5).abs() < 0.15, "{std}");
    }
    let embedded = CharRnnConfig { input: InputEncoding::Embedding(5), ..base };
    let wide = CharRnnConfig { input_std: 1.5, ..embedded };
    assert_eq!(network(embedded).parameters(), network(wide).parameters());
}
