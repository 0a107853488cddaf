//! The character-level recurrent language model, and the file that holds one.
//!
//! - [`CharRnnConfig`] describes a network: cell, sizes, input encoding, initialisation. It lists the network's parameters
//!   ([`CharRnnConfig::parameters`]) under PyTorch's names and draws them ([`CharRnnConfig::init`]).
//! - [`CharRnn`] is the network, a Burn module: logits, loss, evaluation scores.
//! - [`TrainedModel`] is a network with its vocabulary: what `model.safetensors` holds. [`TrainedModel::load`] and
//!   [`TrainedModel::save`] read and write it, [`TrainedModel::import`] reads PyTorch's files,
//!   [`TrainedModel::export`] writes weights for other programs, and
//!   [`TrainedModel::remap_vocab`] initialises a network with another vocabulary from it.
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use charloom_data::Vocab;
//! use charloom_model::{CharRnnConfig, TrainedModel, TrainingSummary};
//! use rand::SeedableRng;
//!
//! let device = Device::flex();
//! let vocab = Vocab::from_text("hello");
//! let config = CharRnnConfig { hidden_size: 12, ..CharRnnConfig::default() };
//! config.validate()?;
//! let network =
//!     config.init(vocab.len(), &device, &mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
//!
//! let ids = Tensor::<2, Int>::from_ints([[0, 1, 2], [3, 3, 1]], &device); // [N, T]
//! let (logits, state) = network.forward(ids, network.zero_state(2, &device), None);
//! assert_eq!(logits.dims(), [2, 3, 4]); // [N, T, V]
//! assert_eq!(state.hidden(1).dims(), [2, 12]); // [N, H]
//!
//! let path = std::env::temp_dir().join(format!("charloom-model-{}.safetensors", std::process::id()));
//! TrainedModel { network, config, vocab, summary: TrainingSummary::default() }.save(&path)?;
//! let model = TrainedModel::load(&path, &device)?;
//! assert_eq!(model.vocab.chars(), ['e', 'h', 'l', 'o']);
//! # std::fs::remove_file(path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

mod config;
mod export;
mod file;
mod import;
mod network;
mod optional_number;
mod params;
mod safetensors_file;
mod safetensors_writer;
mod strides;
mod vocab_remap;

pub use charloom_recurrent::{
    BatchRows, Bias, Cell, Init, Precision, Readout, StackDropout, State, Stepper, has_cpu_kernels,
};
pub use config::{CharRnnConfig, ConfigError, InputEncoding};
pub use export::ExportFormat;
pub use file::{FORMAT_VERSION, MetadataError, ModelFileError, TrainedModel, TrainingSummary};
pub use import::{
    ImportError, ImportOptions, Imported, NotPyTorch, TensorRole, Tensors, VocabularyError,
    read_vocab,
};
pub use network::{CharRnn, Linear};
pub use params::{ParamSpec, TensorProblem};
pub use vocab_remap::{RemapError, VocabDiff};
