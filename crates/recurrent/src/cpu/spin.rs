//! What threads that spin for each other need.

use super::sync::{SPINS_BEFORE_YIELD, spin_loop, yield_now};

/// Waits a moment: the `spins`-th time in a row that a thread finds nothing to do.
pub fn wait(spins: u32) {
    if spins.is_multiple_of(SPINS_BEFORE_YIELD) { yield_now() } else { spin_loop() }
}

/// Ends the process where a task panics, because other threads would wait for that task for ever. Forget it after the task.
pub struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}
