//! The same on Burn's older CPU backend, whose tensors go through the same kernels.
#![cfg(feature = "ndarray")]

mod goldens;

use burn::prelude::*;
use charloom_recurrent::Cell;

#[allow(deprecated, reason = "kept for as long as Burn ships it")]
fn device() -> Device {
    Device::ndarray()
}

#[test]
fn every_cell_gives_pytorchs_output_state_and_gradients_on_ndarray() {
    for cell in Cell::ALL {
        goldens::layers_match(cell, &device());
    }
}

#[test]
fn two_lstm_layers_give_pytorchs_output_state_and_gradients_on_ndarray() {
    goldens::stacks_match(&device());
}

#[test]
fn layers_of_usual_sizes_give_pytorchs_output_state_and_gradients_on_ndarray() {
    goldens::sizes_match(&device());
}
