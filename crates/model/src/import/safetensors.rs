//! Import of safetensors files that have PyTorch's names, but not the metadata of a model file.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, TensorData};
use charloom_data::Vocab;
use safetensors::Dtype;
use serde_json::Value;

use super::checkpoint::number;
use super::layout::{NamedShape, checked_vocab, layout};
use super::pickle::Element;
use super::{ImportError, ImportOptions, Tensors, VocabularyError};
use crate::file::{CONFIG, VOCAB};
use crate::safetensors_file::{ReadError, SafetensorsFile};
use crate::{CharRnn, Readout, TrainedModel, TrainingSummary};

/// Reads a safetensors file, whose header is checked against its length first.
pub fn import(
    path: &Path,
    options: ImportOptions,
    device: &Device,
) -> Result<TrainedModel, ImportError> {
    let ImportOptions { vocab, cell, readout } = options;
    let unreadable = |error| match error {
        ReadError::Io(source) => ImportError::Unreadable { path: path.to_path_buf(), source },
        ReadError::Format(source) => {
            ImportError::NotSafetensors { path: path.to_path_buf(), source }
        }
    };
    let file = SafetensorsFile::open(path).map_err(unreadable)?;
    let mut elements = HashMap::new();
    for (name, info) in file.tensors() {
        let element = match info.dtype {
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            _ => {
                let (path, problem) = (path.to_path_buf(), "holds no floating-point numbers");
                return Err(ImportError::Tensor { path, tensor: name, problem });
            }
        };
        elements.insert(name, element);
    }
    let shapes = || -> Vec<NamedShape> {
        file.tensors().map(|(name, info)| (name, info.shape.clone())).collect()
    };
    let mut layout = layout(path, shapes(), cell)?;
    let stored = file.metadata(CONFIG).and_then(|text| serde_json::from_str::<Value>(text).ok());
    // Read by itself: a file of another version may have keys that this one doesn't know.
    let stored = match stored.as_ref().and_then(|config| config.get("readout")) {
        Some(stored) => serde_json::from_value(stored.clone()).map_err(|_| {
            let problem = "its linear layer reads the layers in a way that is not known here";
            let (path, problem) = (path.to_path_buf(), problem.to_owned());
            ImportError::Layout { path, problem, tensors: Tensors(shapes()) }
        })?,
        None => Readout::default(),
    };
    layout.config.readout = readout.unwrap_or(stored);
    let vocab = match vocab {
        Some(vocab) => Some(vocab),
        None => own_vocab(path, &file)?,
    };
    let vocab = checked_vocab(path, vocab, layout.vocab_size)?;

    let tensors = file.read().map_err(unreadable)?;
    let mut tensors: HashMap<_, _> = tensors.into_iter().collect();
    let network = CharRnn::from_tensors(&layout.config, vocab.len(), device, |spec| {
        let name = layout.name(&spec.name);
        let error = |problem| {
            let (path, tensor) = (path.to_path_buf(), name.clone());
            ImportError::Tensor { path, tensor, problem }
        };
        let (Some(bytes), Some(&element)) = (tensors.remove(&name), elements.get(&name)) else {
            return Err(error("is missing"));
        };
        let values = bytes.chunks_exact(element.size()).map(|bytes| number(element, bytes));
        let values: Vec<f32> = values.collect::<Result<_, _>>().map_err(error)?;
        Ok(TensorData::new(values, spec.shape.clone()))
    })?;
    let config = layout.config;
    Ok(TrainedModel { network, config, vocab, summary: TrainingSummary::default() })
}

/// The vocabulary in the metadata, which a file has that keeps a model file's metadata.
fn own_vocab(path: &Path, file: &SafetensorsFile) -> Result<Option<Vocab>, ImportError> {
    let vocab = file.metadata(VOCAB).map(serde_json::from_str).transpose();
    vocab.map_err(|source| {
        let source = VocabularyError::Json { path: path.to_path_buf(), source };
        ImportError::Vocab { path: path.to_path_buf(), source }
    })
}
