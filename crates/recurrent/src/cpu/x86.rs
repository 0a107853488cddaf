//! AVX-512 and AVX2 as [`Simd`].

use std::arch::x86_64::*;

use super::bf16::{PairTile, Products};
use super::simd::{Kernel, Simd};
use super::x86_bf16::{Bf16Unit, transpose};

/// Calls an intrinsic that touches no memory.
macro_rules! arithmetic {
    ($call:expr) => {
        // SAFETY: the token `self` was only made after the processor showed the feature.
        unsafe { $call }
    };
}

/// The processor has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy, Debug)]
pub struct Avx512 {
    /// What computes products of bf16 numbers, where it isn't the best of the processor.
    bf16: Option<Bf16Unit>,
}

impl Avx512 {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Self> {
        let available = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        available.then_some(Avx512 { bf16: None })
    }
}

impl Avx512 {
    /// The token with another unit, whose instructions the processor must have.
    pub(super) fn with_bf16(self, unit: Bf16Unit) -> Self {
        Avx512 { bf16: Some(unit) }
    }

    /// What computes products of bf16 numbers.
    pub(super) fn bf16(self) -> Bf16Unit {
        self.bf16.unwrap_or_else(Bf16Unit::best)
    }

    /// A token for each unit for bf16, where the processor has the instructions.
    #[cfg(test)]
    pub fn available() -> Vec<Self> {
        let with_units =
            |token: Self| Bf16Unit::available().into_iter().map(move |unit| token.with_bf16(unit));
        Self::detect().into_iter().flat_map(with_units).collect()
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn run_avx512<K: Kernel>(token: Avx512, kernel: K) -> K::Output {
    // SAFETY: promised by the caller.
    unsafe { kernel.run(token) }
}

/// The mask of the first `count` of 16 lanes.
#[inline(always)]
fn first16(count: usize) -> __mmask16 {
    debug_assert!(count <= 16);
    ((1u32 << count) - 1) as __mmask16
}

impl Simd for Avx512 {
    type F = __m512;
    type U = __m512i;
    const LANES: usize = 16;
    const ROWS: usize = 6;

    unsafe fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: the token for the feature, the caller for the kernel.
        unsafe { run_avx512(self, kernel) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m512 {
        // SAFETY: the caller vouches for 16 reads, the token for the feature.
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_masked(self, from: *const f32, count: usize) -> __m512 {
        // SAFETY: lanes outside the mask aren't read; the caller vouches for the others.
        unsafe { _mm512_maskz_loadu_ps(first16(count), from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m512) {
        // SAFETY: the caller vouches for 16 writes, the token for the feature.
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, to: *mut f32, value: __m512, count: usize) {
        // SAFETY: lanes outside the mask aren't written; the caller vouches for the others.
        unsafe { _mm512_mask_storeu_ps(to, first16(count), value) }
    }

    #[inline(always)]
    unsafe fn store_nontemporal(self, to: *mut f32, value: __m512) {
        // SAFETY: the caller vouches for the aligned writes, the token for the feature.
        unsafe { _mm512_stream_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn bf16_products(self, products: &Products) {
        // SAFETY: promised by the caller; the token has AVX-512.
        unsafe { self.bf16().products(self, products) }
    }

    #[inline(always)]
    fn transpose(self, tile: &mut PairTile) {
        // SAFETY: the token has AVX-512.
        unsafe { transpose(tile) }
    }

    #[inline(always)]
    fn store_fence(self) {
        arithmetic!(_mm_sfence())
    }
    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        arithmetic!(_mm_prefetch::<_MM_HINT_T0>(from.cast()))
    }
    #[inline(always)]
    fn prefetch_write(self, to: *const f32) {
        arithmetic!(_mm_prefetch::<_MM_HINT_ET0>(to.cast()))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        arithmetic!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        arithmetic!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        arithmetic!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        arithmetic!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        arithmetic!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        arithmetic!(_mm512_fmadd_ps(a, b, c))
    }
    // The instruction gives its second operand where either is NaN.
    #[inline(always)]
    fn max(self, x: __m512, bound: __m512) -> __m512 {
        arithmetic!(_mm512_max_ps(bound, x))
    }
    #[inline(always)]
    fn min(self, x: __m512, bound: __m512) -> __m512 {
        arithmetic!(_mm512_min_ps(bound, x))
    }
    #[inline(always)]
    fn zero_unless_positive(self, x: __m512, value: __m512) -> __m512 {
        arithmetic!({
            let positive = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(x, _mm512_setzero_ps());
            _mm512_maskz_mov_ps(positive, value)
        })
    }

    #[inline(always)]
    fn u_splat(self, x: u32) -> __m512i {
        arithmetic!(_mm512_set1_epi32(x.cast_signed()))
    }
    #[inline(always)]
    fn u_iota(self) -> __m512i {
        arithmetic!(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
    }
    #[inline(always)]
    fn u_add(self, a: __m512i, b: __m512i) -> __m512i {
        arithmetic!(_mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn u_mul(self, a: __m512i, b: __m512i) -> __m512i {
        arithmetic!(_mm512_mullo_epi32(a, b))
    }
    #[inline(always)]
    fn u_xor(self, a: __m512i, b: __m512i) -> __m512i {
        arithmetic!(_mm512_xor_si512(a, b))
    }
    #[inline(always)]
    fn u_shr<const BITS: u32>(self, a: __m512i) -> __m512i {
        arithmetic!(_mm512_srli_epi32::<BITS>(a))
    }
    #[inline(always)]
    fn u_shl<const BITS: u32>(self, a: __m512i) -> __m512i {
        arithmetic!(_mm512_slli_epi32::<BITS>(a))
    }
    #[inline(always)]
    fn to_bits(self, a: __m512) -> __m512i {
        arithmetic!(_mm512_castps_si512(a))
    }
    #[inline(always)]
    fn bits_to_float(self, a: __m512i) -> __m512 {
        arithmetic!(_mm512_castsi512_ps(a))
    }
    #[inline(always)]
    fn zero_unless_ge(self, a: __m512i, b: __m512i, value: __m512) -> __m512 {
        arithmetic!(_mm512_maskz_mov_ps(_mm512_cmpge_epu32_mask(a, b), value))
    }
}

/// The processor has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// The token, where the processor has the instructions.
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn run_avx2<K: Kernel>(token: Avx2, kernel: K) -> K::Output {
    // SAFETY: promised by the caller.
    unsafe { kernel.run(token) }
}

/// All bits set in the first `count` of 8 lanes.
#[inline(always)]
fn first8(token: Avx2, count: usize) -> __m256i {
    debug_assert!(count <= 8);
    let _ = token;
    arithmetic!(_mm256_cmpgt_epi32(
        _mm256_set1_epi32(count as i32),
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
    ))
}

impl Simd for Avx2 {
    type F = __m256;
    type U = __m256i;
    const LANES: usize = 8;
    const ROWS: usize = 3;

    unsafe fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: the token for the feature, the caller for the kernel.
        unsafe { run_avx2(self, kernel) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> __m256 {
        // SAFETY: the caller vouches for 8 reads, the token for the feature.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn load_masked(self, from: *const f32, count: usize) -> __m256 {
        // SAFETY: lanes outside the mask aren't read; the caller vouches for the others.
        unsafe { _mm256_maskload_ps(from, first8(self, count)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, value: __m256) {
        // SAFETY: the caller vouches for 8 writes, the token for the feature.
        unsafe { _mm256_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn store_masked(self, to: *mut f32, value: __m256, count: usize) {
        // SAFETY: lanes outside the mask aren't written; the caller vouches for the others.
        unsafe { _mm256_maskstore_ps(to, first8(self, count), value) }
    }

    #[inline(always)]
    unsafe fn store_nontemporal(self, to: *mut f32, value: __m256) {
        // SAFETY: the caller vouches for the aligned writes, the token for the feature.
        unsafe { _mm256_stream_ps(to, value) }
    }
    #[inline(always)]
    fn store_fence(self) {
        arithmetic!(_mm_sfence())
    }
    #[inline(always)]
    fn prefetch(self, from: *const f32) {
        arithmetic!(_mm_prefetch::<_MM_HINT_T0>(from.cast()))
    }
    #[inline(always)]
    fn prefetch_write(self, to: *const f32) {
        arithmetic!(_mm_prefetch::<_MM_HINT_ET0>(to.cast()))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        arithmetic!(_mm256_set1_ps(x))
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        arithmetic!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        arithmetic!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        arithmetic!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        arithmetic!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        arithmetic!(_mm256_fmadd_ps(a, b, c))
    }
    // The instruction gives its second operand where either is NaN.
    #[inline(always)]
    fn max(self, x: __m256, bound: __m256) -> __m256 {
        arithmetic!(_mm256_max_ps(bound, x))
    }
    #[inline(always)]
    fn min(self, x: __m256, bound: __m256) -> __m256 {
        arithmetic!(_mm256_min_ps(bound, x))
    }
    #[inline(always)]
    fn zero_unless_positive(self, x: __m256, value: __m256) -> __m256 {
        arithmetic!({
            let positive = _mm256_cmp_ps::<_CMP_NLE_UQ>(x, _mm256_setzero_ps());
            _mm256_and_ps(value, positive)
        })
    }

    #[inline(always)]
    fn u_splat(self, x: u32) -> __m256i {
        arithmetic!(_mm256_set1_epi32(x.cast_signed()))
    }
    #[inline(always)]
    fn u_iota(self) -> __m256i {
        arithmetic!(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
    }
    #[inline(always)]
    fn u_add(self, a: __m256i, b: __m256i) -> __m256i {
        arithmetic!(_mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn u_mul(self, a: __m256i, b: __m256i) -> __m256i {
        arithmetic!(_mm256_mullo_epi32(a, b))
    }
    #[inline(always)]
    fn u_xor(self, a: __m256i, b: __m256i) -> __m256i {
        arithmetic!(_mm256_xor_si256(a, b))
    }
    // The counts of AVX2's shifts are of another type than those of AVX-512.
    #[inline(always)]
    fn u_shr<const BITS: u32>(self, a: __m256i) -> __m256i {
        arithmetic!(_mm256_srlv_epi32(a, _mm256_set1_epi32(BITS.cast_signed())))
    }
    #[inline(always)]
    fn u_shl<const BITS: u32>(self, a: __m256i) -> __m256i {
        arithmetic!(_mm256_sllv_epi32(a, _mm256_set1_epi32(BITS.cast_signed())))
    }
    #[inline(always)]
    fn to_bits(self, a: __m256) -> __m256i {
        arithmetic!(_mm256_castps_si256(a))
    }
    #[inline(always)]
    fn bits_to_float(self, a: __m256i) -> __m256 {
        arithmetic!(_mm256_castsi256_ps(a))
    }
    #[inline(always)]
    fn zero_unless_ge(self, a: __m256i, b: __m256i, value: __m256) -> __m256 {
        arithmetic!({
            // AVX2 has no unsigned comparison: a >= b exactly where max(a, b) = a.
            let keep = _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a);
            _mm256_and_ps(value, _mm256_castsi256_ps(keep))
        })
    }
}
