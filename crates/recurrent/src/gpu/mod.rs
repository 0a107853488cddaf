//! Kernels in CubeCL, for all GPUs: the walk through a sequence is one launch, and the way back another.

mod deferred;
mod kernels;

use burn::backend::{Cube, TensorMetadata};
use burn::tensor::DType;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::prelude::*;

use crate::Cell;
use crate::generic::{Raw, Recurrence, Reversed, Walked, cells};
use deferred::deferred;

/// Units in a cube, at most.
const UNITS: usize = 256;
/// Rows of the batch in a cube, at most: a weight that was fetched serves so many.
const ROWS: usize = 8;
/// Weights in a vector, at most.
const LANES: usize = 4;
/// What stands for a tensor that a cell doesn't have.
const NOTHING: [usize; 3] = [1, 1, 1];

impl Recurrence for Cube {
    fn walk(
        cell: Cell,
        projected: &Raw<Self>,
        weight: Raw<Self>,
        bias: Raw<Self>,
        state: &Raw<Self>,
    ) -> Walked<Self> {
        if projected.0.dtype() != DType::F32 {
            return cells::walk(cell, projected, weight, bias, state);
        }
        let ([_, n, h], [steps, ..]) = (state.dims(), projected.dims::<3>());
        let size = Size { cell, steps, n, h };
        let inputs = [projected.clone(), weight.t(), bias, state.clone()];
        let [hidden, gates, extra] =
            deferred("walk", inputs, size.walked(), move |inputs| size.walk(inputs));
        Walked { hidden, gates, extra }
    }

    fn walk_back(
        cell: Cell,
        walked: &Walked<Self>,
        weight: Raw<Self>,
        grad_output: &Raw<Self>,
        grad_last: &Raw<Self>,
    ) -> Reversed<Self> {
        if grad_output.0.dtype() != DType::F32 {
            return cells::walk_back(cell, walked, weight, grad_output, grad_last);
        }
        let [steps, n, h] = grad_output.dims();
        let size = Size { cell, steps, n, h };
        let Walked { hidden, gates, extra } = walked.clone();
        let inputs = [hidden, gates, extra, weight, grad_output.clone(), grad_last.clone()];
        let [state, projected, recurrent] =
            deferred("walk_back", inputs, size.reversed(), move |inputs| size.walk_back(inputs));
        let recurrent = if cell == Cell::Gru { recurrent } else { projected.clone() };
        Reversed { projected, recurrent, state }
    }
}

/// What a launch has to know.
#[derive(Clone, Copy)]
struct Size {
    cell: Cell,
    steps: usize,
    n: usize,
    h: usize,
}

impl Size {
    /// The shapes of `hidden`, `gates` and `extra`.
    fn walked(&self) -> [[usize; 3]; 3] {
        let Self { cell, steps, n, h } = *self;
        if cell.gates() == 1 {
            return [[steps + 1, n, h], NOTHING, NOTHING];
        }
        [[steps + 1, n, h], [steps, n, cell.gates() * h], [steps + 1, n, h]]
    }

    /// The shapes of the gradients of the state, of the projection, and of the recurrent part where that differs.
    fn reversed(&self) -> [[usize; 3]; 3] {
        let Self { cell, steps, n, h } = *self;
        let of_gates = [steps, n, cell.gates() * h];
        [[cell.states(), n, h], of_gates, if cell == Cell::Gru { of_gates } else { NOTHING }]
    }

    fn walk(&self, inputs: [CubeTensor; 4]) -> [CubeTensor; 3] {
        let outputs = self.walked().map(|shape| empty(&inputs[0], shape));
        let client = inputs[0].client.clone();
        let (cubes, units) = self.cubes(&client);
        let [projected, weight, bias, state] = inputs.map(CubeTensor::into_buffer_arg);
        let [hidden, gates, extra] = outputs.clone().map(CubeTensor::into_buffer_arg);
        // SAFETY: the kernel reads and writes below the lengths that the shapes give, which `Recurrence` asks for and
        // `walked` makes; a row beyond the batch is read as its last one and not written.
        unsafe {
            kernels::walk::launch_unchecked(
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
                extra,
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

    fn walk_back(&self, inputs: [CubeTensor; 6]) -> [CubeTensor; 3] {
        let [_, projected, recurrent] = self.reversed();
        // The kernel changes the state's gradient in its place. A copy may have gaps between its rows.
        let state = into_contiguous(inputs[5].copy());
        let outputs = [state, empty(&inputs[0], projected), empty(&inputs[0], recurrent)];
        let client = inputs[0].client.clone();
        let (cubes, units) = self.cubes(&client);
        let [hidden, gates, extra, weight, grad_output, _] =
            inputs.map(CubeTensor::into_buffer_arg);
        let [grad_state, projected, recurrent] = outputs.clone().map(CubeTensor::into_buffer_arg);
        // SAFETY: as in `walk`.
        unsafe {
            kernels::walk_back::launch_unchecked(
                &client,
                cubes,
                units,
                self.lanes(),
                hidden,
                gates,
                extra,
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
        1 << self.h.trailing_zeros().min(LANES.trailing_zeros())
    }

    /// Rows of the batch in a cube.
    fn rows(&self) -> usize {
        self.n.next_power_of_two().min(ROWS)
    }

    fn cubes(&self, client: &Client) -> (CubeCount, CubeDim) {
        let most = client.properties().hardware.max_units_per_cube;
        let units = (self.h / self.lanes()).min(UNITS) as u32;
        let cubes = self.n.div_ceil(self.rows()) as u32;
        (CubeCount::new_1d(cubes), CubeDim::new_1d(units.next_multiple_of(32).min(most)))
    }
}

fn empty(like: &CubeTensor, shape: [usize; 3]) -> CubeTensor {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), like.dtype())
}
