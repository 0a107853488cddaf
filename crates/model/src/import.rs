//! Weights from PyTorch: what `torch.save` wrote becomes a model.

mod archive;
mod checkpoint;
mod error;
mod layout;
mod pickle;
mod vocabulary;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use burn::tensor::{Device, TensorData};
use charloom_data::Vocab;

pub use error::{ImportError, NotPyTorch, Tensors, VocabularyError};
pub use vocabulary::read_vocab;

use crate::{Cell, CharRnn, TrainedModel, TrainingSummary};
use checkpoint::Checkpoint;
use layout::{Layout, Named};
use pickle::{Id, Pickle, Tensor, Value};

/// What a file of `torch.save` leaves open.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The characters in the order of their ids; if there are none, those in the file.
    pub vocab: Option<Vocab>,
    /// The cell. Only tanh and ReLU can't be told from each other by their weights; without a cell it is tanh.
    pub cell: Option<Cell>,
}

/// Under which keys checkpoints keep weights and characters.
const WEIGHTS: [&str; 3] = ["state_dict", "model_state_dict", "model"];
const CHARACTERS: [&str; 7] = ["tokens", "chars", "vocab", "char2int", "int2char", "stoi", "itos"];

impl TrainedModel {
    /// Reads what `torch.save` wrote: a `state_dict`, or a dictionary that has one under `state_dict`,
    /// `model_state_dict` or `model`, and perhaps the characters (under `tokens` and the like).
    ///
    /// The network is deduced from the tensors' names (`lstm.`, `rnn.` or `gru.`; `fc.`, `decoder.` or `linear.`;
    /// `embed.`, `embedding.` or `encoder.`) and shapes. Ids keep their order, so every row of the weights stays where it
    /// is. No code in the file is run: a pickle that names anything but what weights are made of is refused.
    ///
    /// # Errors
    /// If the file isn't one of `torch.save`'s, its network is none that charloom has, or its characters aren't known.
    pub fn import(
        path: &Path,
        options: ImportOptions,
        device: &Device,
    ) -> Result<Self, ImportError> {
        let ImportOptions { vocab, cell } = options;
        let file = Checkpoint::read(path)?;
        let pickle = &file.pickle;
        let weights = WEIGHTS.iter().find_map(|key| pickle.get(pickle.root, key));
        let tensors = tensors(pickle, weights.unwrap_or(pickle.root));
        let named: Vec<Named> =
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect();
        let layout = Layout::of(&named, cell).map_err(|problem| ImportError::Layout {
            path: path.to_path_buf(),
            problem,
            tensors: Tensors(named),
        })?;
        let config = layout.config;
        let vocab = match vocab {
            Some(vocab) => vocab,
            None => characters(path, pickle, layout.vocab_size)?,
        };
        if vocab.len() != layout.vocab_size {
            let (found, needed) = (vocab.len(), layout.vocab_size);
            return Err(ImportError::VocabSize { path: path.to_path_buf(), found, needed });
        }

        // A file may claim any shape: what it really holds is read before a network of that size is made.
        let read = |(name, tensor): (String, Tensor)| match file.numbers(&tensor) {
            Ok(numbers) => Ok((name, numbers)),
            Err(problem) => {
                Err(ImportError::Tensor { path: path.to_path_buf(), tensor: name, problem })
            }
        };
        let mut numbers = tensors.into_iter().map(read).collect::<Result<HashMap<_, _>, _>>()?;
        let network = CharRnn::from_tensors(&config, vocab.len(), device, |spec| {
            let tensor = layout.name(&spec.name);
            match numbers.remove(&tensor) {
                Some(numbers) => Ok(TensorData::new(numbers, spec.shape.clone())),
                None => {
                    let (path, problem) = (path.to_path_buf(), "is missing");
                    Err(ImportError::Tensor { path, tensor, problem })
                }
            }
        })?;
        Ok(Self { network, config, vocab, summary: TrainingSummary::default() })
    }
}

/// The tensors in a dictionary and in the dictionaries within it, under names joined by dots.
fn tensors(pickle: &Pickle, dict: Id) -> Vec<(String, Tensor)> {
    let mut found = Vec::new();
    // Each dictionary is gone through once: a pickle can have one in many places, and in itself.
    let mut seen = HashSet::from([dict]);
    let mut open = vec![(String::new(), dict)];
    while let Some((prefix, dict)) = open.pop() {
        let Value::Dict(pairs) = pickle.value(dict) else { continue };
        for &(key, value) in pairs {
            let Some(key) = pickle.text(key) else { continue };
            let name = format!("{prefix}{key}");
            match pickle.value(value) {
                Value::Tensor(tensor) => found.push((name, tensor.clone())),
                Value::Dict(_) if seen.insert(value) => open.push((format!("{name}."), value)),
                _ => {}
            }
        }
    }
    found
}

/// The characters that the file has beside its weights.
fn characters(path: &Path, pickle: &Pickle, needed: usize) -> Result<Vocab, ImportError> {
    match CHARACTERS.iter().find_map(|key| pickle.get(pickle.root, key)) {
        None => Err(ImportError::NoVocab { path: path.to_path_buf(), needed }),
        Some(found) => vocabulary::pickled(pickle, found)
            .map_err(|source| ImportError::Vocab { path: path.to_path_buf(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_in_many_places_is_gone_through_once() {
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
        assert_eq!(tensors(&pickle, pickle.root), []);
    }
}
