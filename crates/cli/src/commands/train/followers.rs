//! The training of ranks other than 0: they get the settings, the text and the weights from rank 0.

use burn::train::Interrupter;
use charloom_data::Corpus;
use charloom_train::{Outcome, RunConfig, TrainError, Trainer};
use serde::{Deserialize, Serialize};

use crate::args::DeviceArgs;
use crate::interrupt;
use crate::ranks::Ranks;
use crate::report::{Failure, Result};

/// What rank 0 sends before the training starts.
#[derive(Serialize, Deserialize)]
struct Job {
    version: String,
    config: RunConfig,
    text: String,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sends the settings and the text to all other ranks.
pub fn send(ranks: &Ranks, config: &RunConfig, corpus: &Corpus) {
    if ranks.size() == 1 {
        return;
    }
    let (version, config) = (VERSION.to_owned(), config.clone());
    let text = corpus.vocab().decode(corpus.ids().iter());
    let job = Job { version, config, text };
    ranks.group.broadcast(&mut serde_json::to_vec(&job).expect("settings and text become JSON"));
}

/// Takes part in the training that rank 0 leads.
pub fn follow(ranks: &Ranks, machine: &DeviceArgs, interrupter: &Interrupter) -> Result<()> {
    let failed = |failure: Failure| failure.at(format!("rank {}", ranks.rank()));
    let device = machine.backend.open(machine.device).map_err(failed)?;
    let mut job = Vec::new();
    ranks.group.broadcast(&mut job);
    let other_version = || {
        failed(Failure::request(format!(
            "this binary has version {VERSION}, but that of rank 0 has another"
        )))
    };
    let Job { version, config, text } =
        serde_json::from_slice(&job).map_err(|_| other_version())?;
    if version != VERSION {
        return Err(other_version());
    }
    let corpus = Corpus::from_text(&text);
    let corpus = corpus.map_err(|error| failed(Failure::work_error(&error)))?;
    interrupt::listen(interrupter, false)?;
    let trainer = Trainer::new(config, &corpus, &device);
    let trainer = trainer.and_then(|trainer| trainer.with_group(ranks.group.clone()));
    match trainer.and_then(|mut trainer| trainer.follow(interrupter)) {
        Ok(Outcome::Interrupted { .. }) => Err(Failure::interrupted()),
        // All ranks notice these; rank 0 reports them.
        Ok(_) | Err(TrainError::NotFinite { .. } | TrainError::FewerRowsThanRanks { .. }) => Ok(()),
        Err(error) => Err(failed(Failure::work_error(&error))),
    }
}
