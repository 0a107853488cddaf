//! Training of character-level language models: truncated backpropagation through time on
//! burn-train.
//!
//! [`train`] takes a [`Job`]: a [`RunFolder`], a corpus, a [`TrainConfig`], a device. It sets off
//! burn-train's learner with a loop that can save after any step, and tells an [`Observer`] what
//! happens. This crate prints nothing.
#![deny(missing_docs)]

mod checkpoint;
mod clip;
mod config;
mod error;
mod evaluation;
mod exact;
mod history;
mod job;
mod logs;
mod metrics;
mod observer;
mod optimizer;
mod run;
mod schedule;
pub mod settings;
mod silent;
mod stream;
mod trainee;
mod training;

pub use config::{Clip, EvalEvery, Loss, SampleConfig, StateAtEpoch, TrainConfig};
pub use error::{CheckpointError, RunError, TrainError};
pub use history::MetricsRow;
pub use job::{Job, Start, check, train};
pub use metrics::{StepMetric, bits_per_char, perplexity};
pub use observer::{EpochReport, Observer, Started, StepReport};
pub use optimizer::Optimizer;
pub use run::RunFolder;
pub use schedule::{Moment, Plateau, Schedule};
pub use silent::Silent;
pub use stream::{Carry, StreamBatch, StreamLoader};
pub use trainee::{StepOutput, Trainee};
pub use training::Outcome;

/// The Rust in the answers to a learner's questions.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/questions.md")]
struct Questions;
