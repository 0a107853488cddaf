//! [`WeightAverage`]: an exponential moving average of the weights.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;
use charloom_model::CharRnn;
use rayon::prelude::*;

use crate::flat::{Flat, flat_parameters};
use crate::fused_adam::{CHUNK, in_main_memory};

/// An exponential moving average of the weights of a network in training (Polyak averaging with a fixed decay, as
/// `torch.optim.swa_utils.get_ema_multi_avg_fn`).
///
/// After step t, counted from 1, the average is `d · average + (1 - d) · weights` with d the smaller of the decay and
/// `t / (t + 9)`: so the first weights, which are random, don't weigh on it for long.
#[derive(Clone, Debug)]
pub(crate) struct WeightAverage {
    /// The averaged network, without autodiff.
    pub network: CharRnn,
    decay: f64,
}

/// Which weights of a training are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weights {
    /// Those after the last step.
    Current,
    /// Their moving average.
    Average,
}

impl WeightAverage {
    /// The average before the first step: the weights. `None` where the decay is 0.
    pub fn new(network: &CharRnn, decay: f64) -> Option<Self> {
        (decay > 0.0).then(|| Self { network: network.valid(), decay })
    }

    /// Takes note of the weights after `step` steps.
    pub fn update(&mut self, network: &CharRnn, step: usize) {
        let decay = self.decay.min(step as f64 / (step + 9) as f64);
        let weights = flat_parameters(&network.valid()).into_iter();
        let mut average = Average { weights, decay };
        self.network = self.network.clone().map(&mut average);
    }
}

/// Moves parameters towards others, in the same order.
struct Average {
    weights: std::vec::IntoIter<(ParamId, Flat)>,
    decay: f64,
}

impl ModuleMapper for Average {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, weights) = self.weights.next().expect("both networks have the same parameters");
        param.map(|average| {
            let weights = weights.reshape(average.dims());
            if in_main_memory(&average) {
                return averaged(average, weights, self.decay);
            }
            average.mul_scalar(self.decay) + weights.mul_scalar(1.0 - self.decay)
        })
    }
}

/// `decay · average + (1 - decay) · weights` in one pass on all threads, with the bytes of the tensor operations.
fn averaged<const D: usize>(average: Tensor<D>, weights: Tensor<D>, decay: f64) -> Tensor<D> {
    let device = average.device();
    let [mut average, weights] = [average, weights].map(Tensor::into_data);
    let (kept, added) = (decay as f32, (1.0 - decay) as f32);
    let weights = weights.as_slice::<f32>().expect("parameters are in f32");
    average
        .as_mut_slice::<f32>()
        .expect("parameters are in f32")
        .par_chunks_mut(CHUNK)
        .zip(weights.par_chunks(CHUNK))
        .for_each(|(average, weights)| {
            for (average, weight) in average.iter_mut().zip(weights) {
                *average = *average * kept + *weight * added;
            }
        });
    Tensor::from_data(average, &device)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};
    use charloom_model::CharRnnConfig;
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn one_pass_gives_the_bytes_of_the_tensor_operations() {
        let device = Device::flex();
        let random = || Tensor::<2>::random([150, 333], Distribution::Default, &device) - 0.5;
        let (average, weights, decay) = (random(), random(), 0.997);
        let one_pass = averaged(average.clone(), weights.clone(), decay);
        let operations = average.mul_scalar(decay) + weights.mul_scalar(1.0 - decay);
        assert_eq!(one_pass.into_data().as_bytes(), operations.into_data().as_bytes());
    }

    #[test]
    fn the_average_follows_its_formula_for_every_parameter() {
        let config = CharRnnConfig { hidden_size: 3, ..CharRnnConfig::default() };
        let network = |seed| {
            let rng = &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            config.init(5, &Device::flex().autodiff(), rng)
        };
        let values = |network: &CharRnn| -> Vec<f32> {
            network.parameters().iter().flat_map(|(_, data)| data.iter::<f32>()).collect()
        };
        let networks: Vec<CharRnn> = (0..4).map(network).collect();
        let mut average = WeightAverage::new(&networks[0], 0.2).unwrap();
        let mut expected = values(&networks[0]);
        // t / (t + 9) is 0.1, 0.1818 and 0.25: the decay takes over in the third step.
        for (step, decay) in [(1, 0.1), (2, 2.0 / 11.0), (3, 0.2)] {
            average.update(&networks[step], step);
            for (expected, weight) in expected.iter_mut().zip(values(&networks[step])) {
                *expected = decay * *expected + (1.0 - decay) * weight;
            }
        }
        for (found, expected) in values(&average.network).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }
}
