//! Generates text with a model file:
//!
//! ```sh
//! cargo run --release -p charloom-infer --example generate -- model.safetensors "Once upon a time"
//! ```

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use charloom_infer::{Generate, GenerateConfig, Sampling};
use charloom_model::TrainedModel;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: generate MODEL [PROMPT]")?;
    let prompt = args.next().unwrap_or_default();
    println!("{prompt}{}", continuation(Path::new(&path), &prompt)?);
    Ok(())
}

/// 200 characters that the model gives after the prompt.
pub fn continuation(path: &Path, prompt: &str) -> Result<String, Box<dyn Error>> {
    let model = TrainedModel::load(path, &Device::flex())?;
    let config = GenerateConfig {
        prompt: prompt.to_string(),
        length: 200,
        sampling: Sampling::random(0.8, 0, 0.95)?,
        ..GenerateConfig::default()
    };
    Ok(model.generate_with(&config)?)
}
