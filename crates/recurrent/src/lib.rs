//! LSTM, GRU and Elman layers for Burn as fused operations over whole sequences.
#![deny(missing_docs)]

mod cell;
pub mod cpu;
mod dropout;
mod generic;
mod init;
mod layer;
mod loss;
pub mod ops;
mod stack;
mod state;
mod stepper;

pub use cell::Cell;
pub use cpu::Dropout;
pub use init::Init;
pub use layer::{Bias, RecurrentLayer, RecurrentLayerConfig, Sequence};
pub use loss::linear_cross_entropy;
pub use stack::{Recurrent, RecurrentConfig};
pub use state::State;
pub use stepper::{Stepper, has_cpu_kernels};
