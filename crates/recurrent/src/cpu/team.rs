//! Two threads for work that is too short to wake anybody for.
//!
//! A step takes from some tens of microseconds (one stream) to some hundreds, many of them spent on reading weights that
//! don't fit one core's cache. A helper that has them half is worth a core, but only if it needs no waking: it waits for
//! the next stage in a loop, and sleeps when none has come for a while. A helper that is late takes nothing:
//! the leader does what isn't taken, and waits only for what is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};

/// Looks at the board without anything on it before the helper sleeps: some hundred microseconds.
const PATIENCE: u32 = 10_000;
/// Looks at the board before a waiting thread lets others run.
const SPINS: u32 = 200;

/// A stage: called with each of the parts, once, by either thread.
type Stage<'a> = dyn Fn(usize) + Sync + 'a;

/// What both threads look at.
struct Board {
    /// The stage's number, and the parts that nobody has taken: `number << 32 | first << 16 | end`.
    open: AtomicU64,
    /// A `&Stage`; valid as long as a part of the stage with this number isn't done.
    stage: AtomicPtr<&'static Stage<'static>>,
    /// Parts of the stage that are done.
    done: AtomicUsize,
    asleep: AtomicBool,
    ended: AtomicBool,
}

fn open(number: u32, first: u16, end: u16) -> u64 {
    u64::from(number) << 32 | u64::from(first) << 16 | u64::from(end)
}

/// Number, first and end.
fn read(open: u64) -> (u32, u16, u16) {
    ((open >> 32) as u32, (open >> 16) as u16, open as u16)
}

impl Board {
    /// Takes a part and does it, the leader from the front, the helper from the back: so each has the same parts, and
    /// their weights in its cache, every time. False if there is none.
    fn work(&self, leads: bool) -> bool {
        let now = self.open.load(Ordering::SeqCst);
        let (number, first, end) = read(now);
        if first >= end {
            return false;
        }
        let stage = self.stage.load(Ordering::SeqCst);
        let (part, left) = match leads {
            true => (first, open(number, first + 1, end)),
            false => (end - 1, open(number, first, end - 1)),
        };
        if self.open.compare_exchange(now, left, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            // A panic would leave one thread waiting for ever, or the other without the stage.
            let unwinding = AbortOnUnwind;
            // SAFETY: the number is still that of the stage that was read with it (it comes again after 2^32 stages), and
            // the leader keeps a stage alive until all of its parts are done; this one isn't.
            unsafe { (*stage)(part.into()) };
            std::mem::forget(unwinding);
            self.done.fetch_add(1, Ordering::SeqCst);
        }
        true
    }

    fn help(&self) {
        let mut idle = 0;
        while !self.ended.load(Ordering::SeqCst) {
            if self.work(false) {
                idle = 0;
            } else if idle < PATIENCE {
                idle += 1;
                wait(idle);
            } else {
                self.asleep.store(true, Ordering::SeqCst);
                let (_, first, end) = read(self.open.load(Ordering::SeqCst));
                if first >= end && !self.ended.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.asleep.store(false, Ordering::SeqCst);
                idle = 0;
            }
        }
    }
}

struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

fn wait(spins: u32) {
    if spins.is_multiple_of(SPINS) { thread::yield_now() } else { std::hint::spin_loop() }
}

/// The calling thread and a helper of its own.
pub struct Team {
    board: Arc<Board>,
    helper: Option<JoinHandle<()>>,
    thread: Thread,
    number: u32,
}

impl Team {
    /// Starts the helper; none where the system has no thread left.
    pub fn start() -> Option<Self> {
        let board = Arc::new(Board {
            open: AtomicU64::new(0),
            stage: AtomicPtr::new(std::ptr::null_mut()),
            done: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let shared = board.clone();
        let helper = thread::Builder::new()
            .name("charloom-step".to_string())
            .spawn(move || shared.help())
            .ok()?;
        let thread = helper.thread().clone();
        Some(Team { board, helper: Some(helper), thread, number: 0 })
    }

    /// Calls `stage` with each of `0..parts`, on both threads; returns when all are done.
    pub fn run(&mut self, parts: usize, stage: &Stage<'_>) {
        let parts = u16::try_from(parts).expect("a stage has at most 65535 parts");
        let stage: *const &Stage<'_> = &stage;
        let board = &*self.board;
        self.number = self.number.wrapping_add(1);
        board.done.store(0, Ordering::SeqCst);
        // The pointer's lifetime is forgotten here; it is called only until this function returns.
        board.stage.store(stage.cast_mut().cast(), Ordering::SeqCst);
        board.open.store(open(self.number, 0, parts), Ordering::SeqCst);
        if board.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        while board.work(true) {}
        let mut spins = 0;
        while board.done.load(Ordering::SeqCst) < usize::from(parts) {
            spins += 1;
            wait(spins);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.board.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(helper) = self.helper.take() {
            // It has nothing to say.
            _ = helper.join();
        }
    }
}
