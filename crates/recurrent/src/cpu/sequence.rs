//! A layer over a whole sequence, forward and backward, on all threads.

use std::ops::Range;
use std::ptr::null_mut;

use super::backward::Backward;
use super::buffers::Buffer;
use super::dropout::{Dropout, Mask};
use super::forward::{Forward, Source, Track};
use super::layer::{PackedLayer, Saved};
use super::panels::Panels;
use super::simd::{Level, VECTORS};
use super::threads::{Shared, for_each_piece};
use super::weight_sums::WeightSums;
use super::{Cell, Dims, Input, Weights};

/// Gradients of a layer.
#[derive(Clone, Debug)]
pub struct Grads {
    /// `[G · H, D]`
    pub w_ih: Vec<f32>,
    /// `[G · H, H]`
    pub w_hh: Vec<f32>,
    /// `[G · H]`
    pub b_ih: Vec<f32>,
    /// `[G · H]`
    pub b_hh: Vec<f32>,
    /// `[S, N, H]`, of the initial state.
    pub state: Vec<f32>,
    /// Of the input's length, `[T, N, D]`, if it was asked for and the input is dense.
    pub input: Option<Vec<f32>>,
}

impl Input<'_> {
    /// Panics unless it has `t · n` rows for an input size of `d`.
    fn check(self, Dims { t, n, d, .. }: Dims) {
        match self {
            Input::Ids(ids) => {
                assert_eq!(ids.len(), t * n, "ids are [T, N]");
                let below = |&id: &i32| usize::try_from(id).is_ok_and(|id| id < d);
                assert!(ids.iter().all(below), "ids are in 0..{d}");
            }
            Input::Dense(input) => assert!(input.len() >= t * n * d, "dense input is [T, N, D]"),
        }
    }
}

impl Weights<'_> {
    fn check(&self, cell: Cell, Dims { d, h, .. }: Dims) {
        let rows = cell.gates() * h;
        assert_eq!(self.w_ih.len(), rows * d, "w_ih is [G H, D]");
        assert_eq!(self.w_hh.len(), rows * h, "w_hh is [G H, H]");
        assert_eq!(self.b_ih.len(), rows, "b_ih is [G H]");
        assert_eq!(self.b_hh.len(), rows, "b_hh is [G H]");
    }
}

/// A layer over a sequence.
///
/// Dropout is on the output alone: the state goes from step to step, and out, without it. With `saved`, what the
/// backward pass needs is left there.
///
/// # Shapes
/// - `state`: `[S, N, H]`, the initial h (and c)
/// - `out`: `[T + S, N, H]`: the T outputs, then the final h (and c)
///
/// # Panics
/// Where a length isn't what its shape says, or an id isn't below D.
#[allow(clippy::too_many_arguments)]
pub fn forward(
    cell: Cell,
    dims: Dims,
    input: Input<'_>,
    weights: &Weights<'_>,
    state: &[f32],
    dropout: Option<Dropout>,
    out: &mut [f32],
    saved: Option<&mut Saved>,
) {
    forward_at(Level::best(), cell, dims, input, weights, state, dropout, out, saved);
}

/// [`forward`] with an instruction set.
#[allow(clippy::too_many_arguments)]
pub(super) fn forward_at(
    level: Level,
    cell: Cell,
    dims: Dims,
    input: Input<'_>,
    weights: &Weights<'_>,
    state: &[f32],
    dropout: Option<Dropout>,
    out: &mut [f32],
    saved: Option<&mut Saved>,
) {
    let Dims { t, n, d, h } = dims;
    let slot = n * h;
    input.check(dims);
    weights.check(cell, dims);
    assert_eq!(state.len(), cell.states() * slot, "the state is [S, N, H]");
    assert_eq!(out.len(), (t + cell.states()) * slot, "the output is [T + S, N, H]");
    if slot == 0 {
        return;
    }

    let layer = PackedLayer::new(level, cell, d, h, weights, matches!(input, Input::Ids(_)));
    let mask = Mask::new(dropout);
    let (outputs, finals) = out.split_at_mut(t * slot);
    let outputs = Shared(outputs.as_mut_ptr());
    let initial = Shared(state.as_ptr().cast_mut());
    let initial_carry = Shared(state[state.len() - slot..].as_ptr().cast_mut());

    // Where h goes: to what is saved, else straight to the output, else (dropout, nothing saved) to one side.
    let mut aside = Buffer::new(if saved.is_none() && mask.is_some() { t * slot } else { 0 });
    let (hidden, carry, gates, separate) = match saved {
        Some(saved) => {
            saved.check(cell, dims);
            saved.hidden[..slot].copy_from_slice(&state[..slot]);
            if cell == Cell::Lstm {
                saved.carry[..slot].copy_from_slice(&state[slot..]);
            }
            let after = |buffer: &mut Buffer| Shared(buffer.as_mut_ptr().wrapping_add(slot));
            let carry = after(&mut saved.carry);
            let gates = if saved.gates.is_empty() { null_mut() } else { saved.gates.as_mut_ptr() };
            (after(&mut saved.hidden), Some(carry), Shared(gates), true)
        }
        None if mask.is_some() => (Shared(aside.as_mut_ptr()), None, Shared(null_mut()), true),
        None => (outputs, None, Shared(null_mut()), false),
    };
    let carry = match carry {
        Some(first) => Track { initial: initial_carry, first, stride: slot },
        // In place, in the slot of the final state.
        None => {
            let last = finals.len() - slot;
            Track { initial: initial_carry, first: Shared(finals[last..].as_mut_ptr()), stride: 0 }
        }
    };
    let pass = Forward {
        layer: &layer,
        steps: t,
        batch: n,
        rows: 0..n,
        panels: 0..layer.hidden.count(),
        source: input.into(),
        hidden: Track { initial, first: hidden, stride: slot },
        carry,
        gates,
        out: if separate { outputs } else { Shared(null_mut()) },
        mask,
    };
    for_each_piece(n, |rows| level.run(Forward { rows, ..pass.clone() }));

    let copy_final = |track: Track, to: &mut [f32]| {
        let from: *const f32 = track.before(t);
        if !std::ptr::eq(from, to.as_ptr()) {
            // SAFETY: a track has N · H elements at every step, and these aren't the slot itself.
            to.copy_from_slice(unsafe { std::slice::from_raw_parts(from, slot) });
        }
    };
    copy_final(pass.hidden, &mut finals[..slot]);
    if cell == Cell::Lstm {
        copy_final(pass.carry, &mut finals[slot..]);
    }
}

impl From<Input<'_>> for Source {
    fn from(input: Input<'_>) -> Source {
        match input {
            Input::Ids(ids) => Source::Ids(ids.as_ptr()),
            Input::Dense(input) => Source::Dense(input.as_ptr()),
        }
    }
}

/// Rows and steps whose gate gradients are computed before their products are added to the weights' gradients:
/// few enough to stay in the cache, and fixed, because the order of the sums follows from it.
const CHUNK: usize = 1024;

/// The gradients of a [`forward`] whose activations were saved.
///
/// # Shapes
/// - `grad_out`: `[T + S, N, H]`: of the outputs (after dropout), then of the final h (and c)
///
/// # Panics
/// Where a length isn't what its shape says, or an id isn't below D.
#[allow(clippy::too_many_arguments)]
pub fn backward(
    cell: Cell,
    dims: Dims,
    input: Input<'_>,
    weights: &Weights<'_>,
    dropout: Option<Dropout>,
    saved: &Saved,
    grad_out: &[f32],
    want_input_grad: bool,
) -> Grads {
    backward_at(
        Level::best(),
        cell,
        dims,
        input,
        weights,
        dropout,
        saved,
        grad_out,
        want_input_grad,
    )
}

/// [`backward`] with an instruction set.
#[allow(clippy::too_many_arguments)]
pub(super) fn backward_at(
    level: Level,
    cell: Cell,
    dims: Dims,
    input: Input<'_>,
    weights: &Weights<'_>,
    dropout: Option<Dropout>,
    saved: &Saved,
    grad_out: &[f32],
    want_input_grad: bool,
) -> Grads {
    let Dims { t, n, d, h } = dims;
    let slot = n * h;
    let gates = cell.gates() * h;
    input.check(dims);
    weights.check(cell, dims);
    saved.check(cell, dims);
    assert_eq!(
        grad_out.len(),
        (t + cell.states()) * slot,
        "the output's gradient is [T + S, N, H]"
    );

    let (d_outputs, d_finals) = grad_out.split_at(t * slot);
    let mut grads = Grads {
        // Replaced by the sums.
        w_ih: vec![0.0; gates * d],
        w_hh: vec![0.0; gates * h],
        b_ih: vec![0.0; gates],
        b_hh: vec![0.0; gates],
        state: d_finals.to_vec(),
        input: None,
    };
    if slot == 0 {
        return grads;
    }

    grads.input = match input {
        Input::Dense(input) if want_input_grad => Some(vec![0.0; input.len()]),
        _ => None,
    };
    let input_weights =
        grads.input.is_some().then(|| Panels::of_rows(level, weights.w_ih, gates, d));
    let hidden_weights = Panels::of_rows(level, weights.w_hh, gates, h);
    let slots = if matches!(cell, Cell::Lstm | Cell::Gru) { VECTORS * h } else { h };
    let chunk = CHUNK.div_ceil(n).min(t);
    let mut d_gates = Buffer::new(chunk * n * slots);
    let mut sums = WeightSums::new(cell, dims, matches!(input, Input::Ids(_)));
    let track = |buffer: &Buffer| {
        let initial = Shared(buffer.as_ptr().cast_mut());
        Track { initial, first: Shared(initial.at(slot)), stride: slot }
    };
    let d_state = Shared(grads.state.as_mut_ptr());
    let pass = Backward {
        cell,
        steps: 0..t,
        batch: n,
        d,
        h,
        rows: 0..n,
        hidden_weights: &hidden_weights,
        input_weights: input_weights.as_ref(),
        hidden: track(&saved.hidden),
        carry: track(&saved.carry),
        gates: Shared(if saved.gates.is_empty() {
            null_mut()
        } else {
            saved.gates.as_ptr().cast_mut()
        }),
        d_gates: Shared(d_gates.as_mut_ptr()),
        d_out: Shared(d_outputs.as_ptr().cast_mut()),
        mask: Mask::new(dropout),
        d_hidden: d_state,
        d_carry: Shared(d_state.at(slot)),
        d_input: Shared(grads.input.as_mut().map_or(null_mut(), Vec::as_mut_ptr)),
    };
    for end in (1..=t).rev().step_by(chunk.max(1)) {
        let steps = end.saturating_sub(chunk)..end;
        for_each_piece(n, |rows| {
            level.run(Backward { rows, steps: steps.clone(), ..pass.clone() })
        });
        let rows = steps.start * n..steps.end * n;
        // SAFETY: the pieces that write it are done, and it has the rows of a chunk.
        let d_gates = unsafe { std::slice::from_raw_parts(pass.d_gates.0, rows.len() * slots) };
        sums.add(
            level,
            d_gates,
            slots,
            input.rows(rows.clone(), d),
            &saved.hidden[rows.start * h..rows.end * h],
        );
    }
    sums.finish(&mut grads);
    grads
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
