//! [`BatchGenerator`]: generating many texts at once, which join and leave the batch at any time.

use charloom_data::Vocab;

use crate::decoder::BatchDecoder;
use crate::ensemble::LanguageModel;
use crate::generate::{GenerateConfig, GenerateError, Writer};

/// Generates a batch of texts, each with settings of its own. Texts may join between any two steps, and
/// leave as soon as they are finished (continuous batching).
///
/// A text is the one that [`generate`](crate::generate()) gives for its settings, whatever other texts are
/// in the batch: exactly so on the CPU backends. On GPUs rounding may depend on the number of texts in the
/// batch (see [`BatchDecoder`]), and so may a text where two characters are almost equally likely.
///
/// # Examples
/// ```
/// # use burn::tensor::Device;
/// # use charloom_data::Vocab;
/// # use charloom_model::{CharRnnConfig, TrainingSummary, TrainedModel};
/// # use rand::SeedableRng;
/// # let vocab = Vocab::from_text("the loom weaves the words");
/// # let config = CharRnnConfig { hidden_size: 12, ..CharRnnConfig::default() };
/// # let network = config.init(vocab.len(), &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
/// # let model = TrainedModel { network, config, vocab, summary: TrainingSummary::default() };
/// use charloom_infer::{BatchGenerator, GenerateConfig, generate};
///
/// let config = |prompt: &str, length, seed| {
///     GenerateConfig { prompt: prompt.to_string(), length, seed, ..GenerateConfig::default() }
/// };
/// let mut batch = BatchGenerator::new(&model);
/// let first = batch.add(&config("the w", 20, 1))?;
/// batch.step()?;
/// let second = batch.add(&config("loom", 8, 2))?;
/// let mut text = String::new(); // the second
/// while !batch.is_empty() {
///     for output in batch.step()? {
///         if output.row == second {
///             text += &output.text;
///         }
///     }
/// }
/// assert_eq!(text, generate(&model, &config("loom", 8, 2))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BatchGenerator {
    vocab: Vocab,
    decoder: BatchDecoder,
    /// One for each row of the decoder.
    rows: Vec<Row>,
    next_id: u64,
}

#[derive(Debug)]
struct Row {
    id: RowId,
    writer: Writer,
}

/// One text of a [`BatchGenerator`]. Later ones are greater; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(u64);

/// What a step added to one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowOutput {
    /// Which text.
    pub row: RowId,
    /// Its next character; none if it is held back because the stop sequence may begin with it, and several
    /// if this step released such characters.
    pub text: String,
    /// Whether the text is complete. Its row has left the batch then.
    pub finished: bool,
}

impl BatchGenerator {
    /// An empty batch.
    pub fn new(model: &impl LanguageModel) -> Self {
        let (vocab, decoder) = (model.vocab().clone(), BatchDecoder::new(model));
        Self { vocab, decoder, rows: Vec::new(), next_id: 0 }
    }

    /// Number of texts in the batch.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no text in the batch.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a text; its prompt is read at once.
    ///
    /// # Errors
    /// If a setting is out of range, the model doesn't know a character of the prompt, or the device fails.
    /// The batch is unchanged then.
    pub fn add(&mut self, config: &GenerateConfig) -> Result<RowId, GenerateError> {
        self.add_samples(config, 1).map(|rows| rows[0])
    }

    /// Adds several texts with the same settings, whose prompt is read only once. Each has random numbers
    /// of its own, which follow from the seed and its number; text 0 is the one that
    /// [`add`](Self::add) gives.
    ///
    /// # Errors
    /// As of [`add`](Self::add).
    pub fn add_samples(
        &mut self,
        config: &GenerateConfig,
        samples: usize,
    ) -> Result<Vec<RowId>, GenerateError> {
        let prompt = config.prompt_ids(&self.vocab)?;
        if samples == 0 {
            return Ok(Vec::new());
        }
        let row = self.decoder.push(&prompt)?;
        if samples > 1 {
            let rows: Vec<usize> = (0..row).chain(vec![row; samples]).collect();
            self.decoder.select(&rows);
        }
        let vocab_size = self.decoder.vocab_size();
        let ids: Vec<RowId> = (self.next_id..).map(RowId).take(samples).collect();
        self.next_id += samples as u64;
        self.rows.extend(
            (0..)
                .zip(&ids)
                .map(|(sample, &id)| Row { id, writer: Writer::new(config, vocab_size, sample) }),
        );
        Ok(ids)
    }

    /// Removes a text before it is finished. Returns whether it was in the batch.
    pub fn remove(&mut self, row: RowId) -> bool {
        let Some(at) = self.rows.iter().position(|other| other.id == row) else { return false };
        self.rows.remove(at);
        self.decoder.remove(at);
        true
    }

    /// Generates one character of every text; what was added to each, in the order in which they joined.
    /// Texts that are finished leave the batch.
    ///
    /// # Errors
    /// If the network's logits are not finite, or the device fails. The batch is empty then.
    pub fn step(&mut self) -> Result<Vec<RowOutput>, GenerateError> {
        let outputs = self.advance();
        if outputs.is_err() {
            self.rows.clear();
            self.decoder.select(&[]);
        }
        outputs
    }

    fn advance(&mut self) -> Result<Vec<RowOutput>, GenerateError> {
        let mut outputs = Vec::with_capacity(self.rows.len());
        let (mut unfinished, mut ids) = (Vec::new(), Vec::new());
        for (at, Row { id: row, writer }) in self.rows.iter_mut().enumerate() {
            let mut text = String::new();
            // A text of length 0 is finished from the beginning.
            if !writer.is_finished() {
                let id = writer.write(self.decoder.logits(at), &self.vocab, |c| text.push(c))?;
                if !writer.is_finished() {
                    unfinished.push(at);
                    ids.push(id);
                }
            }
            outputs.push(RowOutput { row: *row, text, finished: writer.is_finished() });
        }
        if unfinished.len() < self.rows.len() {
            self.rows.retain(|row| !row.writer.is_finished());
            self.decoder.select(&unfinished);
        }
        self.decoder.step(&ids)?;
        Ok(outputs)
    }
}

/// Generates `samples` texts as one batch. Each has random numbers of its own, which follow from the seed
/// and its number; text 0 is the one that [`generate`](crate::generate()) gives.
///
/// `on_finished` is called once for each text, with its number, as soon as it is complete; of texts that are
/// complete after the same step the lowest number comes first. The result is all texts by number.
///
/// # Errors
/// As of [`Generate::generate_with`](crate::Generate::generate_with). The texts that `on_finished` was given
/// before are complete.
pub fn generate_many(
    model: &impl LanguageModel,
    config: &GenerateConfig,
    samples: usize,
    on_finished: &mut dyn FnMut(usize, &str),
) -> Result<Vec<String>, GenerateError> {
    let mut batch = BatchGenerator::new(model);
    let rows = batch.add_samples(config, samples)?;
    let mut texts = vec![String::new(); samples];
    while !batch.is_empty() {
        for RowOutput { row, text, finished } in batch.step()? {
            let Ok(number) = rows.binary_search(&row) else { continue };
            texts[number] += &text;
            if finished {
                on_finished(number, &texts[number]);
            }
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests;
