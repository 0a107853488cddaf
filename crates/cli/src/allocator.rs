//! The allocator of the program: mimalloc, configured to keep freed pages.

use std::ffi::{c_int, c_long};

/// Training allocates and frees the same large buffers at every step, which this allocator is quick at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` in mimalloc's header. The crate has no name for it.
const PURGE_DELAY: c_int = 15;

// As in `mimalloc.h`. The crate's own declarations would take another dependency.
unsafe extern "C" {
    fn mi_option_set_default(option: c_int, value: c_long);
}

/// Has mimalloc never return freed pages to the system: the next training step needs them again, and the kernel would
/// have to clear fresh ones (docs/performance.md). A value of `MIMALLOC_PURGE_DELAY` in the environment takes precedence.
///
/// To be called first in `main`, while there is one thread. This is the only way from within a program: mimalloc has read
/// its environment variables before `main`.
pub fn keep_freed_pages() {
    // SAFETY: the function checks the index, then writes one word of a static table. It is not thread-safe, but no other
    // thread exists yet.
    unsafe { mi_option_set_default(PURGE_DELAY, -1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        fn mi_option_get(option: c_int) -> c_long;
    }

    #[test]
    fn the_option_that_is_set_is_the_purge_delay() {
        // SAFETY: the function checks the index, then reads one word of a static table.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        // No other option has this default.
        assert_eq!(delay(), 1000);
        keep_freed_pages();
        assert_eq!(delay(), -1);
    }
}
