//! What a model is made of.

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use charloom_recurrent::{Bias, Cell, Init, RecurrentConfig};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CharRnn;

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
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CharRnnConfig {
    /// Number of different characters V, at least 2.
    #[serde(skip)]
    pub vocab_size: usize,
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
    /// Dropout probability, between layers and before the linear layer
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Bias vectors of a recurrent layer: "double" (b_ih and b_hh, as PyTorch), "single" or "none"
    pub bias: Bias,
    /// Initial weights: "pytorch" (uniform in ±1/√H), { uniform = BOUND } or { normal = STD }
    pub init: Init,
    /// Initial bias of an LSTM's forget gate, or "none" to leave it to `init`
    #[serde(with = "number_or_none")]
    #[schemars(with = "NumberOrNone")]
    pub forget_bias: Option<f64>,
}

/// An optional number in a settings file: the number, or "none", since TOML has no null.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum NumberOrNone {
    None(NoneWord),
    Number(#[schemars(range(min = -100.0, max = 100.0))] f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum NoneWord {
    None,
}

mod number_or_none {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{NoneWord, NumberOrNone};

    pub fn serialize<S: Serializer>(
        number: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number
            .map_or(NumberOrNone::None(NoneWord::None), NumberOrNone::Number)
            .serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        Ok(match NumberOrNone::deserialize(deserializer)? {
            NumberOrNone::None(_) => None,
            NumberOrNone::Number(number) => Some(number),
        })
    }
}

impl Default for CharRnnConfig {
    /// The classic network: an LSTM of 2 layers of 256, dropout 0.5, fed with one-hot vectors.
    fn default() -> Self {
        Self::new(0)
    }
}

impl CharRnnConfig {
    /// The classic network: an LSTM of 2 layers of 256, dropout 0.5, fed with one-hot vectors.
    pub fn new(vocab_size: usize) -> Self {
        Self {
            vocab_size,
            cell: Cell::Lstm,
            input: InputEncoding::OneHot,
            hidden_size: 256,
            layers: 2,
            dropout: 0.5,
            bias: Bias::Double,
            init: Init::PyTorch,
            forget_bias: None,
        }
    }

    /// Draws the parameters: the embedding if there is one, the recurrent layers, the linear layer.
    pub fn init(&self, device: &Device, rng: &mut impl Rng) -> CharRnn {
        let Self {
            vocab_size,
            cell,
            input,
            hidden_size,
            layers,
            dropout: _,
            bias,
            init,
            forget_bias,
        } = *self;
        let (embed, d_input) = match input {
            InputEncoding::OneHot => (None, vocab_size),
            InputEncoding::Embedding(d) => {
                // As torch.nn.Embedding starts, unless the config says otherwise.
                let init = if init == Init::PyTorch { Init::Normal(1.0) } else { init };
                (Some(init.param([vocab_size, d], d, device, rng)), d)
            }
        };
        let rnn = RecurrentConfig::new(cell, d_input, hidden_size)
            .with_layers(layers)
            .with_bias(bias)
            .with_init(init)
            .with_forget_bias(forget_bias)
            .init(device, rng);
        let weight: Param<Tensor<2>> =
            init.param([vocab_size, hidden_size], hidden_size, device, rng);
        let bias: Param<Tensor<1>> = init.bias(vocab_size, hidden_size, device, rng);
        CharRnn { embed, rnn, fc: crate::network::Output { weight, bias } }
    }
}

/// The form in which a configuration stands in a model file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    vocab_size: usize,
    cell: String,
    embedding: Option<usize>,
    hidden_size: usize,
    layers: usize,
    dropout: f64,
    bias: String,
}

impl From<&CharRnnConfig> for Written {
    fn from(config: &CharRnnConfig) -> Self {
        let CharRnnConfig {
            vocab_size,
            cell,
            input,
            hidden_size,
            layers,
            dropout,
            bias,
            init: _,
            forget_bias: _,
        } = *config;
        Self {
            vocab_size,
            cell: cell.to_string(),
            embedding: match input {
                InputEncoding::OneHot => None,
                InputEncoding::Embedding(d) => Some(d),
            },
            hidden_size,
            layers,
            dropout,
            bias: bias.name().into(),
        }
    }
}

impl TryFrom<Written> for CharRnnConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { vocab_size, cell, embedding, hidden_size, layers, dropout, bias } = written;
        let cell = Cell::ALL
            .into_iter()
            .find(|known| known.name() == cell)
            .ok_or_else(|| format!("`{cell}` is not a cell"))?;
        let bias = Bias::ALL
            .into_iter()
            .find(|known| known.name() == bias)
            .ok_or_else(|| format!("`{bias}` is not a kind of bias"))?;
        for (name, size) in [
            ("hidden_size", hidden_size),
            ("layers", layers),
            ("vocab_size", vocab_size),
            ("embedding", embedding.unwrap_or(1)),
        ] {
            // Far more than fits any machine, and small enough that no product overflows.
            if !(1..=1 << 20).contains(&size) {
                return Err(format!("`{name}` cannot be {size}"));
            }
        }
        if !(0.0..1.0).contains(&dropout) {
            return Err(format!("`dropout` cannot be {dropout}"));
        }
        let input = embedding.map_or(InputEncoding::OneHot, InputEncoding::Embedding);
        // Of a model that is trained nobody asks where it started.
        let (init, forget_bias) = (Init::PyTorch, None);
        Ok(Self { vocab_size, cell, input, hidden_size, layers, dropout, bias, init, forget_bias })
    }
}
