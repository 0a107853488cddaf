//! Settings: the defaults, a file, flags and `--set`, laid one over the other and checked.
//!
//! Each of those is a [`Layer`] of the same [`raw`] shape, and all that is in a layer remembers where it
//! was typed; [`resolve()`] takes each key from the topmost layer that has it, checks it and answers with values that
//! need no more checking; [`show()`] prints those as a settings file again.

mod layer;
mod optimizer;
mod raw;
mod resolve;
mod show;
mod sweep;
mod value;

pub use layer::{Layer, Layers};
pub use resolve::{Resolved, resolve, sample};
pub use show::{origins, show};
pub use sweep::{Planned, Sweep};

#[cfg(test)]
mod tests;
