//! The vector operations that the kernels are written in.
//!
//! A kernel is generic over [`Simd`] and runs inside one function compiled for the instruction set
//! ([`Simd::vectorize`]). Everything below it must be `#[inline(always)]`: a multiply-add outside such a
//! function is a call into libm. The token of an instruction set exists only after the processor was
//! asked, so its arithmetic is safe to call.

use super::bf16::{Order, PairTile, Products, emulate};

/// Vectors in a register tile, and so in a panel of packed weights: the four gates of an LSTM.
pub const VECTORS: usize = 4;

/// Vectors of `LANES` f32 or u32.
pub trait Simd: Copy + Send + Sync + 'static {
    /// A vector of `LANES` f32.
    type F: Copy;
    /// A vector of `LANES` u32.
    type U: Copy;
    /// Elements of a vector.
    const LANES: usize;
    /// Rows of a register tile with [`VECTORS`] vectors each: as many as the registers hold, at most 6.
    const ROWS: usize;

    /// Runs a kernel in a function compiled for this instruction set.
    ///
    /// # Safety
    /// As [`Kernel::run`] of that kernel.
    unsafe fn vectorize<K: Kernel>(self, kernel: K) -> K::Output;

    /// # Safety
    /// `from` must be valid for `LANES` reads.
    unsafe fn load(self, from: *const f32) -> Self::F;
    /// Loads the first `count` lanes with a mask; the others are zero.
    /// # Safety
    /// `from` must be valid for `count` reads, `count <= LANES`.
    unsafe fn load_masked(self, from: *const f32, count: usize) -> Self::F;
    /// # Safety
    /// `to` must be valid for `LANES` writes.
    unsafe fn store(self, to: *mut f32, value: Self::F);
    /// Stores the first `count` lanes with a mask.
    /// # Safety
    /// `to` must be valid for `count` writes, `count <= LANES`.
    unsafe fn store_masked(self, to: *mut f32, value: Self::F, count: usize);

    /// Loads the first `count` lanes, the others zero. The branch is cheap beside a mask where all lanes are there.
    /// # Safety
    /// As [`load_masked`](Self::load_masked).
    #[inline(always)]
    unsafe fn load_partial(self, from: *const f32, count: usize) -> Self::F {
        // SAFETY: promised by the caller.
        unsafe {
            if count == Self::LANES { self.load(from) } else { self.load_masked(from, count) }
        }
    }
    /// Stores the first `count` lanes.
    /// # Safety
    /// As [`store_masked`](Self::store_masked).
    #[inline(always)]
    unsafe fn store_partial(self, to: *mut f32, value: Self::F, count: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            if count == Self::LANES {
                self.store(to, value)
            } else {
                self.store_masked(to, value, count)
            }
        }
    }

    /// A store that bypasses the caches, where the processor has one, for what isn't read soon. Before another thread
    /// reads it, this one must call [`store_fence`](Self::store_fence).
    /// # Safety
    /// `to` must be valid for `LANES` writes and aligned to their size.
    unsafe fn store_nontemporal(self, to: *mut f32, value: Self::F);
    /// Orders non-temporal stores before the stores that follow.
    fn store_fence(self);
    /// Requests the cache line at `from`, which need not be valid.
    fn prefetch(self, from: *const f32);
    /// Requests the cache line at `to` for writing; it need not be valid.
    fn prefetch_write(self, to: *const f32);

    /// Adds products of bf16 numbers to sums in memory. An instruction gives the bits of [`emulate`] in its [`Order`].
    ///
    /// # Safety
    /// The pointers must be valid for the shapes that are given for them; nothing else accesses the sums meanwhile.
    #[inline(always)]
    unsafe fn bf16_products(self, products: &Products) {
        // SAFETY: promised by the caller.
        unsafe { emulate(self, products, Order::Dot) }
    }

    /// Exchanges rows and columns.
    #[inline(always)]
    fn transpose(self, tile: &mut PairTile) {
        for i in 1..tile.len() {
            let (above, row) = tile.split_at_mut(i);
            for (j, other) in above.iter_mut().enumerate() {
                std::mem::swap(&mut other[i], &mut row[0][j]);
            }
        }
    }

    fn splat(self, x: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, with one rounding where the machine can.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The larger of both, NaN where `x` is NaN.
    fn max(self, x: Self::F, bound: Self::F) -> Self::F;
    /// The smaller of both, NaN where `x` is NaN.
    fn min(self, x: Self::F, bound: Self::F) -> Self::F;
    /// 0 where `x <= 0`, else `value`.
    fn zero_unless_positive(self, x: Self::F, value: Self::F) -> Self::F;

    fn u_splat(self, x: u32) -> Self::U;
    /// `0, 1, 2, …`
    fn u_iota(self) -> Self::U;
    fn u_add(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_mul(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_xor(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_shr<const BITS: u32>(self, a: Self::U) -> Self::U;
    fn u_shl<const BITS: u32>(self, a: Self::U) -> Self::U;
    /// The bits of each lane.
    fn to_bits(self, a: Self::F) -> Self::U;
    /// The inverse of [`to_bits`](Self::to_bits).
    fn bits_to_float(self, a: Self::U) -> Self::F;
    /// `value` where `a >= b` (unsigned), else 0.
    fn zero_unless_ge(self, a: Self::U, b: Self::U, value: Self::F) -> Self::F;
}

/// Code that is generic over the instruction set. `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// The result of a run.
    type Output;

    /// Runs with the operations of `S`.
    ///
    /// # Safety
    /// What the documentation of the kernel's type demands: most kernels hold raw pointers.
    unsafe fn run<S: Simd>(self, s: S) -> Self::Output;
}
