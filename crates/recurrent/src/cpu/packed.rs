//! Weight matrices packed into panels for the register tiles of [`gemm`](super::gemm), and how rows are divided into tiles.

use std::ops::Range;

use super::Precision;
use super::bf16::{self, PairRows, Products, TransposeRows};
use super::buffer::Buffer;
use super::isa::Isa;
use super::simd::{Simd, VECTORS};
use super::threads::{for_each_chunk, part};

/// The columns of B that the vectors of a panel hold.
#[derive(Clone, Copy)]
pub enum PanelLayout {
    /// Vector j of panel p is gate j of units `p · LANES..`: all gates of a unit are in one tile.
    Gates { gates: usize, units: usize },
    /// Consecutive columns.
    Consecutive { columns: usize, vectors: usize },
}

impl PanelLayout {
    /// Consecutive columns in panels of the width that pads least.
    pub fn consecutive(columns: usize, isa: Isa) -> Self {
        let needed = columns.div_ceil(isa.lanes());
        let panels = needed.div_ceil(VECTORS);
        PanelLayout::Consecutive { columns, vectors: needed.div_ceil(panels.max(1)) }
    }

    /// Vectors in each panel.
    pub fn vectors(self) -> usize {
        match self {
            PanelLayout::Gates { gates, .. } => gates,
            PanelLayout::Consecutive { vectors, .. } => vectors,
        }
    }

    /// All columns.
    pub fn columns(self) -> usize {
        match self {
            PanelLayout::Gates { gates, units } => gates * units,
            PanelLayout::Consecutive { columns, .. } => columns,
        }
    }

    /// Panels that hold all columns.
    fn panels(self, lanes: usize) -> usize {
        match self {
            PanelLayout::Gates { units, .. } => units.div_ceil(lanes),
            PanelLayout::Consecutive { columns, vectors } => {
                columns.div_ceil(lanes * vectors.max(1))
            }
        }
    }

    /// The columns in a vector of a panel; fewer than `lanes` at the end.
    fn span(self, panel: usize, vector: usize, lanes: usize) -> Range<usize> {
        match self {
            PanelLayout::Gates { units, .. } => {
                let (first, last) = (panel * lanes, ((panel + 1) * lanes).min(units));
                vector * units + first..vector * units + last
            }
            PanelLayout::Consecutive { columns, vectors } => {
                let first = ((panel * vectors + vector) * lanes).min(columns);
                first..(first + lanes).min(columns)
            }
        }
    }
}

/// Rows that are packed at a time where columns are copied one by one.
const BLOCK: usize = 256;

/// B `[K, columns]`, panel after panel, each `[K, vectors, lanes]`, the missing lanes zero; in bf16 each
/// `[pairs, vectors, lanes]`, where a pair takes the place of an f32.
pub struct PackedWeights {
    data: Buffer,
    /// What the weights were rounded to.
    pub precision: Precision,
    /// Rows of B.
    pub k: usize,
    /// How columns are distributed over panels.
    pub layout: PanelLayout,
    /// Rows of a panel: K, or the pairs.
    panel_rows: usize,
    panel_size: usize,
    panels: usize,
}

impl PackedWeights {
    fn pack(
        isa: Isa,
        precision: Precision,
        k: usize,
        layout: PanelLayout,
        copy: impl Fn(Range<usize>, &mut [f32], usize) + Sync,
    ) -> Self {
        let lanes = isa.lanes();
        let panels = layout.panels(lanes);
        let row = layout.vectors() * lanes;
        let rows = match precision {
            Precision::F32 => k,
            Precision::Bf16 => bf16::pairs(k),
        };
        let mut data = Buffer::new(panels * rows * row);
        for_each_chunk(&mut data, rows * row, |panel, data| {
            for vector in 0..layout.vectors() {
                let span = layout.span(panel, vector, lanes);
                if span.len() < lanes {
                    data.chunks_exact_mut(row).for_each(|d| d[vector * lanes..][..lanes].fill(0.0));
                }
                copy(span, &mut data[vector * lanes..], row);
            }
        });
        PackedWeights {
            data,
            precision,
            k,
            layout,
            panel_rows: rows,
            panel_size: rows * row,
            panels,
        }
    }

    /// Packs `weight [columns, K]`: the product is A · weightᵀ.
    pub fn of_transposed(
        isa: Isa,
        precision: Precision,
        weight: &[f32],
        k: usize,
        layout: PanelLayout,
    ) -> Self {
        Self::pack(isa, precision, k, layout, |span, data, row| {
            if precision == Precision::Bf16 {
                let transposed = TransposeRows {
                    from: weight.as_ptr().wrapping_add(span.start * k),
                    stride: k,
                    k,
                    columns: span.len(),
                    to: data.as_mut_ptr().cast(),
                    to_stride: row,
                    lanes: isa.lanes(),
                };
                // SAFETY: the weight has these rows, and `data` a vector of each row of pairs.
                return unsafe { isa.run(transposed) };
            }
            let column =
                |column: usize, rows: Range<usize>| weight[column * k..][rows].iter().copied();
            copy_columns(span, k, data, row, column);
        })
    }

    /// Packs `weight [K, columns]`: the product is A · weight.
    pub fn of_rows(
        isa: Isa,
        precision: Precision,
        weight: &[f32],
        k: usize,
        columns: usize,
    ) -> Self {
        let layout = PanelLayout::consecutive(columns, isa);
        Self::pack(isa, precision, k, layout, |span, data, row| {
            if span.is_empty() {
                return;
            }
            if precision == Precision::Bf16 {
                let pairs = PairRows {
                    from: weight.as_ptr().wrapping_add(span.start),
                    stride: columns,
                    k,
                    width: span.len(),
                    to: data.as_mut_ptr().cast(),
                    to_stride: row,
                    pairs: bf16::pairs(k),
                };
                // SAFETY: the weight has these columns, and `data` a vector of each row of pairs.
                return unsafe { isa.run(pairs) };
            }
            for (d, source) in data.chunks_mut(row).zip(weight.chunks_exact(columns)) {
                d[..span.len()].copy_from_slice(&source[span.clone()]);
            }
        })
    }

    /// Packs the matrix whose elements are `element(k, column)`, in f32.
    pub fn of_elements(
        isa: Isa,
        element: impl Fn(usize, usize) -> f32 + Sync,
        k: usize,
        layout: PanelLayout,
    ) -> Self {
        Self::pack(isa, Precision::F32, k, layout, |span, data, row| {
            let element = &element;
            let column = |column, rows: Range<usize>| rows.map(move |k| element(k, column));
            copy_columns(span, k, data, row, column);
        })
    }

    /// The columns of B in some panels, where they are consecutive.
    pub fn columns_of(&self, panels: Range<usize>) -> Range<usize> {
        match self.layout {
            PanelLayout::Consecutive { columns, .. } => {
                let width = self.panel_size / self.panel_rows.max(1);
                (panels.start * width).min(columns)..(panels.end * width).min(columns)
            }
            PanelLayout::Gates { .. } => unreachable!("a unit's gates aren't neighbours"),
        }
    }

    /// The size of all panels in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.data[..])
    }

    /// Number of panels.
    pub fn panels(&self) -> usize {
        self.panels
    }

    /// The start of a panel, which is valid for reads of its whole shape.
    #[inline(always)]
    pub fn panel(&self, panel: usize) -> *const f32 {
        debug_assert!(panel < self.panels);
        self.data.as_ptr().wrapping_add(panel * self.panel_size)
    }

    /// The products of a tile's rows of A, rounded to `[rows, pairs]`, with a panel in bf16.
    #[inline(always)]
    pub fn bf16_products(
        &self,
        panel: usize,
        tile: Tile,
        a: *const u32,
        sums: *mut f32,
        shift: usize,
        from_zero: bool,
    ) -> Products {
        let pairs = self.panel_rows;
        Products {
            sums,
            rows: tile.rows,
            a: a.wrapping_add(tile.start * pairs),
            a_stride: pairs,
            b: self.panel(panel).cast(),
            pairs,
            vectors: self.layout.vectors(),
            shift,
            from_zero,
            prefetch: self.prefetch_next(panel, tile),
        }
    }

    /// A tile's share of prefetching the panel that comes after this one.
    #[inline(always)]
    pub fn prefetch_next(&self, panel: usize, tile: Tile) -> Prefetch {
        let next = if panel + 1 == self.panels { 0 } else { panel + 1 };
        Prefetch::share(self.panel(next), self.panel_size, tile.index, tile.count, self.panel_rows)
    }
}

/// Copies columns of K elements to neighbouring lanes of rows that are `row` apart, in blocks of rows that stay in the cache
/// from one lane to the next. `column` gives some rows of a column.
fn copy_columns<I: Iterator<Item = f32>>(
    columns: Range<usize>,
    k: usize,
    data: &mut [f32],
    row: usize,
    column: impl Fn(usize, Range<usize>) -> I,
) {
    for block in (0..k).step_by(BLOCK) {
        for (lane, index) in columns.clone().enumerate() {
            let to = data[block * row + lane..].iter_mut().step_by(row);
            to.zip(column(index, block..k.min(block + BLOCK))).for_each(|(to, x)| *to = x);
        }
    }
}

/// Some of the rows of a product.
#[derive(Clone, Copy, Debug)]
pub struct Tile {
    /// The first row.
    pub start: usize,
    /// Number of rows.
    pub rows: usize,
    /// Index among the tiles.
    pub index: usize,
    /// Number of tiles.
    pub count: usize,
}

/// Rows in tiles of nearly equal size, at most `max_rows` each.
#[inline(always)]
pub fn tiles(rows: usize, max_rows: usize) -> impl Iterator<Item = Tile> {
    let count = rows.div_ceil(max_rows);
    (0..count).map(move |index| {
        let range = part(rows, index, count);
        Tile { start: range.start, rows: range.len(), index, count }
    })
}

/// The addresses that a tile prefetches while it computes, `step` elements further with each k. They need not be valid.
#[derive(Clone, Copy)]
pub struct Prefetch {
    from: *const f32,
    step: usize,
}

impl Prefetch {
    /// Nothing that is worth a prefetch.
    #[inline(always)]
    pub fn none() -> Self {
        Prefetch { from: std::ptr::null(), step: 0 }
    }

    /// Share `index` of `count` of the `len` elements at `from`, spread over `k` steps.
    #[inline(always)]
    pub fn share(from: *const f32, len: usize, index: usize, count: usize, k: usize) -> Self {
        let step = len.div_ceil((count * k).max(1)).min(VECTORS * 16);
        Prefetch { from: from.wrapping_add(index * k * step), step }
    }

    /// Prefetches the next address.
    #[inline(always)]
    pub fn next<S: Simd>(&mut self, s: S) {
        s.prefetch(self.from);
        self.from = self.from.wrapping_add(self.step);
    }

    /// The same `k` steps on.
    #[inline(always)]
    pub fn advance(self, k: usize) -> Self {
        Prefetch { from: self.from.wrapping_add(k * self.step), ..self }
    }
}
