//! A team: threads that run at the same time, so that they may wait for one another, at barriers.
//!
//! Its threads come from a pool that promises neither how many are free nor when. So a team consists of those that come
//! within a moment, and its size is known when it starts. A thread that comes later doesn't take part, and one that is busy
//! elsewhere isn't waited for: teams in one pool can't wait for each other for ever.

use super::spin::wait;
use super::sync::{AtomicBool, AtomicUsize, Ordering, SPINS_BEFORE_START};

/// Set in [`Roster::arrived`] once the team has started.
const STARTED: usize = 1 << (usize::BITS - 1);

/// The threads of a team, before and when it starts.
pub struct Roster {
    /// The number of threads that have come.
    arrived: AtomicUsize,
    /// The size of the team; 0 until it has started.
    size: AtomicUsize,
}

impl Roster {
    /// Nobody has come.
    pub fn new() -> Self {
        Roster { arrived: AtomicUsize::new(0), size: AtomicUsize::new(0) }
    }

    /// Joins the team; the thread's index in it, or `None` if the team has started.
    pub fn join(&self) -> Option<usize> {
        let index = self.arrived.fetch_add(1, Ordering::Relaxed);
        (index & STARTED == 0).then_some(index)
    }

    /// Starts the team when `wanted` threads have come, or after a moment with those that have; its size. One of its
    /// threads calls this.
    pub fn start(&self, wanted: usize) -> usize {
        let mut spins = 0;
        while self.arrived.load(Ordering::Relaxed) < wanted && spins < SPINS_BEFORE_START {
            spins += 1;
            wait(spins);
        }
        let size = self.arrived.fetch_or(STARTED, Ordering::Relaxed);
        self.size.store(size, Ordering::Release);
        size
    }

    /// Waits until the team starts; its size.
    pub fn size(&self) -> usize {
        let mut spins = 0;
        loop {
            match self.size.load(Ordering::Acquire) {
                0 => {
                    spins += 1;
                    wait(spins);
                }
                size => return size,
            }
        }
    }
}

/// A point that none of some threads passes before all have reached it. It has a cache line of its own.
#[repr(align(64))]
pub struct Barrier {
    /// The threads that wait.
    waiting: AtomicUsize,
    /// Changes each time that all have come.
    round: AtomicBool,
}

impl Barrier {
    /// Nobody waits.
    pub fn new() -> Self {
        Barrier { waiting: AtomicUsize::new(0), round: AtomicBool::new(false) }
    }

    /// Waits until `threads` threads, always the same, have called this. What any of them wrote before, all see afterwards.
    pub fn wait(&self, threads: usize) {
        let round = self.round.load(Ordering::Relaxed);
        // The last to come sees what the others wrote, and passes it on with `round`.
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == threads {
            self.waiting.store(0, Ordering::Relaxed);
            self.round.store(!round, Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.round.load(Ordering::Acquire) == round {
            spins += 1;
            wait(spins);
        }
    }
}
