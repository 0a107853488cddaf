//! Using character-level language models: generation, evaluation, scoring.
//!
//! - [`Generate`] continues a prompt: `model.generate("prompt")`. [`Generator`] is an iterator over the
//!   characters, [`generate_many`] generates several samples at once, and in a [`BatchGenerator`] texts with
//!   different settings join and leave a batch at any time.
//! - [`Sampler`] chooses a character from logits: greedy or random, with temperature, top-k and top-p.
//!   [`BatchDecoder`] gives the logits, for other ways of choosing.
//! - [`beam_search`] finds the most likely continuations of a prompt.
//! - [`evaluate()`] measures how well a model predicts a text; [`predict_chars`] shows it
//!   for each character.
//! - [`NGram`] is the classical baseline: a character n-gram model with Kneser-Ney smoothing.
//! - An [`Ensemble`] of several models does all of this as one model: their probabilities are averaged.
//! - [`score()`] gives the likelihood of each of many texts; with several models, [`best_model`] and
//!   [`ConfusionMatrix`] make a classifier of it.
//!
//! # Examples
//! ```
//! # use burn::tensor::Device;
//! # use charloom_data::Vocab;
//! # use charloom_model::{CharRnnConfig, TrainingSummary};
//! # use rand::SeedableRng;
//! use charloom_infer::{BeamConfig, Generate, GenerateConfig, Sampling, beam_search, score};
//! use charloom_model::TrainedModel;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = &folder.path().join("model.safetensors");
//! # let vocab = Vocab::from_text("the loom weaves the words");
//! # let config = CharRnnConfig { hidden_size: 12, ..CharRnnConfig::default() };
//! # let network = config.init(vocab.len(), &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
//! # TrainedModel { network, config, vocab, summary: TrainingSummary::default() }.save(path)?;
//! let model = TrainedModel::load(path, &Device::flex())?;
//!
//! let text = model.generate("the w")?;
//! assert_eq!(text.chars().count(), 400);
//!
//! let text = model.generate_with(&GenerateConfig {
//!     prompt: "the w".to_string(),
//!     length: 20,
//!     sampling: Sampling::random(0.8, 5, 1.0)?,
//!     seed: 1,
//!     ..GenerateConfig::default()
//! })?;
//! assert_eq!(text.chars().count(), 20);
//!
//! let config = BeamConfig { prompt: "the w".to_string(), length: 4, ..BeamConfig::default() };
//! let most_likely = &beam_search(&model, &config)?[0];
//! assert_eq!(most_likely.text.chars().count(), 4);
//!
//! let scores = score(&model, &["the words", "the wörds"], &mut |_, _| ())?;
//! assert_eq!((scores[0].chars, scores[1].unknown), (9, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod batch;
mod beam;
mod classify;
mod config;
mod decoder;
mod ensemble;
mod evaluate;
mod evaluation;
mod generate;
mod mixture;
mod ngram;
mod predict;
mod sampling;
mod score;
mod softmax;
mod stop;
#[cfg(test)]
mod test_models;

pub use batch::{BatchGenerator, RowId, RowOutput, generate_many};
pub use beam::{BeamConfig, Completion, beam_search};
pub use classify::{ConfusionMatrix, best_model};
pub use config::SampleConfig;
pub use decoder::BatchDecoder;
pub use ensemble::{Ensemble, EnsembleError, LanguageModel, Networks};
pub use evaluate::{EvaluateError, evaluate, evaluate_rows, evaluate_share, evaluate_windows};
pub use evaluation::{Evaluation, EvaluationSums, bits_per_char, perplexity};
pub use generate::{Generate, GenerateConfig, GenerateError, Generator, generate};
pub use mixture::{Mixture, mix};
pub use ngram::{NGram, NGramError, OrderLoss};
pub use predict::{CharPrediction, CharPredictions, CharProbability, PredictError, predict_chars};
pub use sampling::{Sampler, Sampling, SamplingError, TopKTopP};
pub use score::{Score, score, unknown_char_nll};
pub use softmax::NonFiniteLogits;
