//! Ctrl-C: once to stop in good order, twice to stop at once.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::train::Interrupter;

use crate::dashboard;
use crate::report::{Failure, Result, say};

/// As shells have it: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

/// Makes Ctrl-C (and a request to terminate) stop the training that holds `interrupter`.
pub fn listen(interrupter: Interrupter, with_dashboard: bool) -> Result<()> {
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            if with_dashboard {
                dashboard::abandon();
            }
            std::process::exit(INTERRUPTED);
        }
        if !with_dashboard {
            say!("stopping after this step (Ctrl-C again to stop at once)");
        }
        interrupter.stop(Some("interrupted"));
    })
    .map_err(|error| Failure::work(format!("could not listen for Ctrl-C: {error}")))
}
