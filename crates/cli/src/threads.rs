//! The number of threads that compute.

use crate::report::{Failure, Result};

/// Limits the thread pool that charloom's kernels, Burn's CPU backends and the matrix products share. Without a limit it
/// has as many threads as the machine has cores.
pub fn limit(threads: Option<u16>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.into())
        .build_global()
        .map_err(|error| Failure::work(format!("could not start {threads} threads: {error}")))
}

/// The number of threads of the pool.
pub fn count() -> usize {
    rayon::current_num_threads()
}
