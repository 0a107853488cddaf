//! The same training steps with Burn's own LSTM, dropout, linear layer, loss, clipping and Adam.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, Lstm, LstmConfig, LstmState};
use burn::optim::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::measure::{Plan, Stopwatch};
use crate::work::{Size, VOCAB_SIZE};
use crate::{Failure, Result};

#[derive(Module, Debug)]
struct CharLstm {
    layers: Vec<Lstm>,
    dropout: Dropout,
    linear: Linear,
}

type States = Vec<LstmState<2>>;

impl CharLstm {
    fn new(size: &Size, device: &Device) -> Self {
        let layer = |index| {
            let input = if index == 0 { VOCAB_SIZE } else { size.hidden_size };
            LstmConfig::new(input, size.hidden_size, true).init(device)
        };
        Self {
            layers: (0..size.layers).map(layer).collect(),
            dropout: DropoutConfig::new(size.dropout).init(),
            linear: LinearConfig::new(size.hidden_size, VOCAB_SIZE).init(device),
        }
    }

    /// Vectors `[N, T, V]` to logits `[N, T, V]`.
    fn forward(&self, input: Tensor<3>, states: Option<States>) -> (Tensor<3>, States) {
        let mut before = states.into_iter().flatten();
        let (mut x, mut after) = (input, Vec::new());
        for layer in &self.layers {
            let (output, state) = layer.forward(x, before.next());
            after.push(LstmState::new(state.cell.detach(), state.hidden.detach()));
            x = self.dropout.forward(output);
        }
        (self.linear.forward(x), after)
    }
}

/// Measures training steps; returns the characters per second of each sample.
pub fn run(size: Size, device: &Device, plan: Plan) -> Result<Vec<f64>> {
    let device = device.clone().autodiff();
    let Size { batch_size: n, seq_length: t, .. } = size;
    let mut model = CharLstm::new(&size, &device);
    let mut optimizer = AdamConfig::new()
        .with_epsilon(1e-8)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(5.0)))
        .init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let one_hot = Tensor::<2>::eye(VOCAB_SIZE, &device);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut ids = || -> Tensor<1, Int> {
        let ids: Vec<i32> = (0..n * t).map(|_| rng.random_range(0..VOCAB_SIZE as i32)).collect();
        Tensor::from_data(TensorData::new(ids, [n * t]), &device)
    };
    let mut states = None;
    let mut step = || -> Result<()> {
        let input = one_hot.clone().select(0, ids()).reshape([n, t, VOCAB_SIZE]);
        let (logits, after) = model.forward(input, states.take());
        states = Some(after);
        let loss = loss.forward(logits.reshape([n * t, VOCAB_SIZE]), ids());
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model.clone(), grads);
        loss.try_into_scalar::<f64>().map(drop).map_err(Failure::new)
    };
    // The clock starts after the first step.
    step()?;
    let mut watch = Stopwatch::start(plan);
    loop {
        step()?;
        if watch.lap(n * t) {
            return Ok(watch.rates().to_vec());
        }
    }
}
