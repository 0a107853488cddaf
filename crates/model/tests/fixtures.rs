//! Model files of format 1 that an earlier version wrote, in `fixtures/`: they load, and the same model is still written
//! as the same bytes.

use std::path::{Path, PathBuf};

use burn::prelude::*;
use charloom_data::Vocab;
use charloom_model::{
    Bias, Cell, CharRnnConfig, Init, InputEncoding, TrainedModel, TrainingSummary,
};
use rand::SeedableRng;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.safetensors"))
}

fn model(config: CharRnnConfig, seed: u64, chars: &str, summary: TrainingSummary) -> TrainedModel {
    let vocab = Vocab::from_text(chars);
    let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let network = config.init(vocab.len(), &Device::flex(), rng);
    TrainedModel { network, config, vocab, summary }
}

fn lstm() -> TrainedModel {
    let config = CharRnnConfig {
        cell: Cell::Lstm,
        input: InputEncoding::OneHot,
        hidden_size: 5,
        layers: 2,
        dropout: 0.25,
        bias: Bias::Double,
        init: Init::PyTorch,
        forget_bias: Some(1.0),
        ..CharRnnConfig::default()
    };
    let summary = TrainingSummary {
        epoch: 3,
        step: 120,
        train_loss: Some(1.2345678901234567),
        valid_loss: Some(1.5),
        text: Some("book.txt".into()),
        text_sha256: Some("0123abcd".into()),
        run_config: Some("[model]\ncell = \"lstm\"\n".into()),
    };
    model(config, 11, "ab\n\"\\é😀", summary)
}

fn gru_with_embedding() -> TrainedModel {
    let config = CharRnnConfig {
        cell: Cell::Gru,
        input: InputEncoding::Embedding(3),
        hidden_size: 4,
        layers: 1,
        dropout: 0.0,
        bias: Bias::Single,
        init: Init::Uniform(0.08),
        forget_bias: None,
        ..CharRnnConfig::default()
    };
    model(config, 12, "abcdef", TrainingSummary::default())
}

/// Bytes that saving the model writes.
fn saved(model: &TrainedModel) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_file_of_an_earlier_version_loads_and_is_saved_as_the_same_bytes() {
    for name in ["lstm", "gru_embedding"] {
        let path = fixture(name);
        let loaded = TrainedModel::load(&path, &Device::flex()).unwrap();
        assert!(saved(&loaded) == std::fs::read(&path).unwrap(), "{name}");
    }
}

#[test]
fn the_same_seed_still_gives_the_same_file() {
    for (name, model) in [("lstm", lstm()), ("gru_embedding", gru_with_embedding())] {
        assert!(saved(&model) == std::fs::read(fixture(name)).unwrap(), "{name}");
    }
}
