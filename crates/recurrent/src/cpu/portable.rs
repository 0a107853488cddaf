//! [`Simd`] in portable Rust.

use super::simd::{Kernel, Simd};

/// Four lanes as arrays, which the compiler turns into the vectors that the target guarantees.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

#[inline(always)]
fn map2<A: Copy, B>(a: [A; 4], b: [A; 4], f: impl Fn(A, A) -> B) -> [B; 4] {
    [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
}

impl Simd for Portable {
    type F = [f32; 4];
    type U = [u32; 4];
    const LANES: usize = 4;
    const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 3 };

    unsafe fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: promised by the caller.
        unsafe { kernel.run(self) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> [f32; 4] {
        // SAFETY: the caller vouches for four reads; an unaligned read needs no alignment.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_masked(self, from: *const f32, count: usize) -> [f32; 4] {
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
    unsafe fn store_masked(self, to: *mut f32, value: [f32; 4], count: usize) {
        for (lane, x) in value.into_iter().enumerate().take(count) {
            // SAFETY: the caller vouches for `count` writes.
            unsafe { *to.add(lane) = x };
        }
    }

    #[inline(always)]
    unsafe fn store_nontemporal(self, to: *mut f32, value: [f32; 4]) {
        // SAFETY: promised by the caller.
        unsafe { self.store(to, value) }
    }
    #[inline(always)]
    fn store_fence(self) {}
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
    fn max(self, x: [f32; 4], bound: [f32; 4]) -> [f32; 4] {
        map2(x, bound, |x, bound| if x < bound { bound } else { x })
    }
    #[inline(always)]
    fn min(self, x: [f32; 4], bound: [f32; 4]) -> [f32; 4] {
        map2(x, bound, |x, bound| if x > bound { bound } else { x })
    }
    #[inline(always)]
    fn zero_unless_positive(self, x: [f32; 4], value: [f32; 4]) -> [f32; 4] {
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
    fn to_bits(self, a: [f32; 4]) -> [u32; 4] {
        a.map(f32::to_bits)
    }
    #[inline(always)]
    fn bits_to_float(self, a: [u32; 4]) -> [f32; 4] {
        a.map(f32::from_bits)
    }
    #[inline(always)]
    fn zero_unless_ge(self, a: [u32; 4], b: [u32; 4], value: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| if a[i] >= b[i] { value[i] } else { 0.0 })
    }
}
