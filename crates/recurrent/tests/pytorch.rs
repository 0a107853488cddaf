//! The layers give PyTorch's numbers, forward and backward.

mod goldens;

use burn::prelude::*;
use charloom_recurrent::Cell;

#[test]
fn an_lstm_layer_gives_pytorchs_output_state_and_gradients() {
    goldens::layers_match(Cell::Lstm, &Device::flex());
}

#[test]
fn a_gru_layer_gives_pytorchs_output_state_and_gradients() {
    goldens::layers_match(Cell::Gru, &Device::flex());
}

#[test]
fn a_tanh_layer_gives_pytorchs_output_state_and_gradients() {
    goldens::layers_match(Cell::Tanh, &Device::flex());
}

#[test]
fn a_relu_layer_gives_pytorchs_output_state_and_gradients() {
    goldens::layers_match(Cell::Relu, &Device::flex());
}

#[test]
fn two_lstm_layers_give_pytorchs_output_state_and_gradients() {
    goldens::stacks_match(&Device::flex());
}

#[test]
fn layers_of_usual_sizes_give_pytorchs_output_state_and_gradients() {
    goldens::sizes_match(&Device::flex());
}

#[test]
fn products_in_bf16_give_pytorchs_output_state_and_loss() {
    goldens::bf16_matches(&Device::flex());
}
