//! What a model is made of.

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use charloom_recurrent::{Bias, Cell, Init, RecurrentConfig};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::CharRnn;

/// How a character becomes the input of the first layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputEncoding {
    /// A vector of V numbers, one of them 1. It is never built: a column of the weights is taken.
    OneHot,
    /// A learned vector of D numbers.
    Embedding(usize),
}

/// Configuration of a [`CharRnn`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CharRnnConfig {
    /// Number of different characters V, at least 2.
    pub vocab_size: usize,
    /// The recurrence.
    pub cell: Cell,
    /// How characters come in.
    pub input: InputEncoding,
    /// Hidden size H.
    pub hidden_size: usize,
    /// Number of recurrent layers L, at least 1.
    pub layers: usize,
    /// Probability of dropping an output of a recurrent layer while training, in `0.0..1.0`.
    pub dropout: f64,
    /// Which biases the recurrent layers have; the linear layer always has one.
    pub bias: Bias,
    /// Where parameters start.
    pub init: Init,
    /// Where the biases of an LSTM's forget gates start instead, if it is given.
    pub forget_bias: Option<f64>,
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
                let init = if init == Init::PyTorch { Init::Normal { std: 1.0 } } else { init };
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
