//! The same on a GPU, or on software that stands in for one.
#![cfg(feature = "wgpu")]

mod goldens;

use burn::prelude::*;
use burn::tensor::DeviceKind;
use charloom_recurrent::Cell;

fn device() -> Device {
    Device::wgpu(DeviceKind::DefaultDevice)
}

#[test]
fn every_cell_gives_pytorchs_output_state_and_gradients_on_wgpu() {
    for cell in [Cell::Lstm, Cell::Gru, Cell::Tanh, Cell::Relu] {
        goldens::layers_match(cell, &device());
    }
}

#[test]
fn two_lstm_layers_give_pytorchs_output_state_and_gradients_on_wgpu() {
    goldens::stacks_match(&device());
}
