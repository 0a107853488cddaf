//! Puts one recurrent layer into a Burn program: a GRU that learns to add up the numbers it has seen.
//!
//! `cargo run --release --package charloom-recurrent --example one_layer`

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use charloom_recurrent::{Cell, Recurrent, RecurrentConfig};
use rand::SeedableRng;

/// A GRU of 16 and a linear layer.
#[derive(Module, Debug)]
struct Adder {
    gru: Recurrent,
    weight: Param<Tensor<2>>, // [H, 1]
}

impl Adder {
    /// `[N, T, 1]` to the sum so far, `[N, T, 1]`.
    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [n, t, _] = input.dims();
        let state = self.gru.zero_state(n, &input.device());
        let (output, _state) = self.gru.forward(input, state, None); // [N, T, H]
        output.reshape([n * t, 16]).matmul(self.weight.val()).reshape([n, t, 1])
    }
}

fn main() {
    let device = Device::flex().autodiff();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut model = Adder {
        gru: RecurrentConfig::new(Cell::Gru, 1, 16).init(&device, &mut rng),
        weight: Param::from_tensor(Tensor::random([16, 1], Distribution::Default, &device)),
    };
    let mut optimizer = AdamConfig::new().init();
    for step in 0..=300 {
        let input = Tensor::<3>::random([32, 10, 1], Distribution::Uniform(-0.3, 0.3), &device);
        let target = input.clone().cumsum(1);
        let loss = (model.forward(input) - target).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-2, model, grads);
        if step % 100 == 0 {
            println!("step {step}: mean squared error {:.5}", loss.into_scalar::<f32>());
        }
    }
}
