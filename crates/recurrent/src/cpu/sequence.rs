//! A layer over a whole sequence, forward and backward, on all threads.

use std::ops::Range;

use super::backward::{BackwardPass, InputGrad};
use super::buffer::Buffer;
use super::dropout::{Dropout, Mask};
use super::forward::ForwardPass;
use super::isa::Isa;
use super::packed::PackedWeights;
use super::packed_layer::PackedLayer;
use super::saved::SavedActivations;
use super::send_ptr::SendPtr;
use super::simd::VECTORS;
use super::state_buffer::StateBuffer;
use super::threads::{Shape, Share, for_each_share};
use super::weight_grads::{WeightGradAccumulator, WeightGrads};
use super::{Cell, Dims, Input, Precision, Weights};

/// A layer and the sequence that it reads.
#[derive(Clone, Copy, Debug)]
pub struct SequenceArgs<'a> {
    /// The recurrence.
    pub cell: Cell,
    /// Sizes of the layer and of the sequence.
    pub dims: Dims,
    /// The sequence.
    pub input: Input<'a>,
    /// The parameters.
    pub weights: Weights<'a>,
    /// What the operands of products are rounded to.
    pub precision: Precision,
    /// The dropout on the output. The state is carried from step to step, and returned, without it.
    pub dropout: Option<Dropout>,
}

impl SequenceArgs<'_> {
    /// Panics where a length isn't what its shape says, or an id isn't below D.
    fn check(&self) {
        let Dims { t, n, d, h } = self.dims;
        match self.input {
            Input::Ids(ids) => {
                assert_eq!(ids.len(), t * n, "ids are [T, N]");
                let below = |&id: &i32| usize::try_from(id).is_ok_and(|id| id < d);
                assert!(ids.iter().all(below), "ids are in 0..{d}");
            }
            Input::Dense(input) => assert!(input.len() >= t * n * d, "dense input is [T, N, D]"),
        }
        let rows = self.cell.gates() * h;
        assert_eq!(self.weights.w_ih.len(), rows * d, "w_ih is [G H, D]");
        assert_eq!(self.weights.w_hh.len(), rows * h, "w_hh is [G H, H]");
        assert_eq!(self.weights.b_ih.len(), rows, "b_ih is [G H]");
        assert_eq!(self.weights.b_hh.len(), rows, "b_hh is [G H]");
    }
}

/// Gradients of a layer.
#[derive(Clone, Debug)]
pub struct Grads {
    /// Of the parameters.
    pub weights: WeightGrads,
    /// `[S, N, H]`, of the initial state.
    pub state: Vec<f32>,
    /// Of the input's length, `[T, N, D]`, if it was asked for and the input is dense.
    pub input: Option<Vec<f32>>,
}

/// Runs a layer over a sequence. With `saved`, what the backward pass needs is left there.
///
/// # Shapes
/// - `state`: `[S, N, H]`, the initial h (and c)
/// - `out`: `[T + S, N, H]`: the T outputs, then the final h (and c)
///
/// # Panics
/// Where a length isn't what its shape says, or an id isn't below D.
pub fn forward(
    args: &SequenceArgs<'_>,
    state: &[f32],
    out: &mut [f32],
    saved: Option<&mut SavedActivations>,
) {
    forward_on(Isa::best(), args, state, out, saved);
}

/// [`forward`] with an instruction set.
pub(super) fn forward_on(
    isa: Isa,
    args: &SequenceArgs<'_>,
    state: &[f32],
    out: &mut [f32],
    mut saved: Option<&mut SavedActivations>,
) {
    args.check();
    let SequenceArgs { cell, dims, input, weights, precision, dropout } = *args;
    let Dims { t, n, d, h } = dims;
    let slot = n * h;
    assert_eq!(state.len(), cell.states() * slot, "the state is [S, N, H]");
    assert_eq!(out.len(), (t + cell.states()) * slot, "the output is [T + S, N, H]");
    if slot == 0 {
        return;
    }

    let ids = matches!(input, Input::Ids(_));
    let layer = PackedLayer::new(isa, precision, cell, d, h, &weights, ids);
    let mask = Mask::new(dropout, [n, h]);
    let (initial_hidden, initial_cell) = state.split_at(slot);
    let (outputs, finals) = out.split_at_mut(t * slot);
    let (final_hidden, final_cell) = finals.split_at_mut(slot);
    if let Some(saved) = &mut saved {
        saved.check(cell, dims);
        saved.hidden[..slot].copy_from_slice(initial_hidden);
        if cell == Cell::Lstm {
            saved.cell_state[..slot].copy_from_slice(initial_cell);
        }
    }
    // Where h goes: to what is saved, else straight to the output, else (dropout, nothing saved) to a scratch buffer.
    let mut scratch = Buffer::new(if saved.is_none() && mask.is_some() { t * slot } else { 0 });
    // SAFETY: the initial state is only read. Of everything else, each range of rows accesses its own rows.
    let pass = unsafe {
        let out = SendPtr::new(outputs);
        let (hidden, cell_state, gates, out) = match saved.as_deref_mut() {
            Some(SavedActivations { gates, hidden, cell_state, .. }) => (
                SendPtr::new(&mut hidden[slot..]),
                (cell == Cell::Lstm).then(|| (SendPtr::new(&mut cell_state[slot..]), slot)),
                (!gates.is_empty()).then(|| SendPtr::new(gates)),
                Some(out),
            ),
            None => {
                // c is updated in place, in the buffer of the final one.
                let cell_state = (cell == Cell::Lstm).then(|| (SendPtr::new(final_cell), 0));
                match mask {
                    Some(_) => (SendPtr::new(&mut scratch), cell_state, None, Some(out)),
                    None => (out, cell_state, None, None),
                }
            }
        };
        let initial_cell = SendPtr::read_only(initial_cell);
        ForwardPass {
            layer: &layer,
            steps: t,
            batch: n,
            share: Share::of_rows(0..n),
            panels: 0..layer.hidden.panels(),
            input: input.into(),
            hidden: StateBuffer {
                initial: SendPtr::read_only(initial_hidden),
                first: hidden,
                stride: slot,
            },
            cell_state: cell_state.map(|(first, stride)| StateBuffer {
                initial: initial_cell,
                first,
                stride,
            }),
            gates,
            out,
            mask,
        }
    };
    for_each_share(shape(n, &layer.hidden), |share| {
        let panels = share.panels(layer.hidden.panels());
        // SAFETY: lengths and ids were checked above, and shares don't overlap.
        unsafe { isa.run(ForwardPass { share, panels, ..pass.clone() }) };
    });

    let last_hidden = match &saved {
        Some(saved) => &saved.hidden[t * slot..],
        None if t == 0 => initial_hidden,
        None if mask.is_some() => &scratch[(t - 1) * slot..],
        None => &outputs[(t - 1) * slot..],
    };
    final_hidden.copy_from_slice(last_hidden);
    if cell == Cell::Lstm {
        match &saved {
            Some(saved) => final_cell.copy_from_slice(&saved.cell_state[t * slot..]),
            None if t == 0 => final_cell.copy_from_slice(initial_cell),
            None => {}
        }
    }
}

/// Rows and steps whose pre-activation gradients are computed before their products are added to the gradients of the
/// weights: few enough to stay in the cache, and fixed, because the order of the sums follows from it.
const CHUNK: usize = 1024;

/// The gradients of a [`forward`] whose activations were saved.
///
/// # Shapes
/// - `grad_out`: `[T + S, N, H]`: of the outputs (after dropout), then of the final h (and c)
///
/// # Panics
/// Where a length isn't what its shape says, or an id isn't below D.
pub fn backward(
    args: &SequenceArgs<'_>,
    saved: &SavedActivations,
    grad_out: &[f32],
    want_input_grad: bool,
) -> Grads {
    backward_on(Isa::best(), args, saved, grad_out, want_input_grad)
}

/// [`backward`] with an instruction set.
pub(super) fn backward_on(
    isa: Isa,
    args: &SequenceArgs<'_>,
    saved: &SavedActivations,
    grad_out: &[f32],
    want_input_grad: bool,
) -> Grads {
    args.check();
    let SequenceArgs { cell, dims, input, weights, precision, dropout } = *args;
    let Dims { t, n, d, h } = dims;
    let slot = n * h;
    let gates = cell.gates() * h;
    saved.check(cell, dims);
    assert_eq!(
        grad_out.len(),
        (t + cell.states()) * slot,
        "the output's gradient is [T + S, N, H]"
    );

    let (d_outputs, d_finals) = grad_out.split_at(t * slot);
    let mut sums = WeightGradAccumulator::new(cell, dims, matches!(input, Input::Ids(_)));
    let mut d_state = d_finals.to_vec();
    let mut d_input = match input {
        Input::Dense(input) if want_input_grad => Some(vec![0.0; input.len()]),
        _ => None,
    };
    if slot == 0 {
        return Grads { weights: sums.finish(), state: d_state, input: d_input };
    }

    let input_weights =
        d_input.is_some().then(|| PackedWeights::of_rows(isa, precision, weights.w_ih, gates, d));
    let hidden_weights = PackedWeights::of_rows(isa, precision, weights.w_hh, gates, h);
    let width = if matches!(cell, Cell::Lstm | Cell::Gru) { VECTORS * h } else { h };
    let chunk = CHUNK.div_ceil(n).min(t);
    let mut d_gates = Buffer::new(chunk * n * width);
    let (d_hidden, d_cell) = d_state.split_at_mut(slot);
    for end in (1..=t).rev().step_by(chunk.max(1)) {
        let steps = end.saturating_sub(chunk)..end;
        // SAFETY: what the forward pass saved and the output's gradient are only read. Of everything else, each range of
        // rows accesses its own rows.
        let pass = unsafe {
            let states = |states| {
                let (initial, first) = <[f32]>::split_at(states, slot);
                let (initial, first) = (SendPtr::read_only(initial), SendPtr::read_only(first));
                StateBuffer { initial, first, stride: slot }
            };
            BackwardPass {
                cell,
                steps: steps.clone(),
                batch: n,
                d,
                h,
                share: Share::of_rows(0..n),
                hidden_weights: &hidden_weights,
                hidden: states(&saved.hidden),
                cell_state: (cell == Cell::Lstm).then(|| states(&saved.cell_state)),
                gates: (!saved.gates.is_empty()).then(|| SendPtr::read_only(&saved.gates)),
                d_gates: SendPtr::new(&mut d_gates),
                d_out: SendPtr::read_only(d_outputs),
                mask: Mask::new(dropout, [n, h]),
                d_hidden: SendPtr::new(d_hidden),
                d_cell: (cell == Cell::Lstm).then(|| SendPtr::new(d_cell)),
                input: match (&input_weights, &mut d_input) {
                    (Some(weights), Some(grad)) => {
                        Some(InputGrad { weights, d_input: SendPtr::new(grad) })
                    }
                    _ => None,
                },
            }
        };
        for_each_share(shape(n, &hidden_weights), |share| {
            // SAFETY: lengths and ids were checked above, and shares don't overlap.
            unsafe { isa.run(BackwardPass { share, ..pass.clone() }) };
        });
        let rows = steps.start * n..steps.end * n;
        let d_gates = &d_gates[..rows.len() * width];
        let hidden_before = &saved.hidden[rows.start * h..rows.end * h];
        // SAFETY: ids were checked above.
        unsafe {
            let input = input.rows(rows.clone(), d);
            sums.add(isa, precision, d_gates, width, input, hidden_before);
        }
    }
    Grads { weights: sums.finish(), state: d_state, input: d_input }
}

/// What the threads of a layer with these recurrent weights divide.
fn shape(rows: usize, weights: &PackedWeights) -> Shape {
    Shape {
        rows,
        panels: weights.panels(),
        products: weights.k * weights.layout.columns(),
        bytes: weights.bytes(),
    }
}

impl Input<'_> {
    /// Some of its `T · N` rows.
    fn rows(&self, rows: Range<usize>, d: usize) -> Input<'_> {
        match self {
            Input::Ids(ids) => Input::Ids(&ids[rows]),
            Input::Dense(input) => Input::Dense(&input[rows.start * d..rows.end * d]),
        }
    }
}
