//! Loom's stand-ins for what `crates/recurrent/src/cpu/sync.rs` has of std.

pub use loom::hint::spin_loop;
pub use loom::sync::Arc;
pub use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering, fence};
pub use loom::thread::{Builder, JoinHandle, Thread, park, yield_now};

/// None, so that the helper parks as soon as it can: a spin more is an interleaving like any other.
pub const SPINS_BEFORE_PARK: u32 = 0;
pub const SPINS_BEFORE_YIELD: u32 = 1;
pub const SPINS_BEFORE_START: u32 = 1;
