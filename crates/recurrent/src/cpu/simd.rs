//! The few vector operations that the kernels are written in, and run-time dispatch.
//!
//! A kernel is generic over [`Simd`] and runs inside one function compiled for the instruction set
//! ([`Simd::vectorize`]). Everything below it must be `#[inline(always)]`: a multiply-add outside such a
//! function is a call into libm. The token of an instruction set exists only after the processor was
//! asked, so its arithmetic is safe to call.

#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

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
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output;

    /// # Safety
    /// `from` must be valid for `LANES` reads.
    unsafe fn load(self, from: *const f32) -> Self::F;
    /// The first `count` lanes, zero in the others.
    /// # Safety
    /// `from` must be valid for `count` reads, `count <= LANES`.
    unsafe fn load_first(self, from: *const f32, count: usize) -> Self::F;
    /// # Safety
    /// `to` must be valid for `LANES` writes.
    unsafe fn store(self, to: *mut f32, value: Self::F);
    /// # Safety
    /// `to` must be valid for `count` writes, `count <= LANES`.
    unsafe fn store_first(self, to: *mut f32, value: Self::F, count: usize);

    /// Stores past the caches what won't be read soon, where the machine can; [`Self::fence`] before anyone reads it.
    /// # Safety
    /// `to` must be valid for `LANES` writes and a multiple of their size.
    unsafe fn stream(self, to: *mut f32, value: Self::F);
    /// Makes streamed stores visible before later ones.
    fn fence(self);
    /// Asks for the cache line at `from`, which need not be valid.
    fn prefetch(self, from: *const f32);
    /// Asks for the cache line at `to`, to write it; it need not be valid.
    fn prefetch_write(self, to: *const f32);

    fn splat(self, x: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, with one rounding where the machine can.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `max(x, bound)`, NaN where `x` is NaN.
    fn at_least(self, x: Self::F, bound: Self::F) -> Self::F;
    /// `min(x, bound)`, NaN where `x` is NaN.
    fn at_most(self, x: Self::F, bound: Self::F) -> Self::F;
    /// 0 where `x <= 0`, else `value`.
    fn if_positive(self, x: Self::F, value: Self::F) -> Self::F;

    fn u_splat(self, x: u32) -> Self::U;
    /// `0, 1, 2, …`
    fn u_iota(self) -> Self::U;
    fn u_add(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_mul(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_xor(self, a: Self::U, b: Self::U) -> Self::U;
    fn u_shr<const BITS: u32>(self, a: Self::U) -> Self::U;
    fn u_shl<const BITS: u32>(self, a: Self::U) -> Self::U;
    fn bits(self, a: Self::F) -> Self::U;
    fn with_bits(self, a: Self::U) -> Self::F;
    /// `value` where `a >= b` (unsigned), else 0.
    fn if_at_least(self, a: Self::U, b: Self::U, value: Self::F) -> Self::F;
}

/// Code that can run on any instruction set; `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// What it gives back.
    type Output;
    /// Runs with the operations of `S`.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// What the target guarantees: SSE2 on x86-64, NEON on AArch64.
    Plain(Plain),
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Level {
    /// All that this processor has, the widest first.
    #[cfg(test)]
    pub fn available() -> Vec<Level> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(Avx512::detect().map(Level::Avx512));
            levels.extend(Avx2::detect().map(Level::Avx2));
        }
        levels.push(Level::Plain(Plain));
        levels
    }

    /// The widest that this processor has.
    pub fn best() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = Avx512::detect() {
                return Level::Avx512(token);
            }
            if let Some(token) = Avx2::detect() {
                return Level::Avx2(token);
            }
        }
        Level::Plain(Plain)
    }

    /// Runs a kernel on this instruction set.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Level::Plain(token) => token.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(token) => token.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(token) => token.vectorize(kernel),
        }
    }

    /// Elements of a vector.
    pub fn lanes(self) -> usize {
        match self {
            Level::Plain(_) => Plain::LANES,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => Avx512::LANES,
        }
    }
}

/// Four lanes in plain Rust, which the compiler turns into what the target guarantees.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

#[inline(always)]
fn map2<A: Copy, B>(a: [A; 4], b: [A; 4], f: impl Fn(A, A) -> B) -> [B; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Plain {
    type F = [f32; 4];
    type U = [u32; 4];
    const LANES: usize = 4;
    const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 3 };

    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 4] {
        // SAFETY: the caller vouches for four reads; an unaligned read needs no alignment.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> [f32; 4] {
        let mut value = [0.0; 4];
        for (lane, x) in value.iter_mut().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` reads.
            *x = unsafe { *from.add(lane) };
        }
        value
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: [f32; 4]) {
        // SAFETY: the caller vouches for four writes; an unaligned write needs no alignment.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, value: [f32; 4], count: usize) {
        for (lane, x) in value.into_iter().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` writes.
            unsafe { *to.add(lane) = x };
        }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32, value: [f32; 4]) {
        // SAFETY: promised by the caller.
        unsafe { self.store(to, value) }
    }
    #[inline(always)]
    fn fence(self) {}
    #[inline(always)]
    fn prefetch(self, _from: *const f32) {}
    #[inline(always)]
    fn prefetch_write(self, _to: *const f32) {}

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 4] {
        [x; 4]
    }
    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        map2(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        // Without the instruction `f32::mul_add` is a call into libm.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            self.add(self.mul(a, b), c)
        }
    }
    #[inline(always)]
    fn at_least(self, x: [f32; 4], bound: [f32; 4]) -> [f32; 4] {
        map2(x, bound, |x, bound| if x < bound { bound } else { x })
    }
    #[inline(always)]
    fn at_most(self, x: [f32; 4], bound: [f32; 4]) -> [f32; 4] {
        map2(x, bound, |x, bound| if x > bound { bound } else { x })
    }
    #[inline(always)]
    fn if_positive(self, x: [f32; 4], value: [f32; 4]) -> [f32; 4] {
        map2(x, value, |x, value| if x <= 0.0 { 0.0 } else { value })
    }

    #[inline(always)]
    fn u_splat(self, x: u32) -> [u32; 4] {
        [x; 4]
    }
    #[inline(always)]
    fn u_iota(self) -> [u32; 4] {
        [0, 1, 2, 3]
    }
    #[inline(always)]
    fn u_add(self, a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        map2(a, b, u32::wrapping_add)
    }
    #[inline(always)]
    fn u_mul(self, a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        map2(a, b, u32::wrapping_mul)
    }
    #[inline(always)]
    fn u_xor(self, a: [u32; 4], b: [u32; 4]) -> [u32; 4] {
        map2(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn u_shr<const BITS: u32>(self, a: [u32; 4]) -> [u32; 4] {
        a.map(|x| x >> BITS)
    }
    #[inline(always)]
    fn u_shl<const BITS: u32>(self, a: [u32; 4]) -> [u32; 4] {
        a.map(|x| x << BITS)
    }
    #[inline(always)]
    fn bits(self, a: [f32; 4]) -> [u32; 4] {
        a.map(f32::to_bits)
    }
    #[inline(always)]
    fn with_bits(self, a: [u32; 4]) -> [f32; 4] {
        a.map(f32::from_bits)
    }
    #[inline(always)]
    fn if_at_least(self, a: [u32; 4], b: [u32; 4], value: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| if a[i] >= b[i] { value[i] } else { 0.0 })
    }
}
