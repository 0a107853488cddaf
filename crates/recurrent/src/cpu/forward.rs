//! The forward pass of some rows of a batch over the whole sequence.

use std::ops::Range;

use super::Cell;
use super::dropout::Mask;
use super::elman::{Relu, Tanh};
use super::gru::Gru;
use super::layer::{InputWeights, PackedLayer};
use super::lstm::Lstm;
use super::panels::{Ahead, Tile, tiles};
use super::simd::{Kernel, Simd, VECTORS};
use super::threads::Shared;

/// One-hot ids `[T, N]` or dense input `[T, N, D]`.
#[derive(Clone, Copy)]
pub enum Source {
    /// Each below D.
    Ids(*const i32),
    /// Rows of D.
    Dense(*const f32),
}

// SAFETY: only read, and only while the slice behind it is borrowed.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

/// A `[T, N, H]` sequence whose element before the first is elsewhere: the state.
#[derive(Clone, Copy)]
pub struct Track {
    /// `[N, H]`, before the first step.
    pub initial: Shared,
    /// After the first step.
    pub first: Shared,
    /// From step to step: N · H, or 0 to update one slot in place.
    pub stride: usize,
}

impl Track {
    /// `[N, H]` before step `t`.
    #[inline(always)]
    pub fn before(self, t: usize) -> *mut f32 {
        if t == 0 { self.initial.0 } else { self.first.at((t - 1) * self.stride) }
    }

    /// `[N, H]` after step `t`.
    #[inline(always)]
    pub fn after(self, t: usize) -> *mut f32 {
        self.first.at(t * self.stride)
    }
}

/// The rows `rows` of a layer over `steps` steps.
///
/// All pointers are to `[T, N, ..]` arrays with all N rows; those that are null aren't written.
#[derive(Clone)]
pub struct Forward<'a> {
    /// The weights.
    pub layer: &'a PackedLayer,
    /// T.
    pub steps: usize,
    /// N.
    pub batch: usize,
    /// Those of this piece.
    pub rows: Range<usize>,
    /// The panels of units of this piece; all of them, where there is more than one step.
    pub panels: Range<usize>,
    /// The input.
    pub source: Source,
    /// h, before dropout.
    pub hidden: Track,
    /// c of an LSTM; may be updated in place.
    pub carry: Track,
    /// `[T, N, 4, H]`, or null.
    pub gates: Shared,
    /// `[T, N, H]`: h after dropout; null if it is the same as `hidden`.
    pub out: Shared,
    /// The dropout on `out`.
    pub mask: Option<Mask>,
}

/// The places of one vector of units of one row at one step.
pub struct Place {
    /// h before this step.
    pub hidden_before: *const f32,
    /// h after it.
    pub hidden: *mut f32,
    /// c before this step.
    pub carry_before: *const f32,
    /// c after it.
    pub carry: *mut f32,
    /// The first of four gates, H apart; or null.
    pub gates: *mut f32,
    /// The output, or null.
    pub out: *mut f32,
    /// Of the output's element in `[T, N, H]`.
    pub index: usize,
    /// Dropout of the output.
    pub mask: Option<Mask>,
    /// H.
    pub h: usize,
    /// Units from here to the end of the row; the lanes beyond are padding.
    pub left: usize,
}

impl Place {
    /// Stores the gates, if they are wanted.
    /// # Safety
    /// Place must be valid for `valid` units.
    #[inline(always)]
    pub unsafe fn store_gates<S: Simd>(&self, s: S, gates: [S::F; VECTORS], valid: usize) {
        if self.gates.is_null() {
            return;
        }
        // Only the backward pass reads them: they needn't push the weights out of the caches.
        let aligned =
            self.gates.addr().is_multiple_of(4 * S::LANES) && self.h.is_multiple_of(S::LANES);
        for (j, gate) in gates.into_iter().enumerate() {
            // SAFETY: promised by the caller; where H is a multiple of the lanes all of them are valid, and aligned.
            unsafe {
                let to = self.gates.add(j * self.h);
                if aligned {
                    s.stream(to, gate)
                } else {
                    super::panels::store_some(s, to, gate, valid)
                }
            }
        }
    }

    /// Stores h, and the output with its dropout.
    /// # Safety
    /// Place must be valid for `valid` writes at `offset`.
    #[inline(always)]
    pub unsafe fn store_hidden<S: Simd>(&self, s: S, offset: usize, value: S::F, valid: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            super::panels::store_some(s, self.hidden.add(offset), value, valid);
            if !self.out.is_null() {
                let value = match self.mask {
                    Some(mask) => mask.apply(s, (self.index + offset) as u32, value),
                    None => value,
                };
                super::panels::store_some(s, self.out.add(offset), value, valid);
            }
        }
    }
}

/// The arithmetic of a cell after its products.
pub trait ForwardCell {
    /// Units in a panel, in vectors.
    const UNITS: usize;

    /// Adds a part of the products to the sums of a tile.
    /// # Safety
    /// As [`accumulate`](super::panels::accumulate).
    unsafe fn products<S: Simd, const M: usize>(
        s: S,
        sums: &mut [[S::F; VECTORS]; M],
        a: *const f32,
        k: usize,
        b: *const f32,
        ahead: Ahead,
        recurrent: bool,
    );

    /// Turns the sums of one row into its new state.
    /// # Safety
    /// The place must be valid.
    unsafe fn finish<S: Simd>(s: S, sums: &[S::F; VECTORS], place: &Place);
}

impl Forward<'_> {
    /// # Safety
    /// The piece's pointers must be valid and its ids below D.
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
        let unit = panel * C::UNITS * S::LANES;
        let mut sums = [[s.splat(0.0); VECTORS]; M];
        let width = VECTORS * S::LANES;
        // SAFETY: row + M rows are in the batch, and panels have what their layer says.
        unsafe {
            match (&self.layer.input, self.source) {
                (InputWeights::Table(table), Source::Ids(ids)) => {
                    let table = table.panel(panel);
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let from = table.add(*ids.add(at + i) as usize * width);
                        for (j, sum) in sums.iter_mut().enumerate() {
                            *sum = s.load(from.add(j * S::LANES));
                        }
                    }
                }
                (InputWeights::Dense { bias, weights }, Source::Dense(input)) => {
                    let bias = bias.panel(panel);
                    for sums in &mut sums {
                        for (j, sum) in sums.iter_mut().enumerate() {
                            *sum = s.load(bias.add(j * S::LANES));
                        }
                    }
                    C::products::<S, M>(
                        s,
                        &mut sums,
                        input.add(at * d),
                        d,
                        weights.panel(panel),
                        weights.ahead(panel, tile),
                        false,
                    );
                }
                _ => unreachable!("a layer packed for another kind of input"),
            }
            let before = self.hidden.before(t).add(row * h);
            let weights = &self.layer.hidden;
            C::products::<S, M>(
                s,
                &mut sums,
                before,
                h,
                weights.panel(panel),
                weights.ahead(panel, tile),
                true,
            );

            for (i, sums) in sums.iter().enumerate() {
                let offset = (row + i) * h + unit;
                let index = t * self.batch * h + offset;
                let place = Place {
                    hidden_before: self.hidden.before(t).wrapping_add(offset),
                    hidden: self.hidden.after(t).wrapping_add(offset),
                    carry_before: self.carry.before(t).wrapping_add(offset),
                    carry: self.carry.after(t).wrapping_add(offset),
                    gates: if self.gates.0.is_null() {
                        self.gates.0
                    } else {
                        self.gates.at((at + i) * VECTORS * h + unit)
                    },
                    out: if self.out.0.is_null() { self.out.0 } else { self.out.at(index) },
                    index,
                    mask: self.mask,
                    h,
                    left: h - unit,
                };
                C::finish(s, sums, &place);
            }
        }
    }

    #[inline(always)]
    fn steps<S: Simd, C: ForwardCell>(&self, s: S) {
        debug_assert!(self.steps == 1 || self.panels == (0..self.layer.hidden.count()));
        for t in 0..self.steps {
            for panel in self.panels.clone() {
                for tile in tiles(self.rows.len(), S::ROWS) {
                    macro_rules! of_rows {
                        ($($m:literal)*) => {
                            match tile.rows {
                                // SAFETY: the maker of the piece vouches for its pointers and ids.
                                $($m => unsafe { self.tile::<S, C, $m>(s, t, panel, tile) },)*
                                _ => unreachable!("{tile:?}"),
                            }
                        };
                    }
                    if S::ROWS > 3 { of_rows!(1 2 3 4 5 6) } else { of_rows!(1 2 3) }
                }
            }
        }
        s.fence();
    }
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.layer.cell {
            Cell::Lstm => self.steps::<S, Lstm>(s),
            Cell::Gru => self.steps::<S, Gru>(s),
            Cell::Tanh => self.steps::<S, Tanh>(s),
            Cell::Relu => self.steps::<S, Relu>(s),
        }
    }
}
