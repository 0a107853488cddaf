//! The forward pass of some rows of a batch over the whole sequence.

use std::ops::Range;
use std::ptr::{null, null_mut};

use super::bf16::{self, PairBuffer, RoundRows};
use super::cell::{ForwardCell, ForwardIo};
use super::dropout::Mask;
use super::elman::{Relu, Tanh};
use super::gemm::ABlock;
use super::gru::Gru;
use super::lstm::Lstm;
use super::packed::{PackedWeights, Tile, tiles};
use super::packed_layer::{InputWeights, PackedLayer};
use super::send_ptr::SendPtr;
use super::simd::{Kernel, Simd, VECTORS};
use super::state_buffer::StateBuffer;
use super::threads::Share;
use super::{Cell, Input, Precision};

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
/// written nothing else accesses the rows in `share`, units in `panels`, meanwhile. Where there is more than one step, the
/// threads of the share run all panels.
#[derive(Clone)]
pub struct ForwardPass<'a> {
    /// The weights.
    pub layer: &'a PackedLayer,
    /// T.
    pub steps: usize,
    /// N.
    pub batch: usize,
    /// Rows of this work item, and the threads that share them.
    pub share: Share<'a>,
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
    /// What a row's sums start from: the row of the table for its id, or the biases.
    ///
    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn initial_sums<S: Simd>(
        &self,
        s: S,
        t: usize,
        panel: usize,
        row: usize,
    ) -> [S::F; VECTORS] {
        // SAFETY: the caller promised the row, and panels have what their layer says.
        unsafe {
            let from = match (&self.layer.input, self.input) {
                (InputWeights::Table(table), InputPtr::Ids(ids)) => {
                    let id = *ids.at(t * self.batch + row) as usize;
                    table.panel(panel).add(id * VECTORS * S::LANES)
                }
                (InputWeights::Dense { bias, .. }, InputPtr::Dense(_)) => bias.panel(panel),
                _ => unreachable!("a layer packed for another kind of input"),
            };
            std::array::from_fn(|j| s.load(from.add(j * S::LANES)))
        }
    }

    /// Computes a row's units of a panel from their sums.
    ///
    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn finish<S: Simd, C: ForwardCell>(
        &self,
        s: S,
        t: usize,
        panel: usize,
        row: usize,
        sums: &[S::F; VECTORS],
    ) {
        let h = self.layer.h;
        let unit = panel * C::UNIT_VECTORS * S::LANES;
        let offset = row * h + unit;
        let index = t * self.batch * h + offset;
        let cell_state = self.cell_state;
        let io = ForwardIo {
            hidden_before: self.hidden.before(t).wrapping_add(offset),
            hidden: self.hidden.after(t).wrapping_add(offset),
            cell_before: cell_state.map_or(null(), |c| c.before(t).wrapping_add(offset)),
            cell_state: cell_state.map_or(null_mut(), |c| c.after(t).wrapping_add(offset)),
            gates: self.gates.map(|gates| gates.at((t * self.batch + row) * VECTORS * h + unit)),
            out: self.out.map(|out| out.at(index)),
            mask_index: self.mask.map_or(0, |mask| mask.index(t, index)),
            mask: self.mask,
            h,
            units_left: h - unit,
        };
        // SAFETY: promised by the caller.
        unsafe { C::finish(s, sums, &io) }
    }

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
        let row = self.share.rows.start + tile.start;
        let PackedLayer { h, d, .. } = *self.layer;
        let mut sums = [[s.splat(0.0); VECTORS]; M];
        // SAFETY: row + M rows are in the batch, and panels have what their layer says.
        unsafe {
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = self.initial_sums(s, t, panel, row + i);
            }
            if let (InputWeights::Dense { weights, .. }, InputPtr::Dense(input)) =
                (&self.layer.input, self.input)
            {
                let start = input.at((t * self.batch + row) * d);
                let a = ABlock { start, row_stride: d, k_stride: 1, k: d };
                let prefetch = weights.prefetch_next(panel, tile);
                C::add_input_products::<S, M>(s, &mut sums, a, weights.panel(panel), prefetch);
            }
            let weights = &self.layer.hidden;
            let start = self.hidden.before(t).wrapping_add(row * h);
            let a = ABlock { start, row_stride: h, k_stride: 1, k: h };
            let prefetch = weights.prefetch_next(panel, tile);
            C::add_hidden_products::<S, M>(s, &mut sums, a, weights.panel(panel), prefetch);

            for (i, sums) in sums.iter().enumerate() {
                self.finish::<S, C>(s, t, panel, row + i, sums);
            }
        }
    }

    /// A tile whose operands are in bf16: the rows of h, and of a dense input, as pairs.
    ///
    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn tile_bf16<S: Simd, C: ForwardCell>(
        &self,
        s: S,
        t: usize,
        panel: usize,
        tile: Tile,
        [input, hidden]: [*const u32; 2],
        sums: &mut [[S::F; VECTORS]; bf16::ROWS],
    ) {
        let row = self.share.rows.start + tile.start;
        let products = |sums: &mut [[S::F; VECTORS]], a: *const u32, b: &PackedWeights, shift| {
            let sums = sums.as_mut_ptr().cast();
            let products = b.bf16_products(panel, tile, a, sums, shift, false);
            // SAFETY: A has the rows of this work item, and the panel as many pairs.
            unsafe { s.bf16_products(&products) }
        };
        // SAFETY: the tile's rows are in the batch, and panels have what their layer says.
        unsafe {
            for (i, sums) in sums.iter_mut().enumerate().take(tile.rows) {
                *sums = self.initial_sums(s, t, panel, row + i);
            }
            if let InputWeights::Dense { weights, .. } = &self.layer.input {
                products(sums, input, weights, 0);
            }
            products(sums, hidden, &self.layer.hidden, C::HIDDEN_SHIFT);
            for (i, sums) in sums.iter().enumerate().take(tile.rows) {
                self.finish::<S, C>(s, t, panel, row + i, sums);
            }
        }
    }

    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn steps<S: Simd, C: ForwardCell>(&self, s: S) {
        for t in 0..self.steps {
            for panel in self.panels.clone() {
                for tile in tiles(self.share.rows.len(), S::ROWS) {
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
            self.share.wait();
        }
        s.store_fence();
    }

    /// # Safety
    /// As the pass itself.
    #[inline(always)]
    unsafe fn steps_bf16<S: Simd, C: ForwardCell>(&self, s: S) {
        let PackedLayer { h, d, .. } = *self.layer;
        let rows = self.share.rows.len();
        let rounded = |k: usize| PairBuffer::new(rows * bf16::pairs(k));
        let dense = matches!(self.input, InputPtr::Dense(_));
        let (mut input, mut hidden) = (rounded(if dense { d } else { 0 }), rounded(h));
        let round = |from: *const f32, k: usize, to: &mut [u32]| {
            let (to, pairs) = (to.as_mut_ptr(), bf16::pairs(k));
            let rows = RoundRows { from, stride: k, rows, parts: &[(0, k)], to, pairs };
            // SAFETY: the caller promised this work item's rows of the input and of h.
            unsafe { s.vectorize(rows) };
        };
        let mut sums = [[s.splat(0.0); VECTORS]; bf16::ROWS];
        for t in 0..self.steps {
            if let InputPtr::Dense(from) = self.input {
                round(from.at((t * self.batch + self.share.rows.start) * d), d, &mut input);
            }
            round(self.hidden.before(t).wrapping_add(self.share.rows.start * h), h, &mut hidden);
            let operands = [input.as_ptr(), hidden.as_ptr()];
            for panel in self.panels.clone() {
                for tile in tiles(rows, bf16::ROWS) {
                    // SAFETY: promised by the caller.
                    unsafe { self.tile_bf16::<S, C>(s, t, panel, tile, operands, &mut sums) };
                }
            }
            self.share.wait();
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
            match (self.layer.hidden.precision, self.layer.cell) {
                (Precision::F32, Cell::Lstm) => self.steps::<S, Lstm>(s),
                (Precision::F32, Cell::Gru) => self.steps::<S, Gru>(s),
                (Precision::F32, Cell::Tanh) => self.steps::<S, Tanh>(s),
                (Precision::F32, Cell::Relu) => self.steps::<S, Relu>(s),
                (Precision::Bf16, Cell::Lstm) => self.steps_bf16::<S, Lstm>(s),
                (Precision::Bf16, Cell::Gru) => self.steps_bf16::<S, Gru>(s),
                (Precision::Bf16, Cell::Tanh) => self.steps_bf16::<S, Tanh>(s),
                (Precision::Bf16, Cell::Relu) => self.steps_bf16::<S, Relu>(s),
            }
        }
    }
}
