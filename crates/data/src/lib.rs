//! Corpora, vocabularies and batches for character-level language models, on Burn.
//!
//! A [`Text`] is one file or several, decoded in a [`TextFormat`]. A [`Corpus`] is a text as [`Ids`] of a [`Vocab`]; a [`Split`] divides it into training, validation and test parts;
//! [`Batches`] cut a part into rows of contiguous text, and a [`BatchLoader`] yields them as tensors.
//! A [`DatasetDescriptor`] describes a well-known text and where to download it; [`TextStats`] are statistics of a text.
//!
//! The feature `download` adds the download itself, and a TLS library with it.
//!
//! ```
//! use charloom_data::{BatchConfig, Batches, Corpus, Fractions, LastTarget, Split};
//!
//! let corpus = Corpus::from_text("the loom weaves the words, and the words weave the loom")?;
//! let split = Split::new(corpus.chars(), Fractions::new(0.2, 0.0)?);
//!
//! let config = BatchConfig { batch_size: 3, seq_length: 4, last_target: LastTarget::Next };
//! let train = Batches::new(corpus.ids().slice(split.train), config)?;
//! assert_eq!(train.len(), 3); // 44 characters, of which 3 x 3 x 4 are inputs
//!
//! let (mut inputs, mut targets) = (vec![0; 12], vec![0; 12]); // [N, T]
//! train.fill(0, &mut inputs, &mut targets);
//! let text = |ids: &[i32]| corpus.vocab().decode(ids.iter().map(|&id| id as u32));
//! assert_eq!(text(&inputs[..4]), "the ");
//! assert_eq!(text(&targets[..4]), "he l");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]

pub mod atomic;
mod batch;
mod batch_schedule;
mod char_counts;
mod checksum;
mod config;
mod corpus;
mod dataset;
mod derive_seed;
mod documents;
mod download;
mod file_kind;
mod gutenberg;
mod ids;
mod input_files;
mod inspect;
mod loader;
mod marks;
mod normalizer;
mod one_hot;
mod preflight;
mod split;
mod text;
mod text_file;
mod text_format;
mod text_paths;
mod utf8;
mod vocab;

pub use batch::{BatchConfig, BatchError, Batches, LastTarget, TooShort, rows_of_rank};
pub use batch_schedule::BatchChange;
pub use config::{DataConfig, RowOffset, Validation};
pub use corpus::{Corpus, CorpusError, Origin};
pub use dataset::{DatasetDescriptor, DescriptorError};
pub use derive_seed::derive_seed;
pub use documents::Documents;
pub use download::{DownloadError, Mismatch};
pub use file_kind::FileKind;
pub use ids::Ids;
pub use inspect::{PartBatches, TextStats};
pub use loader::{BatchLoader, CharBatch};
pub use marks::{END_MARK, UNKNOWN_MARK};
pub use one_hot::one_hot;
pub use preflight::{Oddity, preflight};
pub use split::{FractionError, Fractions, Part, Split};
pub use text::{Change, Text, TextNote, Unknown};
pub use text_format::{Newlines, Normalize, TextFormat, UnknownEncoding, encoding_of};
pub use text_paths::{TextPaths, setting_of_path};
pub use vocab::{EscapedChar, UnknownCharacters, Vocab, VocabError};
