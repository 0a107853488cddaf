use super::super::isa::Isa;
use super::super::saved::SavedActivations;
use super::super::sequence::{Grads, SequenceArgs, backward_on, forward_on};
use super::super::weight_grads::WeightGrads;
use super::super::{Dims, Dropout, Input, Precision, Weights};
use super::reference::{B_HH, B_IH, INPUT, Problem, STATE, W_HH, W_IH};
use super::{Cell, Numbers, assert_close, with_threads};

pub const CELLS: [Cell; 4] = [Cell::Lstm, Cell::Gru, Cell::Tanh, Cell::Relu];
/// T, N, D, H.
const SIZES: [(usize, usize, usize, usize); 7] = [
    (5, 3, 7, 6),
    (4, 5, 9, 17),
    (1, 1, 2, 1),
    (7, 33, 20, 70),
    (2, 150, 3, 5),
    // H a multiple of every vector, so that gates are stored past the caches; and more than a chunk of the backward pass.
    (40, 33, 9, 32),
    // Enough weights to pack them in parallel.
    (2, 5, 180, 64),
];

impl Problem {
    fn args(&self) -> SequenceArgs<'_> {
        let [input, w_ih, w_hh, b_ih, b_hh, _] = &self.values;
        SequenceArgs {
            cell: self.cell,
            dims: self.dims,
            input: match &self.ids {
                Some(ids) => Input::Ids(ids),
                None => Input::Dense(input),
            },
            weights: Weights { w_ih, w_hh, b_ih, b_hh },
            precision: self.precision,
            dropout: self.dropout.map(|(p, seed)| Dropout::new(p, seed)),
        }
    }

    pub fn forward(&self, isa: Isa, saved: Option<&mut SavedActivations>) -> Vec<f32> {
        let Dims { t, n, h, .. } = self.dims;
        // Not zeros: everything must be written.
        let mut out = vec![f32::NAN; (t + self.cell.states()) * n * h];
        forward_on(isa, &self.args(), &self.values[STATE], &mut out, saved);
        out
    }

    pub fn train(&self, isa: Isa, grad_out: &[f32]) -> (Vec<f32>, Grads) {
        let Dims { t, n, h, .. } = self.dims;
        let mut saved = SavedActivations::new(self.cell, t, n, h);
        let out = self.forward(isa, Some(&mut saved));
        (out, backward_on(isa, &self.args(), &saved, grad_out, true))
    }
}

pub fn for_all(check: impl Fn(Problem)) {
    for cell in CELLS {
        for sizes in SIZES {
            for ids in [false, true] {
                for dropout in [None, Some((0.4, 77))] {
                    let mut problem = Problem::new(cell, sizes, ids, 1.0);
                    problem.dropout = dropout;
                    check(problem);
                }
            }
        }
    }
}

/// Fails unless output and gradients are those of the equations, within these tolerances, on every instruction set.
pub fn assert_equals_equations(problem: &Problem, of_output: f64, of_gradients: f64) {
    let values = problem.values_f64();
    let expected_out = problem.output(&values);
    let grad_out = Numbers(8).many(expected_out.len(), 1.0);
    let grad_out_f64: Vec<f64> = grad_out.iter().map(|&x| f64::from(x)).collect();
    let expected = problem.gradients(&values, &grad_out_f64);
    for isa in Isa::available() {
        // At least two threads, so that weights are packed in parallel.
        let (out, grads) = with_threads(2, || problem.train(isa, &grad_out));
        let Problem { cell, dims, dropout, precision, .. } = problem;
        let close = |name: &str, found: &[f32], expected: &[f64], tolerance| {
            let what = format!("{isa:?} {cell:?} {dims:?} {dropout:?} {precision:?} {name}");
            assert_close(&what, found, expected, tolerance);
        };
        close("out", &out, &expected_out, of_output);
        close("w_ih", &grads.weights.w_ih, &expected[W_IH], of_gradients);
        close("w_hh", &grads.weights.w_hh, &expected[W_HH], of_gradients);
        close("b_ih", &grads.weights.b_ih, &expected[B_IH], of_gradients);
        close("b_hh", &grads.weights.b_hh, &expected[B_HH], of_gradients);
        close("state", &grads.state, &expected[STATE], of_gradients);
        match grads.input {
            Some(input) => close("input", &input, &expected[INPUT], of_gradients),
            None => assert!(problem.ids.is_some(), "{cell:?} {dims:?}: no input gradient"),
        }
    }
}

#[test]
fn outputs_and_gradients_equal_the_equations() {
    for_all(|problem| assert_equals_equations(&problem, 1e-5, 1e-5));
}

#[test]
fn evaluation_gives_the_bytes_of_training() {
    for_all(|mut problem| {
        let Dims { t, n, h, .. } = problem.dims;
        for isa in Isa::available() {
            for precision in [Precision::F32, Precision::Bf16] {
                problem.precision = precision;
                let mut saved = SavedActivations::new(problem.cell, t, n, h);
                let training = problem.forward(isa, Some(&mut saved));
                let what = format!("{isa:?} {precision:?} {:?}", problem.cell);
                assert_eq!(problem.forward(isa, None), training, "{what}");
            }
        }
    });
}

#[test]
fn a_sequence_equals_its_chunks() {
    for cell in CELLS {
        let whole = Problem::new(cell, (7, 5, 9, 17), false, 1.0);
        let expected = whole.forward(Isa::best(), None);
        let (slot, d) = (5 * 17, 5 * 9);
        let mut first = Problem::new(cell, (3, 5, 9, 17), false, 1.0);
        let mut second = Problem::new(cell, (4, 5, 9, 17), false, 1.0);
        first.values = whole.values.clone();
        first.values[INPUT].truncate(3 * d);
        let start = first.forward(Isa::best(), None);
        second.values = whole.values.clone();
        second.values[INPUT].drain(..3 * d);
        second.values[STATE] = start[3 * slot..].to_vec();
        let end = second.forward(Isa::best(), None);
        assert_eq!([&start[..3 * slot], &end[..]].concat(), expected, "{cell:?}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    // The second packs weights in parallel, the third has more than a chunk of the backward pass, and of the last an LSTM
    // and a GRU divide units among three threads.
    let sizes = [(6, 37, 20, 70), (3, 37, 180, 64), (40, 33, 9, 32), (3, 19, 50, 150)];
    let problems = sizes.iter().flat_map(|&sizes| {
        CELLS
            .into_iter()
            .flat_map(move |cell| [false, true].map(|ids| Problem::new(cell, sizes, ids, 1.0)))
    });
    let precisions = [Precision::F32, Precision::Bf16];
    for (mut problem, precision) in problems.flat_map(|p| precisions.map(|x| (p.clone(), x))) {
        (problem.dropout, problem.precision) = (Some((0.5, 3)), precision);
        let (cell, Dims { t, n, h, .. }) = (problem.cell, problem.dims);
        let grad_out = Numbers(8).many((t + cell.states()) * n * h, 1.0);
        for isa in Isa::available() {
            let run = |threads| {
                with_threads(threads, || {
                    let (out, Grads { weights, state, input }) = problem.train(isa, &grad_out);
                    let WeightGrads { w_ih, w_hh, b_ih, b_hh } = weights;
                    [out, w_ih, w_hh, b_ih, b_hh, state, input.unwrap_or_default()]
                })
            };
            let alone = run(1);
            for threads in [2, 3, 8] {
                let what = format!("{isa:?} {cell:?} {precision:?} {h} units, {threads} threads");
                assert!(run(threads) == alone, "{what}");
            }
        }
    }
}

#[test]
fn saturated_gates_stay_finite_and_right() {
    for isa in Isa::available() {
        for cell in [Cell::Lstm, Cell::Gru, Cell::Tanh] {
            // Sums of several hundred: their own rounding is what the output differs by.
            let problem = Problem::new(cell, (5, 3, 7, 18), false, 300.0);
            let values = problem.values_f64();
            let expected = problem.output(&values);
            let grad_out = vec![1.0; expected.len()];
            let (out, grads) = problem.train(isa, &grad_out);
            assert_close(&format!("{isa:?} {cell:?} out"), &out, &expected, 1e-2);
            for grads in [
                &grads.weights.w_ih,
                &grads.weights.w_hh,
                &grads.weights.b_ih,
                &grads.weights.b_hh,
                &grads.state,
            ] {
                assert!(grads.iter().all(|x| x.is_finite()), "{isa:?} {cell:?}");
            }
        }
    }
}

#[test]
fn nan_reaches_the_output_and_the_gradients() {
    for isa in Isa::available() {
        for cell in CELLS {
            let mut problem = Problem::new(cell, (3, 2, 4, 5), false, 1.0);
            problem.values[INPUT][0] = f32::NAN;
            let count = (3 + cell.states()) * 2 * 5;
            let (out, grads) = problem.train(isa, &vec![1.0; count]);
            // Row 0 from the first step on; row 1 never.
            for (i, slot) in out.chunks(5).enumerate() {
                assert!(
                    slot.iter().all(|x| x.is_nan() == (i % 2 == 0)),
                    "{isa:?} {cell:?} row {i}: {slot:?}"
                );
            }
            assert!(grads.weights.w_hh.iter().all(|x| x.is_nan()), "{isa:?} {cell:?}");
        }
    }
}

#[test]
fn what_follows_the_input_is_not_read() {
    let mut problem = Problem::new(Cell::Lstm, (3, 2, 4, 5), false, 1.0);
    let grad_out = Numbers(8).many((3 + 2) * 2 * 5, 1.0);
    let (out, grads) = problem.train(Isa::best(), &grad_out);
    problem.values[INPUT].extend([f32::NAN; 8]);
    let (longer_out, longer) = problem.train(Isa::best(), &grad_out);
    assert_eq!(
        (longer_out, longer.weights.w_ih, longer.state),
        (out, grads.weights.w_ih, grads.state)
    );
    assert_eq!(longer.input, grads.input.map(|input| [input, vec![0.0; 8]].concat()));
}

#[test]
#[should_panic(expected = "ids are in 0..4")]
fn an_id_beyond_the_vocabulary_is_refused() {
    let mut problem = Problem::new(Cell::Gru, (3, 2, 4, 5), true, 1.0);
    problem.ids = Some(vec![0, 1, 2, 3, 4, 0]);
    problem.forward(Isa::best(), None);
}
