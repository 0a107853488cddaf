//! Aligned buffers that are handed out again: a layer's activations are tens of megabytes, and fresh pages
//! for them every step cost as much as a gate.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Mutex;

/// A cache line, and the widest vector: a row that starts on one is read at full speed.
const ALIGNMENT: usize = 64;
/// Buffers smaller than this (in f32) aren't kept: the allocator has them ready.
const SMALLEST_KEPT: usize = 1 << 14;
/// What is kept for later, at most: 768 MB. Beyond it the oldest go back to the allocator.
const MOST_KEPT: usize = 768 << 18;

static POOL: Mutex<Vec<Allocation>> = Mutex::new(Vec::new());

struct Allocation {
    start: NonNull<f32>,
    capacity: usize,
}

// SAFETY: an allocation is owned like a `Vec<f32>`.
unsafe impl Send for Allocation {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Allocation {}

impl Allocation {
    fn layout(capacity: usize) -> Layout {
        match Layout::array::<f32>(capacity).and_then(|l| l.align_to(ALIGNMENT)) {
            Ok(layout) => layout,
            Err(_) => panic!("a buffer of {capacity} f32 is larger than the address space"),
        }
    }

    fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let layout = Self::layout(capacity);
        // SAFETY: the layout isn't empty.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start.cast::<f32>()) {
            Some(start) => Allocation { start, capacity },
            None => handle_alloc_error(layout),
        }
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.capacity)) }
    }
}

/// `len` f32 that start on a cache line. The content is unspecified but initialised.
pub struct Buffer {
    allocation: Option<Allocation>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len`, from those that were dropped before if one fits.
    pub fn new(len: usize) -> Self {
        if len >= SMALLEST_KEPT
            && let Ok(mut pool) = POOL.lock()
        {
            let fitting = pool
                .iter()
                .enumerate()
                .filter(|(_, a)| a.capacity >= len && a.capacity / 2 <= len)
                .min_by_key(|(_, a)| a.capacity)
                .map(|(at, _)| at);
            if let Some(at) = fitting {
                return Buffer { allocation: Some(pool.remove(at)), len };
            }
        }
        Buffer { allocation: Some(Allocation::new(len)), len }
    }

    /// A buffer of zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::new(len);
        buffer.fill(0.0);
        buffer
    }

    /// A copy.
    pub fn copy_of(values: &[f32]) -> Self {
        let mut buffer = Self::new(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    fn start(&self) -> NonNull<f32> {
        self.allocation.as_ref().map_or(NonNull::dangling(), |a| a.start)
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: `len` is at most the capacity, all of which was initialised when it was allocated.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(allocation) = self.allocation.take() else { return };
        if allocation.capacity < SMALLEST_KEPT {
            return;
        }
        let mut evicted = Vec::new();
        if let Ok(mut pool) = POOL.lock() {
            pool.push(allocation);
            let mut kept: usize = pool.iter().map(|a| a.capacity).sum();
            while kept > MOST_KEPT {
                let oldest = pool.remove(0);
                kept -= oldest.capacity;
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
