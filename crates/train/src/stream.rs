//! Batches that carry the recurrent state with them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use charloom_data::{BatchLoader, Batches, CharBatch};
use charloom_model::State;

/// The state at the place in the text that a stream of batches has come to: zero before the first.
#[derive(Clone, Debug, Default)]
pub struct Carry(Arc<Mutex<Option<State>>>);

impl Carry {
    /// A carry that holds a state already.
    pub fn of(state: Option<State>) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// What was put last, if anything was.
    pub fn get(&self) -> Option<State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves a state for the next batch. Its history is cut: that is where backpropagation
    /// through time is truncated.
    pub fn put(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state.detach());
    }
}

/// A batch and the state to begin it with.
#[derive(Clone, Debug)]
pub struct StreamBatch {
    /// Inputs and targets, `[N, T]`.
    pub chars: CharBatch,
    /// The state of the stream that the batch belongs to.
    pub carry: Carry,
    /// Chooses what dropout drops in this batch.
    pub seed: u64,
}

/// A loader of one pass after another over the same batches.
pub struct StreamLoader {
    loader: Arc<dyn DataLoader<CharBatch>>,
    seed: u64,
    /// The pass that comes next.
    epoch: AtomicUsize,
    /// What the next pass begins with.
    carry: Mutex<Carry>,
    /// Whether all passes have one carry; else the ones after the next have new ones.
    endless: bool,
}

impl StreamLoader {
    /// Begins with epoch `epoch`, at batch `batch` of it, with what `carry` holds. Each pass after it
    /// begins with zeros.
    pub fn new(
        batches: Batches,
        device: Device,
        seed: u64,
        epoch: usize,
        batch: usize,
        carry: Carry,
    ) -> Self {
        let loader = Arc::new(BatchLoader::new(batches, device).start_at(batch));
        let (epoch, carry) = (AtomicUsize::new(epoch), Mutex::new(carry));
        Self { loader, seed, epoch, carry, endless: false }
    }

    /// The same, but each pass begins with the state that the one before ended in.
    #[must_use]
    pub fn endless(self) -> Self {
        Self { endless: true, ..self }
    }

    fn over(&self, loader: Arc<dyn DataLoader<CharBatch>>, carry: Carry) -> Self {
        let epoch = AtomicUsize::new(self.epoch.load(Ordering::Relaxed));
        let (carry, endless) = (Mutex::new(carry), self.endless);
        Self { loader, seed: self.seed, epoch, carry, endless }
    }

    fn pending(&self) -> Carry {
        self.carry.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl DataLoader<StreamBatch> for StreamLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<StreamBatch> + 'a> {
        let carry = {
            let mut next = self.carry.lock().unwrap_or_else(PoisonError::into_inner);
            let carry = next.clone();
            if !self.endless {
                *next = Carry::default();
            }
            carry
        };
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let seed = mix(self.seed, epoch as u64);
        Box::new(Iter { chars: self.loader.iter(), carry, seed })
    }

    fn num_items(&self) -> usize {
        self.loader.num_items()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<StreamBatch>> {
        let state = self.pending().get().map(|state| state.to_device(device));
        Arc::new(self.over(self.loader.to_device(device), Carry::of(state)))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<StreamBatch>> {
        Arc::new(self.over(self.loader.slice(start, end), self.pending()))
    }
}

struct Iter<'a> {
    chars: Box<dyn DataLoaderIterator<CharBatch> + 'a>,
    carry: Carry,
    seed: u64,
}

impl Iterator for Iter<'_> {
    type Item = Result<StreamBatch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let chars = self.chars.next()?;
        Some(chars.map(|chars| {
            let seed = mix(self.seed, chars.index as u64);
            StreamBatch { chars, carry: self.carry.clone(), seed }
        }))
    }
}

impl DataLoaderIterator<StreamBatch> for Iter<'_> {
    fn progress(&self) -> Progress {
        self.chars.progress()
    }
}

/// A seed for the `index`-th of the things that `seed` governs (the finaliser of SplitMix64).
pub(crate) fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
