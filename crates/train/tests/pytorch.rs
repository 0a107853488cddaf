//! Training takes PyTorch's steps: the same loss at each of a hundred, and the same weights after.

mod goldens;

use burn::prelude::*;
use charloom_model::Cell;
use charloom_train::GradClip;

#[test]
fn a_hundred_steps_of_an_lstm_give_pytorchs_losses() {
    goldens::losses_match("lstm_100_steps", Cell::Lstm, GradClip::Norm(5.0), 100, &Device::flex());
}

#[test]
fn a_hundred_steps_with_gradients_clipped_hard_give_pytorchs_losses() {
    goldens::losses_match(
        "lstm_clip_100_steps",
        Cell::Lstm,
        GradClip::Norm(0.25),
        100,
        &Device::flex(),
    );
}

#[test]
fn a_hundred_steps_with_each_gradient_cut_give_pytorchs_losses() {
    let clip = GradClip::Value(0.003);
    goldens::losses_match("lstm_clip_value_100_steps", Cell::Lstm, clip, 100, &Device::flex());
}

#[test]
fn a_hundred_steps_of_a_gru_give_pytorchs_losses() {
    goldens::losses_match("gru_100_steps", Cell::Gru, GradClip::Norm(5.0), 100, &Device::flex());
}

#[test]
fn a_hundred_steps_of_a_tanh_network_give_pytorchs_losses() {
    goldens::losses_match("tanh_100_steps", Cell::Tanh, GradClip::Norm(5.0), 100, &Device::flex());
}

#[test]
fn a_hundred_steps_with_an_embedding_give_pytorchs_losses() {
    goldens::losses_match(
        "gru_embedding_100_steps",
        Cell::Gru,
        GradClip::Norm(5.0),
        100,
        &Device::flex(),
    );
}
