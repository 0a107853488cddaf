//! Import of weights that were trained with PyTorch.

mod archive;
mod checkpoint;
mod error;
mod layout;
mod pickle;
mod safetensors;
mod vocabulary;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use burn::tensor::{Device, TensorData};
use charloom_data::Vocab;

pub use error::{ImportError, NotPyTorch, Tensors, VocabularyError};
pub use vocabulary::read_vocab;

use crate::{Cell, CharRnn, Readout, TrainedModel, TrainingSummary};
use checkpoint::{Checkpoint, TensorError};
use layout::{NamedShape, STATE_DICT, VOCABULARY, checked_vocab, layout};
use pickle::{Id, Pickle, Tensor, Value};

/// What a file of weights may leave open.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The vocabulary; `None` to use the one in the file.
    pub vocab: Option<Vocab>,
    /// The cell. It is needed only for ReLU, whose weights can't be distinguished from those of tanh.
    pub cell: Option<Cell>,
    /// What the linear layer reads, which the weights don't tell; `None` for the last layer, or what a model file says.
    pub readout: Option<Readout>,
}

impl TrainedModel {
    /// Reads a file of `torch.save` or a safetensors file. The first has a `state_dict`, or a dictionary with one under
    /// `state_dict`, `model_state_dict` or `model`, and perhaps the characters under `tokens` or the like.
    ///
    /// The architecture is deduced from the tensors' names (`lstm.`, `rnn.`, …; `fc.`, `decoder.`, …;
    /// `embed.`, `embedding.`, …) and shapes. Ids keep their order, and so do the rows of the weights. No code in
    /// the file is executed: a pickle that references anything but what weights are made of is refused.
    ///
    /// # Errors
    /// If the file is in neither format, its network isn't one that charloom has, or its characters aren't known.
    pub fn import(
        path: &Path,
        options: ImportOptions,
        device: &Device,
    ) -> Result<Self, ImportError> {
        match FileKind::of(path)? {
            FileKind::Torch => import_torch(path, options, device),
            FileKind::Safetensors => safetensors::import(path, options, device),
        }
    }
}

enum FileKind {
    /// A file of `torch.save`.
    Torch,
    Safetensors,
}

impl FileKind {
    /// Tells by the first bytes.
    fn of(path: &Path) -> Result<Self, ImportError> {
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => ImportError::Missing { path: path.to_path_buf() },
            _ => ImportError::Unreadable { path: path.to_path_buf(), source },
        };
        let mut start = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(9).read_to_end(&mut start).map_err(unreadable)?;
        match start[..] {
            [b'P', b'K', ..] | [0x80, 2..=5, _, ..] => Ok(Self::Torch),
            // The length of the header, which is at most 100 MB, and its first byte.
            [_, _, _, _, 0, 0, 0, 0, b'{'] => Ok(Self::Safetensors),
            _ => {
                let source = NotPyTorch::Foreign;
                Err(ImportError::NotPyTorch { path: path.to_path_buf(), source })
            }
        }
    }
}

fn import_torch(
    path: &Path,
    options: ImportOptions,
    device: &Device,
) -> Result<TrainedModel, ImportError> {
    let ImportOptions { vocab, cell, readout } = options;
    let file = Checkpoint::read(path)?;
    let pickle = &file.pickle;
    let state_dict = STATE_DICT.iter().find_map(|key| pickle.get(pickle.root, key));
    let tensors = tensors(pickle, state_dict.unwrap_or(pickle.root)).map_err(|problem| {
        ImportError::Layout {
            path: path.to_path_buf(),
            problem: problem.to_owned(),
            tensors: Tensors(Vec::new()),
        }
    })?;
    let shapes: Vec<NamedShape> =
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect();
    let mut layout = layout(path, shapes, cell)?;
    layout.config.readout = readout.unwrap_or_default();
    let vocab = match vocab {
        Some(vocab) => Some(vocab),
        None => own_vocab(path, pickle)?,
    };
    let vocab = checked_vocab(path, vocab, layout.vocab_size)?;

    let tensor_error = |tensor: &str, error| {
        let (path, tensor) = (path.to_path_buf(), tensor.to_owned());
        match error {
            TensorError::Invalid(problem) => ImportError::Tensor { path, tensor, problem },
            TensorError::Io(source) => ImportError::Values { path, tensor, source },
        }
    };
    // A file may claim any shape: all are compared with what it holds before any values are read.
    let mut total = 0;
    for (name, tensor) in &tensors {
        let count = file.check(tensor).map_err(|error| tensor_error(name, error))?;
        total += (count * tensor.storage.element.size()) as u64;
        if total > file.capacity() {
            let problem = "and those before it have more values than the file can hold";
            return Err(tensor_error(name, problem.into()));
        }
    }
    let tensors: HashMap<_, _> = tensors.into_iter().collect();
    let network = CharRnn::from_tensors(&layout.config, vocab.len(), device, |spec| {
        let name = layout.name(&spec.name);
        let tensor = tensors.get(&name).ok_or_else(|| "is missing".into());
        let values = tensor.and_then(|tensor| file.values(tensor));
        let values = values.map_err(|error| tensor_error(&name, error))?;
        Ok(TensorData::new(values, spec.shape.clone()))
    })?;
    let config = layout.config;
    Ok(TrainedModel { network, config, vocab, summary: TrainingSummary::default() })
}

/// Largest number of tensors that are looked at, and longest name in bytes: a short file can repeat a long key often.
const MAX_TENSORS: usize = 10_000;
const MAX_NAME: usize = 500;

/// The tensors in a dictionary and in the dictionaries within it, under names joined by dots.
fn tensors(pickle: &Pickle, dict: Id) -> Result<Vec<(String, Rc<Tensor>)>, &'static str> {
    let mut found = Vec::new();
    // Each dictionary is visited once: a pickle can have one in many places, and in itself.
    let mut seen = HashSet::from([dict]);
    let mut open = vec![(String::new(), dict)];
    while let Some((prefix, dict)) = open.pop() {
        let Value::Dict(pairs) = pickle.value(dict) else { continue };
        for &(key, value) in pairs {
            let (Some(key), Value::Tensor(_) | Value::Dict(_)) =
                (pickle.text(key), pickle.value(value))
            else {
                continue;
            };
            if prefix.len() + key.len() > MAX_NAME {
                return Err("the name of a tensor is longer than 500 bytes");
            }
            let name = format!("{prefix}{key}");
            match pickle.value(value) {
                Value::Tensor(_) if found.len() == MAX_TENSORS => {
                    return Err("it has more than 10,000 tensors");
                }
                Value::Tensor(tensor) => found.push((name, Rc::clone(tensor))),
                _ if seen.insert(value) => open.push((format!("{name}."), value)),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// The vocabulary that the file has beside its weights.
fn own_vocab(path: &Path, pickle: &Pickle) -> Result<Option<Vocab>, ImportError> {
    let found = VOCABULARY.iter().find_map(|key| pickle.get(pickle.root, key));
    let vocab = found.map(|found| vocabulary::from_pickle(pickle, found)).transpose();
    vocab.map_err(|source| ImportError::Vocab { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dictionary with 1,000 tensors under the same key.
    fn with_key(len: usize) -> Vec<u8> {
        let mut bytes = b"\x80\x02}q\x00X".to_vec();
        bytes.extend((len as u32).to_le_bytes());
        bytes.extend(vec![b'k'; len]);
        bytes.extend(b"q\x010ctorch._utils\n_rebuild_tensor_v2\n(");
        bytes.extend(b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ");
        bytes.extend(b"K\x00K\x01\x85K\x01\x85tRq\x020(");
        bytes.extend(b"h\x01h\x02".repeat(1000));
        bytes.extend(b"u.");
        bytes
    }

    #[test]
    fn a_long_name_that_is_repeated_often_is_refused() {
        for (len, count) in
            [(500, Ok(1000)), (501, Err("the name of a tensor is longer than 500 bytes"))]
        {
            let (pickle, _) = Pickle::read(&with_key(len)).unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!(tensors(&pickle, pickle.root).map(|found| found.len()), count);
        }
    }

    #[test]
    fn a_dictionary_in_many_places_is_visited_once() {
        // {} in {"a": _, "b": _} in {"a": _, "b": _} …: 2^60 paths. And the outermost one in itself.
        let mut bytes = b"}q\x00".to_vec();
        for depth in 1..=60 {
            bytes.extend([b'}', b'q', depth, b'(']);
            for key in [b'a', b'b'] {
                bytes.extend([0x8c, 1, key, b'h', depth - 1]);
            }
            bytes.push(b'u');
        }
        bytes.extend(b"\x8c\x01ch\x3cs.");
        let (pickle, _) = Pickle::read(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(tensors(&pickle, pickle.root), Ok(Vec::new()));
    }
}
