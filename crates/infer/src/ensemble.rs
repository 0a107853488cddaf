//! [`Ensemble`]: several models that act as one.

use burn::tensor::{Device, Int, Tensor, TensorReadError};
use charloom_data::{EscapedChar, Vocab};
use charloom_model::{CharRnn, State, TrainedModel};
use thiserror::Error;

/// One network, or several whose probabilities are averaged.
///
/// The probability of a character is the mean of those that the networks give it: the mean of their softmaxes, not the
/// softmax of their mean logits. With one network nothing is averaged, and every number is that network's.
pub trait Networks {
    /// The networks, at least one. All have the same vocabulary size V and are on the same device.
    fn networks(&self) -> &[CharRnn];
}

/// [`Networks`] with the characters that their ids stand for.
pub trait LanguageModel: Networks {
    /// The characters in the order of their ids.
    fn vocab(&self) -> &Vocab;
}

impl Networks for CharRnn {
    fn networks(&self) -> &[CharRnn] {
        std::slice::from_ref(self)
    }
}

impl Networks for TrainedModel {
    fn networks(&self) -> &[CharRnn] {
        self.network.networks()
    }
}

impl LanguageModel for TrainedModel {
    fn vocab(&self) -> &Vocab {
        &self.vocab
    }
}

/// Models of the same characters that act as one: the probability of a character is the mean of theirs.
///
/// By Jensen's inequality the loss of the mean is at most the mean of the losses; it is lower than that of the best
/// model where models of about the same loss err in different places. Generation and evaluation take the time of all of
/// them together. The models may differ in their cells and sizes.
///
/// # Examples
/// ```
/// # use burn::tensor::Device;
/// # use charloom_data::Vocab;
/// # use charloom_model::{CharRnnConfig, TrainedModel, TrainingSummary};
/// # use rand::SeedableRng;
/// # let model = |hidden_size, chars: &str| {
/// #     let vocab = Vocab::from_ordered(chars.chars().collect()).unwrap();
/// #     let config = CharRnnConfig { hidden_size, ..CharRnnConfig::default() };
/// #     let network = config.init(vocab.len(), &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
/// #     TrainedModel { network, config, vocab, summary: TrainingSummary::default() }
/// # };
/// # let (small, large) = (model(6, "abc "), model(12, " cba"));
/// use charloom_infer::{Ensemble, Generate, LanguageModel, evaluate};
///
/// let ensemble = Ensemble::new([small, large])?;
/// println!("{}", ensemble.generate("a cab")?);
///
/// let ids = ensemble.vocab().encode("abba cab")?;
/// let evaluation = evaluate(&ensemble, &ids, &mut |_, _| std::ops::ControlFlow::Continue(()))?;
/// assert_eq!(evaluation.chars, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    networks: Vec<CharRnn>,
    vocab: Vocab,
}

/// Why models can't be averaged. Models are numbered from 0 in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnsembleError {
    /// No model was given.
    #[error("there is no model to average")]
    Empty,
    /// Their characters differ.
    #[error(
        "the models have different vocabularies: model {} has `{}`, but model {} does not",
        with + 1,
        EscapedChar(*char),
        without + 1
    )]
    Vocab {
        /// A character of one but not of the other.
        char: char,
        /// The model that has it.
        with: usize,
        /// The model that lacks it.
        without: usize,
    },
}

impl Ensemble {
    /// An ensemble of these models, whose vocabulary has the order of the first one's. Those that have the same
    /// characters in another order are rearranged.
    ///
    /// # Errors
    /// If there is no model, or one of them has other characters than the first.
    pub fn new(models: impl IntoIterator<Item = TrainedModel>) -> Result<Self, EnsembleError> {
        let mut models = models.into_iter();
        let TrainedModel { network, vocab, .. } = models.next().ok_or(EnsembleError::Empty)?;
        let mut networks = vec![network];
        for (model, index) in models.zip(1..) {
            let only_in = |one: &Vocab, other: &Vocab| {
                one.chars().iter().copied().find(|&char| other.id(char).is_none())
            };
            if let Some(char) = only_in(&vocab, &model.vocab) {
                return Err(EnsembleError::Vocab { char, with: 0, without: index });
            }
            if let Some(char) = only_in(&model.vocab, &vocab) {
                return Err(EnsembleError::Vocab { char, with: index, without: 0 });
            }
            networks.push(match model.vocab == vocab {
                true => model.network,
                false => model
                    .remap_vocab(&model.network, &vocab)
                    .expect("a network fits itself, and the characters are the same"),
            });
        }
        Ok(Self { networks, vocab })
    }
}

impl Networks for Ensemble {
    fn networks(&self) -> &[CharRnn] {
        &self.networks
    }
}

impl LanguageModel for Ensemble {
    fn vocab(&self) -> &Vocab {
        &self.vocab
    }
}

/// The vocabulary size V and the device of networks that are used together.
pub(crate) fn size_and_device(networks: &[CharRnn]) -> (usize, Device) {
    let network = networks.first().expect("there is at least one network");
    (network.vocab_size(), network.fc.weight.val().device())
}

/// Reads `ids` `[N, T]` with each of K networks from its state, and puts the state after them in its place. The logits
/// of each, `[N, T, V]`.
pub(crate) fn logits(
    networks: &[CharRnn],
    ids: &Tensor<2, Int>,
    states: &mut [State],
) -> Result<Vec<Vec<f32>>, TensorReadError> {
    let read = |(network, state): (&CharRnn, &mut State)| {
        let before = State(std::mem::take(&mut state.0));
        let (logits, after) = network.forward(ids.clone(), before, None);
        *state = after;
        logits.try_into_vec_as()
    };
    networks.iter().zip(states).map(read).collect()
}

/// The logits `[V]` of each network in row `row` of its `[R, V]`.
pub(crate) fn row_of(logits: &[Vec<f32>], row: usize, v: usize) -> Vec<&[f32]> {
    logits.iter().map(|logits| &logits[row * v..(row + 1) * v]).collect()
}

#[cfg(test)]
mod tests;
