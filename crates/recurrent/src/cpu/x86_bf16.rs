//! What multiplies bf16 numbers on x86 processors with AVX-512.

use std::arch::x86_64::*;
use std::sync::OnceLock;

use super::amx;
use super::bf16::{self, BLOCK_PAIRS, Order, PairTile, Products, emulate};
use super::gemm::{ABlock, multiply};
use super::isa::Isa;
use super::packed::Prefetch;
use super::simd::{Kernel, Simd, VECTORS};
use super::x86::Avx512;

/// What computes products of bf16 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bf16Unit {
    /// AMX tiles (`TDPBF16PS`).
    Amx,
    /// AVX512-BF16 (`VDPBF16PS`).
    Dot,
    /// f32 arithmetic that rounds as one of them.
    Emulated(Order),
}

impl Bf16Unit {
    /// The fastest of this processor.
    pub fn best() -> Self {
        static BEST: OnceLock<Bf16Unit> = OnceLock::new();
        *BEST.get_or_init(|| {
            let native = Self::native().into_iter().next();
            native.unwrap_or(Self::Emulated(Order::Dot))
        })
    }

    /// The instructions that this processor has, the fastest first, if they round as they are known to.
    fn native() -> Vec<Self> {
        let present =
            [(Self::Amx, amx::available()), (Self::Dot, is_x86_feature_detected!("avx512bf16"))];
        let present = present.into_iter().filter_map(|(unit, present)| present.then_some(unit));
        present.filter(|unit| unit.rounds_as_emulated()).collect()
    }

    /// Compares some products with those of the emulation.
    fn rounds_as_emulated(self) -> bool {
        const PAIRS: usize = 2 * BLOCK_PAIRS;
        let mut random = 1_u32;
        let mut pairs = |count: usize| -> Vec<u32> {
            let mut number = || {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // From 2⁻⁷ to 2⁸, of either sign.
                (random >> 16 & 0x80ff) | (0x3c00 + (random >> 20 & 0x700))
            };
            (0..count).map(|_| number() | number() << 16).collect()
        };
        let (a, b) = (pairs(bf16::ROWS * PAIRS), pairs(PAIRS * VECTORS * Avx512::LANES));
        let Some(token) = Avx512::detect() else { return false };
        let run = |unit| {
            let mut sums = vec![0.0_f32; bf16::ROWS * VECTORS * Avx512::LANES];
            let products = Products {
                sums: sums.as_mut_ptr(),
                rows: bf16::ROWS,
                a: a.as_ptr(),
                a_stride: PAIRS,
                b: b.as_ptr(),
                pairs: PAIRS,
                vectors: VECTORS,
                shift: 0,
                from_zero: true,
                prefetch: Prefetch::none(),
            };
            // SAFETY: the operands have these shapes, and the sums are this function's.
            unsafe { Isa::Avx512(token.with_bf16(unit)).run(MultiplyPairs(products)) };
            sums.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        run(self) == run(Self::Emulated(self.order()))
    }

    /// Whether its products are faster than those of f32. `VDPBF16PS` multiplies twice as many numbers as a multiply-add; AMD's
    /// processors issue as many of them, Intel's half as many or fewer.
    pub fn is_fast(self) -> bool {
        match self {
            Self::Amx => true,
            Self::Dot => is_amd(),
            Self::Emulated(_) => false,
        }
    }

    /// Where it rounds.
    pub fn order(self) -> Order {
        match self {
            Self::Amx => Order::Tile,
            Self::Dot => Order::Dot,
            Self::Emulated(order) => order,
        }
    }

    /// All that this processor has, the fastest first.
    #[cfg(test)]
    pub fn available() -> Vec<Self> {
        let mut units = Self::native();
        units.extend([Self::Emulated(Order::Dot), Self::Emulated(Order::Tile)]);
        units
    }

    /// # Safety
    /// As [`Simd::bf16_products`].
    #[inline(always)]
    pub unsafe fn products(self, s: Avx512, products: &Products) {
        // SAFETY: promised by the caller; a unit is only made after the processor showed its instructions.
        unsafe {
            match self {
                Self::Amx => amx::products(products),
                Self::Dot => dot_products(s, products),
                Self::Emulated(order) => emulate(s, products, order),
            }
        }
    }
}

/// The products by themselves.
///
/// # Safety
/// As [`Simd::bf16_products`].
pub struct MultiplyPairs(pub Products);

impl Kernel for MultiplyPairs {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        // SAFETY: promised by the caller.
        unsafe { s.bf16_products(&self.0) }
    }
}

/// Whether AMD made the processor.
fn is_amd() -> bool {
    let leaf = __cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"AuthenticAMD"
}

/// Rows whose sums stay in registers.
const ROWS: usize = Avx512::ROWS;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
unsafe fn dot_products(s: Avx512, products: &Products) {
    let tiles = products.rows.div_ceil(ROWS);
    for tile in 0..tiles {
        let (first, end) = (tile * products.rows / tiles, (tile + 1) * products.rows / tiles);
        macro_rules! of_rows {
            ($($rows:literal)*) => {
                match (end - first, products.vectors, products.shift) {
                    $(($rows, 1, _) => dot_tile::<$rows, 1, 0>(s, products, first),
                    ($rows, 2, _) => dot_tile::<$rows, 2, 0>(s, products, first),
                    ($rows, 3, 0) => dot_tile::<$rows, 3, 0>(s, products, first),
                    ($rows, 3, _) => dot_tile::<$rows, 3, 1>(s, products, first),
                    ($rows, _, _) => dot_tile::<$rows, 4, 0>(s, products, first),)*
                    _ => unreachable!("at most {ROWS} rows"),
                }
            };
        }
        // SAFETY: promised by the caller.
        unsafe { of_rows!(1 2 3 4 5 6) }
    }
}

/// # Safety
/// As [`Simd::bf16_products`], for M rows from `first` on; the processor must have AVX512-BF16.
#[inline(always)]
unsafe fn dot_tile<const M: usize, const B: usize, const SHIFT: usize>(
    s: Avx512,
    products: &Products,
    first: usize,
) {
    let at = |i: usize, j: usize| {
        products.sums.wrapping_add(((first + i) * VECTORS + j) * Avx512::LANES)
    };
    let a = ABlock {
        start: products.a.wrapping_add(first * products.a_stride).cast(),
        row_stride: products.a_stride,
        k_stride: 1,
        k: products.pairs,
    };
    // SAFETY: promised by the caller; a pair has the size of an f32, and is only moved until it is multiplied.
    unsafe {
        let mut sums = [[s.splat(0.0); VECTORS]; M];
        for (i, sums) in sums.iter_mut().enumerate() {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = if products.from_zero { s.splat(0.0) } else { s.load(at(i, j)) };
            }
        }
        let dot = |a: __m512, b: __m512, c: __m512| {
            let pairs = |x| std::mem::transmute::<__m512, __m512bh>(x);
            _mm512_dpbf16_ps(c, pairs(a), pairs(b))
        };
        multiply::<Avx512, M, VECTORS, B, SHIFT>(
            s,
            &mut sums,
            a,
            products.b.cast(),
            products.prefetch,
            dot,
        );
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                s.store(at(i, j), sum);
            }
        }
    }
}

/// Exchanges rows and columns.
///
/// # Safety
/// The processor must have AVX-512.
#[inline(always)]
pub unsafe fn transpose(tile: &mut PairTile) {
    // SAFETY: rows of the tile have 16 elements; the caller promised the instructions.
    unsafe {
        let mut rows: [__m512i; 16] =
            std::array::from_fn(|i| _mm512_loadu_si512(tile[i].as_ptr().cast()));
        // Pairs of rows, then pairs of pairs: each 128-bit lane becomes a transposed 4 x 4 block.
        for i in (0..16).step_by(4) {
            let [a, b, c, d] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
            let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
            rows[i] = _mm512_unpacklo_epi64(ab, cd);
            rows[i + 1] = _mm512_unpackhi_epi64(ab, cd);
            let (ab, cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
            rows[i + 2] = _mm512_unpacklo_epi64(ab, cd);
            rows[i + 3] = _mm512_unpackhi_epi64(ab, cd);
        }
        // Then the blocks themselves.
        for i in 0..4 {
            let [a, b, c, d] = [rows[i], rows[i + 4], rows[i + 8], rows[i + 12]];
            let (ab, cd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d));
            rows[i] = _mm512_shuffle_i32x4::<0x88>(ab, cd);
            rows[i + 8] = _mm512_shuffle_i32x4::<0xdd>(ab, cd);
            let (ab, cd) = (_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d));
            rows[i + 4] = _mm512_shuffle_i32x4::<0x88>(ab, cd);
            rows[i + 12] = _mm512_shuffle_i32x4::<0xdd>(ab, cd);
        }
        for (to, row) in tile.iter_mut().zip(rows) {
            _mm512_storeu_si512(to.as_mut_ptr().cast(), row);
        }
    }
}
