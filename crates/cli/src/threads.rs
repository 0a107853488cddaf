//! How many threads compute.

use crate::report::{Failure, Result};

/// Bounds the one thread pool that the program's kernels, Burn's CPU backends and the matrix products share. Without a
/// number it has as many threads as the machine has cores.
pub fn limit(threads: Option<u16>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.into())
        .build_global()
        .map_err(|error| Failure::work(format!("could not start {threads} threads: {error}")))
}

/// How many there are.
pub fn count() -> usize {
    rayon::current_num_threads()
}
