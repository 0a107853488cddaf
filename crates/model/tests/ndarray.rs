//! The same on Burn's older CPU backend, whose tensors go through the same kernels.
#![cfg(feature = "ndarray")]

mod goldens;

use burn::prelude::*;
use charloom_model::{Cell, InputEncoding, Precision, TrainedModel};

#[allow(deprecated, reason = "kept for as long as Burn ships it")]
fn device() -> Device {
    Device::ndarray()
}

#[test]
fn an_lstm_network_gives_pytorchs_logits_loss_and_gradients_on_ndarray() {
    goldens::network_matches("char_lstm", Cell::Lstm, InputEncoding::OneHot, &device());
}

#[test]
fn the_sum_of_the_layers_gives_pytorchs_logits_loss_and_gradients_on_ndarray() {
    goldens::summed_network_matches("char_lstm_sum", Cell::Lstm, &device());
}

#[test]
fn a_model_file_written_on_ndarray_loads_on_flex() {
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

#[test]
fn logits_in_bf16_are_those_of_flex() {
    let golden = goldens::Golden::open("char_lstm");
    let config = goldens::config(Cell::Lstm, InputEncoding::OneHot);
    let logits = |device: &Device| {
        let network = goldens::network(&golden, config, device).with_precision(Precision::Bf16);
        let ids = Tensor::<2, Int>::from_data([[1, 4, 2], [0, 3, 5]], device);
        network.forward(ids, network.zero_state(2, device), None).0.into_data()
    };
    let (ours, flex) = (logits(&device()), logits(&Device::flex()));
    for (a, b) in ours.iter::<f32>().zip(flex.iter::<f32>()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}
