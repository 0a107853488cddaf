//! Writing text: one as a [`Generator`], or many side by side.

use std::collections::VecDeque;

use burn::tensor::TensorReadError;
use charloom_data::{EscapedChar, UnknownCharacters, Vocab};
use charloom_model::TrainedModel;
use thiserror::Error;

use crate::sampling::{NotFinite, Sampler, Sampling};
use crate::stop::StopText;
use crate::streams::Streams;

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateConfig {
    /// The text that the model goes on from. It is not written again. If it is empty, the model starts
    /// as if after a newline, or after the character with id 0 if it knows no newline.
    pub prime: String,
    /// How many characters are written, unless the stop text comes first.
    pub length: usize,
    /// How characters are picked.
    pub sampling: Sampling,
    /// The same seed, model, settings and backend give the same text.
    pub seed: u64,
    /// Writing ends when this text has been written; it is not part of the result. Empty is as none.
    /// A character in it that the model doesn't know is no error: such a text never comes.
    pub stop: Option<String>,
}

impl GenerateConfig {
    /// Whether a model with this vocabulary can start from the prime, before one is put to work.
    ///
    /// # Errors
    /// [`GenerateError::UnknownCharacters`], if it can't.
    pub fn check(&self, vocab: &Vocab) -> Result<(), GenerateError> {
        prime_ids(vocab, &self.prime).map(drop)
    }
}

/// Why a text can't be written.
#[derive(Debug, Error)]
pub enum GenerateError {
    /// The prime has characters that the model doesn't know.
    #[error("cannot start from the prime: {unknown}")]
    UnknownCharacters {
        /// Those characters.
        unknown: UnknownCharacters,
        /// The characters that the model does know.
        known: Vec<char>,
    },
    /// The network's logits are not numbers, as after a training that diverged.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// The device failed at its work.
    #[error("the device could not compute the next character: {0}")]
    Device(#[from] TensorReadError),
}

impl GenerateError {
    /// What would help, if something would.
    pub fn hint(&self) -> Option<String> {
        /// Texts in some scripts have thousands of characters.
        const LISTED: usize = 200;
        let Self::UnknownCharacters { known, .. } = self else { return None };
        let listed = known.iter().take(LISTED).map(|&char| format!("`{}`", EscapedChar(char)));
        let listed: Vec<_> = listed.collect();
        let more = match known.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("the model knows {}{more}", listed.join(", ")))
    }
}

/// Writes one text: an iterator of its characters, each computed when it is asked for.
///
/// Characters that may be the beginning of the stop text are held back until it is clear that they are
/// not. After an error there are no more characters.
#[derive(Debug)]
pub struct Generator<'a> {
    vocab: &'a Vocab,
    streams: Streams,
    writer: Writer,
    /// Picked, but not yet read by the network.
    unread: Option<i32>,
    ready: VecDeque<char>,
}

impl<'a> Generator<'a> {
    /// Reads the prime.
    ///
    /// # Errors
    /// If the model doesn't know a character of the prime, or the device fails.
    pub fn new(model: &'a TrainedModel, config: &GenerateConfig) -> Result<Self, GenerateError> {
        let prime = prime_ids(&model.vocab, &config.prime)?;
        Ok(Self {
            vocab: &model.vocab,
            streams: Streams::new(&model.network, &prime, 1)?,
            writer: Writer::new(config, model.network.vocab_size(), 0),
            unread: None,
            ready: VecDeque::new(),
        })
    }

    /// Writes one more character, which may have to be held back, or may free others.
    fn advance(&mut self) -> Result<(), GenerateError> {
        if let Some(id) = self.unread.take() {
            self.streams.step(&[id])?;
        }
        let ready = &mut self.ready;
        let id = self.writer.write(self.streams.logits(0), self.vocab, |c| ready.push_back(c))?;
        self.unread = Some(id);
        Ok(())
    }
}

impl Iterator for Generator<'_> {
    type Item = Result<char, GenerateError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.writer.finished() {
            if let Err(error) = self.advance() {
                self.writer.left = 0;
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

impl std::iter::FusedIterator for Generator<'_> {}

/// Writes one text.
///
/// # Errors
/// Those of [`Generator::new`], or the network's logits are not finite numbers.
pub fn generate(model: &TrainedModel, config: &GenerateConfig) -> Result<String, GenerateError> {
    Generator::new(model, config)?.collect()
}

/// Writes `samples` texts side by side, as one batch; each is drawn with numbers of its own, which
/// follow from the seed and its number. Text 0 is the one that [`generate`] writes.
///
/// `each` is given every text once, with its number, as soon as it is whole; of texts that become whole
/// together the lowest number comes first. The result is all of them by number.
///
/// # Errors
/// As of [`generate`]. The texts that `each` was given by then are whole.
pub fn generate_many(
    model: &TrainedModel,
    config: &GenerateConfig,
    samples: usize,
    each: &mut dyn FnMut(usize, &str),
) -> Result<Vec<String>, GenerateError> {
    let prime = prime_ids(&model.vocab, &config.prime)?;
    let mut texts = vec![String::new(); samples];
    if samples == 0 || config.length == 0 {
        texts.iter().enumerate().for_each(|(number, text)| each(number, text));
        return Ok(texts);
    }
    let mut streams = Streams::new(&model.network, &prime, samples)?;
    let writer = |number| Writer::new(config, model.network.vocab_size(), number);
    let mut writers: Vec<Writer> = (0..samples as u64).map(writer).collect();
    // Texts that are whole go on being read, with whatever they ended on: their rows cost next to nothing.
    let mut ids = vec![0; samples];
    loop {
        let rows = writers.iter_mut().zip(&mut texts).zip(&mut ids).enumerate();
        for (row, ((writer, text), id)) in rows.filter(|(_, ((writer, _), _))| !writer.finished()) {
            *id = writer.write(streams.logits(row), &model.vocab, |char| text.push(char))?;
            if writer.finished() {
                each(row, text);
            }
        }
        if writers.iter().all(Writer::finished) {
            return Ok(texts);
        }
        streams.step(&ids)?;
    }
}

/// The ids that the network reads before the first character is written; at least one.
pub(crate) fn prime_ids(vocab: &Vocab, prime: &str) -> Result<Vec<i32>, GenerateError> {
    if prime.is_empty() {
        return Ok(vec![vocab.id('\n').unwrap_or(0) as i32]);
    }
    let ids = vocab.encode(prime).map_err(|unknown| GenerateError::UnknownCharacters {
        unknown,
        known: vocab.chars().to_vec(),
    })?;
    Ok(ids.iter().map(|id| id as i32).collect())
}

/// What one text needs besides the network.
#[derive(Debug)]
struct Writer {
    sampler: Sampler,
    stop: StopText,
    /// Characters still to be picked.
    left: usize,
}

impl Writer {
    fn new(config: &GenerateConfig, vocab_size: usize, number: u64) -> Self {
        let GenerateConfig { prime: _, length, sampling, seed, stop } = config;
        Self {
            sampler: Sampler::new(*sampling, vocab_size, *seed).for_sample(number),
            stop: StopText::new(stop.as_deref().unwrap_or_default()),
            left: *length,
        }
    }

    fn finished(&self) -> bool {
        self.left == 0
    }

    /// Picks a character, and gives out those that are certain to be part of the text. The id that the
    /// network is to read next.
    fn write(
        &mut self,
        logits: &[f32],
        vocab: &Vocab,
        mut out: impl FnMut(char),
    ) -> Result<i32, NotFinite> {
        let id = self.sampler.pick(logits)?;
        // A vocabulary smaller than the network's would be a mistake of whoever put the two together.
        let char = vocab.char(id).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.left -= 1;
        if self.stop.push(char, &mut out) {
            self.left = 0;
        } else if self.left == 0 {
            self.stop.finish(&mut out);
        }
        Ok(id as i32)
    }
}

#[cfg(test)]
mod tests;
