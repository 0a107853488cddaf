//! Where parameters start.

use burn::prelude::*;
use charloom_recurrent::{Bias, Cell, Init, Recurrent, RecurrentConfig};
use rand::SeedableRng;

fn stack(config: RecurrentConfig) -> Recurrent {
    config
        .with_layers(2)
        .init(&Device::flex().autodiff(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(5))
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[test]
fn uniform_parameters_fill_their_range_and_none_leaves_it() {
    let stack = stack(RecurrentConfig::new(Cell::Gru, 7, 20).with_init(Init::Uniform(0.08)));
    for layer in &stack.layers {
        let bias = layer.bias_hh.as_ref().unwrap().val();
        for all in [numbers(layer.weight_hh.val()), numbers(bias)] {
            let (low, high) = all.iter().fold((0f32, 0f32), |(l, h), x| (l.min(*x), h.max(*x)));
            assert!((-0.08..-0.06).contains(&low) && (0.06..=0.08).contains(&high), "{low} {high}");
        }
    }
}

#[test]
fn normal_weights_have_their_deviation_and_biases_are_zero() {
    let stack = stack(RecurrentConfig::new(Cell::Tanh, 7, 60).with_init(Init::Normal(0.01)));
    let weights = numbers(stack.layers[1].weight_hh.val());
    let deviation = (weights.iter().map(|w| w * w).sum::<f32>() / 3600.0).sqrt();
    assert!((deviation - 0.01).abs() < 5e-4, "{deviation}");
    for layer in &stack.layers {
        for bias in [&layer.bias_ih, &layer.bias_hh] {
            assert_eq!(numbers(bias.as_ref().unwrap().val()), [0.0; 60]);
        }
    }
}

#[test]
fn a_forget_bias_changes_the_forget_gate_and_nothing_else() {
    for bias in [Bias::Double, Bias::Single] {
        let config = RecurrentConfig::new(Cell::Lstm, 7, 6).with_bias(bias);
        let (plain, set) = (stack(config), stack(config.with_forget_bias(Some(1.5))));
        for (plain, set) in plain.layers.iter().zip(&set.layers) {
            assert_eq!(numbers(plain.weight_hh.val()), numbers(set.weight_hh.val()));
            let mut expected = numbers(plain.bias_ih.as_ref().unwrap().val());
            expected[6..12].fill(1.5);
            assert_eq!(numbers(set.bias_ih.as_ref().unwrap().val()), expected);
            assert!(set.bias_ih.as_ref().unwrap().val().is_require_grad());
            if bias == Bias::Double {
                let mut expected = numbers(plain.bias_hh.as_ref().unwrap().val());
                expected[6..12].fill(0.0);
                assert_eq!(numbers(set.bias_hh.as_ref().unwrap().val()), expected);
            }
        }
    }
}

#[test]
fn other_cells_have_no_forget_gate_to_set() {
    let config = RecurrentConfig::new(Cell::Gru, 7, 6);
    let (plain, set) = (stack(config), stack(config.with_forget_bias(Some(1.5))));
    let bias = |stack: &Recurrent| numbers(stack.layers[0].bias_ih.as_ref().unwrap().val());
    assert_eq!(bias(&plain), bias(&set));
}
