//! Trains a small model on a string, step by step, and generates text with it.
//!
//! `cargo run --release --package charloom-train --example train_on_a_string`

use burn::tensor::Device;
use charloom_data::Corpus;
use charloom_infer::{Generate, GenerateConfig};
use charloom_train::{RunConfig, Trainer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text =
        "the loom weaves the warp and the weft, and the cloth grows on the loom. ".repeat(40);
    let corpus = Corpus::from_text(&text)?;

    let mut config = RunConfig::default();
    (config.data.batch_size, config.data.seq_length) = (8, 32);
    (config.model.hidden_size, config.model.layers, config.model.dropout) = (64, 1, 0.0);

    let mut trainer = Trainer::new(config, &corpus, &Device::flex())?;
    for _ in 0..200 {
        let report = trainer.step()?;
        if report.step % 50 == 0 {
            let valid = trainer.evaluate()?;
            println!("step {}: loss {:.3}, validation {:.3}", report.step, report.loss, valid.loss);
        }
    }

    let config = GenerateConfig { prompt: "the ".into(), length: 60, ..GenerateConfig::default() };
    println!("the {}", trainer.model().generate_with(&config)?);
    Ok(())
}
