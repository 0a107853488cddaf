//! Where parameters start.

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand::distr::{Distribution, Uniform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How weights and biases are drawn.
///
/// The numbers come from the caller's generator, on the host: a seed gives the same model on
/// every backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Uniform in ±1/√fan, with the fan PyTorch takes: H for a recurrent layer, the width of the
    /// input for a linear one (`torch.nn.LSTM`, `torch.nn.Linear`).
    #[default]
    PyTorch,
    /// Uniform in ±bound; the bound is not negative.
    Uniform(f64),
    /// Weights normal around zero with this standard deviation, biases zero, as min-char-rnn has it.
    Normal(f64),
}

impl Init {
    /// Draws the weights of a parameter of the given shape.
    pub fn param<const D: usize>(
        self,
        shape: [usize; D],
        fan: usize,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Param<Tensor<D>> {
        let len = shape.iter().product();
        let values = match self {
            Self::PyTorch => uniform(1.0 / (fan as f64).sqrt(), len, rng),
            Self::Uniform(bound) => uniform(bound, len, rng),
            Self::Normal(std) => normal(std, len, rng),
        };
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// Draws a bias of `len` numbers.
    pub fn bias(
        self,
        len: usize,
        fan: usize,
        device: &Device,
        rng: &mut impl Rng,
    ) -> Param<Tensor<1>> {
        match self {
            Self::PyTorch | Self::Uniform(_) => self.param([len], fan, device, rng),
            Self::Normal(_) => Param::from_tensor(Tensor::zeros([len], device)),
        }
    }
}

fn uniform(bound: f64, len: usize, rng: &mut impl Rng) -> Vec<f32> {
    if bound == 0.0 {
        return vec![0.0; len];
    }
    let range = Uniform::new_inclusive(-bound, bound).expect("the bound is positive and finite");
    (0..len).map(|_| range.sample(rng) as f32).collect()
}

/// Box and Muller's transform of pairs of uniform numbers.
fn normal(std: f64, len: usize, rng: &mut impl Rng) -> Vec<f32> {
    let unit = Uniform::new(f64::EPSILON, 1.0).expect("the range is not empty");
    let mut values = Vec::with_capacity(len + 1);
    while values.len() < len {
        let radius = std * (-2.0 * unit.sample(rng).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * unit.sample(rng)).sin_cos();
        values.push((radius * cosine) as f32);
        values.push((radius * sine) as f32);
    }
    values.truncate(len);
    values
}
