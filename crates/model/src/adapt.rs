//! A model's parameters for a network over other characters.

use std::collections::HashMap;

use burn::tensor::TensorData;
use charloom_data::Vocab;

use crate::{Cell, CharRnn, TrainedModel};

/// What becomes of a model's characters when it goes over to another vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VocabChange {
    /// Those that both have, in the new order.
    pub kept: Vec<char>,
    /// Those that the model doesn't know, in the new order.
    pub new: Vec<char>,
    /// Those of the model that are not needed, in its order.
    pub dropped: Vec<char>,
}

impl VocabChange {
    /// Compares two vocabularies.
    pub fn between(old: &Vocab, new: &Vocab) -> Self {
        let (kept, added) = new.chars().iter().partition(|&&char| old.id(char).is_some());
        let dropped = old.chars().iter().copied().filter(|&char| new.id(char).is_none()).collect();
        Self { kept, new: added, dropped }
    }
}

/// Why a network can't have a model's parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdaptError {
    /// Its recurrence is another one.
    #[error("the model to start from has {found} layers, needed are {needed} layers")]
    Cell {
        /// The model's.
        found: Cell,
        /// The network's.
        needed: Cell,
    },
    /// It lacks a parameter of the network.
    #[error("the model to start from has no `{0}`")]
    Missing(String),
    /// It has a parameter that the network lacks.
    #[error("the model to start from has a `{0}`, for which there is no place")]
    Extra(String),
    /// A parameter has another shape.
    #[error(
        "the model to start from has another shape: `{tensor}` is {found:?}, needed is {needed:?}"
    )]
    Shape {
        /// Its name.
        tensor: String,
        /// The model's.
        found: Vec<usize>,
        /// The network's.
        needed: Vec<usize>,
    },
}

/// Along which axis a parameter has one place for each character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Characters {
    Nowhere,
    Rows,
    Columns,
}

impl Characters {
    fn of(parameter: &str, one_hot: bool) -> Self {
        match parameter {
            "embed.weight" | "fc.weight" | "fc.bias" => Self::Rows,
            "rnn.weight_ih_l0" if one_hot => Self::Columns,
            _ => Self::Nowhere,
        }
    }
}

impl TrainedModel {
    /// The network `fresh`, which is over `vocab`, with this model's parameters: what belongs to a character goes to
    /// that character's place, whatever its id in either vocabulary. Characters that the model doesn't know keep what
    /// `fresh` has for them; those that `vocab` lacks are dropped.
    ///
    /// # Errors
    /// If the two differ in more than their characters.
    pub fn adapted(&self, fresh: CharRnn, vocab: &Vocab) -> Result<CharRnn, AdaptError> {
        let (found, needed) = (self.network.rnn.cell(), fresh.rnn.cell());
        if found != needed {
            return Err(AdaptError::Cell { found, needed });
        }
        let one_hot = fresh.embed.is_none();
        let start: HashMap<_, _> = fresh.parameters().into_iter().collect();
        let mut own: HashMap<_, _> = self.network.parameters().into_iter().collect();
        let network = fresh.with_parameters(|name, shape| {
            let data = own.remove(name).ok_or_else(|| AdaptError::Missing(name.to_owned()))?;
            let along = Characters::of(name, one_hot);
            let found = data.shape().to_vec();
            // What the shape would be if the vocabularies were equally large.
            let mut comparable = found.clone();
            match along {
                Characters::Rows => comparable[0] = shape[0],
                Characters::Columns => comparable[1] = shape[1],
                Characters::Nowhere => {}
            }
            if comparable != shape {
                let (tensor, needed) = (name.to_owned(), shape.to_vec());
                return Err(AdaptError::Shape { tensor, found, needed });
            }
            if along == Characters::Nowhere || self.vocab == *vocab {
                return Ok(data);
            }
            let mut values: Vec<f32> = start[name].iter::<f32>().collect();
            let old: Vec<f32> = data.iter::<f32>().collect();
            let places = (0..)
                .zip(vocab.chars())
                .filter_map(|(to, &char)| self.vocab.id(char).map(|from| (from as usize, to)));
            // A bias is a matrix of one column.
            let (width, old_width) =
                (shape.get(1).copied().unwrap_or(1), found.get(1).copied().unwrap_or(1));
            for (from, to) in places {
                match along {
                    Characters::Columns => {
                        for row in 0..shape[0] {
                            values[row * width + to] = old[row * old_width + from];
                        }
                    }
                    _ => {
                        values[to * width..][..width].copy_from_slice(&old[from * width..][..width])
                    }
                }
            }
            Ok(TensorData::new(values, shape.to_vec()))
        })?;
        match own.into_keys().min() {
            Some(extra) => Err(AdaptError::Extra(extra)),
            None => Ok(network),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int, Tensor};
    use rand::SeedableRng;

    use super::*;
    use crate::{Bias, CharRnnConfig, InputEncoding, Summary};

    fn network(config: CharRnnConfig, vocab_size: usize, seed: u64) -> CharRnn {
        config.init(vocab_size, &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed))
    }

    fn config(cell: Cell, input: InputEncoding) -> CharRnnConfig {
        CharRnnConfig { cell, input, hidden_size: 3, layers: 2, ..CharRnnConfig::default() }
    }

    fn model(config: CharRnnConfig, chars: &str) -> TrainedModel {
        let vocab = Vocab::from_ordered(chars.chars().collect()).unwrap();
        let network = network(config, vocab.len(), 1);
        TrainedModel { network, config, vocab, summary: Summary::default() }
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
        let change = VocabChange::between(&old, &Vocab::from_text("abcé"));
        let expected =
            VocabChange { kept: vec!['a', 'c'], new: vec!['b', 'é'], dropped: vec!['d'] };
        assert_eq!(change, expected);
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
                let values = (0..len).map(|place| start + place as f32).collect::<Vec<_>>();
                Ok::<_, AdaptError>(TensorData::new(values, shape.to_vec()))
            });
            filled.unwrap()
        };
        let mut old = model(small, "cad");
        old.network = numbered(old.network, 100.0);
        let fresh = numbered(network(small, 3, 2), 0.0);
        let found = old.adapted(fresh, &Vocab::from_text("abc")).unwrap().parameters();
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
            let new = old.adapted(fresh, &vocab).unwrap();
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
        let refused = |config| old.adapted(network(config, 3, 2), &old.vocab).unwrap_err();
        assert_eq!(
            refused(CharRnnConfig { cell: Cell::Relu, ..old_config }),
            AdaptError::Cell { found: Cell::Tanh, needed: Cell::Relu }
        );
        assert_eq!(
            refused(CharRnnConfig { layers: 3, ..old_config }),
            AdaptError::Missing("rnn.weight_ih_l2".into())
        );
        assert_eq!(
            refused(CharRnnConfig { layers: 1, ..old_config }),
            AdaptError::Extra("rnn.bias_hh_l1".into())
        );
        assert_eq!(
            refused(CharRnnConfig { bias: Bias::Single, ..old_config }),
            AdaptError::Extra("rnn.bias_hh_l0".into())
        );
        assert_eq!(
            refused(CharRnnConfig { hidden_size: 4, ..old_config }),
            AdaptError::Shape {
                tensor: "rnn.weight_ih_l0".into(),
                found: vec![3, 3],
                needed: vec![4, 3]
            }
        );
        assert_eq!(
            refused(CharRnnConfig { input: InputEncoding::Embedding(3), ..old_config }),
            AdaptError::Missing("embed.weight".into())
        );
    }
}
