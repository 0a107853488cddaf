//! Generating one text: [`Generate`], and [`Generator`] for its characters one by one.

use std::collections::VecDeque;

use burn::tensor::TensorReadError;
use charloom_data::{END_MARK, EscapedChar, UNKNOWN_MARK, UnknownCharacters, Vocab};
use charloom_model::TrainedModel;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::decoder::BatchDecoder;
use crate::ensemble::{Ensemble, LanguageModel};
use crate::sampling::{Sampler, Sampling, SamplingError};
use crate::softmax::NonFiniteLogits;
use crate::stop::StopSequence;

/// Settings of a generated text.
///
/// The default is 400 characters without a prompt, sampled at a temperature of 0.8 with seed 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateConfig {
    /// The text that the model continues; it isn't part of the result. With an empty prompt the model
    /// starts as if after a newline, or after the character with id 0 if it knows no newline. A model of
    /// documents starts a document with the prompt, and ends it at its end mark.
    pub prompt: String,
    /// Number of characters to generate, unless the stop sequence ends the text before.
    pub length: usize,
    /// How characters are chosen.
    pub sampling: Sampling,
    /// Random seed. The same seed, model, settings and backend give the same text.
    pub seed: u64,
    /// Generation ends when this text has been generated; it isn't part of the result. An empty one is the
    /// same as none. It may contain characters that the model doesn't know; then it never occurs.
    pub stop: Option<String>,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        let (prompt, sampling) = (String::new(), Sampling::default());
        Self { prompt, length: 400, sampling, seed: 0, stop: None }
    }
}

impl GenerateConfig {
    /// Checks the ranges of the settings.
    ///
    /// # Errors
    /// As of [`Sampling::validate`].
    pub fn validate(&self) -> Result<(), SamplingError> {
        self.sampling.validate()
    }

    /// Checks the settings and whether a model with this vocabulary can read the prompt, before any
    /// computation.
    ///
    /// # Errors
    /// [`GenerateError::Sampling`] or [`GenerateError::UnknownCharacters`].
    pub fn check(&self, vocab: &Vocab) -> Result<(), GenerateError> {
        self.prompt_ids(vocab).map(drop)
    }

    /// The ids of the prompt, of settings that are valid.
    pub(crate) fn prompt_ids(&self, vocab: &Vocab) -> Result<Vec<u32>, GenerateError> {
        self.validate()?;
        prompt_ids(vocab, &self.prompt)
    }
}

/// Why a text can't be generated.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// A setting is out of range.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The prompt has characters that the model doesn't know.
    #[error("cannot start from the prompt: {unknown}")]
    UnknownCharacters {
        /// Those characters.
        unknown: UnknownCharacters,
        /// The characters that the model does know.
        known: Vec<char>,
    },
    /// The network's logits are not finite, as after training that diverged.
    #[error(transparent)]
    NonFiniteLogits(#[from] NonFiniteLogits),
    /// The device failed.
    #[error("the device could not compute the next character: {0}")]
    Device(#[from] TensorReadError),
}

impl GenerateError {
    /// A suggestion for the user, where there is one.
    pub fn hint(&self) -> Option<String> {
        /// Texts in some scripts have thousands of characters.
        const LISTED: usize = 200;
        let known = match self {
            Self::UnknownCharacters { known, .. } => known,
            Self::Sampling(error) => return error.hint().map(str::to_owned),
            Self::NonFiniteLogits(_) | Self::Device(_) => return None,
        };
        let listed = known.iter().take(LISTED).map(|&char| format!("`{}`", EscapedChar(char)));
        let listed: Vec<_> = listed.collect();
        let more = match known.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("the model knows {}{more}", listed.join(", ")))
    }
}

/// Generates text with a model.
///
/// # Examples
/// ```no_run
/// use burn::tensor::Device;
/// use charloom_infer::Generate;
/// use charloom_model::TrainedModel;
///
/// let model = TrainedModel::load("model.safetensors".as_ref(), &Device::flex())?;
/// println!("{}", model.generate("Once upon a time")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Generate {
    /// Continues `prompt` with the default settings; the prompt isn't part of the result. The seed is
    /// fixed, so the same prompt gives the same text.
    ///
    /// # Errors
    /// As of [`generate_with`](Self::generate_with).
    fn generate(&self, prompt: &str) -> Result<String, GenerateError> {
        let prompt = prompt.to_owned();
        self.generate_with(&GenerateConfig { prompt, ..GenerateConfig::default() })
    }

    /// Generates one text.
    ///
    /// # Errors
    /// If a setting is out of range, the model doesn't know a character of the prompt, its logits are not
    /// finite, or the device fails.
    fn generate_with(&self, config: &GenerateConfig) -> Result<String, GenerateError>;
}

impl Generate for TrainedModel {
    fn generate_with(&self, config: &GenerateConfig) -> Result<String, GenerateError> {
        Generator::new(self, config)?.collect()
    }
}

impl Generate for Ensemble {
    fn generate_with(&self, config: &GenerateConfig) -> Result<String, GenerateError> {
        Generator::new(self, config)?.collect()
    }
}

/// Generates one text, as [`Generate::generate_with`] does.
///
/// # Errors
/// As of [`Generate::generate_with`].
pub fn generate(model: &impl Generate, config: &GenerateConfig) -> Result<String, GenerateError> {
    model.generate_with(config)
}

/// An iterator over the characters of one generated text, each computed on demand.
///
/// Characters that may be the beginning of the stop sequence are held back until it is clear that they are
/// not. After an error there are no more characters.
#[derive(Debug)]
pub struct Generator<'a> {
    vocab: &'a Vocab,
    decoder: BatchDecoder,
    writer: Writer,
    /// Chosen, but not yet read by the network.
    unread: Option<u32>,
    ready: VecDeque<char>,
}

impl<'a> Generator<'a> {
    /// Reads the prompt.
    ///
    /// # Errors
    /// If a setting is out of range, the model doesn't know a character of the prompt, or the device fails.
    pub fn new(
        model: &'a impl LanguageModel,
        config: &GenerateConfig,
    ) -> Result<Self, GenerateError> {
        let prompt = config.prompt_ids(model.vocab())?;
        let mut decoder = BatchDecoder::new(model);
        decoder.push(&prompt)?;
        Ok(Self {
            vocab: model.vocab(),
            writer: Writer::new(config, decoder.vocab_size(), 0),
            decoder,
            unread: None,
            ready: VecDeque::new(),
        })
    }

    /// Generates one more character, which may have to be held back, or may release others.
    fn advance(&mut self) -> Result<(), GenerateError> {
        if let Some(id) = self.unread.take() {
            self.decoder.step(&[id])?;
        }
        let ready = &mut self.ready;
        let id = self.writer.write(self.decoder.logits(0), self.vocab, |c| ready.push_back(c))?;
        self.unread = Some(id);
        Ok(())
    }
}

impl Iterator for Generator<'_> {
    type Item = Result<char, GenerateError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.writer.is_finished() {
            if let Err(error) = self.advance() {
                self.writer.left = 0;
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

impl std::iter::FusedIterator for Generator<'_> {}

/// The ids that the network reads before the first character is generated; at least one.
pub(crate) fn prompt_ids(vocab: &Vocab, prompt: &str) -> Result<Vec<u32>, GenerateError> {
    if prompt.is_empty() {
        return Ok(vec![start_id(vocab)]);
    }
    let ids = vocab.encode(prompt).map_err(|unknown| GenerateError::UnknownCharacters {
        unknown,
        known: vocab.chars().to_vec(),
    })?;
    // The prompt of a model of documents is the beginning of one.
    Ok(vocab.id(END_MARK).into_iter().chain(ids.iter()).collect())
}

/// The character that is assumed before the start of a text: the end mark of documents, else a newline, or id 0 if the
/// vocabulary has neither.
pub(crate) fn start_id(vocab: &Vocab) -> u32 {
    vocab.id(END_MARK).or(vocab.id('\n')).unwrap_or(0)
}

/// What generating a text takes besides the network.
#[derive(Debug)]
pub(crate) struct Writer {
    sampler: Sampler,
    stop: StopSequence,
    /// Logits without those that are never drawn.
    logits: Vec<f32>,
    /// Characters still to be generated.
    left: usize,
}

impl Writer {
    pub(crate) fn new(config: &GenerateConfig, vocab_size: usize, sample: u64) -> Self {
        let GenerateConfig { prompt: _, length, sampling, seed, stop } = config;
        Self {
            sampler: Sampler::new(*sampling, vocab_size, *seed).for_sample(sample),
            stop: StopSequence::new(stop.as_deref().unwrap_or_default()),
            logits: Vec::new(),
            left: *length,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.left == 0
    }

    /// Chooses a character, and passes those to `out` that are certain to be part of the text. Returns the
    /// id that the network is to read next.
    pub(crate) fn write(
        &mut self,
        logits: &[f32],
        vocab: &Vocab,
        mut out: impl FnMut(char),
    ) -> Result<u32, NonFiniteLogits> {
        let id = match vocab.id(UNKNOWN_MARK) {
            // It stands for no character that could be written.
            Some(unknown) => {
                self.logits.clear();
                self.logits.extend_from_slice(logits);
                self.logits[unknown as usize] = f32::NEG_INFINITY;
                self.sampler.sample(&self.logits)?
            }
            None => self.sampler.sample(logits)?,
        };
        // Only a vocabulary that isn't the network's can lack the id.
        let char = vocab.char(id).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.left -= 1;
        if char == END_MARK {
            self.stop.finish(&mut out);
            self.left = 0;
        } else if self.stop.push(char, &mut out) {
            self.left = 0;
        } else if self.left == 0 {
            self.stop.finish(&mut out);
        }
        Ok(id)
    }
}

#[cfg(test)]
mod tests;
