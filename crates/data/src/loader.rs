//! [`BatchLoader`]: the batches of a text as tensors, for Burn's training loop.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::batch::Batches;

/// One batch on a device.
#[derive(Clone, Debug)]
pub struct CharBatch {
    /// Character ids, `[N, T]`.
    pub inputs: Tensor<2, Int>,
    /// The id that follows each of them, `[N, T]`.
    pub targets: Tensor<2, Int>,
    /// Its place among the batches of an epoch, from 0.
    pub index: usize,
}

/// Gives out [`Batches`] in order, each built on the loader's device. Its items, in Burn's sense, are whole batches.
///
/// The order is what lets a recurrent state be carried along, so there is no shuffling and there are no workers: to
/// fill a batch is to copy N·T ids twice.
#[derive(Debug)]
pub struct BatchLoader {
    batches: Batches,
    device: Device,
    range: Range<usize>,
    /// The batch at which the next iteration begins. Only that one: the next epoch is a whole one again.
    start: AtomicUsize,
}

impl BatchLoader {
    /// A loader of all the batches, on `device`.
    pub fn new(batches: Batches, device: Device) -> Self {
        let range = 0..batches.len();
        Self::part(batches, device, range, 0)
    }

    fn part(batches: Batches, device: Device, range: Range<usize>, start: usize) -> Self {
        let start = AtomicUsize::new(start.clamp(range.start, range.end));
        Self { batches, device, range, start }
    }

    /// The same batches, but the next iteration begins at batch `index` of them (and is empty if there are no more).
    /// Iterations after that begin at the first batch. This is how a run that stopped within an epoch goes on.
    ///
    /// Progress and the number of items still count the whole epoch.
    #[must_use]
    pub fn start_at(self, index: usize) -> Self {
        let start = self.range.start.saturating_add(index);
        Self::part(self.batches, self.device, self.range, start)
    }

    /// The batches that it gives out.
    pub fn batches(&self) -> &Batches {
        &self.batches
    }

    /// The device on which it builds them.
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

    /// The same batches on another device. A pending [`BatchLoader::start_at`] goes with it.
    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<CharBatch>> {
        Arc::new(Self::part(
            self.batches.clone(),
            device.clone(),
            self.range.clone(),
            self.start.load(Ordering::Relaxed),
        ))
    }

    /// The batches from `start` up to `end` of this loader, cut to those that exist.
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

        let shape = [batches.config().batch_size, batches.config().seq_length];
        // These become the tensors' own memory where the device is the CPU.
        let mut inputs = vec![0i32; batches.chars_per_batch()];
        let mut targets = vec![0i32; batches.chars_per_batch()];
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
