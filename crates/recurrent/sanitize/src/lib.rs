//! `crates/recurrent/src/cpu`, which knows nothing of Burn, with its own tests.

#[path = "../../src/cell.rs"]
mod cell;
#[path = "../../src/cpu/mod.rs"]
pub mod cpu;

pub use cell::Cell;
