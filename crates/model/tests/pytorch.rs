//! The network gives PyTorch's numbers, forward and backward.

mod goldens;

use burn::prelude::*;
use charloom_model::{Cell, InputEncoding};

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
