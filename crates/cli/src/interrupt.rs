//! Signals: the first ends a training after the current step; only a second Ctrl-C ends it at once.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::train::Interrupter;

use crate::dashboard;
use crate::report::{Failure, INTERRUPTED, Result, print_status};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// Ctrl-C: a person who waits, and who may repeat it.
    Interrupt,
    /// A closed terminal, `kill` or a shutdown. They may come several times.
    Terminate,
}

/// Makes signals stop the training that holds `interrupter`; it is the same in all calls.
pub fn listen(interrupter: &Interrupter, with_dashboard: bool) -> Result<()> {
    static LISTENING: AtomicBool = AtomicBool::new(false);
    if LISTENING.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let interrupter = interrupter.clone();
    let mut interrupts = 0;
    on_request(move |request| {
        interrupts += usize::from(request == Request::Interrupt);
        if interrupts > 1 {
            if with_dashboard {
                dashboard::restore_terminal();
            }
            std::process::exit(INTERRUPTED.into());
        }
        if !with_dashboard && !interrupter.should_stop() {
            print_status!("stopping after this step (Ctrl-C again to stop at once)");
        }
        interrupter.stop(Some("interrupted"));
    })
    .map_err(|error| Failure::work(format!("could not listen for signals: {error}")))
}

/// Calls `handle` on a thread of its own for each signal that asks to stop. A signal that was ignored when the program
/// started, as under `nohup` or in the background of a script, stays ignored.
#[cfg(unix)]
fn on_request(mut handle: impl FnMut(Request) + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let ignored = ignored_signals();
    let heard = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_in(ignored, *signal));
    let mut signals = Signals::new(heard)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            handle(if signal == SIGINT { Request::Interrupt } else { Request::Terminate });
        }
    })?;
    Ok(())
}

#[cfg(not(unix))]
fn on_request(
    mut handle: impl FnMut(Request) + Send + 'static,
) -> std::result::Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || handle(Request::Interrupt))
}

/// The set of signals that this process ignores, signal n as bit n - 1; empty where the system doesn't say.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    // What other systems tell needs `sigaction`, for which there is no safe function.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Whether a signal is in a set.
#[cfg(unix)]
fn is_in(set: u64, signal: i32) -> bool {
    set & (1 << (signal - 1)) != 0
}
