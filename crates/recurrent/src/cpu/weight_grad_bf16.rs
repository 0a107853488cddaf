//! The [products for weight gradients](super::weight_grad_gemm) of bf16 numbers.
//!
//! Pairs are of neighbouring rows k. All of B is packed first, by all threads; then each block of rows of C packs its columns of
//! A, transposed.

use super::bf16::{self, PairBuffer, PairRows, Products, TransposePairs};
use super::isa::Isa;
use super::packed::Prefetch;
use super::send_ptr::SendPtr;
use super::simd::{Kernel, Simd, VECTORS};
use super::threads::for_each_task;
use super::weight_grad_gemm::{CTile, Dense, LINE, RowBlock, WeightGradGemm, add_sums};

/// Rows of A and B in a block: a panel of B stays in the first-level cache.
const BLOCK: usize = 256;
/// Rows of C in a product: with B they fit into the first-level cache.
const ROWS: usize = 16;
/// Pairs in a block.
const PAIRS: usize = BLOCK / 2;
/// From one packed column of A to the next, in pairs: a line more than it takes, so that they don't compete for a cache set.
const STRIDE: usize = PAIRS + LINE;

/// Adds all products, on all threads.
///
/// # Safety
/// As [`super::weight_grad_gemm::add_products`].
pub unsafe fn add_products(isa: Isa, gemms: &[WeightGradGemm<'_>]) {
    let mut packed: Vec<PackedB<'_>> = Vec::new();
    for gemm in gemms {
        for Dense { b, n, .. } in gemm.dense.into_iter().flatten() {
            if !packed.iter().any(|other| other.is(b)) {
                packed.push(PackedB::new(isa, b, n, gemm.k));
            }
        }
    }
    let blocks: Vec<_> = gemms.iter().flat_map(|gemm| gemm.row_blocks(ROWS)).collect();
    for_each_task(blocks.len(), |task| {
        // SAFETY: promised by the caller, and blocks have their own rows of C.
        unsafe { isa.run(Bf16RowBlock { block: blocks[task], packed: &packed }) }
    });
}

/// B in blocks of rows, each in panels `[PAIRS, VECTORS, LANES]`.
struct PackedB<'a> {
    b: &'a [f32],
    data: PairBuffer,
    /// Panels in a block.
    panels: usize,
    /// Pairs in a panel.
    panel_size: usize,
}

impl<'a> PackedB<'a> {
    /// Packs `b [K, n]`. The padding of a panel's columns may hold anything: it only affects sums that aren't stored.
    fn new(isa: Isa, b: &'a [f32], n: usize, k: usize) -> Self {
        let width = VECTORS * isa.lanes();
        let panels = n.div_ceil(width);
        let panel_size = PAIRS * width;
        let tasks = k.div_ceil(BLOCK) * panels;
        let mut data = PairBuffer::new(tasks * panel_size);
        // SAFETY: each task writes its own panel.
        let shared = unsafe { SendPtr::new(&mut data) };
        for_each_task(tasks, |task| {
            let (block, panel) = (task / panels, task % panels);
            let rows = BLOCK.min(k - block * BLOCK);
            let pair_rows = PairRows {
                from: b[block * BLOCK * n + panel * width..].as_ptr(),
                stride: n,
                k: rows,
                width: width.min(n - panel * width),
                to: shared.at(task * panel_size),
                to_stride: width,
                pairs: bf16::pairs(rows),
            };
            // SAFETY: B has these rows and columns.
            unsafe { isa.run(pair_rows) };
        });
        PackedB { b, data, panels, panel_size }
    }

    /// Whether it was packed from `b`.
    fn is(&self, b: &[f32]) -> bool {
        std::ptr::eq(self.b, b)
    }

    fn panel(&self, block: usize, panel: usize) -> &[u32] {
        &self.data[(block * self.panels + panel) * self.panel_size..][..self.panel_size]
    }
}

/// A [`RowBlock`] whose products are of bf16 numbers.
///
/// # Safety
/// As the block itself; every B is among `packed`.
struct Bf16RowBlock<'a> {
    block: RowBlock<'a>,
    packed: &'a [PackedB<'a>],
}

impl Bf16RowBlock<'_> {
    /// Adds the products of `pairs` packed pairs of rows of A with a block of B to C.
    ///
    /// # Safety
    /// As the block itself.
    #[inline(always)]
    unsafe fn products<S: Simd>(
        &self,
        s: S,
        (k_block, pairs): (usize, usize),
        dense: Dense<'_>,
        a: &[u32],
    ) {
        let packed = self.packed.iter().find(|packed| packed.is(dense.b));
        let packed = packed.expect("every B is packed");
        let width = VECTORS * S::LANES;
        let mut sums = [[s.splat(0.0); VECTORS]; ROWS];
        for panel in 0..packed.panels {
            let first = panel * width;
            for row in (0..self.block.len).step_by(ROWS) {
                let rows = ROWS.min(self.block.len - row);
                let products = Products {
                    sums: sums.as_mut_ptr().cast(),
                    rows,
                    a: a[row * STRIDE..].as_ptr(),
                    a_stride: STRIDE,
                    b: packed.panel(k_block, panel).as_ptr(),
                    pairs,
                    vectors: VECTORS,
                    shift: 0,
                    from_zero: true,
                    prefetch: Prefetch::none(),
                };
                let c = CTile {
                    start: dense.c.at((self.block.first + row) * dense.n + first),
                    stride: dense.n,
                    rows,
                    columns: width.min(dense.n - first),
                };
                // SAFETY: A's tile and B's panel have these pairs; C has these rows and columns, which are this block's
                // alone, as the caller promised.
                unsafe {
                    s.bf16_products(&products);
                    add_sums(s, &sums, c);
                }
            }
        }
    }
}

impl Kernel for Bf16RowBlock<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let RowBlock { gemm, first, len } = self.block;
        let mut packed = PairBuffer::new(len * STRIDE);
        for (k_block, k) in (0..gemm.k).step_by(BLOCK).enumerate() {
            let rows = BLOCK.min(gemm.k - k);
            let pairs = bf16::pairs(rows);
            let transposed = TransposePairs(PairRows {
                from: gemm.a[k * gemm.stride + gemm.columns.start + first..].as_ptr(),
                stride: gemm.stride,
                k: rows,
                width: len,
                to: packed.as_mut_ptr(),
                to_stride: STRIDE,
                pairs,
            });
            // SAFETY: A has these rows and columns; the rest is promised by the caller.
            unsafe {
                s.vectorize(transposed);
                for row in k..k + rows {
                    self.block.add_row(s, row);
                }
                for dense in gemm.dense.into_iter().flatten() {
                    self.products(s, (k_block, pairs), dense, &packed);
                }
            }
        }
    }
}
