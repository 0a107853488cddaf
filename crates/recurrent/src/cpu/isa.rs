//! The instruction sets that a kernel can be run on, chosen at run time.

use super::portable::Portable;
use super::simd::{Kernel, Simd};
#[cfg(target_arch = "x86_64")]
use super::{
    amx::ReleaseTiles,
    x86::{Avx2, Avx512},
};

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug)]
pub enum Isa {
    /// The target's baseline: SSE2 on x86-64, NEON on AArch64.
    Portable(Portable),
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512 F, BW, DQ and VL.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Isa {
    /// All that this processor has, the widest first.
    #[cfg(test)]
    pub fn available() -> Vec<Isa> {
        let mut isas = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            isas.extend(Avx512::detect().map(Isa::Avx512));
            isas.extend(Avx2::detect().map(Isa::Avx2));
        }
        isas.push(Isa::Portable(Portable));
        isas
    }

    /// The widest that this processor has.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = Avx512::detect() {
                return Isa::Avx512(token);
            }
            if let Some(token) = Avx2::detect() {
                return Isa::Avx2(token);
            }
        }
        Isa::Portable(Portable)
    }

    /// Runs a kernel on this instruction set.
    ///
    /// # Safety
    /// As [`Kernel::run`] of that kernel.
    pub unsafe fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: promised by the caller.
        unsafe {
            match self {
                Isa::Portable(token) => token.vectorize(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2(token) => token.vectorize(kernel),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512(token) => {
                    let _release = ReleaseTiles;
                    token.vectorize(kernel)
                }
            }
        }
    }

    /// Whether products of bf16 numbers are faster than those of f32.
    pub fn bf16_is_fast(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let Isa::Avx512(token) = self {
            return token.bf16().is_fast();
        }
        false
    }

    /// Elements of a vector.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Portable(_) => Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2(_) => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512(_) => Avx512::LANES,
        }
    }
}
