//! The network gives PyTorch's numbers, forward and backward.

mod goldens;

use burn::prelude::*;
use charloom_model::{Cell, CharRnnConfig, InputEncoding, Readout};
use goldens::Golden;

#[test]
fn an_lstm_network_gives_pytorchs_logits_loss_and_gradients() {
    goldens::network_matches("char_lstm", Cell::Lstm, InputEncoding::OneHot, &Device::flex());
}

#[test]
fn a_gru_network_gives_pytorchs_logits_loss_and_gradients() {
    goldens::network_matches("char_gru", Cell::Gru, InputEncoding::OneHot, &Device::flex());
}

#[test]
fn elman_networks_give_pytorchs_logits_loss_and_gradients() {
    goldens::network_matches("char_tanh", Cell::Tanh, InputEncoding::OneHot, &Device::flex());
    goldens::network_matches("char_relu", Cell::Relu, InputEncoding::OneHot, &Device::flex());
}

#[test]
fn a_network_with_an_embedding_gives_pytorchs_logits_loss_and_gradients() {
    let input = InputEncoding::Embedding(5);
    goldens::network_matches("char_gru_embedding", Cell::Gru, input, &Device::flex());
}

#[test]
fn the_sum_of_the_layers_gives_pytorchs_logits_loss_and_gradients() {
    goldens::summed_network_matches("char_lstm_sum", Cell::Lstm, &Device::flex());
    goldens::summed_network_matches("char_gru_sum", Cell::Gru, &Device::flex());
}

#[test]
fn single_steps_give_pytorchs_logits_of_the_last_layer_and_of_the_sum() {
    let device = Device::flex();
    for (name, cell, readout) in [
        ("char_lstm", Cell::Lstm, Readout::Last),
        ("char_lstm_sum", Cell::Lstm, Readout::Sum),
        ("char_gru_sum", Cell::Gru, Readout::Sum),
    ] {
        let golden = Golden::open(name);
        let config = CharRnnConfig { readout, ..goldens::config(cell, InputEncoding::OneHot) };
        let network = goldens::network(&golden, config, &device);
        let mut stepper = network.stepper(3).unwrap();
        stepper.set_state(&goldens::first_state(&golden, cell, &device));
        let ids: Vec<i32> = golden.data("ids").iter::<i32>().collect(); // [3, 5]
        let steps = (0..5).map(|t| {
            let logits = stepper.step(&[ids[t], ids[5 + t], ids[10 + t]]).to_vec();
            Tensor::<2>::from_data(TensorData::new(logits, [3, 11]), &device)
        });
        golden.check("logits", Tensor::stack::<3>(steps.collect(), 1));
    }
}
