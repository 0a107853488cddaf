//! The character-level recurrent language model, and the file that holds one.
//!
//! [`CharRnnConfig`] says what a network is made of, [`CharRnn`] is the network, and
//! [`TrainedModel`] the network with its vocabulary, as it stands in `model.safetensors`.
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use charloom_model::CharRnnConfig;
//! use rand::SeedableRng;
//!
//! let device = Device::flex();
//! let config = CharRnnConfig { hidden_size: 12, ..CharRnnConfig::default() };
//! let network = config.init(5, &device, &mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
//!
//! let ids = Tensor::<2, Int>::from_ints([[0, 1, 2], [4, 4, 3]], &device); // [N, T]
//! let (logits, state) = network.forward(ids, network.zero_state(2, &device), None);
//! assert_eq!(logits.dims(), [2, 3, 5]); // [N, T, V]
//! assert_eq!(state.hidden(1).dims(), [2, 12]);
//! ```
#![deny(missing_docs)]

mod config;
mod file;
mod import;
mod network;
mod params;
mod safetensors_file;
mod vocab_remap;

pub use charloom_recurrent::{Bias, Cell, Dropout, Init, State, Stepper};
pub use config::{CharRnnConfig, ConfigError, InputEncoding};
pub use file::{FORMAT_VERSION, MetadataError, ModelFileError, TrainedModel, TrainingSummary};
pub use import::{ImportError, ImportOptions, NotPyTorch, Tensors, VocabularyError, read_vocab};
pub use network::{CharRnn, Linear};
pub use params::{ParamSpec, TensorProblem};
pub use vocab_remap::{RemapError, VocabDiff};
