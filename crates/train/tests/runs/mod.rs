//! Small runs in a temporary folder.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use burn::prelude::*;
use burn::train::Interrupter;
use charloom_data::{BatchConfig, Corpus, Fractions, LastTarget};
use charloom_infer::Sampling;
use charloom_model::{CharRnnConfig, TrainedModel};
use charloom_train::{
    Clip, EpochReport, EvalEvery, Job, Loss, Observer, Optimizer, Outcome, RunFolder, SampleConfig,
    Schedule, Silent, Start, StateAtEpoch, StepReport, TrainConfig, TrainError, train,
};

/// A text with something to learn in it: 1,100 characters, 6 different ones.
pub fn text() -> String {
    (0..220).map(|i| ["abcd ", "dcba ", "abab "][i * i % 3]).collect::<String>() + "\n"
}

/// A network and batches small enough for tests, 24 steps an epoch.
pub fn config(change: impl FnOnce(&mut TrainConfig)) -> TrainConfig {
    let mut config = TrainConfig {
        model: CharRnnConfig { hidden_size: 9, dropout: 0.3, ..CharRnnConfig::default() },
        batch: BatchConfig { batch_size: 5, seq_length: 8, last_target: LastTarget::Next },
        fractions: Fractions::new(0.1, 0.0).unwrap(),
        epochs: 2,
        max_steps: 0,
        seed: 3,
        optimizer: Optimizer::adam(1e-2),
        schedule: Schedule::Constant,
        clip: Clip::Norm(5.0),
        loss: Loss::Mean,
        state: StateAtEpoch::Reset,
        eval_every: EvalEvery::Epochs(1),
        patience: 0,
        sample: SampleConfig {
            prime: "ab".into(),
            length: 12,
            sampling: Sampling::random(0.8, 0, 1.0).unwrap(),
        },
        text_name: "letters".into(),
        toml: "# as resolved\n".into(),
    };
    change(&mut config);
    config
}

/// What an observer was told.
#[derive(Default)]
pub struct Told {
    pub steps: Vec<StepReport>,
    pub epochs: Vec<EpochReport>,
    pub samples: Vec<String>,
    pub checkpoints: Vec<PathBuf>,
}

/// A run and what was told of it.
pub struct Run {
    pub home: Arc<tempfile::TempDir>,
    pub folder: RunFolder,
    pub told: Arc<Mutex<Told>>,
    /// Asks to stop after this many steps of the session.
    pub stop_after: Option<usize>,
}

impl Run {
    pub fn new(name: &str) -> Self {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let folder = RunFolder::create(home.path(), name).unwrap();
        Self { home, folder, told: Arc::default(), stop_after: None }
    }

    pub fn stopping_after(mut self, steps: usize) -> Self {
        self.stop_after = Some(steps);
        self
    }

    pub fn train(&self, config: TrainConfig, device: &Device) -> Result<Outcome, TrainError> {
        self.launch(config, device, Start::Fresh, &text())
    }

    pub fn resume(&self, config: TrainConfig) -> Result<Outcome, TrainError> {
        self.launch(config, &Device::flex(), Start::Resume, &text())
    }

    pub fn launch(
        &self,
        config: TrainConfig,
        device: &Device,
        start: Start,
        text: &str,
    ) -> Result<Outcome, TrainError> {
        let interrupter = Interrupter::new();
        let told = self.told.clone();
        let stop_after = self.stop_after.map(|steps| steps + told.lock().unwrap().steps.len());
        let observer = Ears { told, interrupter: interrupter.clone(), stop_after };
        train(Job {
            run: self.folder.clone(),
            corpus: Corpus::from_text(text).unwrap(),
            config,
            device: device.clone(),
            start,
            interrupter,
            renderer: Box::new(Silent),
            observer: Box::new(observer),
        })
    }

    pub fn losses(&self) -> Vec<f64> {
        self.told.lock().unwrap().steps.iter().map(|step| step.loss).collect()
    }

    pub fn model(&self) -> TrainedModel {
        TrainedModel::load(&self.folder.model(), &Device::flex()).unwrap()
    }

    /// The rows of metrics.csv without the columns that time decides.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.folder.metrics()).unwrap();
        let row = |line: &str| line.split(',').take(7).map(str::to_string).collect();
        text.lines().map(row).collect()
    }
}

struct Ears {
    told: Arc<Mutex<Told>>,
    interrupter: Interrupter,
    stop_after: Option<usize>,
}

impl Observer for Ears {
    fn step(&mut self, step: &StepReport) {
        let mut told = self.told.lock().unwrap();
        told.steps.push(*step);
        if self.stop_after.is_some_and(|steps| told.steps.len() >= steps) {
            self.interrupter.stop(Some("asked to"));
        }
    }

    fn epoch(&mut self, epoch: &EpochReport, sample: &str) {
        let mut told = self.told.lock().unwrap();
        told.epochs.push(*epoch);
        told.samples.push(sample.to_string());
    }

    fn saved(&mut self, checkpoint: &std::path::Path) {
        self.told.lock().unwrap().checkpoints.push(checkpoint.to_path_buf());
    }
}
