//! The number of threads that compute.

use std::num::NonZero;
use std::thread::available_parallelism;

use crate::ranks::local_size;
use crate::report::{Failure, Result};

/// Limits the thread pool that charloom's kernels, Burn's CPU backends and the matrix products share. Without a limit it
/// has as many threads as the machine has cores; where several processes share them, this one's part.
pub fn limit(threads: Option<u16>) -> Result<()> {
    let threads = match threads {
        Some(threads) => threads.into(),
        None if local_size() > 1 => cores_of_rank(),
        None => return Ok(()),
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Failure::work(format!("could not start {threads} threads: {error}")))
}

/// The cores that this process may use: those that it is pinned to, or else its part of the machine's.
fn cores_of_rank() -> usize {
    match is_pinned() {
        true => available(),
        false => (available() / local_size()).max(1),
    }
}

/// The cores of this machine that its processes could have each, where this one is pinned to fewer.
pub fn cores_missed() -> Option<usize> {
    let part = online()? / local_size();
    (available() < part).then_some(part)
}

/// Whether the launcher has pinned this process to some of the machine's cores.
fn is_pinned() -> bool {
    online().is_some_and(|online| available() < online)
}

/// The cores that this process is allowed to run on.
fn available() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// The cores of this machine, where the system tells.
fn online() -> Option<usize> {
    parse_ranges(&std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?)
}

/// The number of cores in a list such as `0-3,8`.
fn parse_ranges(list: &str) -> Option<usize> {
    let counts = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        (last.parse::<usize>().ok()? + 1).checked_sub(first.parse().ok()?)
    });
    counts.sum()
}

/// The number of threads of the pool.
pub fn count() -> usize {
    rayon::current_num_threads()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_counted_in_ranges() {
        assert_eq!(parse_ranges("0-1\n"), Some(2));
        assert_eq!(parse_ranges("0,2-5,9"), Some(6));
        assert_eq!(parse_ranges("all"), None);
    }
}
