//! A pointer that the threads of one operation share.

use std::marker::PhantomData;
use std::ptr::NonNull;

/// A pointer into a slice, `Send` and `Sync`: each thread of an operation reads or writes its own rows or columns
/// through a copy.
pub struct SendPtr<'a, T> {
    start: NonNull<T>,
    slice: PhantomData<&'a mut [T]>,
}

impl<T> Clone for SendPtr<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SendPtr<'_, T> {}

// SAFETY: whoever made the pointer promised that concurrent accesses through its copies don't conflict.
unsafe impl<T: Send + Sync> Send for SendPtr<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for SendPtr<'_, T> {}

impl<'a, T> SendPtr<'a, T> {
    /// A pointer to the first element of `slice`.
    ///
    /// # Safety
    /// Of the accesses through copies of this pointer, on any thread, no two may touch the same element unless one
    /// happens before the other or both only read.
    pub unsafe fn new(slice: &'a mut [T]) -> Self {
        let start = NonNull::from(slice).cast();
        SendPtr { start, slice: PhantomData }
    }

    /// A pointer to the first element of a slice that is only read.
    ///
    /// # Safety
    /// Nothing may be written through copies of this pointer.
    pub unsafe fn read_only(slice: &'a [T]) -> Self {
        let start = NonNull::from(slice).cast();
        SendPtr { start, slice: PhantomData }
    }

    /// The pointer to the element at `index`, which must lie in the slice or at its end.
    ///
    /// # Panics
    /// Where the address would be null.
    pub fn offset(self, index: usize) -> Self {
        let start = NonNull::new(self.at(index)).expect("an address within the slice isn't null");
        SendPtr { start, ..self }
    }

    /// The address of the element at `index`. To access it, it must lie in the slice.
    #[inline(always)]
    pub fn at(self, index: usize) -> *mut T {
        self.start.as_ptr().wrapping_add(index)
    }
}
