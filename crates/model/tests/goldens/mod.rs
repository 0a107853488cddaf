//! Holds a device's network against what PyTorch computes; `make.py` wrote the files.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use burn::module::Param;
use burn::prelude::*;
use charloom_model::{Cell, CharRnn, CharRnnConfig, InputEncoding, Readout, State};
use rand::SeedableRng;
use safetensors::SafeTensors;

/// A golden file.
pub struct Golden(Vec<u8>);

impl Golden {
    pub fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
        Self(std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap())
    }

    pub fn data(&self, name: &str) -> TensorData {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
        let shape = view.shape().to_vec();
        match view.dtype() {
            safetensors::Dtype::I32 => {
                TensorData::new(words.map(i32::from_le_bytes).collect::<Vec<_>>(), shape)
            }
            _ => TensorData::new(words.map(f32::from_le_bytes).collect::<Vec<_>>(), shape),
        }
    }

    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        Tensor::from_data(self.data(name), device)
    }

    pub fn check<const D: usize>(&self, name: &str, found: Tensor<D>) {
        let expected: Vec<f32> = self.data(name).iter::<f32>().collect();
        let found: Vec<f32> = found.into_data().iter::<f32>().collect();
        assert_eq!(expected.len(), found.len(), "{name}: number of elements");
        let scale = expected.iter().fold(0f32, |a, b| a.max(b.abs())).max(1e-3);
        for (i, (e, f)) in expected.iter().zip(&found).enumerate() {
            assert!((e - f).abs() <= 1e-5 * scale, "{name}[{i}]: PyTorch {e}, here {f}");
        }
    }
}

/// The sizes of every file: V = 11, H = 6, L = 2.
pub fn config(cell: Cell, input: InputEncoding) -> CharRnnConfig {
    CharRnnConfig {
        cell,
        input,
        hidden_size: 6,
        layers: 2,
        dropout: 0.0,
        ..CharRnnConfig::default()
    }
}

/// The file's network, its initial state and its ids.
pub fn network(golden: &Golden, config: CharRnnConfig, device: &Device) -> CharRnn {
    config
        .init(11, device, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1))
        .with_parameters::<()>(|name, _| Ok(golden.data(name)))
        .unwrap()
}

/// The state that a file's network starts from.
pub fn first_state(golden: &Golden, cell: Cell, device: &Device) -> State {
    let letters: &[&str] = if cell == Cell::Lstm { &["h", "c"] } else { &["h"] };
    let part = |letter: &&str, layer| {
        golden.tensor::<3>(&format!("{letter}0"), device).narrow(0, layer, 1)
    };
    let layer = |layer| Tensor::cat(letters.iter().map(|l| part(l, layer)).collect(), 0);
    State((0..2).map(layer).collect())
}

/// Logits, loss, final state and every gradient.
pub fn network_matches(name: &str, cell: Cell, input: InputEncoding, device: &Device) {
    matches(name, config(cell, input), device);
}

/// The same of a network whose linear layer reads the sum of both layers.
pub fn summed_network_matches(name: &str, cell: Cell, device: &Device) {
    let config = config(cell, InputEncoding::OneHot);
    matches(name, CharRnnConfig { readout: Readout::Sum, ..config }, device);
}

fn matches(name: &str, config: CharRnnConfig, device: &Device) {
    let device = &device.clone().autodiff();
    let golden = Golden::open(name);
    let network = network(&golden, config, device);
    let state = || first_state(&golden, config.cell, device);
    let ids = |key| Tensor::<2, Int>::from_data(golden.data(key), device);

    let (logits, last) = network.forward(ids("ids"), state(), None);
    golden.check("logits", logits);
    let hidden = Tensor::stack::<3>(vec![last.hidden(0), last.hidden(1)], 0);
    golden.check("h_n", hidden);
    let (loss, _) = network.loss(ids("ids"), ids("targets"), state(), None);
    golden.check("loss", loss.clone());

    let grads = loss.backward();
    let check_2 = |name: &str, param: &Param<Tensor<2>>| {
        golden.check(&format!("grad_{name}"), param.grad(&grads).unwrap());
    };
    let check_1 = |name: &str, param: &Param<Tensor<1>>| {
        golden.check(&format!("grad_{name}"), param.grad(&grads).unwrap());
    };
    if let Some(embed) = &network.embed {
        check_2("embed.weight", embed);
    }
    for (index, layer) in network.rnn.layers.iter().enumerate() {
        check_2(&format!("rnn.weight_ih_l{index}"), &layer.weight_ih);
        check_2(&format!("rnn.weight_hh_l{index}"), &layer.weight_hh);
        check_1(&format!("rnn.bias_ih_l{index}"), layer.bias_ih.as_ref().unwrap());
        check_1(&format!("rnn.bias_hh_l{index}"), layer.bias_hh.as_ref().unwrap());
    }
    check_2("fc.weight", &network.fc.weight);
    check_1("fc.bias", &network.fc.bias);
}
