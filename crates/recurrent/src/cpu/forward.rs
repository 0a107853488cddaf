//! The forward pass of some rows of a batch over the whole sequence.

use std::ops::Range;
use std::ptr::{null, null_mut};

use super::cell::{ForwardCell, ForwardIo};
use super::dropout::Mask;
use super::elman::{Relu, Tanh};
use super::gemm::ABlock;
use super::gru::Gru;
use super::lstm::Lstm;
use super::packed::{Tile, tiles};
use super::packed_layer::{InputWeights, PackedLayer};
use super::send_ptr::SendPtr;
use super::simd::{Kernel, Simd, VECTORS};
use super::state_buffer::StateBuffer;
use super::{Cell, Input};

/// One-hot ids `[T, N]` or dense input `[T, N, D]`.
#[derive(Clone, Copy)]
pub enum InputPtr<'a> {
    /// Each below D.
    Ids(SendPtr<'a, i32>),
    /// Rows of D.
    Dense(SendPtr<'a, f32>),
}

impl<'a> From<Input<'a>> for InputPtr<'a> {
    fn from(input: Input<'a>) -> Self {
        // SAFETY: no kernel writes its input.
        unsafe {
            match input {
                Input::Ids(ids) => InputPtr::Ids(SendPtr::read_only(ids)),
                Input::Dense(input) => InputPtr::Dense(SendPtr::read_only(input)),
            }
        }
    }
}

/// The rows `rows` of a layer over `steps` time steps.
///
/// # Safety
/// To run it, every pointer must be valid for all T steps and N rows of the shape that is given for it; `cell_state` is
/// there for an LSTM, ids are below D, the kind of the input is that which the layer is packed for, and of what is
/// written nothing else accesses the rows in `rows`, units in `panels`, meanwhile. Where there is more than one step,
/// all panels are run.
#[derive(Clone)]
pub struct ForwardPass<'a> {
    /// The weights.
    pub layer: &'a PackedLayer,
    /// T.
    pub steps: usize,
    /// N.
    pub batch: usize,
    /// Rows of this work item.
    pub rows: Range<usize>,
    /// Panels of units of this work item.
    pub panels: Range<usize>,
    /// The input.
    pub input: InputPtr<'a>,
    /// h before dropout, `[T, N, H]`.
    pub hidden: StateBuffer<'a>,
    /// c of an LSTM, `[T, N, H]`; it may be updated in place.
    pub cell_state: Option<StateBuffer<'a>>,
    /// `[T, N, 4, H]`, where gates are saved.
    pub gates: Option<SendPtr<'a, f32>>,
    /// h after dropout, `[T, N, H]`, where it isn't `hidden`.
    pub out: Option<SendPtr<'a, f32>>,
    /// The dropout on `out`.
    pub mask: Option<Mask>,
}

impl ForwardPass<'_> {
    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn tile<S: Simd, C: ForwardCell, const M: usize>(
        &self,
        s: S,
        t: usize,
        panel: usize,
        tile: Tile,
    ) {
        let row = self.rows.start + tile.start;
        let PackedLayer { h, d, .. } = *self.layer;
        let at = t * self.batch + row;
        let unit = panel * C::UNIT_VECTORS * S::LANES;
        let mut sums = [[s.splat(0.0); VECTORS]; M];
        let width = VECTORS * S::LANES;
        // SAFETY: row + M rows are in the batch, and panels have what their layer says.
        unsafe {
            match (&self.layer.input, self.input) {
                (InputWeights::Table(table), InputPtr::Ids(ids)) => {
                    let table = table.panel(panel);
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let from = table.add(*ids.at(at + i) as usize * width);
                        for (j, sum) in sums.iter_mut().enumerate() {
                            *sum = s.load(from.add(j * S::LANES));
                        }
                    }
                }
                (InputWeights::Dense { bias, weights }, InputPtr::Dense(input)) => {
                    let bias = bias.panel(panel);
                    for sums in &mut sums {
                        for (j, sum) in sums.iter_mut().enumerate() {
                            *sum = s.load(bias.add(j * S::LANES));
                        }
                    }
                    let a = ABlock { start: input.at(at * d), row_stride: d, k_stride: 1, k: d };
                    let prefetch = weights.prefetch_next(panel, tile);
                    C::add_input_products::<S, M>(s, &mut sums, a, weights.panel(panel), prefetch);
                }
                _ => unreachable!("a layer packed for another kind of input"),
            }
            let weights = &self.layer.hidden;
            let before = self.hidden.before(t).wrapping_add(row * h);
            let a = ABlock { start: before, row_stride: h, k_stride: 1, k: h };
            let prefetch = weights.prefetch_next(panel, tile);
            C::add_hidden_products::<S, M>(s, &mut sums, a, weights.panel(panel), prefetch);

            for (i, sums) in sums.iter().enumerate() {
                let offset = (row + i) * h + unit;
                let index = t * self.batch * h + offset;
                let io = ForwardIo {
                    hidden_before: self.hidden.before(t).wrapping_add(offset),
                    hidden: self.hidden.after(t).wrapping_add(offset),
                    cell_before: self
                        .cell_state
                        .map_or(null(), |c| c.before(t).wrapping_add(offset)),
                    cell_state: self
                        .cell_state
                        .map_or(null_mut(), |c| c.after(t).wrapping_add(offset)),
                    gates: self.gates.map(|gates| gates.at((at + i) * VECTORS * h + unit)),
                    out: self.out.map(|out| out.at(index)),
                    index,
                    mask: self.mask,
                    h,
                    units_left: h - unit,
                };
                C::finish(s, sums, &io);
            }
        }
    }

    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn steps<S: Simd, C: ForwardCell>(&self, s: S) {
        debug_assert!(self.steps == 1 || self.panels == (0..self.layer.hidden.panels()));
        for t in 0..self.steps {
            for panel in self.panels.clone() {
                for tile in tiles(self.rows.len(), S::ROWS) {
                    macro_rules! of_rows {
                        ($($m:literal)*) => {
                            match tile.rows {
                                // SAFETY: promised by the caller.
                                $($m => unsafe { self.tile::<S, C, $m>(s, t, panel, tile) },)*
                                _ => unreachable!("{tile:?}"),
                            }
                        };
                    }
                    if S::ROWS > 3 { of_rows!(1 2 3 4 5 6) } else { of_rows!(1 2 3) }
                }
            }
        }
        s.store_fence();
    }
}

impl Kernel for ForwardPass<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        // SAFETY: promised by the caller.
        unsafe {
            match self.layer.cell {
                Cell::Lstm => self.steps::<S, Lstm>(s),
                Cell::Gru => self.steps::<S, Gru>(s),
                Cell::Tanh => self.steps::<S, Tanh>(s),
                Cell::Relu => self.steps::<S, Relu>(s),
            }
        }
    }
}
