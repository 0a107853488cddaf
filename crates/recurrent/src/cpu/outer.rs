//! Weight gradients: `C[m, n] += Σ_k A[k, m] B[k, n]`, where k runs over all rows and steps.
//!
//! The columns of A are cut into stripes by their number alone; a stripe is one job, which walks k in blocks of
//! fixed size. So the order of every sum depends on the sizes only.

use std::ops::Range;

use super::buffers::Buffer;
use super::panels::{accumulate, load_some, store_some};
use super::simd::{Kernel, Level, Simd, VECTORS};
use super::threads::{Shared, for_each_job};

/// Rows of A and B that are packed at a time.
const BLOCK: usize = 128;
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
    /// `[K]`, each below `n`.
    pub ids: &'a [i32],
    /// Columns of B and C.
    pub n: usize,
    /// `[m, n]`
    pub c: Shared,
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

impl Outer<'_> {
    /// Runs it over all threads.
    pub fn run(&self, level: Level) {
        let m = self.columns.len();
        // At least eight jobs, of whole tiles of rows for the widest vectors, unless they would be tiny.
        let size = (m.div_ceil(8).clamp(24, STRIPE)).next_multiple_of(6);
        for_each_job(m.div_ceil(size), |job| {
            let first = job * size;
            level.run(Stripe { outer: self, first, len: size.min(m - first) });
        });
    }
}

struct Stripe<'a> {
    outer: &'a Outer<'a>,
    /// Row of C.
    first: usize,
    len: usize,
}

impl Stripe<'_> {
    /// Packs A's rows `k..k + rows` as `[tile, rows, ROWS]`, and adds up columns and one-hot products.
    #[inline(always)]
    fn pack_a<S: Simd>(&self, s: S, k: usize, rows: usize, packed: &mut [f32], table: &mut [f32], sums: &mut [f32]) {
        let width = sums.len();
        for row in 0..rows {
            let from = (k + row) * self.outer.stride + self.outer.columns.start + self.first;
            let a = &self.outer.a[from..from + self.len];
            let whole = a.chunks_exact(S::ROWS);
            let rest = whole.remainder();
            let tiles = packed[row * S::ROWS..].chunks_mut(BLOCK * S::ROWS);
            for (tile, a) in tiles.zip(whole.chain([rest])) {
                // Element by element: so few that a call to copy them would cost more.
                for (to, &x) in tile.iter_mut().zip(a).take(S::ROWS) {
                    *to = x;
                }
            }
            add_to(s, sums, a);
            if let Some(one_hot) = self.outer.one_hot {
                let id = one_hot.ids[k + row] as usize;
                add_to(s, &mut table[id * width..][..width], a);
            }
        }
    }

    #[inline(always)]
    fn dense<S: Simd>(&self, s: S, k: usize, rows: usize, dense: Dense<'_>, packed: &[f32], panel: &mut [f32]) {
        let width = VECTORS * S::LANES;
        for first in (0..dense.n).step_by(width) {
            let columns = width.min(dense.n - first);
            for (row, panel) in panel.chunks_exact_mut(width).enumerate().take(rows) {
                let from = (k + row) * dense.n + first;
                panel[..columns].copy_from_slice(&dense.b[from..from + columns]);
            }
            for tile in 0..self.len.div_ceil(S::ROWS) {
                let done = tile * S::ROWS;
                let a = &packed[tile * BLOCK * S::ROWS..][..rows * S::ROWS];
                let c = dense.c.at((self.first + done) * dense.n + first);
                let valid = S::ROWS.min(self.len - done);
                // SAFETY: A's tile and B's panel have `rows` rows; C has `valid` rows of `columns` from here, which
                // are this stripe's alone.
                unsafe {
                    if S::ROWS > 3 {
                        add_tile::<S, 6>(s, a, panel, rows, c, dense.n, valid, columns);
                    } else {
                        add_tile::<S, 3>(s, a, panel, rows, c, dense.n, valid, columns);
                    }
                }
            }
        }
    }
}

/// `sums += a`
#[inline(always)]
fn add_to<S: Simd>(s: S, sums: &mut [f32], a: &[f32]) {
    for (sums, a) in sums.chunks_mut(S::LANES).zip(a.chunks(S::LANES)) {
        // SAFETY: both have the lanes of `a`; the sums have at least as many.
        unsafe {
            let sum = s.add(load_some(s, sums.as_ptr(), a.len()), load_some(s, a.as_ptr(), a.len()));
            store_some(s, sums.as_mut_ptr(), sum, a.len());
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
) {
    let mut sums = [[s.splat(0.0); VECTORS]; M];
    // SAFETY: promised by the caller.
    unsafe {
        accumulate::<S, M, VECTORS, VECTORS, 0>(s, &mut sums, a.as_ptr(), 1, M, rows, b.as_ptr());
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
        let width = self.len.next_multiple_of(S::LANES);
        let mut packed = Buffer::zeros(self.len.next_multiple_of(S::ROWS) * BLOCK);
        let mut panel = Buffer::zeros(BLOCK * VECTORS * S::LANES);
        let mut sums = Buffer::zeros(width);
        let mut table = Buffer::zeros(self.outer.one_hot.map_or(0, |one_hot| one_hot.n * width));
        for k in (0..self.outer.k).step_by(BLOCK) {
            let rows = BLOCK.min(self.outer.k - k);
            self.pack_a(s, k, rows, &mut packed, &mut table, &mut sums);
            for dense in self.outer.dense.into_iter().flatten() {
                self.dense(s, k, rows, dense, &packed, &mut panel);
            }
        }
        for row in 0..self.len {
            // SAFETY: the sums and C's rows have one for each column of A, and these are this stripe's alone.
            unsafe {
                *self.outer.sums.at(self.first + row) += sums[row];
                if let Some(OneHot { n, c, .. }) = self.outer.one_hot {
                    for id in 0..n {
                        *c.at((self.first + row) * n + id) += table[id * width + row];
                    }
                }
            }
        }
    }
}
