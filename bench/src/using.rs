//! Using a network: evaluation and generation.

use std::ops::ControlFlow;

use burn::tensor::Device;
use charloom_data::{BatchConfig, Batches, LastTarget, Vocab};
use charloom_infer::{EvaluateError, GenerateConfig, Generator, Sampling, evaluate, generate_many};
use charloom_model::{TrainedModel, TrainingSummary};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::measure::{Plan, Stopwatch};
use crate::training::{alphabet, random_text};
use crate::work::Size;
use crate::{Failure, Result};

/// Characters of one text between two looks at the clock.
const CHARS: usize = 100;
/// Characters of each of many texts: enough for what is done once to count little.
const CHARS_OF_MANY: usize = 1000;

fn model(size: Size, device: &Device) -> TrainedModel {
    let config = size.model();
    let vocab = Vocab::from_chars(alphabet());
    let network = config.init(vocab.len(), device, &mut ChaCha8Rng::seed_from_u64(1));
    TrainedModel { network, config, vocab, summary: TrainingSummary::default() }
}

/// Measures forward passes with the loss; the rates of the samples.
pub fn evaluation(size: Size, device: &Device, plan: Plan) -> Result<Vec<f64>> {
    let TrainedModel { network, vocab, .. } = model(size, device);
    let config = BatchConfig {
        batch_size: size.batch_size,
        seq_length: size.seq_length,
        last_target: LastTarget::Next,
    };
    let ids = vocab.encode(&random_text(24_000_000)).map_err(Failure::new)?;
    let batches = Batches::new(ids, config).map_err(Failure::new)?;
    let mut watch: Option<Stopwatch> = None;
    let mut each = |_, _| {
        let Some(watch) = &mut watch else {
            watch = Some(Stopwatch::start(plan));
            return ControlFlow::Continue(());
        };
        if watch.lap(batches.chars_per_batch()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    match evaluate(&network, &batches, device, &mut each) {
        Ok(_) | Err(EvaluateError::Stopped { .. }) => {
            Ok(watch.map(|watch| watch.rates().to_vec()).unwrap_or_default())
        }
        Err(error) => Err(Failure::new(error)),
    }
}

/// Measures the writing of `streams` texts side by side; the rates of the samples.
pub fn generation(size: Size, streams: usize, device: &Device, plan: Plan) -> Result<Vec<f64>> {
    let model = model(size, device);
    let mut config = GenerateConfig {
        prime: "A".to_string(),
        length: usize::MAX,
        sampling: Sampling::random(1.0, 0, 1.0).map_err(Failure::new)?,
        seed: 1,
        stop: None,
    };
    if streams == 1 {
        let mut generator = Generator::new(&model, &config).map_err(Failure::new)?;
        let mut watch = Stopwatch::start(plan);
        loop {
            for char in generator.by_ref().take(CHARS) {
                char.map_err(Failure::new)?;
            }
            if watch.lap(CHARS) {
                return Ok(watch.rates().to_vec());
            }
        }
    }
    config.length = CHARS_OF_MANY;
    let mut watch = Stopwatch::start(plan);
    loop {
        generate_many(&model, &config, streams, &mut |_, _| ()).map_err(Failure::new)?;
        if watch.lap(streams * CHARS_OF_MANY) {
            return Ok(watch.rates().to_vec());
        }
    }
}
