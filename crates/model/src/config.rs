//! What a model is made of.

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use charloom_recurrent::{Bias, Cell, Init, Readout, RecurrentConfig, StackDropout};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::network::{CharRnn, Linear};
use crate::optional_number::{NumberOrNone, NumberOrSame, number_or_none, number_or_same};

/// How a character becomes the input of the first layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputEncoding {
    /// A one-hot vector of V numbers. It is never materialised: a column of the input weights is gathered.
    #[default]
    OneHot,
    /// A learned vector of D numbers (`torch.nn.Embedding`).
    Embedding(#[schemars(range(min = 1, max = 65_536))] usize),
}

/// Configuration of a [`CharRnn`]: the section `[model]` of a settings file.
///
/// The vocabulary size V is not part of it: V belongs to the text, and [`init`](Self::init) is given it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CharRnnConfig {
    /// Recurrent cell: "lstm", "gru", "tanh" or "relu"
    pub cell: Cell,
    /// Input encoding: "one-hot" or { embedding = D }
    pub input: InputEncoding,
    /// Hidden size H of each recurrent layer
    #[schemars(range(min = 1, max = 65_536))]
    pub hidden_size: usize,
    /// Number of recurrent layers L
    #[schemars(range(min = 1, max = 64))]
    pub layers: usize,
    /// What the linear layer reads: the "last" layer's output, or the "sum" of all layers'
    ///
    /// With "sum" each layer has a connection of its own to the softmax. Dropout between layers spares the sum, and
    /// `output_dropout` falls on it. PyTorch's `LSTM`, `GRU` and `RNN` have no such option: the weights open there, but the sum
    /// has to be written, over modules of one layer each.
    pub readout: Readout,
    /// Dropout probability, between layers and before the linear layer
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Dropout probability before the linear layer, or "same" as between layers
    #[serde(with = "number_or_same")]
    #[schemars(with = "NumberOrSame")]
    pub output_dropout: Option<f64>,
    /// Probability that an input character is dropped
    ///
    /// The network then reads nothing in its place.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub input_dropout: f64,
    /// Dropout probability of the recurrent weights W_hh
    ///
    /// For a whole batch, all its steps and rows, the same weights are left out (DropConnect; the weight drop of AWD-LSTM). It
    /// works against overfitting where a text is read many times.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub weight_drop: f64,
    /// Biases of a recurrent layer: "double" (as PyTorch), "single" or "none"
    pub bias: Bias,
    /// Initial weights: "pytorch", { uniform = BOUND } or { normal = STD }
    pub init: Init,
    /// Initial bias of an LSTM's forget gate, or "none"
    ///
    /// "none" leaves it to `init`. With a number, an LSTM remembers more from the first step on; the other bias of the
    /// gate is then 0.
    #[serde(with = "number_or_none")]
    #[schemars(with = "NumberOrNone")]
    pub forget_bias: Option<f64>,
    /// Initial standard deviation of the one-hot input weights, 0 to leave them to `init`
    ///
    /// `init` draws them as small as the recurrent ones, though only one of them is added at a time: at first the network
    /// hardly sees its input. Values around 1 learn a text in far fewer steps.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub input_std: f64,
}

impl Default for CharRnnConfig {
    /// The classic network: an LSTM with 2 layers of 256 units, dropout 0.5 and one-hot input.
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            input: InputEncoding::OneHot,
            hidden_size: 256,
            layers: 2,
            readout: Readout::Last,
            dropout: 0.5,
            output_dropout: None,
            input_dropout: 0.0,
            weight_drop: 0.0,
            bias: Bias::Double,
            init: Init::PyTorch,
            forget_bias: None,
            input_std: 0.0,
        }
    }
}

/// Largest hidden size H and embedding size D.
const MAX_SIZE: usize = 65_536;
/// Largest number of layers L.
const MAX_LAYERS: usize = 64;

/// A configuration that no network can be made of.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A size is zero or too large.
    #[error("`{name}` must be from 1 to {max}, not {value}")]
    Size {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The largest legal value.
        max: usize,
    },
    /// A number is out of range, or isn't one.
    #[error("`{name}` must be {legal}, not {value}")]
    Number {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The legal range in words.
        legal: &'static str,
    },
}

impl CharRnnConfig {
    /// Checks every size and number, so that [`init`](Self::init) can't fail for any vocabulary.
    ///
    /// # Errors
    /// If a size is zero or too large, dropout isn't in `[0, 1)`, or the initialisation isn't finite.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Self { input, hidden_size, layers, init, forget_bias, input_std, .. } = *self;
        let embedding = match input {
            InputEncoding::OneHot => 1,
            InputEncoding::Embedding(size) => size,
        };
        for (name, value, max) in [
            ("hidden_size", hidden_size, MAX_SIZE),
            ("layers", layers, MAX_LAYERS),
            ("embedding", embedding, MAX_SIZE),
        ] {
            if !(1..=max).contains(&value) {
                return Err(ConfigError::Size { name, value, max });
            }
        }
        let number = |name, value: f64, holds: bool, legal| match holds {
            true => Ok(()),
            false => Err(ConfigError::Number { name, value, legal }),
        };
        for (name, p) in [
            ("dropout", self.dropout),
            ("output_dropout", self.output_dropout.unwrap_or(0.0)),
            ("input_dropout", self.input_dropout),
            ("weight_drop", self.weight_drop),
        ] {
            number(name, p, (0.0..1.0).contains(&p), "at least 0 and less than 1")?;
        }
        let (name, spread) = match init {
            Init::PyTorch => ("pytorch", 0.0),
            Init::Uniform(bound) => ("uniform", bound),
            Init::Normal(std) => ("normal", std),
        };
        number(name, spread, (0.0..=1e6).contains(&spread), "from 0 to 1000000")?;
        let forget_bias = forget_bias.unwrap_or(0.0);
        let holds = (-100.0..=100.0).contains(&forget_bias);
        number("forget_bias", forget_bias, holds, "from -100 to 100")?;
        number("input_std", input_std, (0.0..=100.0).contains(&input_std), "from 0 to 100")
    }

    /// The dropout of a training step, with all probabilities multiplied by `factor`.
    pub fn dropout(&self, factor: f64, seed: u64) -> StackDropout {
        let p = |p: f64| (p * factor) as f32;
        StackDropout {
            input: p(self.input_dropout),
            hidden: p(self.dropout),
            output: p(self.output_dropout.unwrap_or(self.dropout)),
            recurrent_weights: p(self.weight_drop),
            seed,
            rows: None,
        }
    }

    /// Draws the parameters of a network for V characters: the embedding if there is one, the recurrent layers, the
    /// linear layer.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) refuses the configuration.
    pub fn init(&self, vocab_size: usize, device: &Device, rng: &mut impl Rng) -> CharRnn {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        let Self { cell, input, hidden_size, layers, bias, init, forget_bias, input_std, .. } =
            *self;
        let (embed, d_input) = match input {
            InputEncoding::OneHot => (None, vocab_size),
            InputEncoding::Embedding(d) => {
                // torch.nn.Embedding starts with unit variance.
                let init = if init == Init::PyTorch { Init::Normal(1.0) } else { init };
                (Some(init.param([vocab_size, d], d, device, rng)), d)
            }
        };
        let mut rnn = RecurrentConfig::new(cell, d_input, hidden_size)
            .with_layers(layers)
            .with_bias(bias)
            .with_init(init)
            .with_forget_bias(forget_bias)
            .with_readout(self.readout)
            .init(device, rng);
        let weight: Param<Tensor<2>> =
            init.param([vocab_size, hidden_size], hidden_size, device, rng);
        let bias: Param<Tensor<1>> = init.bias(vocab_size, hidden_size, device, rng);
        if input == InputEncoding::OneHot && input_std > 0.0 {
            // Drawn last: all other parameters are the same with and without it.
            let input = &mut rnn.layers[0].weight_ih; // [G*H, V]
            *input = Init::Normal(input_std).param(input.dims(), vocab_size, device, rng);
        }
        CharRnn { embed, rnn, fc: Linear { weight, bias } }
    }
}

/// The configuration as a model file of format 1 stores it. A trained network's initialisation doesn't matter, so it
/// isn't stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredConfig {
    pub vocab_size: usize,
    cell: Cell,
    embedding: Option<usize>,
    hidden_size: usize,
    layers: usize,
    dropout: f64,
    bias: Bias,
    /// Files have it where it isn't the default, so that programs that don't know it refuse these alone.
    #[serde(default, skip_serializing_if = "is_last")]
    pub readout: Readout,
}

fn is_last(readout: &Readout) -> bool {
    *readout == Readout::Last
}

impl StoredConfig {
    pub fn new(config: &CharRnnConfig, vocab_size: usize) -> Self {
        let CharRnnConfig {
            cell,
            input,
            hidden_size,
            layers,
            dropout,
            bias,
            readout,
            output_dropout: _,
            input_dropout: _,
            weight_drop: _,
            init: _,
            forget_bias: _,
            input_std: _,
        } = *config;
        let embedding = match input {
            InputEncoding::OneHot => None,
            InputEncoding::Embedding(d) => Some(d),
        };
        Self { vocab_size, cell, embedding, hidden_size, layers, dropout, bias, readout }
    }

    /// The configuration, once it has been validated.
    pub fn config(&self) -> Result<CharRnnConfig, ConfigError> {
        let Self { vocab_size: _, cell, embedding, hidden_size, layers, dropout, bias, readout } =
            *self;
        let input = embedding.map_or(InputEncoding::OneHot, InputEncoding::Embedding);
        let config = CharRnnConfig {
            cell,
            input,
            hidden_size,
            layers,
            dropout,
            bias,
            readout,
            ..CharRnnConfig::default()
        };
        config.validate()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn every_configuration_is_refused_or_makes_a_network() {
        let base = CharRnnConfig { hidden_size: 3, layers: 1, ..CharRnnConfig::default() };
        let mut configs = Vec::new();
        for size in [0, 1, MAX_SIZE + 1, usize::MAX] {
            configs.push(CharRnnConfig { hidden_size: size, ..base });
            configs.push(CharRnnConfig { layers: size, ..base });
            configs.push(CharRnnConfig { input: InputEncoding::Embedding(size), ..base });
        }
        for number in [-1.0, 0.0, 1e-300, 0.5, 1.0, 1e6, 1e300, f64::INFINITY, f64::NAN] {
            configs.push(CharRnnConfig { dropout: number, ..base });
            configs.push(CharRnnConfig { output_dropout: Some(number), ..base });
            configs.push(CharRnnConfig { input_dropout: number, ..base });
            configs.push(CharRnnConfig { weight_drop: number, ..base });
            configs.push(CharRnnConfig { init: Init::Uniform(number), ..base });
            configs.push(CharRnnConfig { init: Init::Normal(number), ..base });
            configs.push(CharRnnConfig { forget_bias: Some(number), ..base });
            configs.push(CharRnnConfig { input_std: number, ..base });
        }
        let mut made = 0;
        for config in configs {
            if config.validate().is_ok() {
                for vocab_size in [0, 1, 2] {
                    let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(1);
                    let network = config.init(vocab_size, &Device::flex(), rng);
                    assert_eq!(network.vocab_size(), vocab_size);
                }
                made += 1;
            }
        }
        assert_eq!(made, 3 + 4 * 3 + 5 + 5 + 5 + 4);
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_range() {
        let message = |config: CharRnnConfig| config.validate().unwrap_err().to_string();
        let base = CharRnnConfig::default();
        let layers = CharRnnConfig { layers: 65, ..base };
        assert_eq!(message(layers), "`layers` must be from 1 to 64, not 65");
        let dropout = CharRnnConfig { dropout: 1.0, ..base };
        assert_eq!(message(dropout), "`dropout` must be at least 0 and less than 1, not 1");
        let init = CharRnnConfig { init: Init::Uniform(-1.0), ..base };
        assert_eq!(message(init), "`uniform` must be from 0 to 1000000, not -1");
    }
}
