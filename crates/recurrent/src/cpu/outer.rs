//! Weight gradients: `C[m, n] += Σ_k A[k, m] B[k, n]`, where k runs over all rows and steps.
//!
//! The columns of A are cut into stripes by their number alone; a stripe is one job, which walks k in blocks of
//! fixed size. So the order of every sum depends on the sizes only.

use std::ops::Range;

use super::buffers::Buffer;
use super::panels::{Ahead, accumulate, load_some, store_some};
use super::simd::{Kernel, Level, Simd, VECTORS};
use super::threads::{Shared, for_each_job};

/// Rows of A and B that are packed at a time.
const BLOCK: usize = 128;
/// f32 in a cache line.
const LINE: usize = 16;
/// Columns of A in a stripe, about: few enough for eight threads, enough to pay for packing B.
const STRIPE: usize = 132;

/// A dense B and where its products go.
#[derive(Clone, Copy)]
pub struct Dense<'a> {
    /// `[K, n]`
    pub b: &'a [f32],
    /// Columns of B and C.
    pub n: usize,
    /// `[m, n]`, the row of the first column of A first.
    pub c: Shared,
}

/// One-hot rows of B.
#[derive(Clone, Copy)]
pub struct OneHot<'a> {
    /// `[K]`
    pub ids: &'a [i32],
    /// `Cᵀ`: a row for each id, the column of the first column of A first.
    pub table: Shared,
    /// From one row of the table to the next.
    pub stride: usize,
}

/// All products of some columns of A.
#[derive(Clone)]
pub struct Outer<'a> {
    /// `[K, stride]`
    pub a: &'a [f32],
    /// From one row of A to the next.
    pub stride: usize,
    /// K.
    pub k: usize,
    /// The columns of A that take part; column `columns.start` is row 0 of each C.
    pub columns: Range<usize>,
    /// The dense ones.
    pub dense: [Option<Dense<'a>>; 2],
    /// The one-hot one.
    pub one_hot: Option<OneHot<'a>>,
    /// `[m]`: the sums of A's columns are added here.
    pub sums: Shared,
}

/// Adds all products, over all threads.
pub fn run(level: Level, outers: &[Outer<'_>]) {
    let stripes: Vec<_> = outers.iter().flat_map(Outer::stripes).collect();
    for_each_job(stripes.len(), |job| level.run(stripes[job]));
}

impl Outer<'_> {
    fn stripes(&self) -> impl Iterator<Item = Stripe<'_>> {
        let m = self.columns.len();
        // At least eight jobs, of whole tiles of rows for the widest vectors, unless they would be tiny.
        let size = m.div_ceil(8).clamp(24, STRIPE).next_multiple_of(6);
        (0..m).step_by(size).map(move |first| Stripe {
            outer: self,
            first,
            len: size.min(m - first),
        })
    }
}

#[derive(Clone, Copy)]
struct Stripe<'a> {
    outer: &'a Outer<'a>,
    /// Row of C.
    first: usize,
    len: usize,
}

impl Stripe<'_> {
    /// Packs A's rows `k..k + rows` as `[tile, BLOCK, ROWS]` with a line between tiles, and adds up columns and one-hot products.
    #[inline(always)]
    fn pack_a<S: Simd>(&self, s: S, k: usize, rows: usize, packed: &mut [f32]) {
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
            // SAFETY: these columns of the sums and of the table are this stripe's alone.
            unsafe {
                add_to(s, self.outer.sums.at(self.first), a);
                if let Some(one_hot) = self.outer.one_hot {
                    let id = one_hot.ids[k + row] as usize;
                    add_to(s, one_hot.table.at(id * one_hot.stride + self.first), a);
                }
            }
        }
    }

    /// This stripe's columns of a row of A.
    #[inline(always)]
    fn row(&self, k: usize) -> &[f32] {
        &self.outer.a[k * self.outer.stride + self.outer.columns.start + self.first..][..self.len]
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
                    store_some(s, to.as_mut_ptr(), load_some(s, b.as_ptr(), b.len()), b.len())
                };
            }
        }
    }

    /// Adds the products of packed rows to C; meanwhile asks for the rows that follow.
    #[inline(always)]
    fn products<S: Simd>(
        &self,
        s: S,
        next: usize,
        rows: usize,
        dense: Dense<'_>,
        a: &[f32],
        b: &[f32],
    ) {
        let width = VECTORS * S::LANES;
        let tiles = self.len.div_ceil(S::ROWS);
        let count = dense.n.div_ceil(width) * tiles;
        for (panel, first) in (0..dense.n).step_by(width).enumerate() {
            let columns = width.min(dense.n - first);
            let b = &b[panel * BLOCK * width..][..rows * width];
            for tile in 0..tiles {
                let at = panel * tiles + tile;
                for row in next + at * BLOCK / count..next + (at + 1) * BLOCK / count {
                    self.prefetch(s, row);
                }
                let following = dense.b.as_ptr().wrapping_add(next * dense.n);
                let ahead = Ahead::part(following, BLOCK * dense.n, at, count, BLOCK);
                let done = tile * S::ROWS;
                let a = &a[tile * tile_size::<S>()..][..rows * S::ROWS];
                let c = dense.c.at((self.first + done) * dense.n + first);
                let valid = S::ROWS.min(self.len - done);
                // SAFETY: A's tile and B's panel have `rows` rows; C has `valid` rows of `columns` from here, which
                // are this stripe's alone.
                unsafe {
                    if S::ROWS > 3 {
                        add_tile::<S, 6>(s, a, b, rows, c, dense.n, valid, columns, ahead);
                    } else {
                        add_tile::<S, 3>(s, a, b, rows, c, dense.n, valid, columns, ahead);
                    }
                }
            }
        }
    }

    /// The rows of a stripe lie a page apart: the processor wouldn't guess the next.
    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, row: usize) {
        if row < self.outer.k {
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
            let sum = s.add(load_some(s, to, a.len()), load_some(s, a.as_ptr(), a.len()));
            store_some(s, to, sum, a.len());
        }
    }
}

/// Adds a tile's products to C.
/// # Safety
/// `c` must be valid for `valid` rows of `columns`, `n` apart; `a` and `b` must have `rows` rows.
#[allow(clippy::too_many_arguments)]
#[inline(always)]
unsafe fn add_tile<S: Simd, const M: usize>(
    s: S,
    a: &[f32],
    b: &[f32],
    rows: usize,
    c: *mut f32,
    n: usize,
    valid: usize,
    columns: usize,
    ahead: Ahead,
) {
    for i in 0..valid {
        for j in 0..VECTORS {
            s.prefetch_write(c.wrapping_add(i * n + j * S::LANES));
        }
    }
    let mut sums = [[s.splat(0.0); VECTORS]; M];
    // SAFETY: promised by the caller.
    unsafe {
        accumulate::<S, M, VECTORS, VECTORS, 0>(
            s,
            &mut sums,
            a.as_ptr(),
            1,
            M,
            rows,
            b.as_ptr(),
            ahead,
        );
        if valid == M && columns == VECTORS * S::LANES {
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let at = c.add(i * n + j * S::LANES);
                    s.store(at, s.add(s.load(at), sum));
                }
            }
            return;
        }
        for (i, sums) in sums.iter().enumerate() {
            if i < valid {
                for (j, &sum) in sums.iter().enumerate() {
                    let lanes = columns.saturating_sub(j * S::LANES).min(S::LANES);
                    let at = c.add(i * n).wrapping_add(j * S::LANES);
                    store_some(s, at, s.add(load_some(s, at, lanes), sum), lanes);
                }
            }
        }
    }
}

impl Kernel for Stripe<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // Whatever stands in the padding meets only sums that aren't stored.
        let mut packed = Buffer::new(self.len.div_ceil(S::ROWS) * tile_size::<S>());
        let dense = self.outer.dense.into_iter().flatten();
        let widest = dense.clone().map(|dense| dense.n.next_multiple_of(VECTORS * S::LANES)).max();
        let mut panels = Buffer::new(BLOCK * widest.unwrap_or(0));
        for k in (0..self.outer.k).step_by(BLOCK) {
            let rows = BLOCK.min(self.outer.k - k);
            self.pack_a(s, k, rows, &mut packed);
            for dense in dense.clone() {
                self.pack_b(s, k, rows, dense, &mut panels);
                self.products(s, k + BLOCK, rows, dense, &packed, &panels);
            }
        }
    }
}
