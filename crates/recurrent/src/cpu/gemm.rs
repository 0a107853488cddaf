//! Products with packed weights: the micro-kernel, and the matrix product that is built on it.
//!
//! A tile is up to six rows of A times a panel of up to four vectors of columns of B; its sums stay in registers
//! over the whole inner dimension. Every element is one chain of multiply-adds in ascending k, whatever the rows
//! around it: splitting rows over tiles or threads doesn't change a bit of the result.

use std::ops::Range;

use super::Precision;
use super::bf16::{self, PairBuffer, RoundRows};
use super::packed::{PackedWeights, PanelLayout, Prefetch, Tile, tiles};
use super::simd::{Kernel, Simd, VECTORS};

/// A block of A as the micro-kernel reads it: element (i, k) is at `start + i · row_stride + k · k_stride`.
#[derive(Clone, Copy)]
pub struct ABlock {
    /// Element (0, 0).
    pub start: *const f32,
    /// From one row to the next.
    pub row_stride: usize,
    /// From one k to the next.
    pub k_stride: usize,
    /// K.
    pub k: usize,
}

/// `sums[i][j] += Σₖ a[i, k] · b[k][j]` for the `B` vectors of a panel; the last of them is added `SHIFT` places further.
///
/// # Safety
/// `a` must be valid for reads of `M` rows, `b` for `k · B · LANES` reads.
#[inline(always)]
pub unsafe fn microkernel<
    S: Simd,
    const M: usize,
    const W: usize,
    const B: usize,
    const SHIFT: usize,
>(
    s: S,
    sums: &mut [[S::F; W]; M],
    a: ABlock,
    b: *const f32,
    prefetch: Prefetch,
) {
    // SAFETY: promised by the caller.
    unsafe { multiply::<S, M, W, B, SHIFT>(s, sums, a, b, prefetch, |a, b, c| s.mul_add(a, b, c)) }
}

/// The [`microkernel`] with another multiply-add.
///
/// # Safety
/// As [`microkernel`].
#[inline(always)]
pub unsafe fn multiply<
    S: Simd,
    const M: usize,
    const W: usize,
    const B: usize,
    const SHIFT: usize,
>(
    s: S,
    sums: &mut [[S::F; W]; M],
    ABlock { start: mut a, row_stride, k_stride, k }: ABlock,
    mut b: *const f32,
    mut prefetch: Prefetch,
    mul_add: impl Fn(S::F, S::F, S::F) -> S::F,
) {
    for _ in 0..k {
        prefetch.next(s);
        let mut scalars = [s.splat(0.0); M];
        for (i, scalar) in scalars.iter_mut().enumerate() {
            // SAFETY: promised by the caller.
            *scalar = s.splat(unsafe { *a.add(i * row_stride) });
        }
        for j in 0..B {
            // SAFETY: promised by the caller.
            let column = unsafe { s.load(b.add(j * S::LANES)) };
            let to = if j == B - 1 { j + SHIFT } else { j };
            for i in 0..M {
                sums[i][to] = mul_add(scalars[i], column, sums[i][to]);
            }
        }
        a = a.wrapping_add(k_stride);
        b = b.wrapping_add(B * S::LANES);
    }
}

/// `C = A · B`, or `C += A · B`, where the columns of B are packed consecutively.
///
/// # Safety
/// To run it, for each of the `rows`, the parts of the row of A must be valid for reads, and the columns of C in
/// `panels` for reads and writes that nothing else accesses meanwhile. The lengths of the parts add up to `b.k`.
pub struct Gemm<'a> {
    /// The first row of A.
    pub a: *const f32,
    /// From one row of A to the next.
    pub a_stride: usize,
    /// Rows of A and of C.
    pub rows: usize,
    /// The parts of a row of A that are multiplied, start and length, in the order of B's rows.
    pub parts: &'a [(usize, usize)],
    /// B.
    pub b: &'a PackedWeights,
    /// The panels of B to multiply by.
    pub panels: Range<usize>,
    /// The first row of C.
    pub c: *mut f32,
    /// From one row of C to the next.
    pub c_stride: usize,
    /// Whether to add to C instead of overwriting it.
    pub add: bool,
}

impl Gemm<'_> {
    /// The product with weights in bf16; A is rounded first.
    ///
    /// # Safety
    /// As the product itself.
    #[inline(always)]
    unsafe fn bf16<S: Simd>(&self, s: S) {
        let PanelLayout::Consecutive { columns, vectors } = self.b.layout else {
            unreachable!("columns are packed consecutively")
        };
        let pairs = bf16::pairs(self.b.k);
        let mut rounded = PairBuffer::new(self.rows * pairs);
        let a = rounded.as_mut_ptr();
        let Gemm { a: from, a_stride: stride, rows, parts, .. } = *self;
        // SAFETY: the caller promised the parts of these rows.
        unsafe { s.vectorize(RoundRows { from, stride, rows, parts, to: a, pairs }) };
        let mut sums = [[s.splat(0.0); VECTORS]; bf16::ROWS];
        for panel in self.panels.clone() {
            for tile in tiles(self.rows, bf16::ROWS) {
                let sums_at = sums.as_mut_ptr().cast();
                let products = self.b.bf16_products(panel, tile, a, sums_at, 0, true);
                // SAFETY: A and the panel have these pairs, and the sums are this function's.
                unsafe { s.bf16_products(&products) };
                for (i, sums) in sums.iter().enumerate().take(tile.rows) {
                    for (j, &sum) in sums.iter().enumerate().take(vectors) {
                        let first = (panel * vectors + j) * S::LANES;
                        let valid = columns.saturating_sub(first).min(S::LANES);
                        let c = self.c.wrapping_add((tile.start + i) * self.c_stride + first);
                        // SAFETY: only columns that exist are read and written.
                        unsafe {
                            let sum =
                                if self.add { s.add(s.load_partial(c, valid), sum) } else { sum };
                            s.store_partial(c, sum, valid);
                        }
                    }
                }
            }
        }
    }

    /// # Safety
    /// As the product itself; the tile's rows are among its rows, and B's panels are `W` vectors wide.
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const W: usize>(&self, s: S, panel: usize, tile: Tile) {
        let row = tile.start;
        let PanelLayout::Consecutive { columns, .. } = self.b.layout else { return };
        let first = panel * W * S::LANES;
        let mut sums = [[s.splat(0.0); W]; M];
        let valid = |j: usize| columns.saturating_sub(first + j * S::LANES).min(S::LANES);
        let c = |i: usize, j: usize| {
            self.c.wrapping_add((row + i) * self.c_stride + first + j * S::LANES)
        };
        if self.add {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: only columns that exist are read.
                    *sum = unsafe { s.load_partial(c(i, j), valid(j)) };
                }
            }
        }
        let mut b = self.b.panel(panel);
        let mut prefetch = self.b.prefetch_next(panel, tile);
        for &(start, k) in self.parts {
            let a = ABlock {
                start: self.a.wrapping_add(row * self.a_stride + start),
                row_stride: self.a_stride,
                k_stride: 1,
                k,
            };
            // SAFETY: the caller promised the rows of A; the panel has a row for each element of a part.
            unsafe { microkernel::<S, M, W, W, 0>(s, &mut sums, a, b, prefetch) };
            prefetch = prefetch.advance(k);
            b = b.wrapping_add(k * W * S::LANES);
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                // SAFETY: only columns that exist are written.
                unsafe { s.store_partial(c(i, j), sum, valid(j)) };
            }
        }
    }
}

impl Kernel for Gemm<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        if self.b.precision == Precision::Bf16 {
            // SAFETY: promised by the caller.
            return unsafe { self.bf16(s) };
        }
        let width = self.b.layout.vectors();
        for panel in self.panels.clone() {
            for tile in tiles(self.rows, S::ROWS) {
                macro_rules! of_rows {
                    ($($m:literal)*) => {
                        // SAFETY: promised by the caller; the tile's rows are in A and C.
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
