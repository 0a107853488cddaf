//! Generation and evaluation with character-level language models.
//!
//! [`generate`] writes a text, [`Generator`] writes it character by character, [`generate_many`] writes
//! several side by side; [`Sampler`] is what picks their characters. [`evaluate`] and [`evaluate_text`]
//! say how well a model predicts a text, [`predict`] shows it character by character, [`score`] compares
//! texts (and [`likeliest`] models), and [`complete`] finds the likeliest continuations of one.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::ops::ControlFlow;
//!
//! use burn::tensor::Device;
//! use charloom_data::Vocab;
//! use charloom_infer::{
//!     BeamConfig, GenerateConfig, Sampling, complete, evaluate_text, generate, score,
//! };
//! use charloom_model::{CharRnnConfig, TrainingSummary, TrainedModel};
//! use rand::SeedableRng;
//!
//! // A model that has learned nothing; `TrainedModel::load` reads one that has.
//! let vocab = Vocab::from_text("the loom weaves the words");
//! let config = CharRnnConfig { hidden_size: 12, ..CharRnnConfig::default() };
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
//! let network = config.init(vocab.len(), &Device::flex(), &mut rng);
//! let model = TrainedModel { network, config, vocab, summary: TrainingSummary::default() };
//!
//! let text = generate(
//!     &model,
//!     &GenerateConfig {
//!         prime: "the w".to_string(),
//!         length: 20,
//!         sampling: Sampling::random(0.8, 5, 1.0)?,
//!         seed: 1,
//!         stop: None,
//!     },
//! )?;
//! assert_eq!(text.chars().count(), 20);
//!
//! let ids = model.vocab.encode("the words")?;
//! let evaluation = evaluate_text(&model, &ids, &mut |_, _| ControlFlow::Continue(()))?;
//! assert_eq!(evaluation.chars, 8); // all but the first
//! assert!(evaluation.perplexity() > 5.0); // of 13 characters, nearly all seem possible
//!
//! let scores = score(&model, &["the words", "the wörds"], &mut |_, _| ())?;
//! assert_eq!((scores[0].chars, scores[1].unknown), (9, 1));
//!
//! let config = BeamConfig {
//!     prime: "the w".to_string(),
//!     length: 4,
//!     stop: None,
//!     count: NonZeroUsize::MIN,
//!     beam: NonZeroUsize::MIN.saturating_add(7),
//! };
//! let likeliest = &complete(&model, &config)?[0];
//! assert_eq!(likeliest.text.chars().count(), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod beam;
mod classify;
mod config;
mod evaluate;
mod generate;
mod predict;
mod sampling;
mod score;
mod stop;
mod streams;
#[cfg(test)]
mod toy;

pub use beam::{BeamConfig, Completion, complete};
pub use classify::{Confusion, likeliest};
pub use config::SampleConfig;
pub use evaluate::{EvaluateError, Evaluation, evaluate, evaluate_text};
pub use generate::{GenerateConfig, GenerateError, Generator, generate, generate_many};
pub use predict::{Guess, PredictError, Prediction, Predictions, predict};
pub use sampling::{Filter, NotFinite, Sampler, Sampling, SamplingError};
pub use score::{Score, score, unknown_nats};
