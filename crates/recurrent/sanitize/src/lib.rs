//! `crates/recurrent/src/cpu`, which knows nothing of Burn, with its own tests.

#[path = "../../src/cell.rs"]
mod cell;
#[path = "../../src/cpu/mod.rs"]
pub mod cpu;

#[path = "../../src/precision.rs"]
mod precision;

pub use cell::Cell;
pub use precision::Precision;
