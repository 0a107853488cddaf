//! AMX tiles: products of 16 rows of pairs of bf16 at a time (`TDPBF16PS`).
//!
//! The compiler has no types for tiles; they are loaded, multiplied and stored in assembly, and hold nothing between
//! calls but their shape.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::cell::Cell;
use std::sync::OnceLock;

use super::bf16::{BLOCK_PAIRS, Products, ROWS};
use super::simd::VECTORS;

/// Bytes of a row of a tile: 16 f32, or 16 pairs.
const ROW_BYTES: usize = 64;

/// Whether the processor has the instructions and the system lets this process use tiles, which it asks for.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let leaf = __cpuid_count(7, 0);
        let [bf16, tile] = [22, 24].map(|bit| leaf.edx >> bit & 1 == 1);
        bf16 && tile && permitted()
    })
}

/// Asks Linux for the state component of the tiles: it is 8 KiB more for each context switch, so no process has it unasked.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: isize;
    // SAFETY: this system call takes two numbers and touches no memory of the program; it overwrites rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL as isize => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// What `LDTILECFG` reads.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

thread_local! {
    /// Rows of A and of the sums that this thread's tiles are configured for, 0 if they aren't.
    static CONFIGURED: Cell<usize> = const { Cell::new(0) };
}

/// Gives tiles 0 to 4 (sums and A) `rows` rows and the others (B) the rows of a block of pairs.
fn configure(rows: usize) {
    if CONFIGURED.replace(rows) == rows {
        return;
    }
    let mut config = TileConfig {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [0; 16],
        rows: [0; 16],
    };
    for tile in 0..8 {
        config.row_bytes[tile] = ROW_BYTES as u16;
        config.rows[tile] = if tile <= VECTORS { rows } else { BLOCK_PAIRS } as u8;
    }
    // SAFETY: the instruction is there (`available`), and reads the 64 bytes of a valid configuration.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly)) }
}

/// Ends this thread's use of tiles, so that the system needn't save them and the core can sleep.
pub fn release() {
    if CONFIGURED.replace(0) != 0 {
        // SAFETY: the instruction is there: this thread has configured tiles.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }
}

/// The products with tiles.
///
/// # Safety
/// [`available`] must have been true. The pointers must be valid for the shapes that are given for them; nothing else
/// accesses the sums meanwhile.
pub unsafe fn products(products: &Products) {
    debug_assert!(products.rows <= ROWS && products.pairs.is_multiple_of(BLOCK_PAIRS));
    configure(products.rows);
    let sums: [*mut f32; VECTORS] = std::array::from_fn(|j| {
        products.sums.wrapping_add(products.target(j.min(products.vectors - 1)) * ROW_BYTES / 4)
    });
    let blocks = products.pairs / BLOCK_PAIRS;
    // Loads the sums, adds the products with each block of pairs, stores the sums.
    macro_rules! of_vectors {
        ($([$sum:literal, $b:literal, $tile:ident, $offset:literal]),*) => {
            asm!(
                "test {from_zero}, {from_zero}",
                "jnz 3f",
                $(concat!("tileloadd tmm", $sum, ", [{", stringify!($tile), "} + {sums_stride}]"),)*
                "jmp 2f",
                "3:",
                $(concat!("tilezero tmm", $sum),)*
                "2:",
                "tileloadd tmm4, [{a} + {a_stride}]",
                $(
                    concat!("tileloadd tmm", $b, ", [{b} + {b_stride} + ", $offset, "]"),
                    concat!("tdpbf16ps tmm", $sum, ", tmm4, tmm", $b),
                )*
                "add {a}, 64",
                "add {b}, {b_block}",
                "dec {blocks}",
                "jnz 2b",
                $(concat!("tilestored [{", stringify!($tile), "} + {sums_stride}], tmm", $sum),)*
                $($tile = in(reg) sums[$sum],)*
                from_zero = in(reg) usize::from(products.from_zero),
                sums_stride = in(reg) VECTORS * ROW_BYTES,
                a = inout(reg) products.a => _,
                a_stride = in(reg) 4 * products.a_stride,
                b = inout(reg) products.b => _,
                b_stride = in(reg) products.vectors * ROW_BYTES,
                b_block = in(reg) products.vectors * ROW_BYTES * BLOCK_PAIRS,
                blocks = inout(reg) blocks => _,
                options(nostack),
            )
        };
    }
    if blocks == 0 {
        return;
    }
    // SAFETY: tiles are configured for these rows; the caller promised the memory.
    unsafe {
        match products.vectors {
            1 => of_vectors!([0, 5, c0, 0]),
            2 => of_vectors!([0, 5, c0, 0], [1, 6, c1, 64]),
            3 => of_vectors!([0, 5, c0, 0], [1, 6, c1, 64], [2, 7, c2, 128]),
            _ => of_vectors!([0, 5, c0, 0], [1, 6, c1, 64], [2, 7, c2, 128], [3, 5, c3, 192]),
        }
    }
}
