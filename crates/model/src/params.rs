//! The list of a network's parameters: everything that reads, writes, checks or converts parameters goes through it.

use std::collections::HashMap;

use crate::{Bias, CharRnnConfig, InputEncoding};

/// A parameter of a [`CharRnn`](crate::CharRnn).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// Name in PyTorch: `embed.weight`, `rnn.weight_ih_l0` … `fc.bias`.
    pub name: String,
    /// Shape, as PyTorch has it.
    pub shape: Vec<usize>,
    /// Axis along which there is one entry for each character of the vocabulary, if there is one.
    pub vocab_axis: Option<usize>,
}

impl ParamSpec {
    fn new(name: impl Into<String>, shape: &[usize], vocab_axis: Option<usize>) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), vocab_axis }
    }

    /// Number of elements.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl CharRnnConfig {
    /// The parameters of a network for V characters, in the order in which [`CharRnnConfig::init`] draws them.
    ///
    /// # Shapes
    /// - `embed.weight`: `[V, D]`, with a learned embedding only
    /// - `rnn.weight_ih_l{k}`: `[G*H, D]`, where D is V for a first layer with one-hot input and H above the first layer
    /// - `rnn.weight_hh_l{k}`: `[G*H, H]`
    /// - `rnn.bias_ih_l{k}`, `rnn.bias_hh_l{k}`: `[G*H]`, as far as `bias` has them
    /// - `fc.weight`: `[V, H]`
    /// - `fc.bias`: `[V]`
    pub fn parameters(&self, vocab_size: usize) -> Vec<ParamSpec> {
        let Self { cell, input, hidden_size, layers, bias, .. } = *self;
        let mut specs = Vec::new();
        let (mut d_input, mut input_axis) = match input {
            InputEncoding::OneHot => (vocab_size, Some(1)),
            InputEncoding::Embedding(d) => {
                specs.push(ParamSpec::new("embed.weight", &[vocab_size, d], Some(0)));
                (d, None)
            }
        };
        let rows = cell.gates() * hidden_size;
        for layer in 0..layers {
            let mut push = |name: &str, shape: &[usize], axis| {
                specs.push(ParamSpec::new(format!("rnn.{name}_l{layer}"), shape, axis));
            };
            push("weight_ih", &[rows, d_input], input_axis);
            push("weight_hh", &[rows, hidden_size], None);
            if bias != Bias::Without {
                push("bias_ih", &[rows], None);
            }
            if bias == Bias::Double {
                push("bias_hh", &[rows], None);
            }
            (d_input, input_axis) = (hidden_size, None);
        }
        specs.push(ParamSpec::new("fc.weight", &[vocab_size, hidden_size], Some(0)));
        specs.push(ParamSpec::new("fc.bias", &[vocab_size], Some(0)));
        specs
    }
}

/// Why a tensor isn't the one that a network needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorProblem {
    /// There is no tensor of this name.
    #[error("is missing")]
    Missing,
    /// The network has no parameter of this name.
    #[error("is not a parameter of this network")]
    Unexpected,
    /// Its shape is another one.
    #[error("has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its shape.
        found: Vec<usize>,
        /// The parameter's shape.
        expected: Vec<usize>,
    },
    /// Its elements aren't single-precision numbers.
    #[error("has elements of type {0}, expected F32")]
    Dtype(String),
    /// An element is infinite or NaN.
    #[error("has values that are infinite or not a number")]
    NotFinite,
}

/// Compares names and shapes of tensors with the parameters of a network.
///
/// # Errors
/// The first parameter that is missing or has another shape, or else the first tensor, by name, that is no parameter.
pub(crate) fn check_shapes(
    expected: &[ParamSpec],
    found: &HashMap<&str, &[usize]>,
) -> Result<(), (String, TensorProblem)> {
    for ParamSpec { name, shape, .. } in expected {
        let problem = match found.get(name.as_str()) {
            None => TensorProblem::Missing,
            Some(found) if found == shape => continue,
            Some(found) => TensorProblem::Shape { found: found.to_vec(), expected: shape.clone() },
        };
        return Err((name.clone(), problem));
    }
    if found.len() == expected.len() {
        return Ok(());
    }
    let extra = found.keys().filter(|&&name| expected.iter().all(|spec| spec.name != name)).min();
    extra.map_or(Ok(()), |&name| Err((name.to_owned(), TensorProblem::Unexpected)))
}

/// Names and shapes, as [`check_shapes`] takes them.
pub(crate) fn shapes(specs: &[ParamSpec]) -> HashMap<&str, &[usize]> {
    specs.iter().map(|spec| (spec.name.as_str(), spec.shape.as_slice())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cell;

    fn listed(config: CharRnnConfig) -> Vec<(String, Vec<usize>, Option<usize>)> {
        let specs = config.parameters(7).into_iter();
        specs.map(|ParamSpec { name, shape, vocab_axis }| (name, shape, vocab_axis)).collect()
    }

    #[test]
    fn an_lstm_with_one_hot_input_has_the_parameters_of_pytorchs() {
        let config = CharRnnConfig { hidden_size: 5, ..CharRnnConfig::default() };
        let expected: [(&str, &[usize], _); 10] = [
            ("rnn.weight_ih_l0", &[20, 7], Some(1)),
            ("rnn.weight_hh_l0", &[20, 5], None),
            ("rnn.bias_ih_l0", &[20], None),
            ("rnn.bias_hh_l0", &[20], None),
            ("rnn.weight_ih_l1", &[20, 5], None),
            ("rnn.weight_hh_l1", &[20, 5], None),
            ("rnn.bias_ih_l1", &[20], None),
            ("rnn.bias_hh_l1", &[20], None),
            ("fc.weight", &[7, 5], Some(0)),
            ("fc.bias", &[7], Some(0)),
        ];
        assert_eq!(
            listed(config),
            expected.map(|(name, shape, axis)| (name.to_owned(), shape.to_vec(), axis))
        );
    }

    #[test]
    fn with_an_embedding_the_first_layer_does_not_depend_on_the_vocabulary() {
        let config = CharRnnConfig {
            cell: Cell::Gru,
            input: InputEncoding::Embedding(3),
            hidden_size: 5,
            layers: 1,
            bias: Bias::Without,
            ..CharRnnConfig::default()
        };
        let expected: [(&str, &[usize], _); 5] = [
            ("embed.weight", &[7, 3], Some(0)),
            ("rnn.weight_ih_l0", &[15, 3], None),
            ("rnn.weight_hh_l0", &[15, 5], None),
            ("fc.weight", &[7, 5], Some(0)),
            ("fc.bias", &[7], Some(0)),
        ];
        assert_eq!(
            listed(config),
            expected.map(|(name, shape, axis)| (name.to_owned(), shape.to_vec(), axis))
        );
    }
}
