//! Evaluation and generation with a network.

use std::ops::ControlFlow;

use burn::tensor::Device;
use charloom_data::Vocab;
use charloom_infer::{EvaluateError, GenerateConfig, Generator, Sampling, evaluate, generate_many};
use charloom_model::{TrainedModel, TrainingSummary};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::measure::{Plan, Stopwatch};
use crate::training::{alphabet, random_text};
use crate::work::Size;
use crate::{Failure, Result};

/// Characters of a single text between two readings of the clock.
const CHARS: usize = 100;
/// Characters of each of several texts: enough to make the set-up negligible.
const CHARS_PER_TEXT: usize = 1000;
/// An evaluation reports no more characters than this at a time before its parallel rows begin.
const WARMING_UP: usize = 512;

fn model(size: Size, device: &Device) -> TrainedModel {
    let config = size.model();
    let vocab = Vocab::from_chars(alphabet());
    let network = config.init(vocab.len(), device, &mut ChaCha8Rng::seed_from_u64(1));
    let network = network.with_precision(size.precision);
    TrainedModel { network, config, vocab, summary: TrainingSummary::default() }
}

/// Measures evaluation, which reads the text in 64 parallel rows; returns the characters per second of each sample.
pub fn evaluation(size: Size, device: &Device, plan: Plan) -> Result<Vec<f64>> {
    let TrainedModel { network, vocab, .. } = model(size, device);
    let ids = vocab.encode(&random_text(24_000_000)).map_err(Failure::new)?;
    let mut watch: Option<Stopwatch> = None;
    let mut counted = 0;
    let mut each = |done, _| {
        let chars = done - counted;
        counted = done;
        // The clock starts when all rows are warmed up.
        let Some(watch) = &mut watch else {
            if chars > WARMING_UP {
                watch = Some(Stopwatch::start(plan));
            }
            return ControlFlow::Continue(());
        };
        match watch.lap(chars) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    match evaluate(&network, &ids, &mut each) {
        Ok(_) | Err(EvaluateError::Stopped { .. }) => {
            Ok(watch.map(|watch| watch.rates().to_vec()).unwrap_or_default())
        }
        Err(error) => Err(Failure::new(error)),
    }
}

/// Measures the generation of `streams` texts in parallel; returns the characters per second of each sample.
pub fn generation(size: Size, streams: usize, device: &Device, plan: Plan) -> Result<Vec<f64>> {
    let model = model(size, device);
    let mut config = GenerateConfig {
        prompt: "A".to_string(),
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
    config.length = CHARS_PER_TEXT;
    let mut watch = Stopwatch::start(plan);
    loop {
        generate_many(&model, &config, streams, &mut |_, _| ()).map_err(Failure::new)?;
        if watch.lap(streams * CHARS_PER_TEXT) {
            return Ok(watch.rates().to_vec());
        }
    }
}
