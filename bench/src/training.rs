//! Whole training steps of charloom, as the program takes them: loader, network, loss, backward pass, clipping, optimizer,
//! metrics and reports.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use burn::tensor::Device;
use burn::train::Interrupter;
use charloom_data::Corpus;
use charloom_train::settings::AdamConfig;
use charloom_train::{Observer, OptimizerConfig, RunConfig, RunFolder, StepReport, Trainer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::measure::{Plan, Stopwatch};
use crate::work::{Size, VOCAB_SIZE};
use crate::{Failure, Result};

/// Length of the text in characters: an epoch of it outlasts every measurement.
const TEXT: usize = 24_000_000;
/// Length of the large text in bytes.
const LARGE_TEXT: usize = 1_000_000_000;
/// Steps on the large text: the first one after the optimizer has its state already reaches the peak.
const LARGE_TEXT_STEPS: usize = 5;

/// Measures training steps; returns the characters per second of each sample.
pub fn run(size: Size, device: Device, plan: Plan) -> Result<Vec<f64>> {
    let corpus = Corpus::from_text(&random_text(TEXT)).map_err(Failure::new)?;
    let interrupter = Interrupter::new();
    let chars = size.batch_size * size.seq_length;
    let mut timer = Timer { watch: None, plan, chars, interrupter: interrupter.clone() };
    start(size, &device, &corpus, &interrupter, &mut timer)?;
    Ok(timer.watch.map(|watch| watch.rates().to_vec()).unwrap_or_default())
}

/// Takes the first steps on a text of a billion bytes.
pub fn large_text(size: Size, device: Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Failure::new)?;
    let path = folder.path().join("large.txt");
    write_large_text(&path).map_err(Failure::new)?;
    let corpus = Corpus::read(&path).map_err(Failure::new)?;
    let interrupter = Interrupter::new();
    let mut observer = StopAfterSteps { interrupter: interrupter.clone() };
    start(size, &device, &corpus, &interrupter, &mut observer)
}

fn start(
    size: Size,
    device: &Device,
    corpus: &Corpus,
    interrupter: &Interrupter,
    observer: &mut dyn Observer,
) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Failure::new)?;
    let run = RunFolder::create(folder.path(), "bench").map_err(Failure::new)?;
    let mut config = RunConfig { model: size.model(), ..RunConfig::default() };
    config.data.valid_fraction = 0.01;
    (config.data.batch_size, config.data.seq_length) = (size.batch_size, size.seq_length);
    config.train.epochs = 1;
    config.train.precision = size.precision.into();
    config.train.optimizer = OptimizerConfig::Adam(AdamConfig::default());
    config.sample.length = 0;
    let mut trainer = Trainer::new(config, corpus, device).map_err(Failure::new)?;
    trainer.run(&run, interrupter, observer).map(drop).map_err(Failure::new)
}

/// Stops the training when it has been measured.
struct Timer {
    watch: Option<Stopwatch>,
    plan: Plan,
    chars: usize,
    interrupter: Interrupter,
}

impl Observer for Timer {
    fn step(&mut self, _: &StepReport) {
        // The clock starts after the first step.
        let Some(watch) = &mut self.watch else {
            self.watch = Some(Stopwatch::start(self.plan));
            return;
        };
        if watch.lap(self.chars) {
            self.interrupter.stop(None);
        }
    }
}

/// Stops after a few steps.
struct StopAfterSteps {
    interrupter: Interrupter,
}

impl Observer for StopAfterSteps {
    fn step(&mut self, report: &StepReport) {
        if report.step >= LARGE_TEXT_STEPS {
            self.interrupter.stop(None);
        }
    }
}

/// Random text of the characters of the vocabulary: content doesn't affect speed.
pub fn random_text(chars: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut text: String = alphabet().collect();
    text.extend(
        (VOCAB_SIZE..chars).map(|_| char::from(rng.random_range(b'!'..b'!' + VOCAB_SIZE as u8))),
    );
    text
}

/// The characters of the vocabulary.
pub fn alphabet() -> impl Iterator<Item = char> {
    (b'!'..b'!' + VOCAB_SIZE as u8).map(char::from)
}

fn write_large_text(path: &Path) -> std::io::Result<()> {
    let block = random_text(1_000_000);
    let mut file = BufWriter::new(File::create(path)?);
    for _ in 0..LARGE_TEXT / block.len() {
        file.write_all(block.as_bytes())?;
    }
    file.flush()
}
