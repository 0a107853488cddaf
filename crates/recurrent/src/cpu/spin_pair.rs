//! A pool of two threads that spin, for tasks too short to wake a thread for.
//!
//! A generation step takes from some tens of microseconds (one stream) to some hundreds, many of them spent on reading
//! weights that don't fit one core's cache. A helper that has half of them is worth a core, but only if it needs no
//! waking: it spins until the next task, and parks when none has come for a while. A helper that is late takes nothing:
//! the leader does every part that isn't taken, and waits only for those that are.

use super::spin::{AbortOnUnwind, wait};
use super::sync::{
    Arc, AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Builder, JoinHandle, Ordering,
    SPINS_BEFORE_PARK, Thread, fence, park,
};

/// Called once with each of the parts, by either thread.
type Task<'a> = dyn Fn(usize) + Sync + 'a;

/// The state that both threads share.
struct WorkSlot {
    /// The parts of the current task that nobody has taken; see [`Untaken`].
    untaken: AtomicU64,
    /// A `&Task`; valid as long as a part of the task with the number in `untaken` isn't done.
    task: AtomicPtr<&'static Task<'static>>,
    /// Number of parts of the task that are done.
    done: AtomicUsize,
    /// Whether the helper is parked or about to park.
    parked: AtomicBool,
    /// Whether the helper has to end.
    ended: AtomicBool,
}

/// A task's number and its parts `first..end` that nobody has taken, which fit one atomic word.
#[derive(Clone, Copy)]
struct Untaken {
    number: u32,
    first: u16,
    end: u16,
}

impl Untaken {
    fn pack(self) -> u64 {
        u64::from(self.number) << 32 | u64::from(self.first) << 16 | u64::from(self.end)
    }

    fn unpack(word: u64) -> Self {
        Untaken { number: (word >> 32) as u32, first: (word >> 16) as u16, end: word as u16 }
    }

    fn is_empty(self) -> bool {
        self.first >= self.end
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Leader,
    Helper,
}

impl WorkSlot {
    /// Takes a part and does it, the leader from the front, the helper from the back: so each has the same parts, and
    /// their weights in its cache, every time. Returns false once all parts are taken.
    fn work(&self, role: Role) -> bool {
        let word = self.untaken.load(Ordering::Acquire);
        let untaken = Untaken::unpack(word);
        if untaken.is_empty() {
            return false;
        }
        // Of this task or, if all its parts have been taken since, of a later one: then the exchange fails.
        let task = self.task.load(Ordering::Relaxed);
        let (part, left) = match role {
            Role::Leader => (untaken.first, Untaken { first: untaken.first + 1, ..untaken }),
            Role::Helper => (untaken.end - 1, Untaken { end: untaken.end - 1, ..untaken }),
        };
        let taken =
            self.untaken.compare_exchange(word, left.pack(), Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_ok() {
            // A panic would leave one thread waiting for ever, or the other without the task.
            let abort = AbortOnUnwind;
            // SAFETY: the number is still that of the task that was loaded with it (it returns after 2³² tasks), and
            // the leader keeps a task alive until all of its parts are done; this one isn't.
            unsafe { (*task)(part.into()) };
            std::mem::forget(abort);
            // Release: the leader sees what the part wrote.
            self.done.fetch_add(1, Ordering::Release);
        }
        true
    }

    /// The helper's loop.
    fn help(&self) {
        let mut idle = 0;
        while !self.ended.load(Ordering::Acquire) {
            if self.work(Role::Helper) {
                idle = 0;
            } else if idle < SPINS_BEFORE_PARK {
                idle += 1;
                wait(idle);
            } else {
                self.parked.store(true, Ordering::Relaxed);
                // With the fence in `run`: either this thread sees the new task, or the leader sees that it is parked.
                fence(Ordering::SeqCst);
                let untaken = Untaken::unpack(self.untaken.load(Ordering::Acquire));
                if untaken.is_empty() && !self.ended.load(Ordering::Acquire) {
                    park();
                }
                self.parked.store(false, Ordering::Relaxed);
                idle = 0;
            }
        }
    }
}

/// The calling thread, which leads, and a helper thread of its own.
pub struct SpinPair {
    slot: Arc<WorkSlot>,
    helper: Option<JoinHandle<()>>,
    thread: Thread,
    number: u32,
}

impl SpinPair {
    /// Starts the helper; `None` where the system has no thread left.
    pub fn start() -> Option<Self> {
        let slot = Arc::new(WorkSlot {
            untaken: AtomicU64::new(0),
            task: AtomicPtr::new(std::ptr::null_mut()),
            done: AtomicUsize::new(0),
            parked: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let shared = slot.clone();
        let helper =
            Builder::new().name("charloom-step".to_string()).spawn(move || shared.help()).ok()?;
        let thread = helper.thread().clone();
        Some(SpinPair { slot, helper: Some(helper), thread, number: 0 })
    }

    /// Calls `task` with each of `0..parts`, on both threads; returns when all are done.
    pub fn run(&mut self, parts: usize, task: &Task<'_>) {
        let Ok(end) = u16::try_from(parts) else {
            return (0..parts).for_each(task);
        };
        let task: *const &Task<'_> = &task;
        let slot = &*self.slot;
        self.number = self.number.wrapping_add(1);
        slot.done.store(0, Ordering::Relaxed);
        // The pointer's lifetime is erased here; it is called only until this function returns.
        slot.task.store(task.cast_mut().cast(), Ordering::Relaxed);
        // Release: whoever sees the parts sees the task, and what the leader wrote before.
        let untaken = Untaken { number: self.number, first: 0, end };
        slot.untaken.store(untaken.pack(), Ordering::Release);
        // See `help`.
        fence(Ordering::SeqCst);
        if slot.parked.load(Ordering::Relaxed) {
            self.thread.unpark();
        }
        while slot.work(Role::Leader) {}
        let mut spins = 0;
        while slot.done.load(Ordering::Acquire) < parts {
            spins += 1;
            wait(spins);
        }
    }
}

impl Drop for SpinPair {
    fn drop(&mut self) {
        self.slot.ended.store(true, Ordering::Release);
        self.thread.unpark();
        if let Some(helper) = self.helper.take() {
            // The helper has no result.
            _ = helper.join();
        }
    }
}
