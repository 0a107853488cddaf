//! The same on a GPU, or on a software Vulkan.
#![cfg(feature = "wgpu")]

mod goldens;

use burn::prelude::*;
use burn::tensor::DeviceKind;
use charloom_recurrent::{Cell, Init, RecurrentConfig, Sequence, StackDropout, State};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn device() -> Device {
    Device::wgpu(DeviceKind::DefaultDevice)
}

#[test]
fn every_cell_gives_pytorchs_output_state_and_gradients_on_wgpu() {
    for cell in Cell::ALL {
        goldens::layers_match(cell, &device());
    }
}

#[test]
fn two_lstm_layers_give_pytorchs_output_state_and_gradients_on_wgpu() {
    goldens::stacks_match(&device());
}

#[test]
fn layers_of_usual_sizes_give_pytorchs_output_state_and_gradients_on_wgpu() {
    goldens::sizes_match(&device());
}

/// Output, state and gradients of one layer with D = 3 and T = 4, one after the other.
fn layer_on(device: Device, cell: Cell, n: usize, h: usize) -> Vec<Vec<f32>> {
    let device = device.autodiff();
    let numbers = |shape: [usize; 3], salt: f32| {
        let wave = (0..shape.iter().product()).map(|i| (i as f32 * 0.7 + salt).sin());
        Tensor::<3>::from_data(TensorData::new(wave.collect::<Vec<f32>>(), shape), &device)
    };
    let config = RecurrentConfig::new(cell, 3, h).with_init(Init::Uniform(0.2));
    let stack = config.init(&device, &mut ChaCha8Rng::seed_from_u64(1));
    let input = numbers([4, n, 3], 1.0).require_grad();
    let state = numbers([cell.states(), n, h], 2.0).require_grad();
    let dropout = StackDropout { input: 0.2, recurrent_weights: 0.3, ..StackDropout::new(0.3, 5) };
    let sequence = Sequence::Dense(input.clone());
    let (output, last) = stack.run(sequence, State(vec![state.clone()]), Some(dropout));
    let last = last.0.into_iter().next().unwrap();
    let total = (output.clone() * numbers([4, n, h], 3.0)).sum() + last.clone().square().sum();
    let grads = total.backward();
    let layer = &stack.layers[0];
    let [ih, hh] = [&layer.weight_ih, &layer.weight_hh].map(|w| w.grad(&grads).unwrap());
    let bias = layer.bias_hh.as_ref().unwrap().grad(&grads).unwrap();
    let [x, s] = [input, state].map(|x| x.grad(&grads).unwrap());
    let data = [output, last, x, s].map(Tensor::into_data);
    let data = data.into_iter().chain([ih, hh].map(Tensor::into_data)).chain([bias.into_data()]);
    data.map(|data| data.iter::<f32>().collect()).collect()
}

#[test]
fn sizes_that_fill_no_cube_and_no_vector_give_what_the_cpu_gives() {
    // Rows and hidden units that fill no cube, one row alone, and more hidden units than a cube has units.
    for (cell, n, h) in [(Cell::Lstm, 11, 36), (Cell::Lstm, 1, 5), (Cell::Gru, 9, 257)] {
        let expected = layer_on(Device::flex(), cell, n, h);
        let found = layer_on(device(), cell, n, h);
        for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(expected.len(), found.len());
            let scale = expected.iter().fold(0f32, |a, b| a.max(b.abs()));
            for (a, b) in expected.iter().zip(found) {
                // NaN fails too.
                let close = (a - b).abs() <= 1e-5 * scale;
                assert!(close, "{cell} N = {n}, H = {h}, tensor {index}: {a} and {b}");
            }
        }
    }
}
