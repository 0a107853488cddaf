//! The model file: `model.safetensors`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use charloom_data::{Vocab, atomic};
use rand::SeedableRng;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::config::StoredConfig;
use crate::{CharRnn, CharRnnConfig};

/// The version of the format that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// Keys of the file's metadata.
const VERSION: &str = "charloom.format_version";
const CONFIG: &str = "charloom.config";
const VOCAB: &str = "charloom.vocab";
const SUMMARY: &str = "charloom.summary";

/// How a model came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Epochs finished.
    pub epoch: usize,
    /// Optimizer steps taken.
    pub step: usize,
    /// Mean loss of the last epoch of training, nats per character.
    pub train_loss: Option<f64>,
    /// Loss on the validation part, nats per character.
    pub valid_loss: Option<f64>,
    /// The text it was trained on.
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
    /// Its configuration.
    pub config: CharRnnConfig,
    /// Its characters.
    pub vocab: Vocab,
    /// How it came about.
    pub summary: Summary,
}

/// Why a model file can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// There is no such file.
    #[error("there is no model at `{}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {action} the model file `{}`: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a safetensors file, or one that was cut short.
    #[error("`{}` is not a whole safetensors file: {source}", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: safetensors::SafeTensorError,
    },
    /// A safetensors file of something else.
    #[error("`{}` is not a charloom model: its metadata has no `{key}`", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// The metadata that is missing.
        key: &'static str,
    },
    /// Written by a newer charloom, or by none.
    #[error(
        "`{}` has format version `{found}`, but this program reads versions 1 to {FORMAT_VERSION}",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// The metadata doesn't say what it should.
    #[error("`{}` has broken metadata: `{key}`: {problem}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Which metadata.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor is absent, or one is there that doesn't belong, or has another shape or type.
    #[error("`{}`: tensor `{tensor}` {problem}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl TrainedModel {
    /// Writes the file whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), ModelFileError> {
        let failed =
            |source| ModelFileError::Io { action: "write", path: path.to_path_buf(), source };
        let bytes = self.to_bytes().map_err(|error| failed(std::io::Error::other(error)))?;
        atomic::write(path, &bytes).map_err(failed)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let json = |value: serde_json::Result<String>| value.expect("plain data becomes JSON");
        let metadata = HashMap::from([
            ("format".to_string(), "pt".to_string()),
            (VERSION.to_string(), FORMAT_VERSION.to_string()),
            (
                CONFIG.to_string(),
                json(serde_json::to_string(&StoredConfig::new(&self.config, self.vocab.len()))),
            ),
            (VOCAB.to_string(), json(serde_json::to_string(&self.vocab))),
            (SUMMARY.to_string(), json(serde_json::to_string(&self.summary))),
        ]);
        let parameters: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .network
            .parameters()
            .into_iter()
            .map(|(name, data)| {
                let shape = data.shape().to_vec();
                let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
                (name, shape, bytes)
            })
            .collect();
        let views = parameters
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        safetensors::serialize(views, Some(metadata)).map(with_sorted_header)
    }

    /// Reads a file onto a device.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelFileError> {
        let bytes = std::fs::read(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => ModelFileError::Missing { path: path.to_path_buf() },
            _ => ModelFileError::Io { action: "read", path: path.to_path_buf(), source },
        })?;
        let broken = |source| ModelFileError::NotSafetensors { path: path.to_path_buf(), source };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let get = |key: &'static str| {
            let missing = || ModelFileError::NotAModel { path: path.to_path_buf(), key };
            metadata.get(key).ok_or_else(missing)
        };
        let version = get(VERSION)?;
        if version.parse() != Ok(FORMAT_VERSION) {
            let found = version.clone();
            return Err(ModelFileError::Version { path: path.to_path_buf(), found });
        }
        let wrong = |key: &'static str, problem: String| ModelFileError::Metadata {
            path: path.to_path_buf(),
            key,
            problem,
        };
        let stored: StoredConfig =
            serde_json::from_str(get(CONFIG)?).map_err(|error| wrong(CONFIG, error.to_string()))?;
        let config = stored.config().map_err(|error| wrong(CONFIG, error.to_string()))?;
        let vocab: Vocab =
            serde_json::from_str(get(VOCAB)?).map_err(|error| wrong(VOCAB, error.to_string()))?;
        if vocab.len() != stored.vocab_size {
            let problem =
                format!("has {} characters, the network {}", vocab.len(), stored.vocab_size);
            return Err(wrong(VOCAB, problem));
        }
        let summary = serde_json::from_str(get(SUMMARY)?)
            .map_err(|error| wrong(SUMMARY, error.to_string()))?;

        let tensors = SafeTensors::deserialize(&bytes).map_err(broken)?;
        let network = read_parameters(path, &tensors, &config, vocab.len(), device)?;
        Ok(Self { network, config, vocab, summary })
    }
}

/// The same file with its header's keys in order: as they are written they come from a hash map, and the same model
/// would never be the same bytes.
fn with_sorted_header(file: Vec<u8>) -> Vec<u8> {
    type Header = BTreeMap<String, serde_json::Value>;
    let sorted = || -> Option<Vec<u8>> {
        let (length, rest) = file.split_first_chunk::<8>()?;
        let (header, tensors) =
            rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let mut header: Header = serde_json::from_slice(header).ok()?;
        if let Some(metadata) = header.get_mut("__metadata__") {
            let ordered: Header = serde_json::from_value(metadata.take()).ok()?;
            *metadata = serde_json::to_value(ordered).ok()?;
        }
        let mut header = serde_json::to_vec(&header).ok()?;
        // The tensors begin at a multiple of eight bytes.
        header.resize(header.len().next_multiple_of(8), b' ');
        let length = (header.len() as u64).to_le_bytes();
        Some([&length, header.as_slice(), tensors].concat())
    };
    sorted().unwrap_or(file)
}

/// Takes exactly the tensors that the configuration calls for.
fn read_parameters(
    path: &Path,
    tensors: &SafeTensors<'_>,
    config: &CharRnnConfig,
    vocab_size: usize,
    device: &Device,
) -> Result<CharRnn, ModelFileError> {
    let wrong = |tensor: &str, problem: String| ModelFileError::Tensor {
        path: path.to_path_buf(),
        tensor: tensor.to_string(),
        problem,
    };
    // Hold the sizes against the file before a network of that size is made.
    if let Ok(view) = tensors.tensor("fc.weight")
        && view.shape() != [vocab_size, config.hidden_size]
    {
        let problem = format!(
            "has shape {:?}, but the configuration says [{}, {}]",
            view.shape(),
            vocab_size,
            config.hidden_size
        );
        return Err(wrong("fc.weight", problem));
    }
    let last = format!("rnn.weight_hh_l{}", config.layers - 1);
    for needed in ["fc.weight", last.as_str()] {
        if tensors.tensor(needed).is_err() {
            return Err(wrong(needed, "is missing".into()));
        }
    }

    let mut taken = Vec::new();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let network = config.init(vocab_size, device, &mut rng).with_parameters(|name, shape| {
        let view = tensors.tensor(name).map_err(|_| wrong(name, "is missing".into()))?;
        if view.shape() != shape {
            let problem = format!("has shape {:?} where {shape:?} is needed", view.shape());
            return Err(wrong(name, problem));
        }
        if view.dtype() != Dtype::F32 {
            return Err(wrong(name, format!("is of type {:?}, not F32", view.dtype())));
        }
        taken.push(name.to_string());
        let bytes = view.data().chunks_exact(4);
        let values: Vec<f32> =
            bytes.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok(TensorData::new(values, shape.to_vec()))
    })?;
    match tensors.names().into_iter().find(|name| !taken.iter().any(|taken| taken == name)) {
        Some(extra) => Err(wrong(extra, "does not belong to this model".into())),
        None => Ok(network),
    }
}
