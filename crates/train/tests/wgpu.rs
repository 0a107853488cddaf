//! Training on a GPU, or on a software Vulkan, takes the same steps.
#![cfg(feature = "wgpu")]

mod goldens;
mod runs;

use burn::prelude::*;
use burn::tensor::DeviceKind;
use charloom_model::Cell;
use charloom_train::GradClip;

fn device() -> Device {
    Device::wgpu(DeviceKind::DefaultDevice)
}

#[test]
fn the_first_steps_on_wgpu_give_pytorchs_losses() {
    goldens::losses_match("lstm_100_steps", Cell::Lstm, GradClip::Norm(5.0), 5, &device());
}

#[test]
fn a_run_on_wgpu_has_the_losses_of_the_same_run_on_flex() {
    let (on_flex, on_wgpu) = (runs::Run::new("flex"), runs::Run::new("wgpu"));
    let config = |steps| runs::config(|config| config.train.max_steps = steps);
    on_flex.train(config(6), &Device::flex()).unwrap();
    on_wgpu.train(config(6), &device()).unwrap();
    let (flex, wgpu) = (on_flex.losses(), on_wgpu.losses());
    assert_eq!(flex.len(), 6);
    for (step, (flex, wgpu)) in flex.iter().zip(&wgpu).enumerate() {
        assert!((flex - wgpu).abs() < 1e-4, "step {step}: flex {flex}, wgpu {wgpu}");
    }
}
