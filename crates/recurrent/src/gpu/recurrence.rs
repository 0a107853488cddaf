//! The recurrence of a layer over a whole sequence, forward and backward: one launch each.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::prelude::*;

use super::fusion::register;
use super::kernels;
use super::prim_tensor::PrimTensor;
use crate::Cell;

/// Units in a cube, at most.
const MAX_UNITS: usize = 256;
/// Rows of the batch in a cube, at most: a weight that was fetched serves so many.
const MAX_ROWS: usize = 8;
/// Weights in a vector, at most.
const MAX_LANES: usize = 4;
/// The shape of a tensor that a cell doesn't have.
const NONE: [usize; 3] = [1, 1, 1];

/// What the forward pass saves for the backward pass.
#[derive(Clone, Debug)]
pub struct SavedActivations {
    /// The hidden state before each step and after the last, `[T + 1, N, H]`, without dropout.
    pub hidden: PrimTensor,
    /// `[T, N, 4*H]`: i, f, g, o of an LSTM; r, z, n and W_hn h + b_hn of a GRU. `[1, 1, 1]` for an Elman cell.
    pub gates: PrimTensor,
    /// c of an LSTM before each step and after the last, `[T + 1, N, H]`. `[1, 1, 1]` for other cells.
    pub cell_state: PrimTensor,
}

/// The gradients that the recurrence gives.
pub struct SequenceGrads {
    /// Of `W_ih x + b_ih`, `[T, N, G*H]`.
    pub projected: PrimTensor,
    /// Of `W_hh h + b_hh`, `[T, N, G*H]`; the same except for the GRU's candidate gate.
    pub recurrent: PrimTensor,
    /// Of the initial state, `[S, N, H]`.
    pub state: PrimTensor,
}

/// The forward pass.
///
/// # Shapes
/// - `projected`: `W_ih x + b_ih`, `[T, N, G*H]`
/// - `weight`: `[G*H, H]`, `bias`: `[G*H]`, `state`: `[S, N, H]`
pub fn forward(
    cell: Cell,
    projected: &PrimTensor,
    weight: PrimTensor,
    bias: PrimTensor,
    state: &PrimTensor,
) -> SavedActivations {
    let ([_, n, h], [steps, ..]) = (state.dims(), projected.dims::<3>());
    let launch = Launch { cell, steps, n, h };
    let inputs = [projected.clone(), weight.t(), bias, state.clone()];
    let shapes = launch.saved_shapes();
    let [hidden, gates, cell_state] =
        register("recurrence_forward", inputs, shapes, move |inputs| launch.forward(inputs));
    SavedActivations { hidden, gates, cell_state }
}

/// The backward pass.
///
/// # Shapes
/// - `weight`: `[G*H, H]`
/// - `grad_output`: of each step's hidden state, `[T, N, H]`; `grad_last`: of the final state, `[S, N, H]`
pub fn backward(
    cell: Cell,
    saved: &SavedActivations,
    weight: PrimTensor,
    grad_output: &PrimTensor,
    grad_last: &PrimTensor,
) -> SequenceGrads {
    let [steps, n, h] = grad_output.dims();
    let launch = Launch { cell, steps, n, h };
    let SavedActivations { hidden, gates, cell_state } = saved.clone();
    let inputs = [hidden, gates, cell_state, weight, grad_output.clone(), grad_last.clone()];
    let shapes = launch.grad_shapes();
    let [state, projected, recurrent] =
        register("recurrence_backward", inputs, shapes, move |inputs| launch.backward(inputs));
    let recurrent = if cell == Cell::Gru { recurrent } else { projected.clone() };
    SequenceGrads { projected, recurrent, state }
}

/// The sizes of a launch.
#[derive(Clone, Copy)]
struct Launch {
    cell: Cell,
    steps: usize,
    n: usize,
    h: usize,
}

impl Launch {
    /// The shapes of `hidden`, `gates` and `cell_state`.
    fn saved_shapes(&self) -> [[usize; 3]; 3] {
        let Self { cell, steps, n, h } = *self;
        let (hidden, gates) = ([steps + 1, n, h], [steps, n, kernels::SAVED_GATES * h]);
        match cell {
            Cell::Lstm => [hidden, gates, hidden],
            Cell::Gru => [hidden, gates, NONE],
            Cell::Tanh | Cell::Relu => [hidden, NONE, NONE],
        }
    }

    /// The shapes of the gradients of the state, of the projection, and of the recurrent part where that differs.
    fn grad_shapes(&self) -> [[usize; 3]; 3] {
        let Self { cell, steps, n, h } = *self;
        let of_gates = [steps, n, cell.gates() * h];
        [[cell.states(), n, h], of_gates, if cell == Cell::Gru { of_gates } else { NONE }]
    }

    fn forward(&self, inputs: [CubeTensor; 4]) -> [CubeTensor; 3] {
        let outputs = self.saved_shapes().map(|shape| empty(&inputs[0], shape));
        let client = inputs[0].client.clone();
        let (cubes, units) = self.cubes(&client);
        let [projected, weight, bias, state] = inputs.map(CubeTensor::into_buffer_arg);
        let [hidden, gates, cell_state] = outputs.clone().map(CubeTensor::into_buffer_arg);
        // SAFETY: the kernel reads and writes below the lengths that the shapes give, which the documentation of `forward`
        // demands and `saved_shapes` has; a row beyond the batch is read as its last one and not written.
        unsafe {
            kernels::forward::launch_unchecked(
                &client,
                cubes,
                units,
                self.lanes(),
                projected,
                weight,
                bias,
                state,
                hidden,
                gates,
                cell_state,
                self.steps,
                self.n,
                self.cell,
                self.h,
                self.rows(),
                f32::elem_type_native(),
            );
        }
        outputs
    }

    fn backward(&self, inputs: [CubeTensor; 6]) -> [CubeTensor; 3] {
        let [_, projected, recurrent] = self.grad_shapes();
        // The kernel changes the state's gradient in its place. A copy may have gaps between its rows.
        let state = into_contiguous(inputs[5].copy());
        let outputs = [state, empty(&inputs[0], projected), empty(&inputs[0], recurrent)];
        let client = inputs[0].client.clone();
        let (cubes, units) = self.cubes(&client);
        let [hidden, gates, cell_state, weight, grad_output, _] =
            inputs.map(CubeTensor::into_buffer_arg);
        let [grad_state, projected, recurrent] = outputs.clone().map(CubeTensor::into_buffer_arg);
        // SAFETY: as in `forward`.
        unsafe {
            kernels::backward::launch_unchecked(
                &client,
                cubes,
                units,
                self.lanes(),
                hidden,
                gates,
                cell_state,
                weight,
                grad_output,
                grad_state,
                projected,
                recurrent,
                self.steps,
                self.n,
                self.cell,
                self.h,
                self.rows(),
                f32::elem_type_native(),
            );
        }
        outputs
    }

    /// Weights in a vector: H is a multiple of it.
    fn lanes(&self) -> usize {
        1 << self.h.trailing_zeros().min(MAX_LANES.trailing_zeros())
    }

    /// Rows of the batch in a cube.
    fn rows(&self) -> usize {
        self.n.next_power_of_two().min(MAX_ROWS)
    }

    fn cubes(&self, client: &Client) -> (CubeCount, CubeDim) {
        let most = client.properties().hardware.max_units_per_cube;
        let units = (self.h / self.lanes()).min(MAX_UNITS) as u32;
        let cubes = self.n.div_ceil(self.rows()) as u32;
        (CubeCount::new_1d(cubes), CubeDim::new_1d(units.next_multiple_of(32).min(most)))
    }
}

fn empty(like: &CubeTensor, shape: [usize; 3]) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), like.dtype())
}
