//! PyTorch's training runs; `make.py` wrote the files.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::TrainStep;
use charloom_data::{BatchConfig, Batches, Corpus, LastTarget};
use charloom_model::{Cell, CharRnnConfig, InputEncoding};
use charloom_train::{Carry, Clip, StreamLoader, Trainee};
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

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.data(name).iter::<f32>().collect()
    }

    pub fn text(&self) -> String {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        String::from_utf8(file.tensor("text").unwrap().data().to_vec()).unwrap()
    }
}

/// Trains as the file's script did and compares the losses of the first `steps` steps.
pub fn losses_match(name: &str, cell: Cell, clip: Clip, steps: usize, device: &Device) {
    let device = &device.clone().autodiff();
    let golden = Golden::open(name);
    let corpus = Corpus::from_text(&golden.text()).unwrap();
    let config = BatchConfig { batch_size: 4, seq_length: 7, last_target: LastTarget::Wrap };
    let batches = Batches::new(corpus.ids().clone(), config).unwrap();
    let per_epoch = batches.len();

    let embedding = name.contains("embedding");
    let input = if embedding { InputEncoding::Embedding(8) } else { InputEncoding::OneHot };
    let config =
        CharRnnConfig { cell, input, hidden_size: 10, layers: 2, ..CharRnnConfig::default() };
    let network = config
        .init(corpus.vocab().len(), device, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1))
        .with_parameters::<()>(|name, _| Ok(golden.data(&format!("initial.{name}"))))
        .unwrap();
    let mut trainee = Trainee::new(network, 0.0, clip);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let loader = StreamLoader::new(batches, device.clone(), 1, 1, 0, Carry::default());

    let expected = golden.floats("losses");
    let inputs = golden.data("inputs").iter::<i32>().collect::<Vec<_>>();
    let mut step = 0;
    'epochs: loop {
        for batch in loader.iter() {
            let batch = batch.unwrap();
            let index = step % per_epoch;
            let ids: Vec<i32> = batch.chars.inputs.to_data().iter::<i32>().collect();
            assert_eq!(ids, inputs[index * 28..(index + 1) * 28], "the inputs of step {step}");
            let output = trainee.step(batch);
            let (theirs, ours) = (expected[step] as f64, output.item.loss);
            assert!(
                (theirs - ours).abs() <= 1e-4 * theirs.abs(),
                "{name} step {step}: PyTorch {theirs}, here {ours}"
            );
            trainee = trainee.optimize(&mut optimizer, 1e-2.into(), output.grads);
            step += 1;
            if step == steps {
                break 'epochs;
            }
        }
    }
    if steps == expected.len() {
        for (name, data) in trainee.valid().network.parameters() {
            let expected = golden.floats(&format!("final.{name}"));
            let found: Vec<f32> = data.iter::<f32>().collect();
            for (theirs, ours) in expected.iter().zip(&found) {
                assert!((theirs - ours).abs() <= 2e-3, "{name}: PyTorch {theirs}, here {ours}");
            }
        }
    }
}
