//! Training of character-level language models by truncated backpropagation through time.
//!
//! A [`Trainer`] takes a [`RunConfig`] and a corpus. [`Trainer::step`] is one optimizer step, [`Trainer::evaluate`] the
//! loss on the validation part, [`Trainer::save`] a checkpoint; [`Trainer::run`] is the loop over all of them, which
//! leaves everything in a [`RunFolder`] and reports events to an [`Observer`]. This crate prints nothing.
//!
//! ```
//! use burn::tensor::Device;
//! use charloom_data::Corpus;
//! use charloom_train::{RunConfig, Trainer};
//!
//! let corpus = Corpus::from_text(&"the loom weaves the words, and the words weave the loom. ".repeat(20))?;
//! let mut config = RunConfig::default();
//! (config.data.batch_size, config.data.seq_length) = (4, 16);
//! (config.model.hidden_size, config.model.layers) = (24, 1);
//!
//! let mut trainer = Trainer::new(config, &corpus, &Device::flex())?;
//! let before = trainer.evaluate()?.loss;
//! for _ in 0..30 {
//!     trainer.step()?;
//! }
//! assert!(trainer.evaluate()?.loss < before);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod all_reduce;
mod batch_phases;
mod checkpoint;
mod clip;
mod dynamic_evaluation;
mod error;
mod flat;
mod fused_adam;
mod load_on_cpu;
mod lr_schedule;
mod memory;
mod metrics_csv;
mod norm_history;
mod observer;
mod optimizer;
mod process_group;
mod progress;
mod recipe;
mod run;
mod run_files;
mod run_folder;
mod setting_change;
pub mod settings;
mod trainer;
mod weight_average;

pub use dynamic_evaluation::{AdaptConfig, evaluate_adaptively};
pub use error::{CheckpointError, RunError, TrainError};
pub use lr_schedule::PlateauState;
pub use memory::{TrainingMemory, largest_that_fit};
pub use metrics_csv::MetricsRow;
pub use norm_history::NormHistory;
pub use observer::{EvalReport, Observer, RecoveryReport, StepReport, TrainInfo};
#[cfg(feature = "mpi")]
pub use process_group::Mpi;
pub use process_group::{ProcessGroup, SingleProcess};
pub use recipe::{Plan, RECIPE_KEYS, plan};
pub use run::Outcome;
pub use run_folder::RunFolder;
pub use setting_change::SettingChange;
pub use settings::{
    EpochState, EvalInterval, GradClip, LossReduction, LrSchedule, OptimizerConfig, RunConfig,
    TrainConfig,
};
pub use trainer::Trainer;

/// The Rust in the answers to a learner's questions.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/questions.md")]
struct Questions;
