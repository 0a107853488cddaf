//! LSTM, GRU and Elman layers for Burn as fused operations over whole sequences.
//!
//! [`Recurrent`] is a stack of layers with the parameters of `torch.nn.LSTM`, `GRU` or `RNN`; the [`State`] goes in and
//! comes out. A layer over a sequence is one node of the autodiff graph, with its gradients written by hand. It runs
//! on kernels of this crate, in single precision: on Burn's CPU backends all of it, on GPUs the recurrence.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use charloom_recurrent::{Cell, RecurrentConfig};
//! use rand::SeedableRng;
//!
//! let device = Device::flex().autodiff();
//! let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
//! let gru = RecurrentConfig::new(Cell::Gru, 7, 6).with_layers(2).init(&device, &mut rng);
//!
//! let input = Tensor::random([3, 5, 7], Distribution::Default, &device); // [N, T, D]
//! let (output, state) = gru.forward(input, gru.zero_state(3, &device), None);
//! assert_eq!(output.dims(), [3, 5, 6]); // [N, T, H]
//! assert_eq!(state.hidden(1).dims(), [3, 6]);
//!
//! let grads = output.sum().backward();
//! assert_eq!(gru.layers[0].weight_hh.grad(&grads).unwrap().dims(), [18, 6]); // [G*H, H]
//! ```
#![deny(missing_docs)]

mod cell;
#[doc(hidden)]
pub mod cpu;
mod device;
#[cfg(feature = "gpu")]
mod gpu;
mod init;
mod layer;
mod loss;
mod ops;
mod precision;
mod readout;
mod stack;
mod stack_dropout;
mod state;
mod stepper;

pub use cell::Cell;
pub use cpu::{BatchRows, Dropout};
pub use device::has_cpu_kernels;
pub use init::Init;
pub use layer::{Bias, RecurrentLayer, RecurrentLayerConfig, Sequence};
pub use loss::{linear_cross_entropy, linear_scores};
pub use precision::Precision;
pub use readout::Readout;
pub use stack::{Recurrent, RecurrentConfig};
pub use stack_dropout::StackDropout;
pub use state::State;
pub use stepper::Stepper;
