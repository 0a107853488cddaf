//! Ctrl-C: once to stop after the current step, twice to stop at once.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::train::Interrupter;

use crate::dashboard;
use crate::report::{Failure, INTERRUPTED, Result, print_status};

/// Makes Ctrl-C (and a request to terminate) stop the training that holds `interrupter`; it is the same in all calls.
pub fn listen(interrupter: &Interrupter, with_dashboard: bool) -> Result<()> {
    static LISTENING: AtomicBool = AtomicBool::new(false);
    if LISTENING.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let interrupter = interrupter.clone();
    let asked = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            if with_dashboard {
                dashboard::restore_terminal();
            }
            std::process::exit(INTERRUPTED.into());
        }
        if !with_dashboard {
            print_status!("stopping after this step (Ctrl-C again to stop at once)");
        }
        interrupter.stop(Some("interrupted"));
    })
    .map_err(|error| Failure::work(format!("could not listen for Ctrl-C: {error}")))
}
