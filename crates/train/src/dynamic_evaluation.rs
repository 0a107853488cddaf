//! [`evaluate_adaptively`]: dynamic evaluation, in which the weights adapt to the text that is evaluated.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use charloom_data::Ids;
use charloom_infer::{EvaluateError, Evaluation, EvaluationSums, Networks};
use charloom_model::{CharRnn, State};

use crate::flat::{Flat, flat, flat_parameters};
use crate::{GradClip, NormHistory};

/// The largest global norm of a segment's gradient, as in most of this project's trainings.
const MAX_NORM: f64 = 1.0;

/// How weights adapt to the text that is evaluated.
///
/// The defaults were chosen on the validation part of Tiny Shakespeare, with an LSTM of 512, whose loss falls from 1.464
/// to 1.344 nats per character.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptConfig {
    /// Learning rate η, at least 0.
    pub lr: f64,
    /// Decay λ towards the trained weights, 0 to 1: the fraction of the distance to them that each update undoes.
    pub decay: f64,
    /// Characters that are predicted between two updates, T.
    pub segment: NonZeroUsize,
}

impl Default for AdaptConfig {
    fn default() -> Self {
        const SEGMENT: NonZeroUsize = NonZeroUsize::new(50).unwrap();
        Self { lr: 0.3, decay: 0.003, segment: SEGMENT }
    }
}

/// Predicts every character of a text but the first, with weights that adapt to the text as it is read: dynamic
/// evaluation (Krause, Kahembwe, Murray and Renals 2018, <https://arxiv.org/abs/1709.07432>).
///
/// The text is one stream of segments of T characters, with the hidden state carried from one to the next. Each segment
/// is predicted first, with the weights as they are. Then the gradient g of its mean loss, whose global norm is clipped
/// at 1, updates them:
///
/// θ ← θ − η · g + λ · (θ₀ − θ)
///
/// with θ₀ the trained weights. So no character is seen before it is predicted, and the loss is that of a model which
/// remembers more of the text than its hidden state can hold. This is the paper's stochastic gradient descent with its
/// decay. Its other form also divides g by the root of its mean square over the training data, which takes a pass over
/// that data; with the mean over the text so far instead, its loss on 20,000 characters of Tiny Shakespeare was lower by
/// 0.005 nats per character.
///
/// The networks that are passed in stay as they are. Each network of an ensemble adapts by its own loss; their
/// probabilities are averaged.
///
/// `progress` receives the number of characters done and the total, and may end the evaluation.
///
/// # Errors
/// If the text has fewer than 2 characters, an id is not one of the network's, the loss is not a finite number (as with
/// a learning rate that is too high), `progress` ends the work early, or the device fails.
///
/// # Examples
/// ```
/// # use burn::tensor::Device;
/// # use charloom_data::Vocab;
/// # use charloom_model::CharRnnConfig;
/// # use rand::SeedableRng;
/// use std::ops::ControlFlow;
///
/// use charloom_infer::evaluate;
/// use charloom_train::{AdaptConfig, evaluate_adaptively};
///
/// let text = "the loom weaves the words. ".repeat(20);
/// let vocab = Vocab::from_text(&text);
/// let ids = vocab.encode(&text)?;
/// # let config = CharRnnConfig { hidden_size: 12, ..CharRnnConfig::default() };
/// # let network = config.init(vocab.len(), &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
/// let progress = &mut |_done, _total| ControlFlow::Continue(());
/// let fixed = evaluate(&network, &ids, progress)?;
/// let adaptive = evaluate_adaptively(&network, &ids, &AdaptConfig::default(), progress)?;
/// assert!(adaptive.loss < fixed.loss);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate_adaptively(
    model: &impl Networks,
    ids: &Ids,
    config: &AdaptConfig,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let total = ids.len().saturating_sub(1);
    adapt(model, ids, config, &mut |sums| progress(sums.chars(), total))
}

/// The same; `after_segment` receives the sums over all that has been predicted.
fn adapt(
    model: &impl Networks,
    ids: &Ids,
    config: &AdaptConfig,
    after_segment: &mut dyn FnMut(&EvaluationSums) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let total = match ids.len() {
        chars @ (0 | 1) => return Err(EvaluateError::TooShort { chars }),
        chars => chars - 1,
    };
    let mut networks: Vec<Adapting> = model.networks().iter().map(Adapting::new).collect();
    // Not every backend checks ids, and a kernel that is given a wrong one reads out of bounds.
    let vocab_size = networks.iter().map(|one| one.network.vocab_size()).min().unwrap_or(0);
    if let Some(id) = ids.iter().find(|&id| id as usize >= vocab_size) {
        return Err(EvaluateError::UnknownId { id: id as i32, vocab_size });
    }
    let mut sums = EvaluationSums::default();
    for start in (0..total).step_by(config.segment.get()) {
        let t = config.segment.get().min(total - start);
        let mut segment = vec![0; t + 1];
        ids.copy_to(start, &mut segment);
        let (inputs, targets) = (&segment[..t], &segment[1..]);

        // Predict.
        let logits: Vec<Tensor<2>> = networks.iter_mut().map(|one| one.read(inputs)).collect();
        let numbers = logits.iter().map(|logits| logits.clone().try_into_vec_as());
        sums.add_logits(&numbers.collect::<Result<Vec<Vec<f32>>, _>>()?, targets);
        // Weights that are no longer finite don't recover.
        sums.mean()?;
        let done = sums.chars();
        if after_segment(&sums).is_break() && done < total {
            return Err(EvaluateError::Stopped { done, total });
        }

        // Adapt.
        if done < total {
            for (one, logits) in networks.iter_mut().zip(logits) {
                one.update(logits, targets, config);
            }
        }
    }
    sums.mean()
}

/// A network that adapts to what it reads.
struct Adapting {
    network: CharRnn,
    device: Device,
    /// The state after all that was read, detached.
    state: State,
    /// θ₀ by parameter.
    trained: HashMap<ParamId, Flat>,
}

impl Adapting {
    fn new(network: &CharRnn) -> Self {
        let network = network.valid();
        let trained = flat_parameters(&network).into_iter().collect();
        let network = network.train();
        let device = network.fc.weight.val().device();
        let state = network.zero_state(1, &device);
        Self { network, device, state, trained }
    }

    /// The logits `[T, V]` of what follows each of T ids.
    fn read(&mut self, ids: &[i32]) -> Tensor<2> {
        let t = ids.len();
        let ids = Tensor::<2, Int>::from_data(TensorData::new(ids.to_vec(), [1, t]), &self.device);
        let before = State(std::mem::take(&mut self.state.0));
        let (logits, after) = self.network.forward(ids, before, None); // [1, T, V]
        self.state = after.detach();
        logits.reshape([t, self.network.vocab_size()])
    }

    /// Updates the weights by the gradient of the mean cross-entropy of `targets`, `[T]`.
    fn update(&mut self, logits: Tensor<2>, targets: &[i32], config: &AdaptConfig) {
        let targets = TensorData::new(targets.to_vec(), [targets.len(), 1]);
        let targets = Tensor::<2, Int>::from_data(targets, &self.device);
        let loss = log_softmax(logits, 1).gather(1, targets).mean().neg(); // [1]
        let mut grads = GradientsParams::from_grads(loss.backward(), &self.network);
        GradClip::Norm(MAX_NORM).apply(&self.network, &mut grads, &mut NormHistory::default());
        let mut update = Update { config, grads: &mut grads, trained: &self.trained };
        self.network = self.network.clone().map(&mut update);
    }
}

/// θ ← θ − η · g + λ · (θ₀ − θ) for each parameter.
struct Update<'a> {
    config: &'a AdaptConfig,
    grads: &'a mut GradientsParams,
    trained: &'a HashMap<ParamId, Flat>,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let (Some(grad), Some(trained)) = (self.grads.remove::<D>(id), self.trained.get(&id))
        else {
            return Param::from_mapped_value(id, value, mapper);
        };
        let AdaptConfig { lr, decay, .. } = *self.config;
        let dims = value.dims();
        let value = flat(value.inner());
        let mut adapted = value.clone() - flat(grad).mul_scalar(lr);
        if decay > 0.0 {
            adapted = adapted + (trained.clone() - value).mul_scalar(decay);
        }
        let adapted = Tensor::from_inner(adapted.reshape(dims)).require_grad();
        Param::from_mapped_value(id, adapted, mapper)
    }
}

#[cfg(test)]
mod tests;
