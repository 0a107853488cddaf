//! Weights packed for the register tile, and the products that read them.
//!
//! A tile is up to six rows of A times a panel of up to four vectors of columns of B; its sums stay in registers
//! over the whole inner dimension. Every element is one chain of multiply-adds in ascending k, whatever the rows
//! around it: splitting rows over tiles or threads doesn't change a bit of the result.

use std::ops::Range;

use super::buffers::Buffer;
use super::simd::{Kernel, Level, Simd, VECTORS};

/// Which columns of B stand in the vectors of a panel.
#[derive(Clone, Copy)]
pub enum Columns {
    /// Vector j of panel p is gate j of units `p · LANES..`: all gates of a unit are in one tile.
    Gates { gates: usize, units: usize },
    /// Consecutive columns.
    Consecutive { columns: usize, vectors: usize },
}

impl Columns {
    /// Consecutive columns in panels of the width that pads least.
    pub fn consecutive(columns: usize, level: Level) -> Self {
        let needed = columns.div_ceil(level.lanes());
        let panels = needed.div_ceil(VECTORS);
        Columns::Consecutive { columns, vectors: needed.div_ceil(panels.max(1)) }
    }

    /// Vectors in each panel.
    pub fn vectors(self) -> usize {
        match self {
            Columns::Gates { gates, .. } => gates,
            Columns::Consecutive { vectors, .. } => vectors,
        }
    }

    /// Panels that hold all columns.
    pub fn panels(self, lanes: usize) -> usize {
        match self {
            Columns::Gates { units, .. } => units.div_ceil(lanes),
            Columns::Consecutive { columns, vectors } => columns.div_ceil(lanes * vectors.max(1)),
        }
    }

    /// The columns in a vector of a panel; fewer than `lanes` at the end.
    fn span(self, panel: usize, vector: usize, lanes: usize) -> Range<usize> {
        match self {
            Columns::Gates { units, .. } => {
                let (first, last) = (panel * lanes, ((panel + 1) * lanes).min(units));
                vector * units + first..vector * units + last
            }
            Columns::Consecutive { columns, vectors } => {
                let first = ((panel * vectors + vector) * lanes).min(columns);
                first..(first + lanes).min(columns)
            }
        }
    }
}

/// B `[K, columns]`, panel after panel, each `[K, vectors, lanes]`, the missing lanes zero.
pub struct Panels {
    data: Buffer,
    /// Rows of B.
    pub k: usize,
    columns: Columns,
    panel_size: usize,
    count: usize,
}

impl Panels {
    fn pack(
        level: Level,
        k: usize,
        columns: Columns,
        copy: impl Fn(Range<usize>, &mut [f32], usize) + Sync,
    ) -> Self {
        let lanes = level.lanes();
        let count = columns.panels(lanes);
        let row = columns.vectors() * lanes;
        let mut data = Buffer::new(count * k * row);
        super::threads::for_each_chunk(&mut data, k * row, |panel, data| {
            for vector in 0..columns.vectors() {
                let span = columns.span(panel, vector, lanes);
                if span.len() < lanes {
                    data.chunks_exact_mut(row).for_each(|d| d[vector * lanes..][..lanes].fill(0.0));
                }
                copy(span, &mut data[vector * lanes..], row);
            }
        });
        Panels { data, k, columns, panel_size: k * row, count }
    }

    /// Packs `weight [columns, K]`: the product is A · weightᵀ.
    pub fn of_transposed(level: Level, weight: &[f32], k: usize, columns: Columns) -> Self {
        Self::pack(level, k, columns, |span, data, row| {
            for (lane, column) in span.enumerate() {
                let source = &weight[column * k..][..k];
                for (d, &x) in data[lane..].iter_mut().step_by(row).zip(source) {
                    *d = x;
                }
            }
        })
    }

    /// Packs `weight [K, columns]`: the product is A · weight.
    pub fn of_rows(level: Level, weight: &[f32], k: usize, columns: usize) -> Self {
        Self::pack(level, k, Columns::consecutive(columns, level), |span, data, row| {
            if span.is_empty() {
                return;
            }
            for (d, source) in data.chunks_mut(row).zip(weight.chunks_exact(columns)) {
                d[..span.len()].copy_from_slice(&source[span.clone()]);
            }
        })
    }

    /// Packs what `element(k, column)` gives.
    pub fn of_elements(
        level: Level,
        element: impl Fn(usize, usize) -> f32 + Sync,
        k: usize,
        columns: Columns,
    ) -> Self {
        Self::pack(level, k, columns, |span, data, row| {
            for (lane, column) in span.enumerate() {
                for (k, d) in data[lane..].iter_mut().step_by(row).enumerate() {
                    *d = element(k, column);
                }
            }
        })
    }

    /// The columns of B in some panels, where they are consecutive.
    pub fn columns_of(&self, panels: Range<usize>) -> Range<usize> {
        match self.columns {
            Columns::Consecutive { columns, .. } => {
                let width = self.panel_size / self.k.max(1);
                (panels.start * width).min(columns)..(panels.end * width).min(columns)
            }
            Columns::Gates { .. } => unreachable!("a unit's gates are apart"),
        }
    }

    /// How many panels there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The start of a panel.
    #[inline(always)]
    pub fn panel(&self, panel: usize) -> *const f32 {
        debug_assert!(panel < self.count);
        // SAFETY: all panels have the same size and lie within the buffer.
        unsafe { self.data.as_ptr().add(panel * self.panel_size) }
    }

    /// A tile's share of asking for the panel that comes after this one.
    #[inline(always)]
    pub fn ahead(&self, panel: usize, tile: Tile) -> Ahead {
        let next = if panel + 1 == self.count { 0 } else { panel + 1 };
        Ahead::part(self.panel(next), self.panel_size, tile.number, tile.count, self.k)
    }
}

/// Some of the rows of a product.
#[derive(Clone, Copy, Debug)]
pub struct Tile {
    /// The first row.
    pub start: usize,
    /// How many.
    pub rows: usize,
    /// Its number among the tiles.
    pub number: usize,
    /// How many tiles there are.
    pub count: usize,
}

/// Rows in tiles of nearly equal size, at most `most` each.
#[inline(always)]
pub fn tiles(rows: usize, most: usize) -> impl Iterator<Item = Tile> {
    let count = rows.div_ceil(most);
    (0..count).map(move |number| {
        let (start, end) = (number * rows / count, (number + 1) * rows / count);
        Tile { start, rows: end - start, number, count }
    })
}

/// What a tile asks the cache for while it computes: `step` f32 further with each k. Need not be valid.
#[derive(Clone, Copy)]
pub struct Ahead {
    /// The first.
    pub from: *const f32,
    /// From one to the next.
    pub step: usize,
}

impl Ahead {
    /// Part `part` of `parts` of the `len` f32 at `from`, over `k` steps.
    #[inline(always)]
    pub fn part(from: *const f32, len: usize, part: usize, parts: usize, k: usize) -> Self {
        let step = len.div_ceil((parts * k).max(1)).min(VECTORS * 16);
        Ahead { from: from.wrapping_add(part * k * step), step }
    }
}

/// `sums[i][j] += Σ a[i · a_row + k · a_step] · b[k][j]` for the `B` vectors of a panel; the last of them goes
/// `SHIFT` places further.
///
/// # Safety
/// `a` must be valid for reads at all those places, `b` for `k · B · LANES` reads.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
pub unsafe fn accumulate<
    S: Simd,
    const M: usize,
    const W: usize,
    const B: usize,
    const SHIFT: usize,
>(
    s: S,
    sums: &mut [[S::F; W]; M],
    mut a: *const f32,
    a_row: usize,
    a_step: usize,
    k: usize,
    mut b: *const f32,
    mut ahead: Ahead,
) {
    for _ in 0..k {
        s.prefetch(ahead.from);
        let mut scalars = [s.splat(0.0); M];
        for (i, scalar) in scalars.iter_mut().enumerate() {
            // SAFETY: promised by the caller.
            *scalar = s.splat(unsafe { *a.add(i * a_row) });
        }
        for j in 0..B {
            // SAFETY: promised by the caller.
            let column = unsafe { s.load(b.add(j * S::LANES)) };
            let to = if j == B - 1 { j + SHIFT } else { j };
            for i in 0..M {
                sums[i][to] = s.mul_add(scalars[i], column, sums[i][to]);
            }
        }
        a = a.wrapping_add(a_step);
        b = b.wrapping_add(B * S::LANES);
        ahead.from = ahead.from.wrapping_add(ahead.step);
    }
}

/// `out = A · B`, or `out += A · B`, for consecutive columns.
pub struct Product<'a> {
    /// The first row of A.
    pub a: *const f32,
    /// From one row of A to the next.
    pub a_row: usize,
    /// Rows of A and of `out`.
    pub rows: usize,
    /// The parts of a row of A that are multiplied, start and length, in the order of B's rows.
    pub parts: &'a [(usize, usize)],
    /// B.
    pub b: &'a Panels,
    /// The panels of B to multiply by.
    pub panels: Range<usize>,
    /// The first row of the result.
    pub out: *mut f32,
    /// From one row of the result to the next.
    pub out_row: usize,
    /// Adds to what is there.
    pub add: bool,
}

impl Product<'_> {
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const W: usize>(&self, s: S, panel: usize, tile: Tile) {
        let row = tile.start;
        let Columns::Consecutive { columns, .. } = self.b.columns else { return };
        let first = panel * W * S::LANES;
        let mut sums = [[s.splat(0.0); W]; M];
        let valid = |j: usize| columns.saturating_sub(first + j * S::LANES).min(S::LANES);
        if self.add {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    let at = self.out.wrapping_add((row + i) * self.out_row + first + j * S::LANES);
                    // SAFETY: only the columns that exist are read.
                    *sum = unsafe { load_some(s, at, valid(j)) };
                }
            }
        }
        let mut b = self.b.panel(panel);
        let mut ahead = self.b.ahead(panel, tile);
        for &(start, len) in self.parts {
            // SAFETY: whoever made the product promised the rows of A; the panel has a row for each part's element.
            unsafe {
                let a = self.a.add(row * self.a_row + start);
                accumulate::<S, M, W, W, 0>(s, &mut sums, a, self.a_row, 1, len, b, ahead);
                ahead.from = ahead.from.wrapping_add(len * ahead.step);
                b = b.add(len * W * S::LANES);
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let at = self.out.wrapping_add((row + i) * self.out_row + first + j * S::LANES);
                // SAFETY: only the columns that exist are written.
                unsafe { store_some(s, at, sum, valid(j)) };
            }
        }
    }
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.b.columns.vectors();
        for panel in self.panels.clone() {
            for tile in tiles(self.rows, S::ROWS) {
                macro_rules! of_rows {
                    ($($m:literal)*) => {
                        // SAFETY: the tile's rows are in A and in the result.
                        unsafe {
                            match (tile.rows, width) {
                                $(($m, 1) => self.tile::<S, $m, 1>(s, panel, tile),
                                ($m, 2) => self.tile::<S, $m, 2>(s, panel, tile),
                                ($m, 3) => self.tile::<S, $m, 3>(s, panel, tile),
                                ($m, 4) => self.tile::<S, $m, 4>(s, panel, tile),)*
                                _ => unreachable!("{tile:?} of {width} vectors"),
                            }
                        }
                    };
                }
                if S::ROWS > 3 { of_rows!(1 2 3 4 5 6) } else { of_rows!(1 2 3) }
            }
        }
    }
}

/// The first `count` lanes; the test costs nothing against the masks where all are there.
/// # Safety
/// `from` must be valid for `count` reads.
#[inline(always)]
pub unsafe fn load_some<S: Simd>(s: S, from: *const f32, count: usize) -> S::F {
    // SAFETY: promised by the caller.
    unsafe { if count == S::LANES { s.load(from) } else { s.load_first(from, count) } }
}

/// Stores the first `count` lanes.
/// # Safety
/// `to` must be valid for `count` writes.
#[inline(always)]
pub unsafe fn store_some<S: Simd>(s: S, to: *mut f32, value: S::F, count: usize) {
    // SAFETY: promised by the caller.
    unsafe { if count == S::LANES { s.store(to, value) } else { s.store_first(to, value, count) } }
}
