//! PyTorch's training runs; `make.py` wrote the files.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use burn::prelude::*;
use charloom_data::{Corpus, DataConfig, LastTarget};
use charloom_model::{Cell, CharRnnConfig, InputEncoding, TrainedModel, TrainingSummary};
use charloom_train::settings::AdamConfig;
use charloom_train::{GradClip, OptimizerConfig, RunConfig, Trainer};
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

/// A text whose training part is `text`, and what of it is held out.
fn with_validation_part(text: &str) -> (Corpus, f64) {
    let chars = text.chars().count();
    let held_out = chars / 9 + 2;
    let whole: String = text.chars().chain(text.chars().take(held_out)).collect();
    let fraction = (held_out as f64 - 0.5) / (chars + held_out) as f64;
    (Corpus::from_text(&whole).unwrap(), fraction)
}

/// Trains as the file's script did and compares the losses of the first `steps` steps.
pub fn losses_match(name: &str, cell: Cell, clip: GradClip, steps: usize, device: &Device) {
    let golden = Golden::open(name);
    let (corpus, valid_fraction) = with_validation_part(&golden.text());
    let embedding = name.contains("embedding");
    let mut config = RunConfig::default();
    config.data = DataConfig {
        valid_fraction,
        batch_size: 4,
        seq_length: 7,
        last_target: LastTarget::Wrap,
        ..config.data
    };
    config.model = CharRnnConfig {
        cell,
        input: if embedding { InputEncoding::Embedding(8) } else { InputEncoding::OneHot },
        hidden_size: 10,
        layers: 2,
        dropout: 0.0,
        ..config.model
    };
    config.train.optimizer =
        OptimizerConfig::Adam(AdamConfig { lr: 1e-2, ..AdamConfig::default() });
    config.train.clip = clip;

    let vocab = corpus.vocab().clone();
    let network = config
        .model
        .init(vocab.len(), device, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1))
        .with_parameters::<()>(|name, _| Ok(golden.data(&format!("initial.{name}"))))
        .unwrap();
    let model =
        TrainedModel { network, config: config.model, vocab, summary: TrainingSummary::default() };

    let (batches, _) = Trainer::check(&config, &corpus).unwrap();
    let expected = golden.data("inputs").iter::<i32>().collect::<Vec<_>>();
    for (index, theirs) in expected.chunks_exact(28).enumerate() {
        let (mut inputs, mut targets) = ([0; 28], [0; 28]);
        batches.fill(index, &mut inputs, &mut targets);
        assert_eq!(inputs, theirs, "the inputs of batch {index}");
    }
    assert_eq!(expected.len(), 28 * batches.len());

    let mut trainer = Trainer::from_model(config, &corpus, device, &model).unwrap();
    let expected = golden.floats("losses");
    for (step, theirs) in expected[..steps].iter().enumerate() {
        let (theirs, ours) = (f64::from(*theirs), trainer.step().unwrap().loss);
        assert!(
            (theirs - ours).abs() <= 1e-4 * theirs.abs(),
            "{name} step {step}: PyTorch {theirs}, here {ours}"
        );
    }
    if steps == expected.len() {
        for (name, data) in trainer.model().network.parameters() {
            let expected = golden.floats(&format!("final.{name}"));
            let found: Vec<f32> = data.iter::<f32>().collect();
            for (theirs, ours) in expected.iter().zip(&found) {
                assert!((theirs - ours).abs() <= 2e-3, "{name}: PyTorch {theirs}, here {ours}");
            }
        }
    }
}
