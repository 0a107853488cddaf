//! Products of bf16 numbers with sums in f32, for weights that are packed in bf16.
//!
//! Two neighbouring elements of the inner dimension are one `u32`, the first in the low half. Both operands are padded with
//! zeros to whole [`BLOCK_PAIRS`], which changes no sum.
//!
//! Processors have two instructions for such products, which round in different places ([`Order`]). [`emulate`] gives the
//! bits of either with plain f32 arithmetic.

use std::ops::{Deref, DerefMut};

use super::buffer::Buffer;
use super::packed::Prefetch;
use super::simd::{Kernel, Simd, VECTORS};

/// The most rows of A in a product: two tiles of AMX.
pub const ROWS: usize = 32;
/// Pairs in a row of a tile of A.
pub const BLOCK_PAIRS: usize = 16;

/// The pairs that `k` elements take, with their padding.
pub const fn pairs(k: usize) -> usize {
    k.div_ceil(2 * BLOCK_PAIRS) * BLOCK_PAIRS
}

/// Where a sum of products is rounded. Products of two bf16 numbers are exact in f32. Results too small for a normal number
/// become zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `c = (c + a₁ b₁) + a₀ b₀` for each pair, as `VDPBF16PS` has it.
    Dot,
    /// For each [`BLOCK_PAIRS`] pairs the sums of the first and of the second elements, then `c + (first + second)`, as
    /// `TDPBF16PS` has it.
    Tile,
}

/// The bits of the nearest bf16 number, ties to even. Numbers too small for a normal one become zero, NaN stays NaN: the
/// conversion of `VCVTNEPS2BF16`.
#[inline(always)]
pub fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let magnitude = bits & 0x7fff_ffff;
    let rounded = if magnitude < 0x0080_0000 { (bits >> 16) & 0x8000 } else { rounded };
    if magnitude > 0x7f80_0000 { (bits >> 16) | 0x40 } else { rounded }
}

/// Two numbers, rounded, as one pair.
#[inline(always)]
pub fn pair(first: f32, second: f32) -> u32 {
    round(first) | (round(second) << 16)
}

/// `sums[i][j] += Σ a[i] · b[j]` for some rows of A and the vectors of a panel of B.
#[derive(Clone, Copy)]
pub struct Products {
    /// `[rows, VECTORS, LANES]`
    pub sums: *mut f32,
    /// At most [`ROWS`].
    pub rows: usize,
    /// `[rows, pairs]`
    pub a: *const u32,
    /// From one row of A to the next.
    pub a_stride: usize,
    /// `[pairs, vectors, LANES]`
    pub b: *const u32,
    /// A multiple of [`BLOCK_PAIRS`].
    pub pairs: usize,
    /// Vectors in the panel.
    pub vectors: usize,
    /// The last vector of the panel is added to the sums this many vectors further.
    pub shift: usize,
    /// Whether the sums start at zero, whatever the memory holds.
    pub from_zero: bool,
    /// What is prefetched meanwhile.
    pub prefetch: Prefetch,
}

impl Products {
    /// The vector of the sums that vector `j` of the panel is added to.
    #[inline(always)]
    pub fn target(&self, j: usize) -> usize {
        if j + 1 == self.vectors { j + self.shift } else { j }
    }
}

/// The products without instructions for bf16.
///
/// # Safety
/// The pointers must be valid for the shapes that are given for them; nothing else accesses the sums meanwhile.
#[inline(always)]
pub unsafe fn emulate<S: Simd>(s: S, products: &Products, order: Order) {
    let mut prefetch = products.prefetch;
    for row in 0..products.rows {
        for j in 0..products.vectors {
            prefetch.next(s);
            // SAFETY: promised by the caller.
            unsafe {
                let to = products.sums.add((row * VECTORS + products.target(j)) * S::LANES);
                let a = products.a.add(row * products.a_stride);
                let b = products.b.add(j * S::LANES);
                let mut sum = if products.from_zero { s.splat(0.0) } else { flush(s, s.load(to)) };
                for block in (0..products.pairs).step_by(BLOCK_PAIRS) {
                    let (mut first, mut second) = (s.splat(0.0), s.splat(0.0));
                    for k in block..block + BLOCK_PAIRS {
                        let [a0, a1] = halves(s, s.u_splat(*a.add(k)));
                        let b = s.load(b.add(k * products.vectors * S::LANES).cast());
                        let [b0, b1] = halves(s, s.to_bits(b));
                        match order {
                            Order::Dot => {
                                sum = flush(s, s.mul_add(a1, b1, sum));
                                sum = flush(s, s.mul_add(a0, b0, sum));
                            }
                            Order::Tile => {
                                first = flush(s, s.mul_add(a0, b0, first));
                                second = flush(s, s.mul_add(a1, b1, second));
                            }
                        }
                    }
                    if order == Order::Tile {
                        sum = flush(s, s.add(sum, flush(s, s.add(first, second))));
                    }
                }
                s.store(to, sum);
            }
        }
    }
}

/// The two numbers of each pair.
#[inline(always)]
fn halves<S: Simd>(s: S, pair: S::U) -> [S::F; 2] {
    let second = s.u_shl::<16>(s.u_shr::<16>(pair));
    [s.bits_to_float(s.u_shl::<16>(pair)), s.bits_to_float(second)]
}

/// Zero, of the same sign, where a number is too small for a normal one.
#[inline(always)]
fn flush<S: Simd>(s: S, x: S::F) -> S::F {
    let bits = s.to_bits(x);
    let magnitude = s.u_shr::<1>(s.u_shl::<1>(bits));
    let kept = s.zero_unless_ge(magnitude, s.u_splat(0x0080_0000), s.bits_to_float(magnitude));
    let sign = s.u_xor(bits, magnitude);
    s.bits_to_float(s.u_xor(s.to_bits(kept), sign))
}

/// Pairs in a [`Buffer`], in the place of as many f32.
pub struct PairBuffer(Buffer);

impl PairBuffer {
    /// `len` pairs; what they hold is unspecified.
    pub fn new(len: usize) -> Self {
        PairBuffer(Buffer::new(len))
    }
}

impl Deref for PairBuffer {
    type Target = [u32];
    fn deref(&self) -> &[u32] {
        // SAFETY: f32 and u32 have the same size and alignment, and every bit pattern is valid.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len()) }
    }
}

impl DerefMut for PairBuffer {
    fn deref_mut(&mut self) -> &mut [u32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len()) }
    }
}

// Pairs are written as two halves, the first at the lower address.
const _: () = assert!(cfg!(target_endian = "little"));

/// Rounds rows of A to pairs, `[rows, pairs]`.
///
/// # Safety
/// To run it, `from` must be valid for the parts of all rows, and `to` for the pairs that nothing else accesses meanwhile.
pub struct RoundRows<'a> {
    /// The first row.
    pub from: *const f32,
    /// From one row to the next.
    pub stride: usize,
    /// Number of rows.
    pub rows: usize,
    /// The parts of a row that are taken, start and length, one behind the other.
    pub parts: &'a [(usize, usize)],
    /// The pairs.
    pub to: *mut u32,
    /// Pairs of a row, padding included.
    pub pairs: usize,
}

impl Kernel for RoundRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, _s: S) {
        for row in 0..self.rows {
            // SAFETY: promised by the caller; a pair is two halves of 16 bits.
            unsafe {
                let mut to = self.to.add(row * self.pairs).cast::<u16>();
                let mut left = 2 * self.pairs;
                for &(start, len) in self.parts {
                    let from = self.from.add(row * self.stride + start);
                    for i in 0..len {
                        *to.add(i) = round(*from.add(i)) as u16;
                    }
                    to = to.add(len);
                    left -= len;
                }
                to.write_bytes(0, left);
            }
        }
    }
}

/// Joins pairs of rows `[K, width]` to `[pairs, width]`.
///
/// # Safety
/// To run it, `from` must be valid for K rows and `to` for the pairs that nothing else accesses meanwhile.
pub struct PairRows {
    /// The first row.
    pub from: *const f32,
    /// From one row to the next.
    pub stride: usize,
    /// K.
    pub k: usize,
    /// Columns that are taken.
    pub width: usize,
    /// The pairs.
    pub to: *mut u32,
    /// From one row of pairs to the next.
    pub to_stride: usize,
    /// Rows of pairs, padding included.
    pub pairs: usize,
}

impl Kernel for PairRows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, _s: S) {
        for p in 0..self.pairs {
            // SAFETY: promised by the caller; only rows that exist are read.
            unsafe {
                let to = self.to.add(p * self.to_stride);
                let first = self.from.wrapping_add(2 * p * self.stride);
                join_rows(first, self.stride, self.k.saturating_sub(2 * p), self.width, to);
            }
        }
    }
}

/// The pairs of two rows; zeros in the place of rows that aren't `left`.
///
/// # Safety
/// The rows that are left must be valid for `width` reads, `to` for as many writes.
#[inline(always)]
unsafe fn join_rows(first: *const f32, stride: usize, left: usize, width: usize, to: *mut u32) {
    let second = first.wrapping_add(stride);
    // SAFETY: promised by the caller.
    unsafe {
        match left {
            0 => to.write_bytes(0, width),
            1 => (0..width).for_each(|i| *to.add(i) = round(*first.add(i))),
            _ => (0..width).for_each(|i| *to.add(i) = pair(*first.add(i), *second.add(i))),
        }
    }
}

/// 16 rows of 16 pairs.
pub type PairTile = [[u32; BLOCK_PAIRS]; BLOCK_PAIRS];

/// Joins pairs of rows `[K, width]` and transposes them, to `[width, pairs]`.
///
/// # Safety
/// As [`PairRows`].
pub struct TransposePairs(pub PairRows);

impl Kernel for TransposePairs {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let PairRows { from, stride, k, width, to, to_stride, pairs } = self.0;
        let mut tile = PairTile::default();
        for first in (0..width).step_by(BLOCK_PAIRS) {
            let columns = BLOCK_PAIRS.min(width - first);
            for block in (0..pairs).step_by(BLOCK_PAIRS) {
                for (p, row) in tile.iter_mut().enumerate() {
                    let k_first = 2 * (block + p);
                    let from = from.wrapping_add(k_first * stride + first);
                    let left = k.saturating_sub(k_first);
                    // SAFETY: promised by the caller. A constant width lets the compiler use vectors.
                    unsafe {
                        match columns {
                            BLOCK_PAIRS => {
                                join_rows(from, stride, left, BLOCK_PAIRS, row.as_mut_ptr());
                            }
                            _ => join_rows(from, stride, left, columns, row.as_mut_ptr()),
                        }
                    }
                }
                s.transpose(&mut tile);
                for (column, row) in tile.iter().enumerate().take(columns) {
                    // SAFETY: promised by the caller; pairs come in whole blocks.
                    unsafe {
                        let to = to.add((first + column) * to_stride + block);
                        to.copy_from_nonoverlapping(row.as_ptr(), BLOCK_PAIRS);
                    }
                }
            }
        }
    }
}

/// The first `count` elements as pairs, and zeros behind them.
///
/// # Safety
/// `from` must be valid for `count` reads.
#[inline(always)]
unsafe fn row_pairs(from: *const f32, count: usize) -> [u32; BLOCK_PAIRS] {
    // SAFETY: only elements below `count` are read.
    let value = |i: usize| if i < count { unsafe { *from.add(i) } } else { 0.0 };
    std::array::from_fn(|p| pair(value(2 * p), value(2 * p + 1)))
}

/// Rounds rows `[columns, K]` and transposes them, to `[pairs, columns]`.
///
/// # Safety
/// To run it, `from` must be valid for the rows, and `to` for rows of `lanes` pairs that nothing else accesses meanwhile.
pub struct TransposeRows {
    /// The first row.
    pub from: *const f32,
    /// From one row to the next.
    pub stride: usize,
    /// K.
    pub k: usize,
    /// Number of rows, at most `lanes`.
    pub columns: usize,
    /// The pairs.
    pub to: *mut u32,
    /// From one row of pairs to the next.
    pub to_stride: usize,
    /// Lanes of a vector, at most 16.
    pub lanes: usize,
}

impl Kernel for TransposeRows {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let mut tile = PairTile::default();
        for block in (0..pairs(self.k)).step_by(BLOCK_PAIRS) {
            let left = self.k.saturating_sub(2 * block);
            for (column, row) in tile.iter_mut().enumerate().take(self.columns) {
                let from = self.from.wrapping_add(column * self.stride + 2 * block);
                // SAFETY: the caller promised K elements of the row, of which so many are left.
                *row = unsafe {
                    match left {
                        // A constant, so that the compiler uses vectors.
                        left if left >= 2 * BLOCK_PAIRS => row_pairs(from, 2 * BLOCK_PAIRS),
                        left => row_pairs(from, left),
                    }
                };
            }
            tile[self.columns..].fill([0; BLOCK_PAIRS]);
            s.transpose(&mut tile);
            for (p, row) in tile.iter().enumerate() {
                // SAFETY: promised by the caller.
                unsafe {
                    let to = self.to.add((block + p) * self.to_stride);
                    to.copy_from_nonoverlapping(row.as_ptr(), self.lanes);
                }
            }
        }
    }
}
