//! Whole steps of charloom's training: the program's own way through loader, network, loss, backward pass, clipping,
//! optimizer, metrics and reports.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;
use burn::train::Interrupter;
use charloom_data::{BatchConfig, Corpus, Fractions, LastTarget};
use charloom_infer::Sampling;
use charloom_train::{
    Clip, EvalEvery, Job, Loss, Observer, Optimizer, RunFolder, SampleConfig, Schedule, Silent,
    Start, StateAtEpoch, StepReport, TrainConfig, train,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::measure::{Plan, Stopwatch};
use crate::work::{Size, VOCAB_SIZE};
use crate::{Failure, Result};

/// Characters of the text: an epoch of it outlasts every measurement.
const TEXT: usize = 24_000_000;
/// Bytes of the large text.
const LARGE_TEXT: usize = 1_000_000_000;
/// Steps on the large text: the first one after the optimizer has its state already reaches the peak.
const LARGE_TEXT_STEPS: usize = 5;

/// Measures training steps; the rates of the samples.
pub fn run(size: Size, device: Device, plan: Plan) -> Result<Vec<f64>> {
    let corpus = Corpus::from_text(&random_text(TEXT)).map_err(Failure::new)?;
    let watch = Arc::new(Mutex::new(None));
    let interrupter = Interrupter::new();
    let timer = Timer {
        watch: watch.clone(),
        plan,
        chars: size.batch_size * size.seq_length,
        interrupter: interrupter.clone(),
    };
    start(size, device, corpus, interrupter, Box::new(timer))?;
    let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(watch.as_ref().map(|watch| watch.rates().to_vec()).unwrap_or_default())
}

/// Takes the first steps on a text of a billion bytes.
pub fn large_text(size: Size, device: Device) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Failure::new)?;
    let path = folder.path().join("large.txt");
    write_large_text(&path).map_err(Failure::new)?;
    let corpus = Corpus::read(&path).map_err(Failure::new)?;
    let interrupter = Interrupter::new();
    let few = Few { interrupter: interrupter.clone() };
    start(size, device, corpus, interrupter, Box::new(few))
}

fn start(
    size: Size,
    device: Device,
    corpus: Corpus,
    interrupter: Interrupter,
    observer: Box<dyn Observer>,
) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Failure::new)?;
    let config = TrainConfig {
        model: size.model(),
        batch: BatchConfig {
            batch_size: size.batch_size,
            seq_length: size.seq_length,
            last_target: LastTarget::Next,
        },
        fractions: Fractions::new(0.01, 0.0).map_err(Failure::new)?,
        epochs: 1,
        max_steps: 0,
        seed: 1,
        optimizer: Optimizer::adam(1e-3),
        schedule: Schedule::Constant,
        loss: Loss::Mean,
        state: StateAtEpoch::Reset,
        eval_every: EvalEvery::Epochs(1),
        clip: Clip::Norm(5.0),
        patience: 0,
        sample: SampleConfig { prime: String::new(), length: 0, sampling: Sampling::Greedy },
        text_name: "random".to_string(),
        toml: String::new(),
    };
    let job = Job {
        run: RunFolder::create(folder.path(), "bench").map_err(Failure::new)?,
        corpus,
        config,
        device,
        start: Start::Fresh,
        interrupter,
        renderer: Box::new(Silent),
        observer,
    };
    train(job).map(drop).map_err(Failure::new)
}

/// Stops the training when it has been measured.
struct Timer {
    watch: Arc<Mutex<Option<Stopwatch>>>,
    plan: Plan,
    chars: usize,
    interrupter: Interrupter,
}

impl Observer for Timer {
    fn step(&mut self, _: &StepReport) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock starts after the first step.
        let Some(watch) = watch.as_mut() else {
            *watch = Some(Stopwatch::start(self.plan));
            return;
        };
        if watch.lap(self.chars) {
            self.interrupter.stop(None);
        }
    }
}

/// Stops after a few steps.
struct Few {
    interrupter: Interrupter,
}

impl Observer for Few {
    fn step(&mut self, report: &StepReport) {
        if report.step >= LARGE_TEXT_STEPS {
            self.interrupter.stop(None);
        }
    }
}

/// Text of all characters of the vocabulary, in no order: its content costs nothing.
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
