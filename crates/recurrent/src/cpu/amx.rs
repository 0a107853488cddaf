//! AMX tiles: products of 16 rows of pairs of bf16 numbers at a time (`TDPBF16PS`).
//!
//! The compiler has no types for tiles; they are loaded, multiplied and stored in assembly, and hold nothing between
//! calls but their shape.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::cell::Cell;
use std::sync::OnceLock;

use super::bf16::{BLOCK_PAIRS, Products, ROWS};
use super::simd::VECTORS;

/// Rows of a tile.
const TILE_ROWS: usize = 16;
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

/// Asks Linux for the state component of the tiles. It adds 8 KiB to a thread's saved state, so Linux grants it on request only.
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
    /// What this thread's tiles are configured for.
    static CONFIGURED: Cell<Shape> = const { Cell::new(Shape::NONE) };
}

/// How the rows of A and of the sums are divided over tiles.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Rows of the first tile.
    first: usize,
    /// Rows of the second one, 0 if there is just one.
    second: usize,
}

impl Shape {
    /// Of tiles that aren't configured.
    const NONE: Self = Shape { first: 0, second: 0 };

    fn of(rows: usize) -> Self {
        let second = if rows > TILE_ROWS { rows / 2 } else { 0 };
        Shape { first: rows - second, second }
    }

    /// Rows of each tile: with one tile of A the sums of up to four vectors (0 to 3), A (4) and B (5 to 7); with two tiles the
    /// sums of two vectors each (0 and 1, 2 and 3), A (4 and 5) and B (6 and 7).
    fn rows(self) -> [usize; 8] {
        let Shape { first, second } = self;
        match second {
            0 => [first, first, first, first, first, BLOCK_PAIRS, BLOCK_PAIRS, BLOCK_PAIRS],
            _ => [first, first, second, second, first, second, BLOCK_PAIRS, BLOCK_PAIRS],
        }
    }
}

/// Configures this thread's tiles.
fn configure(shape: Shape) {
    if CONFIGURED.replace(shape) == shape {
        return;
    }
    let mut config = TileConfig {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [0; 16],
        rows: [0; 16],
    };
    for (tile, rows) in shape.rows().into_iter().enumerate() {
        config.row_bytes[tile] = ROW_BYTES as u16;
        config.rows[tile] = rows as u8;
    }
    // SAFETY: the instruction is there (`available`), and reads the 64 bytes of a valid configuration.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly)) }
}

/// Ends this thread's use of tiles when it is dropped, so that the system needn't save them and the core can sleep.
pub struct ReleaseTiles;

impl Drop for ReleaseTiles {
    fn drop(&mut self) {
        if CONFIGURED.replace(Shape::NONE) != Shape::NONE {
            // SAFETY: the instruction is there: this thread has configured tiles.
            unsafe { asm!("tilerelease", options(nostack, nomem)) }
        }
    }
}

/// The products with tiles.
///
/// # Safety
/// [`available`] must have been true. The pointers must be valid for the shapes that are given for them; nothing else
/// accesses the sums meanwhile.
pub unsafe fn products(products: &Products) {
    debug_assert!(products.rows <= ROWS && products.pairs.is_multiple_of(BLOCK_PAIRS));
    if products.pairs == 0 {
        return;
    }
    let shape = Shape::of(products.rows);
    configure(shape);
    // SAFETY: promised by the caller.
    unsafe {
        match shape.second {
            0 => one_tile_of_rows(products),
            _ => two_tiles_of_rows(products, shape.first),
        }
    }
}

/// Loads the sums into tiles or clears these, runs `block` for each block of pairs, and stores the sums.
macro_rules! multiply_tiles {
    (
        $products:expr, $b:expr,
        sums: [$([$tile:literal, $sum:ident, $sum_at:expr]),*],
        a: [$([$a:ident, $a_at:expr]),*],
        block: { $($line:tt)* }
    ) => {
        asm!(
            "test {from_zero}, {from_zero}",
            "jnz 3f",
            $(concat!("tileloadd tmm", $tile, ", [{", stringify!($sum), "} + {sums_stride}]"),)*
            "jmp 2f",
            "3:",
            $(concat!("tilezero tmm", $tile),)*
            "2:",
            $($line)*
            $(concat!("add {", stringify!($a), "}, 64"),)*
            "add {b}, {b_block}",
            "dec {blocks}",
            "jnz 2b",
            $(concat!("tilestored [{", stringify!($sum), "} + {sums_stride}], tmm", $tile),)*
            $($sum = in(reg) $sum_at,)*
            from_zero = in(reg) usize::from($products.from_zero),
            sums_stride = in(reg) VECTORS * ROW_BYTES,
            $($a = inout(reg) $a_at => _,)*
            a_stride = in(reg) 4 * $products.a_stride,
            b = inout(reg) $b => _,
            b_stride = in(reg) $products.vectors * ROW_BYTES,
            b_block = in(reg) $products.vectors * ROW_BYTES * BLOCK_PAIRS,
            blocks = inout(reg) $products.pairs / BLOCK_PAIRS => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

/// Up to 16 rows: each tile of A meets all vectors of the panel.
///
/// # Safety
/// As [`products`]; the tiles are configured, and there are pairs.
unsafe fn one_tile_of_rows(products: &Products) {
    macro_rules! of_vectors {
        ($([$sum:literal, $b:literal, $to:ident, $offset:literal]),*) => {
            multiply_tiles!(
                products, products.b,
                sums: [$([$sum, $to, sums_of(products, 0, $sum)]),*],
                a: [[a, products.a]],
                block: {
                    "tileloadd tmm4, [{a} + {a_stride}]",
                    $(
                        concat!("tileloadd tmm", $b, ", [{b} + {b_stride} + ", $offset, "]"),
                        concat!("tdpbf16ps tmm", $sum, ", tmm4, tmm", $b),
                    )*
                }
            )
        };
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

/// 17 to 32 rows, `first` of them in the first tile: two vectors at a time, so that each tile of B that is loaded meets two of A.
///
/// # Safety
/// As [`products`]; the tiles are configured, and there are pairs.
unsafe fn two_tiles_of_rows(products: &Products, first: usize) {
    let second_a = products.a.wrapping_add(first * products.a_stride);
    for from in (0..products.vectors).step_by(2) {
        macro_rules! of_vectors {
            (
                $([$sum:literal, $a:literal, $b:literal, $to:ident, $row:expr, $vector:literal]),*;
                $([$load:literal, $offset:literal]),*
            ) => {
                multiply_tiles!(
                    products, products.b.wrapping_byte_add(from * ROW_BYTES),
                    sums: [$([$sum, $to, sums_of(products, $row, from + $vector)]),*],
                    a: [[a, products.a], [second_a, second_a]],
                    block: {
                        "tileloadd tmm4, [{a} + {a_stride}]",
                        $(concat!("tileloadd tmm", $load, ", [{b} + {b_stride} + ", $offset, "]"),)*
                        "tileloadd tmm5, [{second_a} + {a_stride}]",
                        $(concat!("tdpbf16ps tmm", $sum, ", tmm", $a, ", tmm", $b),)*
                    }
                )
            };
        }
        // SAFETY: tiles are configured for these rows; the caller promised the memory.
        unsafe {
            if from + 1 < products.vectors {
                of_vectors!(
                    [0, 4, 6, c0, 0, 0], [1, 4, 7, c1, 0, 1],
                    [2, 5, 6, c2, first, 0], [3, 5, 7, c3, first, 1];
                    [6, 0], [7, 64]
                );
            } else {
                of_vectors!([0, 4, 6, c0, 0, 0], [2, 5, 6, c2, first, 0]; [6, 0]);
            }
        }
    }
}

/// The sums of a row and a vector of the panel.
fn sums_of(products: &Products, row: usize, vector: usize) -> *mut f32 {
    let vector = products.target(vector);
    products.sums.wrapping_add((row * VECTORS + vector) * ROW_BYTES / 4)
}
