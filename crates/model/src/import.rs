//! Import of weights that were trained with PyTorch.

mod archive;
mod candidate;
mod contents;
mod error;
mod layout;
mod pickle;
mod role;
mod source;
mod storages;
mod torch_file;
mod vocabulary;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::{Device, TensorData};
use charloom_data::Vocab;

pub use error::{ImportError, NotPyTorch, Tensors, VocabularyError};
pub use role::TensorRole;
pub use vocabulary::read_vocab;

use crate::{Cell, CharRnn, ParamSpec, Readout, TrainedModel, TrainingSummary};
use candidate::{FoundVocab, NoVocab, choose};
use layout::{Layout, Shaped};
use source::Source;
use storages::TensorError;

/// What a file of weights may leave open.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The vocabulary; `None` to use the one in the file.
    pub vocab: Option<Vocab>,
    /// The cell. It is needed only for ReLU, whose weights can't be distinguished from those of tanh.
    pub cell: Option<Cell>,
    /// What the linear layer reads, which the weights don't tell; `None` for the last layer, or what a model file says.
    pub readout: Option<Readout>,
    /// Roles of tensors that their shapes and names leave open.
    pub roles: Vec<TensorRole>,
}

/// An imported model, and where its parts were found.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The model.
    pub model: TrainedModel,
    /// The keys on the way to the vocabulary in the file, joined by dots; `None` if it was given.
    pub vocab_key: Option<String>,
    /// The name in the file of each parameter that it has, by the parameter's own name.
    pub names: BTreeMap<String, String>,
}

/// Bytes of memory that the parameters of any file may take; those of a large one may take twice the file's size.
const ANY_SIZE: u64 = 16 << 20;

impl TrainedModel {
    /// Reads a network that PyTorch wrote: a file of `torch.save`, an archive of TorchScript, a safetensors file, or a
    /// folder of shards with an index.
    ///
    /// The tensors may lie anywhere in the file. The architecture is deduced from their shapes, whatever their names; what
    /// they leave open is chosen by [`ImportOptions`]. Ids keep their order, and so do the rows of the weights. No code in
    /// the file is executed: what a pickle calls stays an opaque value.
    ///
    /// # Errors
    /// If the file is in none of these formats, its network isn't one that charloom has, a weight is infinite or NaN, or
    /// the characters aren't known.
    pub fn import(
        path: &Path,
        options: ImportOptions,
        device: &Device,
    ) -> Result<Imported, ImportError> {
        let ImportOptions { vocab, cell, readout, roles } = options;
        let (source, pickles) = Source::read(path)?;
        refuse_quantized(&source)?;
        let (shaped, indices) = shaped(path, &source, &roles)?;
        let not_a_model = |problem, choices| ImportError::Layout {
            path: path.to_path_buf(),
            problem,
            tensors: listed(&source),
            choices,
        };
        let mut layout = Layout::of(&shaped, &source.contents.scopes, cell)
            .map_err(|misfit| not_a_model(misfit.problem, misfit.choices))?;
        for index in layout.tensors.values_mut() {
            *index = indices[*index];
        }
        let stored = source.readout.clone().map(serde_json::from_value).transpose();
        let stored = stored.map_err(|_| {
            let problem = "its linear layer reads the layers in a way that is not known here";
            not_a_model(problem.to_owned(), Vec::new())
        })?;
        layout.config.readout = readout.or(stored).unwrap_or_default();

        let needed = layout.vocab_size;
        let (vocab, vocab_key) = match vocab {
            Some(vocab) if vocab.len() == needed => (vocab, None),
            Some(vocab) => {
                let found = vocab.len();
                return Err(ImportError::VocabSize { path: path.to_path_buf(), found, needed });
            }
            None => {
                let found = choose(&source.contents.candidates, &pickles, needed);
                let FoundVocab { name, vocab } =
                    found.map_err(|problem| no_vocab(path, problem, needed))?;
                (vocab, Some(name))
            }
        };
        drop(pickles);

        let mut values = values(&source, &layout)?;
        let names = layout.tensors.iter().map(|(parameter, &index)| {
            (parameter.clone(), source.contents.tensors[index].name.clone())
        });
        let names = names.collect();
        drop(source);
        let network = CharRnn::from_tensors(&layout.config, vocab.len(), device, |spec| {
            let zeros = || vec![0.0; spec.num_elements()];
            let values = values.remove(&spec.name).unwrap_or_else(zeros);
            Ok::<_, ImportError>(TensorData::new(values, spec.shape.clone()))
        })?;
        let config = layout.config;
        let model = TrainedModel { network, config, vocab, summary: TrainingSummary::default() };
        Ok(Imported { model, vocab_key, names })
    }
}

/// Refuses a file with quantized numbers, by the first tensor of them: the layers of which it is a part are stored in ways
/// of their own.
fn refuse_quantized(source: &Source) -> Result<(), ImportError> {
    let is_quantized = |found: &&contents::FoundTensor| {
        matches!(found.tensor.storage.element, pickle::Element::Quantized(_))
    };
    match source.contents.tensors.iter().find(is_quantized) {
        None => Ok(()),
        Some(found) => Err(ImportError::Tensor {
            path: source.files[found.file].path.clone(),
            tensor: found.name.clone(),
            problem: storages::QUANTIZED,
        }),
    }
}

/// The tensors that may be parameters, under the names that their roles give them, and their indices in the file.
fn shaped(
    path: &Path,
    source: &Source,
    roles: &[TensorRole],
) -> Result<(Vec<Shaped>, Vec<usize>), ImportError> {
    let tensors = &source.contents.tensors;
    let names = |found: &contents::FoundTensor| -> Vec<String> {
        [&found.name].into_iter().chain(&found.aliases).cloned().collect()
    };
    let is_unnamed = |role: &&TensorRole| {
        !tensors.iter().any(|found| names(found).iter().any(|name| role.rest(name).is_some()))
    };
    if let Some(role) = roles.iter().find(is_unnamed) {
        let (path, name, tensors) = (path.to_path_buf(), role.name.clone(), listed(source));
        return Err(ImportError::Unnamed { path, name, tensors });
    }
    let (mut shaped, mut indices) = (Vec::new(), Vec::new());
    for (index, found) in tensors.iter().enumerate() {
        let contents::FoundTensor { name, view, scope, tensor, .. } = found;
        let shape = tensor.shape.clone();
        let mut names = names(found).into_iter();
        let given =
            names.find_map(|name| roles.iter().find_map(|role| role.of(&name, shape.len())));
        let is_counter = matches!(tensor.storage.element, pickle::Element::Integer(_));
        let name = match given {
            Some(None) => continue,
            None if is_counter => continue,
            Some(Some(name)) => name,
            None => name.clone(),
        };
        shaped.push(Shaped { name, shape, scope: *scope, view: *view });
        indices.push(index);
    }
    Ok((shaped, indices))
}

/// Names and shapes of all tensors of a file.
fn listed(source: &Source) -> Tensors {
    let tensors = source.contents.tensors.iter();
    Tensors(tensors.map(|found| (found.name.clone(), found.tensor.shape.clone())).collect())
}

/// The error of a file without a vocabulary that can be used.
fn no_vocab(path: &Path, problem: NoVocab, needed: usize) -> ImportError {
    let path = path.to_path_buf();
    match problem {
        NoVocab::Nowhere => ImportError::NoVocab { path, needed },
        NoVocab::Invalid(key, source) => ImportError::Vocab { path, key, source },
        NoVocab::Size(key, found) => ImportError::OwnVocabSize { path, key, found, needed },
        NoVocab::Contradiction(first, second) => ImportError::TwoVocabs { path, first, second },
    }
}

/// The values of a network's parameters. Each storage is read once; sizes are checked before any is.
fn values(source: &Source, layout: &Layout) -> Result<HashMap<String, Vec<f32>>, ImportError> {
    let error = |index: usize, error| {
        let found = &source.contents.tensors[index];
        let (path, tensor) = (source.files[found.file].path.clone(), found.name.clone());
        match error {
            TensorError::Invalid(problem) => ImportError::Tensor { path, tensor, problem },
            TensorError::Io(source) => ImportError::Values { path, tensor, source },
        }
    };
    let len: usize = source.files.iter().map(|file| file.storages.file_len()).sum();
    let capacity = ANY_SIZE.max(2 * len as u64);
    let (mut total, mut inflated) = (0, 0);
    let mut by_storage: BTreeMap<_, Vec<(String, usize)>> = BTreeMap::new();
    for ParamSpec { name, .. } in layout.config.parameters(layout.vocab_size) {
        let Some(&index) = layout.tensors.get(&name) else { continue };
        let found = &source.contents.tensors[index];
        let storages = &source.files[found.file].storages;
        let count = storages.check(&found.tensor).map_err(|problem| error(index, problem))?;
        total += (count * size_of::<f32>()) as u64;
        inflated = inflated.max(storages.inflated_size(&found.tensor.storage.key));
        if total + inflated > capacity {
            let problem = "and those before it have more values than the file can hold";
            return Err(error(index, problem.into()));
        }
        let storage = (found.file, &*found.tensor.storage.key);
        by_storage.entry(storage).or_default().push((name, index));
    }
    let mut values = HashMap::new();
    for ((file, key), parameters) in by_storage {
        let read = source.files[file].storages.read(key);
        let bytes = read.map_err(|problem| error(parameters[0].1, problem))?;
        for (name, index) in parameters {
            let read = storages::values(&source.contents.tensors[index].tensor, &bytes);
            values.insert(name, read.map_err(|problem| error(index, problem))?);
        }
    }
    Ok(values)
}
