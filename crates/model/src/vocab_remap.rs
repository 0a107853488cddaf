//! A model's parameters for a network with another vocabulary.

use std::collections::HashMap;

use burn::tensor::TensorData;
use charloom_data::Vocab;

use crate::params::{check_shapes, shapes};
use crate::{Cell, CharRnn, Readout, TensorProblem, TrainedModel};

/// The difference between a model's vocabulary and another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VocabDiff {
    /// Characters of both, in the other one's order.
    pub kept: Vec<char>,
    /// Characters that the model doesn't know, in the other one's order.
    pub new: Vec<char>,
    /// Characters that only the model has, in its order.
    pub dropped: Vec<char>,
}

impl VocabDiff {
    /// Compares two vocabularies.
    pub fn between(old: &Vocab, new: &Vocab) -> Self {
        let (kept, added) = new.chars().iter().partition(|&&char| old.id(char).is_some());
        let dropped = old.chars().iter().copied().filter(|&char| new.id(char).is_none()).collect();
        Self { kept, new: added, dropped }
    }
}

/// Why a network can't be initialised from a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemapError {
    /// Their cells differ.
    #[error("the model to start from uses {found} cells, but this network uses {expected} cells")]
    Cell {
        /// The model's cell.
        found: Cell,
        /// The network's cell.
        expected: Cell,
    },
    /// Their linear layers read other layers.
    #[error(
        "the model to start from has the readout `{}`, but this network has `{}`",
        found.name(), expected.name()
    )]
    Readout {
        /// The model's.
        found: Readout,
        /// The network's.
        expected: Readout,
    },
    /// Their parameters differ in more than the vocabulary.
    #[error("the model to start from doesn't fit this network: `{tensor}` {problem}")]
    Tensor {
        /// Name of the parameter.
        tensor: String,
        /// How the model's parameter differs.
        problem: TensorProblem,
    },
}

impl TrainedModel {
    /// The network `fresh`, whose vocabulary is `vocab`, with this model's parameters.
    ///
    /// Parameters that belong to a character move with it, whatever its id is in either vocabulary. Characters that the
    /// model doesn't know keep the parameters of `fresh`; those that `vocab` lacks are dropped.
    ///
    /// # Errors
    /// If the two networks differ in more than their vocabularies.
    pub fn remap_vocab(&self, fresh: &CharRnn, vocab: &Vocab) -> Result<CharRnn, RemapError> {
        let (own_config, config) = (self.network.config(), fresh.config());
        if own_config.cell != config.cell {
            return Err(RemapError::Cell { found: own_config.cell, expected: config.cell });
        }
        let (found, expected) = (own_config.readout, config.readout);
        if found != expected && config.layers > 1 {
            return Err(RemapError::Readout { found, expected });
        }
        // Under the same vocabulary, the two must have the same parameters.
        check_shapes(&config.parameters(vocab.len()), &shapes(&own_config.parameters(vocab.len())))
            .map_err(|(tensor, problem)| RemapError::Tensor { tensor, problem })?;

        let device = fresh.fc.weight.device();
        let mut own: HashMap<_, _> = self.network.parameters().into_iter().collect();
        let mut start: HashMap<_, _> = fresh.parameters().into_iter().collect();
        // The new id of each character that is kept, with its old one.
        let ids: Vec<(usize, usize)> = (0..)
            .zip(vocab.chars())
            .filter_map(|(to, &char)| self.vocab.id(char).map(|from| (to, from as usize)))
            .collect();
        let take = |parameters: &mut HashMap<String, TensorData>, name: &str| {
            parameters.remove(name).expect("the shapes were compared")
        };
        CharRnn::from_tensors(&config, vocab.len(), &device, |spec| {
            let own = take(&mut own, &spec.name);
            Ok(match spec.vocab_axis {
                Some(axis) if self.vocab != *vocab => {
                    copy_along(axis, &ids, &own, take(&mut start, &spec.name))
                }
                _ => own,
            })
        })
    }
}

/// `into` with what `from` has at the old index, along one axis, for each (new, old) pair of indices.
fn copy_along(
    axis: usize,
    indices: &[(usize, usize)],
    from: &TensorData,
    into: TensorData,
) -> TensorData {
    let shape = into.shape().to_vec();
    let block: usize = shape[axis + 1..].iter().product();
    let (new_len, old_len) = (shape[axis], from.shape()[axis]);
    let old: Vec<f32> = from.iter().collect();
    let mut new: Vec<f32> = into.iter().collect();
    for outer in 0..shape[..axis].iter().product() {
        for &(to, from) in indices {
            let (to, from) = ((outer * new_len + to) * block, (outer * old_len + from) * block);
            new[to..][..block].copy_from_slice(&old[from..][..block]);
        }
    }
    TensorData::new(new, shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int, Tensor};
    use rand::SeedableRng;

    use super::*;
    use crate::{Bias, CharRnnConfig, InputEncoding, TrainingSummary};

    fn network(config: CharRnnConfig, vocab_size: usize, seed: u64) -> CharRnn {
        config.init(vocab_size, &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed))
    }

    fn config(cell: Cell, input: InputEncoding) -> CharRnnConfig {
        CharRnnConfig { cell, input, hidden_size: 3, layers: 2, ..CharRnnConfig::default() }
    }

    fn model(config: CharRnnConfig, chars: &str) -> TrainedModel {
        let vocab = Vocab::from_ordered(chars.chars().collect()).unwrap();
        let network = network(config, vocab.len(), 1);
        TrainedModel { network, config, vocab, summary: TrainingSummary::default() }
    }

    fn loss(network: &CharRnn, vocab: &Vocab, text: &str) -> f32 {
        let ids: Vec<i32> = vocab.encode(text).unwrap().iter().map(|id| id as i32).collect();
        let row = |ids: &[i32]| {
            let data = TensorData::new(ids.to_vec(), [1, ids.len()]);
            Tensor::<2, Int>::from_data(data, &Device::flex())
        };
        let state = network.zero_state(1, &Device::flex());
        let (loss, _) = network.loss(row(&ids[..ids.len() - 1]), row(&ids[1..]), state, None);
        loss.into_data().iter::<f32>().next().unwrap()
    }

    #[test]
    fn characters_are_kept_new_or_dropped() {
        let old = Vocab::from_ordered(vec!['d', 'a', 'c']).unwrap();
        let diff = VocabDiff::between(&old, &Vocab::from_text("abcé"));
        let expected = VocabDiff { kept: vec!['a', 'c'], new: vec!['b', 'é'], dropped: vec!['d'] };
        assert_eq!(diff, expected);
    }

    #[test]
    fn rows_and_columns_go_where_their_characters_are() {
        // H = 1, one layer: the old characters are c, a, d; the new ones a, b, c.
        let small = CharRnnConfig {
            cell: Cell::Tanh,
            hidden_size: 1,
            layers: 1,
            ..CharRnnConfig::default()
        };
        let numbered = |network: CharRnn, from: f32| {
            let filled = network.with_parameters(|name, shape| {
                let start = from + if name.starts_with("fc") { 50.0 } else { 0.0 };
                let len = shape.iter().product::<usize>();
                let values = (0..len).map(|index| start + index as f32).collect::<Vec<_>>();
                Ok::<_, RemapError>(TensorData::new(values, shape.to_vec()))
            });
            filled.unwrap()
        };
        let mut old = model(small, "cad");
        old.network = numbered(old.network, 100.0);
        let fresh = numbered(network(small, 3, 2), 0.0);
        let found = old.remap_vocab(&fresh, &Vocab::from_text("abc")).unwrap().parameters();
        let found: HashMap<_, _> = found.into_iter().collect();
        let values = |name: &str| found[name].iter::<f32>().collect::<Vec<_>>();
        assert_eq!(values("rnn.weight_ih_l0"), [101.0, 1.0, 100.0]);
        assert_eq!(values("rnn.weight_hh_l0"), [100.0]);
        assert_eq!(values("fc.weight"), [151.0, 51.0, 150.0]);
        assert_eq!(values("fc.bias"), [151.0, 51.0, 150.0]);
    }

    #[test]
    fn in_another_order_of_the_same_characters_the_loss_is_the_same() {
        let text = "a weft, a warp";
        for (cell, input) in [
            (Cell::Lstm, InputEncoding::OneHot),
            (Cell::Gru, InputEncoding::Embedding(4)),
            (Cell::Relu, InputEncoding::OneHot),
        ] {
            let config = config(cell, input);
            let old = model(config, "pta,w erf");
            let vocab = Vocab::from_text(text);
            let fresh = network(config, vocab.len(), 2);
            let new = old.remap_vocab(&fresh, &vocab).unwrap();
            assert_ne!(old.vocab, vocab);
            assert_eq!(vocab.len(), old.vocab.len());
            let (before, after) = (loss(&old.network, &old.vocab, text), loss(&new, &vocab, text));
            assert!((before - after).abs() < 1e-6, "{before} {after}");
        }
    }

    #[test]
    fn networks_that_differ_in_more_than_their_characters_are_refused() {
        let old_config = config(Cell::Tanh, InputEncoding::OneHot);
        let old = model(old_config, "abc");
        let refused = |config| {
            let error = old.remap_vocab(&network(config, 3, 2), &old.vocab).unwrap_err();
            error.to_string().replace("the model to start from ", "")
        };
        let base = old_config;
        for (config, message) in [
            (
                CharRnnConfig { cell: Cell::Relu, ..base },
                "uses tanh cells, but this network uses relu cells",
            ),
            (
                CharRnnConfig { readout: Readout::Sum, ..base },
                "has the readout `last`, but this network has `sum`",
            ),
            (
                CharRnnConfig { layers: 3, ..base },
                "doesn't fit this network: `rnn.weight_ih_l2` is missing",
            ),
            (
                CharRnnConfig { layers: 1, ..base },
                "doesn't fit this network: `rnn.bias_hh_l1` is not a parameter of this network",
            ),
            (
                CharRnnConfig { bias: Bias::Single, ..base },
                "doesn't fit this network: `rnn.bias_hh_l0` is not a parameter of this network",
            ),
            (
                CharRnnConfig { hidden_size: 4, ..base },
                "doesn't fit this network: `rnn.weight_ih_l0` has shape [3, 3], expected [4, 3]",
            ),
            (
                CharRnnConfig { input: InputEncoding::Embedding(3), ..base },
                "doesn't fit this network: `embed.weight` is missing",
            ),
        ] {
            assert_eq!(refused(config), message);
        }
    }
}
