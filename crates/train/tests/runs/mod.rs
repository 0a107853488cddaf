//! Small runs in a temporary folder.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

mod thread_group;

use burn::prelude::*;
use burn::train::Interrupter;
use charloom_data::{Corpus, DataConfig};
use charloom_infer::SampleConfig;
use charloom_model::{CharRnnConfig, TrainedModel};
use charloom_train::settings::AdamConfig;
use charloom_train::{
    CheckpointError, EvalReport, Observer, OptimizerConfig, Outcome, RecoveryReport, RunConfig,
    RunFolder, StepReport, TrainError, Trainer,
};

/// Where the weights of a training come from.
pub enum Start {
    /// They are drawn.
    New,
    From(Box<TrainedModel>),
    Resume,
}

/// Adam with this learning rate.
pub fn adam(lr: f64) -> OptimizerConfig {
    OptimizerConfig::Adam(AdamConfig { lr, ..AdamConfig::default() })
}

/// A text with something to learn in it: 1,100 characters, 6 different ones.
pub fn text() -> String {
    (0..220).map(|i| ["abcd ", "dcba ", "abab "][i * i % 3]).collect::<String>() + "\n"
}

/// A network and batches small enough for tests, 24 steps an epoch.
pub fn config(change: impl FnOnce(&mut RunConfig)) -> RunConfig {
    let mut config = RunConfig::default();
    config.data =
        DataConfig { text: "letters.txt".into(), batch_size: 5, seq_length: 8, ..config.data };
    config.model = CharRnnConfig { hidden_size: 9, dropout: 0.3, ..config.model };
    (config.train.epochs, config.train.seed) = (2, 3);
    config.train.optimizer = adam(1e-2);
    config.sample = SampleConfig { prompt: "ab".into(), length: 12, ..config.sample };
    change(&mut config);
    config
}

/// What an observer was told.
#[derive(Default)]
pub struct Told {
    pub steps: Vec<StepReport>,
    pub evaluations: Vec<EvalReport>,
    pub samples: Vec<String>,
    pub checkpoints: Vec<PathBuf>,
    pub skipped: Vec<String>,
    /// The step that a diverging training went back to, and how often it has.
    pub recoveries: Vec<(usize, usize)>,
}

/// A run and what was told of it.
pub struct Run {
    pub home: Arc<tempfile::TempDir>,
    pub folder: RunFolder,
    pub told: Arc<Mutex<Told>>,
    /// Asks to stop after this many steps of the session.
    pub stop_after: Option<usize>,
    /// Number of ranks that train together, each in a thread.
    pub ranks: usize,
}

impl Run {
    pub fn new(name: &str) -> Self {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let folder = RunFolder::create(home.path(), name).unwrap();
        Self { home, folder, told: Arc::default(), stop_after: None, ranks: 1 }
    }

    pub fn with_ranks(mut self, ranks: usize) -> Self {
        self.ranks = ranks;
        self
    }

    pub fn stopping_after(mut self, steps: usize) -> Self {
        self.stop_after = Some(steps);
        self
    }

    pub fn train(&self, config: RunConfig, device: &Device) -> Result<Outcome, TrainError> {
        self.launch(config, device, Start::New, &text())
    }

    pub fn resume(&self, config: RunConfig) -> Result<Outcome, TrainError> {
        self.launch(config, &Device::flex(), Start::Resume, &text())
    }

    pub fn launch(
        &self,
        config: RunConfig,
        device: &Device,
        start: Start,
        text: &str,
    ) -> Result<Outcome, TrainError> {
        let interrupter = Interrupter::new();
        let told = self.told.clone();
        let stop_after = self.stop_after.map(|steps| steps + told.lock().unwrap().steps.len());
        let mut observer = Ears { told, interrupter: interrupter.clone(), stop_after };
        let corpus = Corpus::from_text(text).unwrap();
        let groups = thread_group::of_size(self.ranks);
        std::thread::scope(|scope| {
            let mut groups = groups.into_iter();
            let group = groups.next().unwrap();
            let others: Vec<_> = groups
                .map(|group| {
                    let (config, corpus) = (config.clone(), &corpus);
                    scope.spawn(move || {
                        let trainer = Trainer::new(config, corpus, device)?;
                        trainer.with_group(Rc::new(group))?.follow(&Interrupter::new())
                    })
                })
                .collect();
            let trainer = match start {
                Start::New => Trainer::new(config.clone(), &corpus, device)?,
                Start::From(model) => Trainer::from_model(config.clone(), &corpus, device, &model)?,
                Start::Resume => {
                    let folder = self.folder.checkpoints();
                    let resumed = Trainer::resume(config.clone(), &corpus, device, &folder);
                    let (trainer, skipped) = resumed?;
                    skipped.iter().for_each(|error| observer.skipped_checkpoint(error));
                    trainer
                }
            };
            let mut trainer = trainer.with_group(Rc::new(group))?;
            let outcome = trainer.run(&self.folder, &interrupter, &mut observer);
            let text = |outcome: &Result<Outcome, TrainError>| match outcome {
                Ok(outcome) => format!("{outcome:?}"),
                Err(error) => error.to_string(),
            };
            for other in others {
                assert_eq!(text(&other.join().unwrap()), text(&outcome), "ranks ended differently");
            }
            outcome
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

    fn skipped_checkpoint(&mut self, error: &CheckpointError) {
        self.told.lock().unwrap().skipped.push(error.to_string());
    }

    fn evaluated(&mut self, report: &EvalReport, sample: &str) {
        let mut told = self.told.lock().unwrap();
        told.evaluations.push(*report);
        told.samples.push(sample.to_string());
    }

    fn recovered(&mut self, report: &RecoveryReport<'_>) {
        self.told.lock().unwrap().recoveries.push((report.step, report.recoveries));
    }

    fn saved(&mut self, checkpoint: &std::path::Path) {
        self.told.lock().unwrap().checkpoints.push(checkpoint.to_path_buf());
    }
}
