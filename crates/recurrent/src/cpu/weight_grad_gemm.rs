//! Products for weight gradients: `C[m, n] += Σ_k A[k, m] B[k, n]`, where k runs over all rows and steps.
//!
//! The columns of A (rows of C) are divided into blocks by their number alone; a block is one task, which takes k in blocks
//! of fixed size. So the order of every sum depends on the sizes only.

use std::ops::Range;

use super::Precision;
use super::buffer::Buffer;
use super::gemm::{ABlock, microkernel};
use super::isa::Isa;
use super::packed::Prefetch;
use super::send_ptr::SendPtr;
use super::simd::{Kernel, Simd, VECTORS};
use super::threads::for_each_task;
use super::weight_grad_bf16;

/// Rows of A and B that are packed at a time.
const BLOCK: usize = 128;
/// f32 in a cache line.
pub(super) const LINE: usize = 16;
/// Rows of a register tile of the widest vectors.
const ROWS: usize = 6;
/// The most rows of C in a block, about: few enough for eight threads, enough to pay for packing B.
const MAX_BLOCK_ROWS: usize = 132;

/// A dense B and the C that its products are added to.
#[derive(Clone, Copy)]
pub struct Dense<'a> {
    /// `[K, n]`
    pub b: &'a [f32],
    /// Columns of B and C.
    pub n: usize,
    /// `[m, n]`, the row of the first column of A first.
    pub c: SendPtr<'a, f32>,
}

/// One-hot rows of B and the C that their products are added to.
#[derive(Clone, Copy)]
pub struct OneHot<'a> {
    /// `[K]`
    pub ids: &'a [i32],
    /// `Cᵀ`: a row for each id, the column of the first column of A first.
    pub table: SendPtr<'a, f32>,
    /// From one row of the table to the next.
    pub stride: usize,
}

/// All products of some columns of A.
#[derive(Clone)]
pub struct WeightGradGemm<'a> {
    /// `[K, stride]`
    pub a: &'a [f32],
    /// From one row of A to the next.
    pub stride: usize,
    /// K.
    pub k: usize,
    /// The columns of A that take part; column `columns.start` is row 0 of each C.
    pub columns: Range<usize>,
    /// Products with dense matrices.
    pub dense: [Option<Dense<'a>>; 2],
    /// The product with one-hot rows.
    pub one_hot: Option<OneHot<'a>>,
    /// `[m]`: the sums of A's columns are added here.
    pub sums: SendPtr<'a, f32>,
}

/// Adds all products, on all threads.
///
/// # Safety
/// Each C and each `sums` must be valid for reads and writes in its whole shape, tables for every id; nothing else
/// accesses them meanwhile, and no two of the products overlap in them.
pub unsafe fn add_products(isa: Isa, precision: Precision, gemms: &[WeightGradGemm<'_>]) {
    if precision == Precision::Bf16 {
        // SAFETY: promised by the caller.
        return unsafe { weight_grad_bf16::add_products(isa, gemms) };
    }
    let blocks: Vec<_> = gemms.iter().flat_map(|gemm| gemm.row_blocks(ROWS)).collect();
    // SAFETY: promised by the caller, and blocks have their own rows of C.
    for_each_task(blocks.len(), |task| unsafe { isa.run(blocks[task]) });
}

impl WeightGradGemm<'_> {
    pub(super) fn row_blocks(&self, tile_rows: usize) -> impl Iterator<Item = RowBlock<'_>> {
        let m = self.columns.len();
        // At least eight blocks, of whole tiles of rows, unless they would be tiny.
        let size = m.div_ceil(8).clamp(24, MAX_BLOCK_ROWS).next_multiple_of(tile_rows);
        (0..m).step_by(size).map(move |first| RowBlock {
            gemm: self,
            first,
            len: size.min(m - first),
        })
    }
}

/// Some rows of every C of a [`WeightGradGemm`].
///
/// # Safety
/// To run it, what [`add_products`] demands must hold for these rows.
#[derive(Clone, Copy)]
pub(super) struct RowBlock<'a> {
    pub gemm: &'a WeightGradGemm<'a>,
    /// The first row of C.
    pub first: usize,
    /// Number of rows.
    pub len: usize,
}

impl RowBlock<'_> {
    /// Packs A's rows `k..k + rows` as `[tile, BLOCK, ROWS]` with a line between tiles, and adds up columns and one-hot
    /// products.
    ///
    /// # Safety
    /// As the block itself.
    #[inline(always)]
    unsafe fn pack_a<S: Simd>(&self, s: S, k: usize, rows: usize, packed: &mut [f32]) {
        for row in 0..rows {
            let a = self.row(k + row);
            let mut tiles = packed[row * S::ROWS..].chunks_mut(tile_size::<S>());
            let whole = a.chunks_exact(S::ROWS);
            let rest = whole.remainder();
            // In this order: `zip` takes from the first before it sees that the second has ended.
            for (a, tile) in whole.zip(tiles.by_ref()) {
                // A constant count, which `copy_from_slice` would not see.
                // SAFETY: both have ROWS elements.
                unsafe { a.as_ptr().copy_to_nonoverlapping(tile.as_mut_ptr(), S::ROWS) };
            }
            if let Some(tile) = tiles.next() {
                tile.iter_mut().zip(rest).for_each(|(to, &x)| *to = x);
            }
            // SAFETY: promised by the caller.
            unsafe { self.add_row(s, k + row) };
        }
    }

    /// Adds a row of A to the sums of columns and to the one-hot product.
    ///
    /// # Safety
    /// As the block itself.
    #[inline(always)]
    pub(super) unsafe fn add_row<S: Simd>(&self, s: S, k: usize) {
        let a = self.row(k);
        // SAFETY: these columns of the sums and of the table are this block's alone, as the caller promised.
        unsafe {
            add_to(s, self.gemm.sums.at(self.first), a);
            if let Some(one_hot) = self.gemm.one_hot {
                let id = one_hot.ids[k] as usize;
                add_to(s, one_hot.table.at(id * one_hot.stride + self.first), a);
            }
        }
    }

    /// This block's columns of a row of A.
    #[inline(always)]
    pub(super) fn row(&self, k: usize) -> &[f32] {
        &self.gemm.a[k * self.gemm.stride + self.gemm.columns.start + self.first..][..self.len]
    }

    /// Packs B's rows `k..k + rows` as `[panel, BLOCK, VECTORS, LANES]`.
    #[inline(always)]
    fn pack_b<S: Simd>(&self, s: S, k: usize, rows: usize, dense: Dense<'_>, packed: &mut [f32]) {
        let width = VECTORS * S::LANES;
        for row in 0..rows {
            let b = &dense.b[(k + row) * dense.n..][..dense.n];
            for (j, b) in b.chunks(S::LANES).enumerate() {
                let at = (j / VECTORS * BLOCK + row) * width + j % VECTORS * S::LANES;
                let to = &mut packed[at..at + S::LANES];
                // SAFETY: both have the lanes of `b`.
                unsafe {
                    s.store_partial(to.as_mut_ptr(), s.load_partial(b.as_ptr(), b.len()), b.len())
                };
            }
        }
    }

    /// Adds the products of `rows` packed rows to C; meanwhile prefetches the rows from `next` on.
    ///
    /// # Safety
    /// As the block itself.
    #[inline(always)]
    unsafe fn products<S: Simd>(
        &self,
        s: S,
        next: usize,
        rows: usize,
        dense: Dense<'_>,
        (a, b): (&[f32], &[f32]),
    ) {
        let width = VECTORS * S::LANES;
        let tiles = self.len.div_ceil(S::ROWS);
        let count = dense.n.div_ceil(width) * tiles;
        for (panel, first) in (0..dense.n).step_by(width).enumerate() {
            let b = &b[panel * BLOCK * width..][..rows * width];
            for tile in 0..tiles {
                let at = panel * tiles + tile;
                for row in next + at * BLOCK / count..next + (at + 1) * BLOCK / count {
                    self.prefetch(s, row);
                }
                let following = dense.b.as_ptr().wrapping_add(next * dense.n);
                let prefetch = Prefetch::share(following, BLOCK * dense.n, at, count, BLOCK);
                let done = tile * S::ROWS;
                let a = &a[tile * tile_size::<S>()..][..rows * S::ROWS];
                let a = ABlock { start: a.as_ptr(), row_stride: 1, k_stride: S::ROWS, k: rows };
                let c = CTile {
                    start: dense.c.at((self.first + done) * dense.n + first),
                    stride: dense.n,
                    rows: S::ROWS.min(self.len - done),
                    columns: width.min(dense.n - first),
                };
                // SAFETY: A's tile and B's panel have `rows` rows; C has these rows and columns, which are this block's
                // alone, as the caller promised.
                unsafe {
                    if S::ROWS > 3 {
                        add_tile::<S, 6>(s, a, b.as_ptr(), c, prefetch);
                    } else {
                        add_tile::<S, 3>(s, a, b.as_ptr(), c, prefetch);
                    }
                }
            }
        }
    }

    /// Prefetches a row of A. They lie a page apart: the processor wouldn't guess the next.
    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, row: usize) {
        if row < self.gemm.k {
            let a = self.row(row);
            for line in 0..a.len().div_ceil(LINE) {
                s.prefetch(a.as_ptr().wrapping_add(line * LINE));
            }
        }
    }
}

/// From one packed tile of A to the next: a line more than it takes, so that they don't compete for a cache set.
const fn tile_size<S: Simd>() -> usize {
    BLOCK * S::ROWS + LINE
}

/// `sums += a`
/// # Safety
/// `sums` must be valid for as many elements as `a` has.
#[inline(always)]
unsafe fn add_to<S: Simd>(s: S, sums: *mut f32, a: &[f32]) {
    for (i, a) in a.chunks(S::LANES).enumerate() {
        let to = sums.wrapping_add(i * S::LANES);
        // SAFETY: promised by the caller.
        unsafe {
            let sum = s.add(s.load_partial(to, a.len()), s.load_partial(a.as_ptr(), a.len()));
            s.store_partial(to, sum, a.len());
        }
    }
}

/// A tile of C.
#[derive(Clone, Copy)]
pub(super) struct CTile {
    /// The first element.
    pub start: *mut f32,
    /// From one row to the next.
    pub stride: usize,
    /// Rows that C has, at most those of the register tile.
    pub rows: usize,
    /// Columns that C has, at most those of the register tile.
    pub columns: usize,
}

/// Adds a tile's products to C.
///
/// # Safety
/// As [`microkernel`]; `c` must be valid for reads and writes of its rows and columns.
#[inline(always)]
unsafe fn add_tile<S: Simd, const M: usize>(
    s: S,
    a: ABlock,
    b: *const f32,
    c: CTile,
    prefetch: Prefetch,
) {
    for i in 0..c.rows {
        for j in 0..VECTORS {
            s.prefetch_write(c.start.wrapping_add(i * c.stride + j * S::LANES));
        }
    }
    let mut sums = [[s.splat(0.0); VECTORS]; M];
    // SAFETY: promised by the caller.
    unsafe {
        microkernel::<S, M, VECTORS, VECTORS, 0>(s, &mut sums, a, b, prefetch);
        add_sums(s, &sums, c);
    }
}

/// Adds a tile's sums to the rows and columns that C has of it.
///
/// # Safety
/// `c` must be valid for reads and writes of its rows and columns.
#[inline(always)]
pub(super) unsafe fn add_sums<S: Simd, const M: usize>(
    s: S,
    sums: &[[S::F; VECTORS]; M],
    c: CTile,
) {
    // SAFETY: promised by the caller.
    unsafe {
        if c.rows == M && c.columns == VECTORS * S::LANES {
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let at = c.start.add(i * c.stride + j * S::LANES);
                    s.store(at, s.add(s.load(at), sum));
                }
            }
            return;
        }
        for (i, sums) in sums.iter().enumerate() {
            if i < c.rows {
                for (j, &sum) in sums.iter().enumerate() {
                    let lanes = c.columns.saturating_sub(j * S::LANES).min(S::LANES);
                    let at = c.start.add(i * c.stride).wrapping_add(j * S::LANES);
                    s.store_partial(at, s.add(s.load_partial(at, lanes), sum), lanes);
                }
            }
        }
    }
}

impl Kernel for RowBlock<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        // The padding may hold anything: it only affects sums that aren't stored.
        let mut packed = Buffer::new(self.len.div_ceil(S::ROWS) * tile_size::<S>());
        let dense = self.gemm.dense.into_iter().flatten();
        let widest = dense.clone().map(|dense| dense.n.next_multiple_of(VECTORS * S::LANES)).max();
        let mut panels = Buffer::new(BLOCK * widest.unwrap_or(0));
        for k in (0..self.gemm.k).step_by(BLOCK) {
            let rows = BLOCK.min(self.gemm.k - k);
            // SAFETY: promised by the caller.
            unsafe { self.pack_a(s, k, rows, &mut packed) };
            for dense in dense.clone() {
                self.pack_b(s, k, rows, dense, &mut panels);
                // SAFETY: promised by the caller.
                unsafe { self.products(s, k + BLOCK, rows, dense, (&packed, &panels)) };
            }
        }
    }
}
