//! [`BatchDecoder`]: the network read several texts at a time, one character of each per step.

mod network;

use burn::tensor::TensorReadError;

use self::network::NetworkDecoder;
use crate::ensemble::Networks;
use crate::softmax::log_mean_softmax;

/// A batch of texts that a network reads in step. Texts join and leave at any time (continuous batching).
///
/// Each row is one text: the network's state after all that the row has read, and the logits of its next
/// character. Rows are numbered from 0 without gaps, in the order in which they joined.
/// [`BatchGenerator`](crate::BatchGenerator) generates text with it; use the decoder itself for another
/// way of choosing characters, such as a search.
///
/// Of an [`Ensemble`](crate::Ensemble), a row's logits are the logarithms of its mean probabilities; their
/// softmax is these probabilities themselves.
///
/// # Reproducibility
/// On the CPU backends a row's logits are the same to the last bit whatever other rows are beside it and
/// whenever it joined. On GPUs they are the same up to rounding: there, another number of rows may mean
/// another kernel, which sums in another order.
///
/// # Examples
/// ```
/// # use burn::tensor::Device;
/// # use charloom_model::CharRnnConfig;
/// # use rand::SeedableRng;
/// # let config = CharRnnConfig { hidden_size: 12, ..CharRnnConfig::default() };
/// # let network = config.init(5, &Device::flex(), &mut rand_chacha::ChaCha8Rng::seed_from_u64(7));
/// use charloom_infer::BatchDecoder;
///
/// let mut decoder = BatchDecoder::new(&network);
/// let first = decoder.push(&[0, 3, 1])?;
/// decoder.step(&[4])?;
/// let second = decoder.push(&[2])?;
/// decoder.step(&[0, 1])?;
/// let expected = decoder.logits(second).to_vec(); // of what follows 2, 1
/// decoder.remove(first);
/// assert_eq!(decoder.logits(0), expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BatchDecoder {
    /// One for each network, all with the same rows.
    decoders: Vec<NetworkDecoder>,
    vocab_size: usize,
    rows: usize,
    /// ln of the mean probabilities `[N, V]`, if there is more than one network.
    mean: Vec<f32>,
}

impl BatchDecoder {
    /// A decoder without rows. On the CPU this packs the weights for the kernels.
    pub fn new(model: &impl Networks) -> Self {
        Self::of(model.networks().iter().map(NetworkDecoder::new).collect())
    }

    /// As on a device that has no kernels for single steps.
    #[cfg(test)]
    pub(crate) fn without_kernels(model: &impl Networks) -> Self {
        Self::of(model.networks().iter().map(NetworkDecoder::without_kernels).collect())
    }

    fn of(decoders: Vec<NetworkDecoder>) -> Self {
        let vocab_size = decoders.first().map_or(0, NetworkDecoder::vocab_size);
        Self { decoders, vocab_size, rows: 0, mean: Vec::new() }
    }

    /// The number of rows, N.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of characters that the model knows, V.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Adds a row that has read `prompt` from a zero state; its number, which is the highest.
    ///
    /// # Errors
    /// If the device fails. The row is not added then.
    ///
    /// # Panics
    /// If the prompt is empty or has an id that is not in `0..V`.
    pub fn push(&mut self, prompt: &[u32]) -> Result<usize, TensorReadError> {
        assert!(!prompt.is_empty(), "a row begins with at least one character");
        for index in 0..self.decoders.len() {
            if let Err(error) = self.decoders[index].push(prompt) {
                let before: Vec<usize> = (0..self.rows).collect();
                self.decoders[..index].iter_mut().for_each(|decoder| decoder.select(&before));
                return Err(error);
            }
        }
        self.rows += 1;
        self.average(self.rows - 1);
        Ok(self.rows - 1)
    }

    /// The logits of a row's next character, `[V]`.
    ///
    /// # Panics
    /// Unless there is such a row.
    pub fn logits(&self, row: usize) -> &[f32] {
        match &self.decoders[..] {
            [decoder] => decoder.logits(row),
            _ => &self.mean[row * self.vocab_size..(row + 1) * self.vocab_size],
        }
    }

    /// Reads one more character of every row.
    ///
    /// # Errors
    /// If the device fails. The rows have lost their state then: [`select`](Self::select) none of them.
    ///
    /// # Panics
    /// Unless there is one id for each row, each in `0..V`.
    pub fn step(&mut self, ids: &[u32]) -> Result<(), TensorReadError> {
        assert_eq!(ids.len(), self.rows, "one id for each row");
        for decoder in &mut self.decoders {
            decoder.step(ids)?;
        }
        self.average(0);
        Ok(())
    }

    /// Removes a row; the numbers of those behind it fall by one.
    ///
    /// # Panics
    /// Unless there is such a row.
    pub fn remove(&mut self, row: usize) {
        assert!(row < self.rows, "rows are in 0..{}", self.rows);
        let others: Vec<usize> = (0..self.rows).filter(|&other| other != row).collect();
        self.select(&others);
    }

    /// Keeps the rows with these numbers, in this order. A number that is given twice makes two rows that
    /// have read the same; rows that aren't given are removed.
    ///
    /// # Panics
    /// Unless every number is that of a row.
    pub fn select(&mut self, rows: &[usize]) {
        if self.decoders.len() > 1 {
            self.mean = rows.iter().flat_map(|&row| self.logits(row)).copied().collect();
        }
        self.decoders.iter_mut().for_each(|decoder| decoder.select(rows));
        self.rows = rows.len();
    }

    /// Computes the mean probabilities from row `first` on.
    fn average(&mut self, first: usize) {
        if self.decoders.len() < 2 {
            return;
        }
        self.mean.truncate(first * self.vocab_size);
        let mut log_probs = Vec::with_capacity(self.vocab_size);
        for row in first..self.rows {
            let logits: Vec<&[f32]> =
                self.decoders.iter().map(|decoder| decoder.logits(row)).collect();
            match log_mean_softmax(&logits, &mut log_probs) {
                Ok(()) => self.mean.extend(log_probs.iter().map(|&log_prob| log_prob as f32)),
                // Whoever chooses a character from it finds that it isn't finite, as with one network.
                Err(_) => self.mean.extend(std::iter::repeat_n(f32::NAN, self.vocab_size)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
