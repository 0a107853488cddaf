//! [`BatchLoader`]: the batches of a text as tensors, in Burn's interface of data loaders.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::batch::Batches;

/// One batch as tensors on a device.
#[derive(Clone, Debug)]
pub struct CharBatch {
    /// Input character ids, `[N, T]`.
    pub inputs: Tensor<2, Int>,
    /// Target character ids, each the successor of the input in its position, `[N, T]`.
    pub targets: Tensor<2, Int>,
    /// Index of the batch in the epoch, from 0.
    pub index: usize,
}

/// A Burn [`DataLoader`] that yields [`Batches`] in order, as tensors on a device. An item, in Burn's sense, is a batch.
///
/// There is no shuffling, because the recurrent state is carried from each batch to the next; and there are no worker
/// threads, because filling a batch only copies N·T ids twice.
#[derive(Debug)]
pub struct BatchLoader {
    batches: Batches,
    device: Device,
    range: Range<usize>,
    /// The batch at which the next iteration begins. Later iterations begin at the first.
    start: AtomicUsize,
}

impl BatchLoader {
    /// Creates a loader of all batches on `device`.
    pub fn new(batches: Batches, device: Device) -> Self {
        let range = 0..batches.len();
        Self::part(batches, device, range, 0)
    }

    fn part(batches: Batches, device: Device, range: Range<usize>, start: usize) -> Self {
        let start = AtomicUsize::new(start.clamp(range.start, range.end));
        Self { batches, device, range, start }
    }

    /// Makes the next iteration begin at batch `index` (it is empty if there are no more batches), to resume within an
    /// epoch. Later iterations begin at the first batch.
    ///
    /// Progress and number of items still refer to the whole epoch.
    #[must_use]
    pub fn start_at(self, index: usize) -> Self {
        let start = self.range.start.saturating_add(index);
        Self::part(self.batches, self.device, self.range, start)
    }

    /// The batches that the loader yields.
    pub fn batches(&self) -> &Batches {
        &self.batches
    }

    /// The device of the tensors.
    pub fn device(&self) -> &Device {
        &self.device
    }
}

impl DataLoader<CharBatch> for BatchLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<CharBatch> + 'a> {
        let start = self.start.swap(self.range.start, Ordering::Relaxed);
        Box::new(Iter { loader: self, next: start })
    }

    fn num_items(&self) -> usize {
        self.range.len()
    }

    /// A loader of the same batches on another device. A pending [`BatchLoader::start_at`] is kept.
    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<CharBatch>> {
        Arc::new(Self::part(
            self.batches.clone(),
            device.clone(),
            self.range.clone(),
            self.start.load(Ordering::Relaxed),
        ))
    }

    /// A loader of the batches `start..end` of this loader; the range is cut to the batches that exist.
    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<CharBatch>> {
        let end = self.range.start + end.min(self.range.len());
        let start = self.range.start.saturating_add(start).min(end);
        Arc::new(Self::part(
            self.batches.clone(),
            self.device.clone(),
            start..end,
            self.start.load(Ordering::Relaxed),
        ))
    }
}

struct Iter<'a> {
    loader: &'a BatchLoader,
    next: usize,
}

impl Iterator for Iter<'_> {
    type Item = Result<CharBatch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let BatchLoader { batches, device, range, .. } = self.loader;
        if self.next >= range.end {
            return None;
        }
        let index = self.next;
        self.next += 1;

        let shape = batches.shape();
        // On a CPU device these vectors become the tensors' storage.
        let mut inputs = vec![0i32; shape.iter().product()];
        let mut targets = inputs.clone();
        batches.fill(index, &mut inputs, &mut targets);
        Some(Ok(CharBatch {
            inputs: Tensor::from_data(TensorData::new(inputs, shape), device), // [N, T]
            targets: Tensor::from_data(TensorData::new(targets, shape), device), // [N, T]
            index,
        }))
    }
}

impl DataLoaderIterator<CharBatch> for Iter<'_> {
    fn progress(&self) -> Progress {
        let range = &self.loader.range;
        let done = self.next - range.start;
        Progress::new(done, range.len(), Some("batches".to_owned()))
    }
}

#[cfg(test)]
mod tests;
