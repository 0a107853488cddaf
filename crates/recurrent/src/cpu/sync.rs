//! What [`spin_pair`](super::spin_pair) and [`team`](super::team) synchronise with. The package in `crates/recurrent/loom` has another module of
//! this name, with which loom explores the interleavings of their threads.

pub use std::hint::spin_loop;
pub use std::sync::Arc;
pub use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
pub use std::thread::{Builder, JoinHandle, Thread, park, yield_now};

/// Checks for work before the helper parks: some hundred microseconds.
pub const SPINS_BEFORE_PARK: u32 = 10_000;
/// Checks before a waiting thread lets others run.
pub const SPINS_BEFORE_YIELD: u32 = 200;
/// Checks before a team starts with the threads that have come: some hundred microseconds.
pub const SPINS_BEFORE_START: u32 = 10_000;
