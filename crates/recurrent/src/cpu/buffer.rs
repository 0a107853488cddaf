//! Cache-line-aligned `f32` buffers that are reused: a layer's activations are tens of megabytes, and faulting in fresh
//! pages for them at every step costs as much as computing a gate.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use aligned_vec::{AVec, ConstAlign};

use super::threads::for_each_chunk;

/// Bytes in a cache line, and in the widest vector: a row that starts on such an address is read at full speed.
const ALIGNMENT: usize = 64;
/// Buffers smaller than this (in `f32`) go back to the allocator, which has that size at hand.
const MIN_POOLED: usize = 1 << 14;
/// The total size of the pool (in `f32`), 768 MB. Beyond it the oldest buffers go back to the allocator.
const MAX_POOLED: usize = 768 << 18;

/// Elements that a thread sets to zero at a time.
const ZERO_CHUNK: usize = 1 << 16;

type Storage = AVec<f32, ConstAlign<ALIGNMENT>>;

static POOL: Mutex<Vec<Storage>> = Mutex::new(Vec::new());

/// `len` aligned `f32`. What a new one holds is unspecified but initialised.
pub struct Buffer {
    /// At least `len` long.
    storage: Storage,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` elements, from the pool if one fits.
    pub fn new(len: usize) -> Self {
        if len >= MIN_POOLED
            && let Ok(mut pool) = POOL.lock()
        {
            let fitting = pool
                .iter()
                .enumerate()
                .filter(|(_, storage)| storage.len() >= len && storage.len() / 2 <= len)
                .min_by_key(|(_, storage)| storage.len())
                .map(|(index, _)| index);
            if let Some(index) = fitting {
                return Buffer { storage: pool.remove(index), len };
            }
        }
        let mut storage = Storage::with_capacity(ALIGNMENT, len);
        storage.resize(len, 0.0);
        Buffer { storage, len }
    }

    /// A buffer of zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::new(len);
        for_each_chunk(&mut buffer, ZERO_CHUNK, |_, chunk| chunk.fill(0.0));
        buffer
    }

    /// A copy of `values`.
    pub fn copy_of(values: &[f32]) -> Self {
        let mut buffer = Self::new(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.storage[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.storage.len() < MIN_POOLED {
            return;
        }
        let storage = std::mem::replace(&mut self.storage, Storage::new(ALIGNMENT));
        // Declared before the lock, so that they are freed after it is released.
        let mut evicted = Vec::new();
        if let Ok(mut pool) = POOL.lock() {
            pool.push(storage);
            let mut pooled: usize = pool.iter().map(|storage| storage.len()).sum();
            while pooled > MAX_POOLED {
                let oldest = pool.remove(0);
                pooled -= oldest.len();
                evicted.push(oldest);
            }
        }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({})", self.len)
    }
}
