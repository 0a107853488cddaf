//! The model file: `model.safetensors`.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use charloom_data::{Vocab, atomic};
use safetensors::tensor::Dtype;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config::StoredConfig;
use crate::params::{check_shapes, shapes};
use crate::safetensors_file::{ReadError, SafetensorsFile};
use crate::{CharRnn, CharRnnConfig, ConfigError, ParamSpec, TensorProblem, safetensors_writer};

/// The version of the format that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Keys of the file's metadata.
const VERSION: &str = "charloom.format_version";
pub(crate) const CONFIG: &str = "charloom.config";
pub(crate) const VOCAB: &str = "charloom.vocab";
const SUMMARY: &str = "charloom.summary";

/// How a model was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingSummary {
    /// Number of finished epochs.
    pub epoch: usize,
    /// Number of optimizer steps.
    pub step: usize,
    /// Mean training loss of the last epoch, in nats per character.
    pub train_loss: Option<f64>,
    /// Validation loss, in nats per character.
    pub valid_loss: Option<f64>,
    /// Name of the text that it was trained on.
    pub text: Option<String>,
    /// SHA-256 of that text.
    pub text_sha256: Option<String>,
    /// The whole configuration of the run, as TOML.
    pub run_config: Option<String>,
}

/// A model with all that is needed to use it.
#[derive(Clone, Debug)]
pub struct TrainedModel {
    /// The network.
    pub network: CharRnn,
    /// The network's configuration.
    pub config: CharRnnConfig,
    /// The characters in the order of their ids.
    pub vocab: Vocab,
    /// How it was trained.
    pub summary: TrainingSummary,
}

/// Why a model file can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// There is no such file.
    #[error("there is no model at `{}`", path.display())]
    Missing {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file can't be read or written.
    #[error("cannot {action} the model file `{}`: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file is truncated or not a safetensors file.
    #[error("`{}` is truncated or not a safetensors file: {source}", path.display())]
    NotSafetensors {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with it.
        source: safetensors::SafeTensorError,
    },
    /// The safetensors file doesn't hold a model of charloom's.
    #[error("`{}` is not a charloom model: its metadata has no `{key}`", path.display())]
    NotAModel {
        /// Path of the file.
        path: PathBuf,
        /// The metadata key that is missing.
        key: &'static str,
    },
    /// The file has a format version that this code doesn't read.
    #[error(
        "`{}` has format version `{found}`, but this program reads versions up to {FORMAT_VERSION}",
        path.display()
    )]
    Version {
        /// Path of the file.
        path: PathBuf,
        /// The file's version.
        found: String,
    },
    /// The metadata is invalid.
    #[error("`{}` has invalid metadata: `{key}`: {source}", path.display())]
    Metadata {
        /// Path of the file.
        path: PathBuf,
        /// The metadata key.
        key: &'static str,
        /// What is wrong with its value.
        source: MetadataError,
    },
    /// A tensor is missing or isn't the one that the configuration calls for.
    #[error("`{}`: tensor `{tensor}` {problem}", path.display())]
    Tensor {
        /// Path of the file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// What is wrong with it.
        problem: TensorProblem,
    },
}

/// What is wrong with a value in a model file's metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// It isn't the JSON that it should be.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// No network can be made of the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The vocabulary has another size than the configuration.
    #[error("has {found} characters, but the network has {expected}")]
    VocabSize {
        /// Number of characters in the vocabulary.
        found: usize,
        /// Number of characters in the configuration.
        expected: usize,
    },
}

impl TrainedModel {
    /// Writes a model file. The file is replaced as a whole, or left as it is.
    ///
    /// # Errors
    /// If the file can't be written, or the network isn't the one that `config` and `vocab` describe.
    pub fn save(&self, path: &Path) -> Result<(), ModelFileError> {
        // What is written must load.
        let expected = self.config.parameters(self.vocab.len());
        let found = self.network.config().parameters(self.network.vocab_size());
        check_shapes(&expected, &shapes(&found)).map_err(tensor_error(path))?;

        write_file(path, |mut out| {
            safetensors_writer::write(&mut out, &self.metadata()?, self.network.parameters())
        })
    }

    /// The metadata of a model file.
    fn metadata(&self) -> io::Result<BTreeMap<&'static str, String>> {
        let config = StoredConfig::new(&self.config, self.vocab.len());
        Ok(BTreeMap::from([
            ("format", "pt".to_string()),
            (VERSION, FORMAT_VERSION.to_string()),
            (CONFIG, serde_json::to_string(&config)?),
            (VOCAB, serde_json::to_string(&self.vocab)?),
            (SUMMARY, serde_json::to_string(&self.summary)?),
        ]))
    }

    /// Reads a model file onto a device.
    ///
    /// All of the file's metadata is checked before a tensor is read: the names, shapes and types of its
    /// tensors against the configuration, and their sizes against the length of the file.
    ///
    /// # Errors
    /// If the file can't be read, isn't a model file of a format version that this code knows, or has a value that is
    /// infinite or NaN.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelFileError> {
        let unreadable = |error| match error {
            ReadError::Io(source) if source.kind() == io::ErrorKind::NotFound => {
                ModelFileError::Missing { path: path.to_path_buf() }
            }
            ReadError::Io(source) => {
                ModelFileError::Io { action: "read", path: path.to_path_buf(), source }
            }
            ReadError::Format(source) => {
                ModelFileError::NotSafetensors { path: path.to_path_buf(), source }
            }
        };
        let file = SafetensorsFile::open(path).map_err(unreadable)?;
        let get = |key: &'static str| {
            file.metadata(key)
                .ok_or_else(|| ModelFileError::NotAModel { path: path.to_path_buf(), key })
        };
        let version = get(VERSION)?;
        if version.parse() != Ok(FORMAT_VERSION) {
            let found = version.to_string();
            return Err(ModelFileError::Version { path: path.to_path_buf(), found });
        }
        let invalid = |key: &'static str| {
            move |source: MetadataError| ModelFileError::Metadata {
                path: path.to_path_buf(),
                key,
                source,
            }
        };
        let stored: StoredConfig = from_json(get(CONFIG)?).map_err(invalid(CONFIG))?;
        let config = stored.config().map_err(|error| invalid(CONFIG)(error.into()))?;
        let vocab: Vocab = from_json(get(VOCAB)?).map_err(invalid(VOCAB))?;
        let (found, expected) = (vocab.len(), stored.vocab_size);
        if found != expected {
            return Err(invalid(VOCAB)(MetadataError::VocabSize { found, expected }));
        }
        let summary = from_json(get(SUMMARY)?).map_err(invalid(SUMMARY))?;

        check_tensors(&file, &config.parameters(vocab.len())).map_err(tensor_error(path))?;
        let tensors = file.read().map_err(unreadable)?;
        let mut tensors: HashMap<_, _> = tensors.into_iter().collect();
        let network = CharRnn::from_tensors(&config, vocab.len(), device, |spec| {
            let missing = || tensor_error(path)((spec.name.clone(), TensorProblem::Missing));
            let bytes = tensors.remove(&spec.name).ok_or_else(missing)?;
            let (values, _) = bytes.as_chunks();
            let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            if !values.iter().all(|value| value.is_finite()) {
                return Err(tensor_error(path)((spec.name.clone(), TensorProblem::NotFinite)));
            }
            Ok(TensorData::new(values, spec.shape.clone()))
        })?;
        Ok(Self { network, config, vocab, summary })
    }
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, MetadataError> {
    Ok(serde_json::from_str(text)?)
}

/// The error for a tensor of the file at `path`.
fn tensor_error(path: &Path) -> impl Fn((String, TensorProblem)) -> ModelFileError {
    move |(tensor, problem)| ModelFileError::Tensor { path: path.to_path_buf(), tensor, problem }
}

/// Compares the header's tensors with the parameters of the network.
fn check_tensors(
    file: &SafetensorsFile,
    expected: &[ParamSpec],
) -> Result<(), (String, TensorProblem)> {
    let tensors: Vec<_> = file.tensors().collect();
    let found = tensors.iter().map(|(name, info)| (name.as_str(), info.shape.as_slice()));
    check_shapes(expected, &found.collect())?;
    for (name, info) in &tensors {
        if info.dtype != Dtype::F32 {
            return Err((name.clone(), TensorProblem::Dtype(info.dtype.to_string())));
        }
    }
    Ok(())
}

/// Writes a file as a whole, or leaves the one that is there.
pub(crate) fn write_file(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ModelFileError> {
    let write = || {
        let mut out = BufWriter::new(atomic::create_temp(path)?);
        content(&mut out)?;
        atomic::persist(out.into_inner().map_err(io::IntoInnerError::into_error)?, path)
    };
    write().map_err(|source| ModelFileError::Io {
        action: "write",
        path: path.to_path_buf(),
        source,
    })
}
