use super::super::isa::Isa;
use super::super::saved::SavedActivations;
use super::super::sequence::{Grads, SequenceArgs, backward_on, forward_on};
use super::super::{Dims, Dropout, Input, Weights};
use super::reference::{B_HH, B_IH, INPUT, Problem, STATE, W_HH, W_IH};
use super::{Cell, Numbers, assert_close, with_threads};

pub const CELLS: [Cell; 4] = [Cell::Lstm, Cell::Gru, Cell::Tanh, Cell::Relu];
const SIZES: [(usize, usize, usize, usize); 5] =
    [(5, 3, 7, 6), (4, 5, 9, 17), (1, 1, 2, 1), (7, 33, 20, 70), (2, 150, 3, 5)];

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
            dropout: self.dropout.map(|(p, seed)| Dropout { p, seed }),
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

fn for_all(mut check: impl FnMut(Isa, Problem)) {
    for isa in Isa::available() {
        for cell in CELLS {
            for sizes in SIZES {
                for ids in [false, true] {
                    for dropout in [None, Some((0.4, 77))] {
                        let mut problem = Problem::new(cell, sizes, ids, 1.0);
                        problem.dropout = dropout;
                        check(isa, problem);
                    }
                }
            }
        }
    }
}

#[test]
fn outputs_and_gradients_equal_the_equations() {
    for_all(|isa, problem| {
        let values = problem.values_f64();
        let expected = problem.output(&values);
        let grad_out = Numbers(8).many(expected.len(), 1.0);
        let (out, grads) = problem.train(isa, &grad_out);
        let what = format!("{isa:?} {:?} {:?} {:?}", problem.cell, problem.dims, problem.dropout);
        assert_close(&format!("{what} out"), &out, &expected, 1e-5);

        let grad_out: Vec<f64> = grad_out.into_iter().map(f64::from).collect();
        let wanted = problem.gradients(&values, &grad_out);
        assert_close(&format!("{what} w_ih"), &grads.weights.w_ih, &wanted[W_IH], 1e-5);
        assert_close(&format!("{what} w_hh"), &grads.weights.w_hh, &wanted[W_HH], 1e-5);
        assert_close(&format!("{what} b_ih"), &grads.weights.b_ih, &wanted[B_IH], 1e-5);
        assert_close(&format!("{what} b_hh"), &grads.weights.b_hh, &wanted[B_HH], 1e-5);
        assert_close(&format!("{what} state"), &grads.state, &wanted[STATE], 1e-5);
        match grads.input {
            Some(input) => assert_close(&format!("{what} input"), &input, &wanted[INPUT], 1e-5),
            None => assert!(problem.ids.is_some(), "{what}: no input gradient"),
        }
    });
}

#[test]
fn evaluation_gives_the_bytes_of_training() {
    for_all(|isa, problem| {
        let Dims { t, n, h, .. } = problem.dims;
        let mut saved = SavedActivations::new(problem.cell, t, n, h);
        let training = problem.forward(isa, Some(&mut saved));
        assert_eq!(problem.forward(isa, None), training, "{isa:?} {:?}", problem.cell);
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
    for isa in Isa::available() {
        for cell in CELLS {
            for ids in [false, true] {
                let mut problem = Problem::new(cell, (6, 37, 20, 70), ids, 1.0);
                problem.dropout = Some((0.5, 3));
                let count = (6 + cell.states()) * 37 * 70;
                let grad_out = Numbers(8).many(count, 1.0);
                let run = |threads| {
                    with_threads(threads, || {
                        let (out, grads) = problem.train(isa, &grad_out);
                        let input = grads.input.unwrap_or_default();
                        [
                            out,
                            grads.weights.w_ih,
                            grads.weights.w_hh,
                            grads.weights.b_ih,
                            grads.weights.b_hh,
                            grads.state,
                            input,
                        ]
                    })
                };
                let alone = run(1);
                for threads in [2, 3, 8] {
                    assert_eq!(run(threads), alone, "{isa:?} {cell:?} {threads} threads");
                }
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
