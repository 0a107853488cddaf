//! The same on a GPU, or on a software Vulkan.
#![cfg(feature = "wgpu")]

mod goldens;

use burn::prelude::*;
use burn::tensor::DeviceKind;
use charloom_model::{Cell, InputEncoding, TrainedModel};

fn device() -> Device {
    Device::wgpu(DeviceKind::DefaultDevice)
}

#[test]
fn an_lstm_network_gives_pytorchs_logits_loss_and_gradients_on_wgpu() {
    goldens::network_matches("char_lstm", Cell::Lstm, InputEncoding::OneHot, &device());
}

#[test]
fn the_sum_of_the_layers_gives_pytorchs_logits_loss_and_gradients_on_wgpu() {
    goldens::summed_network_matches("char_lstm_sum", Cell::Lstm, &device());
}

#[test]
fn a_model_file_written_on_wgpu_loads_on_flex() {
    let golden = goldens::Golden::open("char_lstm");
    let config = goldens::config(Cell::Lstm, InputEncoding::OneHot);
    let model = TrainedModel {
        network: goldens::network(&golden, config, &device()),
        config,
        vocab: charloom_data::Vocab::from_text("abcdefghijk"),
        summary: Default::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    let loaded = TrainedModel::load(&path, &Device::flex()).unwrap();
    assert_eq!(loaded.network.parameters(), model.network.parameters());
}
