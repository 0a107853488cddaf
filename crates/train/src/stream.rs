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

/// A loader of one pass after another over the same batches, each pass with a state of its own.
pub struct StreamLoader {
    loader: Arc<dyn DataLoader<CharBatch>>,
    seed: u64,
    /// The pass that comes next.
    epoch: AtomicUsize,
    /// What the next pass begins with; the ones after it begin with zeros.
    state: Mutex<Option<State>>,
}

impl StreamLoader {
    /// Begins with epoch `epoch`, at batch `batch` of it, in state `state` (zero if there is none).
    pub fn new(
        batches: Batches,
        device: Device,
        seed: u64,
        epoch: usize,
        batch: usize,
        state: Option<State>,
    ) -> Self {
        let loader = Arc::new(BatchLoader::new(batches, device).start_at(batch));
        Self { loader, seed, epoch: AtomicUsize::new(epoch), state: Mutex::new(state) }
    }

    fn over(&self, loader: Arc<dyn DataLoader<CharBatch>>, state: Option<State>) -> Self {
        let epoch = AtomicUsize::new(self.epoch.load(Ordering::Relaxed));
        Self { loader, seed: self.seed, epoch, state: Mutex::new(state) }
    }

    fn pending(&self) -> Option<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl DataLoader<StreamBatch> for StreamLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<StreamBatch> + 'a> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner).take();
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let seed = mix(self.seed, epoch as u64);
        Box::new(Iter { chars: self.loader.iter(), carry: Carry::of(state), seed })
    }

    fn num_items(&self) -> usize {
        self.loader.num_items()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<StreamBatch>> {
        let state = self.pending().map(|state| state.to_device(device));
        Arc::new(self.over(self.loader.to_device(device), state))
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
