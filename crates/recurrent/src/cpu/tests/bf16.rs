use super::super::bf16::{self, PairTile, round};
use super::super::gemm::Gemm;
use super::super::isa::Isa;
use super::super::packed::{PackedWeights, PanelLayout};
use super::super::simd::{Kernel, Simd};
use super::super::{Dims, Precision};
use super::reference::{INPUT, Problem, STATE, W_HH, W_IH};
use super::sequence::{CELLS, assert_equals_equations, for_all};
use super::{Cell, Numbers, assert_close};

fn as_f32(bits: u32) -> f32 {
    f32::from_bits(bits << 16)
}

#[test]
fn numbers_round_to_the_nearest_bf16_and_ties_to_the_even_one() {
    // 1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷, 1 + 3·2⁻⁸ between 1 + 2⁻⁷ and 1 + 2⁻⁶.
    let cases = [
        (1.0 + 1.0 / 256.0, 1.0),
        (1.0 + 1.01 / 256.0, 1.0 + 1.0 / 128.0),
        (1.0 + 3.0 / 256.0, 1.0 + 1.0 / 64.0),
        (-1.0 - 3.0 / 256.0, -1.0 - 1.0 / 64.0),
        (f32::MAX, f32::INFINITY),
        (f32::NEG_INFINITY, f32::NEG_INFINITY),
        (f32::MIN_POSITIVE, f32::MIN_POSITIVE),
        (f32::MIN_POSITIVE * 0.99, 0.0),
        (-1e-45, -0.0),
    ];
    for (x, expected) in cases {
        assert_eq!(as_f32(round(x)).to_bits(), f32::to_bits(expected), "{x:e}");
    }
    assert!(as_f32(round(f32::NAN)).is_nan());
    assert!(as_f32(round(f32::from_bits(0x7f80_0001))).is_nan());
    for x in Numbers(3).many(10_000, 1e3) {
        let bits = round(x);
        let error = |bits: u32| (as_f32(bits) - x).abs();
        assert!(error(bits) <= error(bits + 1) && error(bits) <= error(bits - 1), "{x}");
    }
}

#[test]
fn a_product_of_rounded_matrices_equals_one_in_f64() {
    let mut numbers = Numbers(11);
    for (rows, k, columns) in [(1, 1, 1), (3, 7, 5), (17, 33, 70), (33, 64, 128), (5, 250, 19)] {
        let (a, b) = (numbers.many(rows * k, 1.0), numbers.many(k * columns, 1.0));
        let rounded = |x: f32| f64::from(as_f32(round(x)));
        let expected: Vec<f64> = (0..rows * columns)
            .map(|at| {
                let (row, column) = (at / columns, at % columns);
                (0..k).map(|k_| rounded(a[row * k + k_]) * rounded(b[k_ * columns + column])).sum()
            })
            .collect();
        let transposed: Vec<f32> =
            (0..columns * k).map(|at| b[at % k * columns + at / k]).collect();
        for isa in Isa::available() {
            let layout = PanelLayout::consecutive(columns, isa);
            let bf16 = Precision::Bf16;
            for packed in [
                PackedWeights::of_rows(isa, bf16, &b, k, columns),
                PackedWeights::of_transposed(isa, bf16, &transposed, k, layout),
            ] {
                let mut c = vec![f32::NAN; rows * columns];
                let gemm = Gemm {
                    a: a.as_ptr(),
                    a_stride: k,
                    rows,
                    parts: &[(0, k)],
                    b: &packed,
                    panels: 0..packed.panels(),
                    c: c.as_mut_ptr(),
                    c_stride: columns,
                    add: false,
                };
                // SAFETY: the matrices have these shapes.
                unsafe { isa.run(gemm) };
                assert_close(&format!("{isa:?} {rows} x {k} x {columns}"), &c, &expected, 1e-5);
            }
        }
    }
}

struct Transpose<'a>(&'a mut PairTile);

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        s.transpose(self.0);
    }
}

#[test]
fn a_tile_is_transposed() {
    for isa in Isa::available() {
        let mut tile: PairTile =
            std::array::from_fn(|i| std::array::from_fn(|j| (16 * i + j) as u32));
        // SAFETY: the kernel holds no pointers.
        unsafe { isa.run(Transpose(&mut tile)) };
        for (i, row) in tile.iter().enumerate() {
            for (j, &x) in row.iter().enumerate() {
                assert_eq!(x, (16 * j + i) as u32, "{isa:?} [{i}][{j}]");
            }
        }
    }
}

/// Weights and operands that are bf16 numbers already: rounding changes nothing.
fn rounded(mut problem: Problem) -> Problem {
    let Dims { n, h, .. } = problem.dims;
    let to_bf16 = |values: &mut [f32]| values.iter_mut().for_each(|x| *x = as_f32(round(*x)));
    for which in [INPUT, W_IH, W_HH] {
        to_bf16(&mut problem.values[which]);
    }
    to_bf16(&mut problem.values[STATE][..n * h]);
    problem
}

#[test]
fn one_step_of_rounded_operands_equals_the_equations() {
    for cell in CELLS {
        for (n, d, h) in [(1, 2, 1), (3, 7, 6), (33, 20, 70), (17, 40, 32)] {
            let mut problem = rounded(Problem::new(cell, (1, n, d, h), false, 1.0));
            problem.precision = Precision::Bf16;
            let expected = problem.output(&problem.values_f64());
            for isa in Isa::available() {
                let out = problem.forward(isa, None);
                assert_close(&format!("{isa:?} {cell:?} {n} {d} {h}"), &out, &expected, 1e-5);
            }
        }
    }
}

#[test]
fn outputs_and_gradients_are_close_to_those_in_f64() {
    for_all(|mut problem| {
        if problem.cell == Cell::Relu {
            // Its derivative jumps where a rounded sum has another sign.
            return;
        }
        problem.precision = Precision::Bf16;
        assert_equals_equations(&problem, 0.02, 0.03);
    });
}

#[test]
fn padding_takes_whole_blocks_of_pairs() {
    assert_eq!([0, 1, 32, 33, 64].map(bf16::pairs), [0, 16, 16, 32, 32]);
}

#[cfg(target_arch = "x86_64")]
mod instructions {
    use super::super::super::bf16::{BLOCK_PAIRS, Products, ROWS, round};
    use super::super::super::isa::Isa;
    use super::super::super::packed::Prefetch;
    use super::super::super::simd::VECTORS;
    use super::super::super::x86::Avx512;
    use super::super::super::x86_bf16::{Bf16Unit, MultiplyPairs};
    use super::super::Numbers;

    /// Pairs of numbers whose products and sums are of many sizes.
    fn many_pairs(numbers: &mut Numbers, count: usize) -> Vec<u32> {
        let values = numbers.many(2 * count, 1.0);
        let spread = |x: f32| round(x * x * x * x.abs().sqrt() * 100.0);
        values.chunks(2).map(|pair| spread(pair[0]) | (spread(pair[1]) << 16)).collect()
    }

    #[test]
    fn the_instructions_of_this_processor_give_the_bits_of_the_emulation() {
        const LANES: usize = 16;
        let mut numbers = Numbers(5);
        for token in Avx512::available() {
            let emulated = token.with_bf16(Bf16Unit::Emulated(token.bf16().order()));
            for rows in [1, 2, 7, 16, 17, 23, 32] {
                for (vectors, shift) in [(1, 0), (2, 0), (3, 0), (3, 1), (4, 0)] {
                    for (blocks, from_zero) in [(1, true), (3, false), (16, false)] {
                        let pairs = blocks * BLOCK_PAIRS;
                        let (a_stride, row) = (pairs + 16, vectors * LANES);
                        let a = many_pairs(&mut numbers, rows * a_stride);
                        let b = many_pairs(&mut numbers, pairs * row);
                        let start = numbers.many(ROWS * VECTORS * LANES, 3.0);
                        let run = |isa: Isa| {
                            let mut sums = start.clone();
                            let products = Products {
                                sums: sums.as_mut_ptr(),
                                rows,
                                a: a.as_ptr(),
                                a_stride,
                                b: b.as_ptr(),
                                pairs,
                                vectors,
                                shift,
                                from_zero,
                                prefetch: Prefetch::none(),
                            };
                            // SAFETY: the operands have these shapes, and the sums are this function's.
                            unsafe { isa.run(MultiplyPairs(products)) };
                            // Vectors that aren't summed into needn't keep what they held.
                            let summed =
                                (0..vectors).map(|j| products.target(j)).collect::<Vec<_>>();
                            let bits = |i: usize| sums[i].to_bits();
                            let in_row = |i: usize| summed.contains(&(i / LANES % VECTORS));
                            let last = rows * VECTORS * LANES;
                            (0..last).filter(|&i| in_row(i)).map(bits).collect::<Vec<_>>()
                        };
                        let what = format!("{:?}, {rows} rows, {vectors} + {shift}", token.bf16());
                        assert_eq!(run(Isa::Avx512(token)), run(Isa::Avx512(emulated)), "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn results_too_small_for_a_normal_number_become_zero() {
        for token in Avx512::available() {
            for (a, b, start, expected) in [
                // 2⁻⁶⁷ · 2⁻⁶⁷, below the smallest normal number.
                (0x1e00, 0x1e00, 0.0, 0.0),
                (0x1e00, 0x9e00, 0.0, -0.0),
                (0, 0, 1e-39, 0.0),
                (0, 0, -1e-39, -0.0),
            ] {
                let mut operand_a = [0_u32; BLOCK_PAIRS];
                let mut operand_b = vec![0_u32; BLOCK_PAIRS * 16];
                operand_a[0] = a;
                operand_b[0] = b;
                let mut sums = [start; VECTORS * 16];
                let products = Products {
                    sums: sums.as_mut_ptr(),
                    rows: 1,
                    a: operand_a.as_ptr(),
                    a_stride: BLOCK_PAIRS,
                    b: operand_b.as_ptr(),
                    pairs: BLOCK_PAIRS,
                    vectors: 1,
                    shift: 0,
                    from_zero: false,
                    prefetch: Prefetch::none(),
                };
                // SAFETY: the operands have these shapes, and the sums are this function's.
                unsafe { Isa::Avx512(token).run(MultiplyPairs(products)) };
                // Adding the zeros of the padding makes -0 to 0.
                assert_eq!(
                    sums[0].abs(),
                    f32::abs(expected),
                    "{:?} {a:x} {b:x} {start:e}",
                    token.bf16()
                );
            }
        }
    }
}
