//! Holds a device's layers against what PyTorch computes; `make.py` wrote the files.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::prelude::*;
use charloom_recurrent::{
    Bias, Cell, Init, Precision, Recurrent, RecurrentConfig, State, linear_cross_entropy,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;

/// Largest difference allowed, relative to the largest value of the tensor.
const TOLERANCE: f32 = 1e-5;

/// A golden file.
pub struct Golden(Vec<u8>);

impl Golden {
    pub fn open(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
        Self(std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap())
    }

    pub fn cases(&self) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let mut cases: Vec<String> = file
            .names()
            .iter()
            .filter_map(|name| name.split_once('/').map(|(case, _)| case.to_string()))
            .collect();
        cases.sort();
        cases.dedup();
        cases
    }

    pub fn has(&self, name: &str) -> bool {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).is_ok()
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

    /// Panics unless the tensor equals the file's.
    pub fn check<const D: usize>(&self, name: &str, found: Tensor<D>) {
        let expected: Vec<f32> = self.data(name).iter::<f32>().collect();
        let found: Vec<f32> = found.into_data().iter::<f32>().collect();
        assert_eq!(expected.len(), found.len(), "{name}: number of elements");
        let scale = expected.iter().fold(0f32, |a, b| a.max(b.abs())).max(1e-3);
        for (i, (e, f)) in expected.iter().zip(&found).enumerate() {
            assert!((e - f).abs() <= TOLERANCE * scale, "{name}[{i}]: PyTorch {e}, here {f}");
        }
    }
}

impl Golden {
    /// Panics unless the digest of the tensor equals the file's; see `make.py`.
    fn check_digest(&self, name: &str, found: TensorData) {
        let expected: Vec<f64> = self.data(name).iter::<f64>().collect();
        let found: Vec<f64> = found.iter::<f64>().collect();
        let [scale, products, elements @ ..] = &expected[..] else { panic!("{name}: no digest") };
        let largest = found.iter().fold(0f64, |a, b| a.max(b.abs()));
        let near = |a: f64, b: f64, size: f64| (a - b).abs() <= f64::from(TOLERANCE) * scale * size;
        assert!(near(largest, *scale, 1.0), "{name}: largest {largest}, PyTorch {scale}");
        for (k, expected) in elements.iter().enumerate() {
            let index = k * (found.len() - 1) / (elements.len() - 1);
            let element = found[index];
            assert!(
                near(element, *expected, 1.0),
                "{name}[{index}]: {element}, PyTorch {expected}"
            );
        }
        let sum: f64 = found.iter().zip(hashes("probe", found.len())).map(|(a, b)| a * b).sum();
        // Errors of the elements add up like a random walk.
        let size = (found.len() as f64).sqrt();
        assert!(near(sum, *products, size), "{name}: products {sum}, PyTorch {products}");
    }
}

/// A stack of the given layers with the file's weights under `{prefix}weight_ih{suffix(layer)}`.
fn stack(
    golden: &Golden,
    config: RecurrentConfig,
    device: &Device,
    name: impl Fn(&str, usize) -> String,
) -> Recurrent {
    let mut stack = config.init(device, &mut ChaCha8Rng::seed_from_u64(1));
    for (index, layer) in stack.layers.iter_mut().enumerate() {
        let matrix = |key| Param::from_tensor(golden.tensor(&name(key, index), device));
        let vector = |key| Param::from_tensor(golden.tensor(&name(key, index), device));
        layer.weight_ih = matrix("weight_ih");
        layer.weight_hh = matrix("weight_hh");
        layer.bias_ih = layer.bias_ih.as_ref().map(|_| vector("bias_ih"));
        layer.bias_hh = layer.bias_hh.as_ref().map(|_| vector("bias_hh"));
    }
    stack
}

/// Every case of one cell's file: output, final state and every gradient.
pub fn layers_match(cell: Cell, device: &Device) {
    let device = &device.clone().autodiff();
    let golden = Golden::open(&cell.to_string());
    let cases = golden.cases();
    assert!(cases.len() >= 4, "{cases:?}");
    for case in cases {
        let name = |key: &str| format!("{case}/{key}");
        let get = |key: &str| golden.tensor::<2>(&name(key), device);
        let [rows, d] = get("weight_ih").dims();
        let bias = match case.split('_').next().unwrap() {
            "double" => Bias::Double,
            "single" => Bias::Single,
            _ => Bias::Without,
        };
        let config = RecurrentConfig::new(cell, d, rows / cell.gates()).with_bias(bias);
        let stack = stack(&golden, config, device, |key, _| name(key));
        let letters: &[&str] = if cell == Cell::Lstm { &["h", "c"] } else { &["h"] };
        let state: Vec<Tensor<2>> =
            letters.iter().map(|letter| get(&format!("{letter}0")).require_grad()).collect();
        let start = State(vec![Tensor::stack(state.clone(), 0)]);

        let dense = golden.has(&name("input"));
        let (input, (output, last)) = if dense {
            let input = golden.tensor::<3>(&name("input"), device).require_grad();
            (Some(input.clone()), stack.forward(input, start, None))
        } else {
            let ids = Tensor::<2, Int>::from_data(golden.data(&name("ids")), device);
            (None, stack.forward_ids(ids, start, None))
        };
        golden.check(&name("output"), output.clone());
        golden.check(&name("h_n"), last.hidden(0));
        let mut total = (output * golden.tensor(&name("grad_output"), device)).sum()
            + (last.hidden(0) * get("grad_h_n")).sum();
        if let Some(cell_state) = last.cell_state(0) {
            golden.check(&name("c_n"), cell_state.clone());
            total = total + (cell_state * get("grad_c_n")).sum();
        }

        let grads = total.backward();
        let layer = &stack.layers[0];
        golden.check(&name("grad_weight_ih"), layer.weight_ih.grad(&grads).unwrap());
        golden.check(&name("grad_weight_hh"), layer.weight_hh.grad(&grads).unwrap());
        for (key, bias) in [("bias_ih", &layer.bias_ih), ("bias_hh", &layer.bias_hh)] {
            if let Some(bias) = bias {
                golden.check(&name(&format!("grad_{key}")), bias.grad(&grads).unwrap());
            }
        }
        for (letter, state) in letters.iter().zip(&state) {
            golden.check(&name(&format!("grad_{letter}0")), state.grad(&grads).unwrap());
        }
        if let Some(input) = input {
            golden.check(&name("grad_input"), input.grad(&grads).unwrap());
        }
    }
}

/// Two LSTM layers on top of each other.
pub fn stacks_match(device: &Device) {
    let device = &device.clone().autodiff();
    let golden = Golden::open("lstm_stack");
    let config = RecurrentConfig::new(Cell::Lstm, 7, 6).with_layers(2);
    let stack = stack(&golden, config, device, |key, layer| format!("{key}_l{layer}"));
    let [h0, c0] = ["h0", "c0"].map(|key| golden.tensor::<3>(key, device));
    let start = (0..2).map(|layer| {
        Tensor::cat(vec![h0.clone().narrow(0, layer, 1), c0.clone().narrow(0, layer, 1)], 0)
    });
    let input = golden.tensor::<3>("input", device).require_grad();
    let (output, last) = stack.forward(input.clone(), State(start.collect()), None);
    golden.check("output", output.clone());
    let hidden = Tensor::stack::<3>(vec![last.hidden(0), last.hidden(1)], 0);
    let cell_state =
        Tensor::stack::<3>(vec![last.cell_state(0).unwrap(), last.cell_state(1).unwrap()], 0);
    golden.check("h_n", hidden.clone());
    golden.check("c_n", cell_state.clone());
    let total = (output * golden.tensor("grad_output", device)).sum()
        + (hidden * golden.tensor("grad_h_n", device)).sum()
        + (cell_state * golden.tensor("grad_c_n", device)).sum();
    let grads = total.backward();
    golden.check("grad_input", input.grad(&grads).unwrap());
    for (index, layer) in stack.layers.iter().enumerate() {
        golden.check(&format!("grad_weight_ih_l{index}"), layer.weight_ih.grad(&grads).unwrap());
        golden.check(&format!("grad_weight_hh_l{index}"), layer.weight_hh.grad(&grads).unwrap());
    }
}

/// Layers of the sizes that programs use: H a multiple of every vector, T·N more than a block of the backward pass, weights
/// that are packed in parallel. `make.py` tells what is compared.
pub fn sizes_match(device: &Device) {
    let device = &device.clone().autodiff();
    let golden = Golden::open("sizes");
    let cases = golden.cases();
    assert_eq!(cases.len(), 8, "{cases:?}");
    for case in cases {
        let mut parts = case.split('_');
        let cell = parts.next().unwrap();
        let cell = Cell::ALL.into_iter().find(|known| known.name() == cell).unwrap();
        let dense = parts.next().unwrap() == "dense";
        let sizes: Vec<usize> =
            parts.next().unwrap().split('x').map(|x| x.parse().unwrap()).collect();
        let [n, t, d, h] = sizes[..] else { panic!("{case}") };
        let rows = cell.gates() * h;

        let mut stack =
            RecurrentConfig::new(cell, d, h).init(device, &mut ChaCha8Rng::seed_from_u64(1));
        let layer = &mut stack.layers[0];
        layer.weight_ih = Param::from_tensor(hashed("weight_ih", [rows, d], 0.125, device));
        layer.weight_hh = Param::from_tensor(hashed("weight_hh", [rows, h], 0.125, device));
        layer.bias_ih = Some(Param::from_tensor(hashed("bias_ih", [rows], 0.125, device)));
        layer.bias_hh = Some(Param::from_tensor(hashed("bias_hh", [rows], 0.125, device)));
        let letters: &[&str] = if cell == Cell::Lstm { &["h", "c"] } else { &["h"] };
        let state: Vec<Tensor<2>> = letters
            .iter()
            .map(|s| hashed(&format!("{s}0"), [n, h], 1.0, device).require_grad())
            .collect();
        let start = State(vec![Tensor::stack(state.clone(), 0)]);

        let input = hashed("input", [n, t, d], 1.0, device).require_grad();
        let (output, last) = if dense {
            stack.forward(input.clone(), start, None)
        } else {
            let ids: Vec<i32> =
                hashes("input", n * t).map(|x| ((x + 1.0) / 2.0 * d as f64) as i32).collect();
            let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [n, t]), device);
            stack.forward_ids(ids, start, None)
        };
        let check =
            |name: &str, found: TensorData| golden.check_digest(&format!("{case}/{name}"), found);
        check("output", output.clone().into_data());
        let mut total = (output * hashed("grad_output", [n, t, h], 1.0, device)).sum();
        for (letter, last) in letters.iter().zip([Some(last.hidden(0)), last.cell_state(0)]) {
            let last = last.unwrap();
            check(&format!("{letter}_n"), last.clone().into_data());
            total = total + (last * hashed(&format!("grad_{letter}_n"), [n, h], 1.0, device)).sum();
        }
        let grads = total.backward();
        let layer = &stack.layers[0];
        check("grad_weight_ih", layer.weight_ih.grad(&grads).unwrap().into_data());
        check("grad_weight_hh", layer.weight_hh.grad(&grads).unwrap().into_data());
        check("grad_bias_ih", layer.bias_ih.as_ref().unwrap().grad(&grads).unwrap().into_data());
        check("grad_bias_hh", layer.bias_hh.as_ref().unwrap().grad(&grads).unwrap().into_data());
        for (letter, state) in letters.iter().zip(&state) {
            check(&format!("grad_{letter}0"), state.grad(&grads).unwrap().into_data());
        }
        if dense {
            check("grad_input", input.grad(&grads).unwrap().into_data());
        }
    }
}

/// Layers and the loss with products of numbers that are rounded to bfloat16.
pub fn bf16_matches(device: &Device) {
    let golden = Golden::open("bf16");
    for cell in [Cell::Lstm, Cell::Tanh, Cell::Relu] {
        let name = |key: &str| format!("{cell}/{key}");
        let get = |key: &str| golden.tensor::<2>(&name(key), device);
        let [rows, d] = get("weight_ih").dims();
        let config = RecurrentConfig::new(cell, d, rows / cell.gates());
        let stack = stack(&golden, config, device, |key, _| name(key));
        let stack = stack.with_precision(Precision::Bf16);
        let letters: &[&str] = if cell == Cell::Lstm { &["h0", "c0"] } else { &["h0"] };
        let start = Tensor::stack(letters.iter().map(|letter| get(letter)).collect(), 0);
        let input = golden.tensor::<3>(&name("input"), device);
        let (output, last) = stack.forward(input, State(vec![start]), None);
        golden.check(&name("output"), output);
        golden.check(&name("h_n"), last.hidden(0));
        if let Some(cell_state) = last.cell_state(0) {
            golden.check(&name("c_n"), cell_state);
        }
    }
    let loss = linear_cross_entropy(
        golden.tensor("linear/hidden", device),
        golden.tensor("linear/weight", device),
        golden.tensor("linear/bias", device),
        Tensor::from_data(golden.data("linear/targets"), device),
        Precision::Bf16,
    );
    golden.check("linear/loss", loss);
}

/// The names that `make.py` hashes, in its order.
const SALTS: [&str; 11] = [
    "weight_ih",
    "weight_hh",
    "bias_ih",
    "bias_hh",
    "h0",
    "c0",
    "input",
    "grad_output",
    "grad_h_n",
    "grad_c_n",
    "probe",
];

/// The numbers that `hashed` of `make.py` makes, which f32 holds exactly.
fn hashes(name: &str, len: usize) -> impl Iterator<Item = f64> {
    let salt = SALTS.iter().position(|salt| *salt == name).unwrap() as u32 + 1;
    (0..len as u32).map(move |index| {
        let mut x = index.wrapping_mul(0x9E37_79B1).wrapping_add(salt.wrapping_mul(0x85EB_CA6B));
        x = (x ^ x >> 15).wrapping_mul(0x2C1B_3C6D);
        x = (x ^ x >> 12).wrapping_mul(0x297A_2D39);
        x = (x ^ x >> 15) >> 8;
        f64::from(x) / f64::from(1 << 23) - 1.0
    })
}

fn hashed<const D: usize>(name: &str, shape: [usize; D], scale: f64, device: &Device) -> Tensor<D> {
    let numbers: Vec<f32> =
        hashes(name, shape.iter().product()).map(|x| (x * scale) as f32).collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// A stack in double precision.
pub fn in_f64(stack: Recurrent) -> Recurrent {
    struct Cast;
    impl ModuleMapper for Cast {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            Param::from_tensor(param.val().cast(burn::tensor::DType::F64).detach())
        }
    }
    stack.map(&mut Cast)
}

pub fn small_stack(cell: Cell, device: &Device) -> Recurrent {
    let config = RecurrentConfig::new(cell, 7, 6).with_layers(2).with_init(Init::Uniform(0.6));
    config.init(device, &mut ChaCha8Rng::seed_from_u64(3))
}
