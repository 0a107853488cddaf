//! Training on Burn's older CPU backend, whose tensors go through the same kernels, takes the same steps.
#![cfg(feature = "ndarray")]

mod goldens;
mod runs;

use burn::prelude::*;
use charloom_model::Cell;
use charloom_train::GradClip;

#[allow(deprecated, reason = "kept for as long as Burn ships it")]
fn device() -> Device {
    Device::ndarray()
}

#[test]
fn the_first_steps_on_ndarray_give_pytorchs_losses() {
    goldens::losses_match("lstm_100_steps", Cell::Lstm, GradClip::Norm(5.0), 5, &device());
}

#[test]
fn a_run_on_ndarray_has_the_losses_of_the_same_run_on_flex() {
    let (on_flex, on_ndarray) = (runs::Run::new("flex"), runs::Run::new("ndarray"));
    let config = |steps| runs::config(|config| config.train.max_steps = steps);
    on_flex.train(config(6), &Device::flex()).unwrap();
    on_ndarray.train(config(6), &device()).unwrap();
    let (flex, ndarray) = (on_flex.losses(), on_ndarray.losses());
    assert_eq!(flex.len(), 6);
    for (step, (flex, ndarray)) in flex.iter().zip(&ndarray).enumerate() {
        assert!((flex - ndarray).abs() < 1e-4, "step {step}: flex {flex}, ndarray {ndarray}");
    }
}
