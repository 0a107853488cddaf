use super::super::isa::Isa;
use super::super::loss::Linear;
use super::super::stepper::{Stepper, StepperConfig};
use super::super::{Dims, Input, Precision, SequenceArgs, Weights, forward};
use super::sequence::CELLS;
use super::{Cell, Numbers, assert_close};

struct Network {
    cell: Cell,
    v: usize,
    h: usize,
    /// w_ih, w_hh, b_ih, b_hh of each of two layers.
    layers: [[Vec<f32>; 4]; 2],
    weight: Vec<f32>,
    bias: Vec<f32>,
    precision: Precision,
    sums_layers: bool,
}

impl Network {
    fn new(cell: Cell, v: usize, h: usize) -> Self {
        let mut numbers = Numbers(17);
        let g = cell.gates();
        let layers = [v, h]
            .map(|d| [g * h * d, g * h * h, g * h, g * h].map(|count| numbers.many(count, 0.5)));
        let (weight, bias) = (numbers.many(v * h, 0.5), numbers.many(v, 0.5));
        Network { cell, v, h, layers, weight, bias, precision: Precision::F32, sums_layers: false }
    }

    fn weights(&self) -> [Weights<'_>; 2] {
        self.layers.each_ref().map(|[w_ih, w_hh, b_ih, b_hh]| Weights { w_ih, w_hh, b_ih, b_hh })
    }

    fn stepper(&self, isa: Isa, streams: usize) -> Stepper {
        let Network { h, v, weight, bias, precision, .. } = self;
        let linear = Linear { h: *h, v: *v, weight, bias, precision: *precision };
        let layers = self.weights();
        let config = StepperConfig {
            cell: self.cell,
            vocabulary: self.v,
            hidden_size: self.h,
            layers: &layers,
            linear,
            sums_layers: self.sums_layers,
        };
        Stepper::new_on(isa, config, streams)
    }

    /// The logits `[T, B, V]` of a whole sequence from the zero state.
    fn logits(&self, ids: &[i32], streams: usize) -> Vec<f64> {
        let Network { cell, v, h, .. } = *self;
        let [first, second] = self.weights();
        let t = ids.len() / streams;
        let state = vec![0.0; cell.states() * streams * h];
        let run = |d, input, weights| {
            let dims = Dims { t, n: streams, d, h };
            let precision = self.precision;
            let args = SequenceArgs { cell, dims, input, weights, precision, dropout: None };
            let mut out = vec![0.0; (t + cell.states()) * streams * h];
            forward(&args, &state, &mut out, None);
            out.truncate(t * streams * h);
            out
        };
        let below = run(v, Input::Ids(ids), first);
        let mut out = run(h, Input::Dense(&below), second);
        if self.sums_layers {
            out.iter_mut().zip(&below).for_each(|(out, below)| *out += below);
        }
        let mut logits = Vec::new();
        for hidden in out.chunks(h) {
            for (weight, &bias) in self.weight.chunks(h).zip(&self.bias) {
                let products =
                    hidden.iter().zip(weight).map(|(&a, &b)| f64::from(a) * f64::from(b));
                logits.push(products.sum::<f64>() + f64::from(bias));
            }
        }
        logits
    }
}

#[test]
fn steps_equal_the_sequence() {
    for isa in Isa::available() {
        for cell in CELLS {
            // The last is large enough for a pair of threads, and to be shared among three.
            let sizes = [(2, 1, 7, 6), (2, 5, 9, 17), (2, 13, 40, 200), (3, 35, 40, 200)];
            for (threads, streams, v, h) in sizes {
                // The logits of the sequence are computed with the linear layer unrounded.
                for (precision, tolerance, sums_layers) in [
                    (Precision::F32, 1e-5, false),
                    (Precision::F32, 1e-5, true),
                    (Precision::Bf16, 1e-2, false),
                    (Precision::Bf16, 1e-2, true),
                ] {
                    let network = Network { precision, sums_layers, ..Network::new(cell, v, h) };
                    let ids = Numbers(2).ids(4 * streams, v);
                    let expected = network.logits(&ids, streams);
                    let got: Vec<f32> = super::with_threads(threads, || {
                        let mut stepper = network.stepper(isa, streams);
                        ids.chunks(streams).flat_map(|ids| stepper.step(ids).to_vec()).collect()
                    });
                    let what = format!("{isa:?} {cell:?} {precision:?} {streams} {sums_layers}");
                    assert_close(&what, &got, &expected, tolerance);
                }
            }
        }
    }
}

#[test]
fn reordered_streams_go_on_as_the_ones_whose_state_they_took() {
    for cell in CELLS {
        let network = Network::new(cell, 9, 17);
        let mut stepper = network.stepper(Isa::best(), 3);
        stepper.step(&[1, 2, 3]);
        stepper.step(&[4, 0, 8]);
        let mut other = network.stepper(Isa::best(), 3);
        other.set_state(&stepper.state());
        let expected = stepper.step(&[5, 6, 7]).to_vec(); // [3, 9]

        // Stream 0 goes on twice, 1 ends, and 2 moves up.
        other.reorder(&[2, 0, 0]);
        let got = other.step(&[7, 5, 5]).to_vec();
        assert_eq!(got[..9], expected[18..], "{cell:?}");
        assert_eq!(got[9..18], expected[..9], "{cell:?}");
        assert_eq!(got[18..], expected[..9], "{cell:?}");
    }
}

#[test]
fn streams_that_end_or_join_change_no_bit_of_the_others() {
    for (cell, precision) in CELLS.map(|c| [(c, Precision::F32), (c, Precision::Bf16)]).concat() {
        // From a pair of threads to one, and back.
        for (v, h) in [(9, 17), (40, 200)] {
            let network = Network { precision, ..Network::new(cell, v, h) };
            let steps = Numbers(3).ids(6 * 4, v);
            let alone: Vec<Vec<Vec<f32>>> = (0..4)
                .map(|stream| {
                    let mut stepper = network.stepper(Isa::best(), 1);
                    let ids = steps.chunks(4).map(|ids| ids[stream]);
                    ids.map(|id| stepper.step(&[id]).to_vec()).collect()
                })
                .collect();

            let mut stepper = network.stepper(Isa::best(), 0);
            let zero = network.stepper(Isa::best(), 1).state();
            // Each stream with the number of its steps so far.
            let mut streams: Vec<(usize, usize)> = Vec::new();
            // The places of those that stay, and the streams that join.
            let changes: [(&[usize], &[usize]); 6] = [
                (&[], &[0, 1]),
                (&[0, 1], &[2]),
                (&[0, 2], &[]),
                (&[1], &[3]),
                (&[1], &[]),
                (&[], &[0]),
            ];
            for (stay, join) in changes {
                stepper.reorder(stay);
                streams = stay.iter().map(|&at| streams[at]).collect();
                for &stream in join {
                    stepper.append(&zero);
                    streams.push((stream, 0));
                }
                let ids: Vec<i32> =
                    streams.iter().map(|&(stream, age)| steps[age * 4 + stream]).collect();
                for (got, (stream, age)) in stepper.step(&ids).chunks(v).zip(&mut streams) {
                    assert_eq!(got, alone[*stream][*age], "{cell:?}, stream {stream}");
                    *age += 1;
                }
            }
        }
    }
}

#[test]
fn a_state_that_was_kept_continues() {
    for cell in CELLS {
        let network = Network::new(cell, 9, 17);
        let mut stepper = network.stepper(Isa::best(), 3);
        let fresh = stepper.step(&[4, 5, 6]).to_vec();
        stepper.step(&[1, 2, 3]);
        let state = stepper.state();
        let expected = stepper.step(&[4, 5, 6]).to_vec();
        assert_ne!(fresh, expected, "{cell:?}");

        let mut other = network.stepper(Isa::best(), 3);
        other.step(&[8, 8, 8]);
        other.set_state(&state);
        assert_eq!(other.state(), state, "{cell:?}");
        assert_eq!(other.step(&[4, 5, 6]), expected, "{cell:?}");
    }
}

#[test]
fn one_thread_and_a_spin_pair_give_the_same_bytes() {
    for cell in CELLS {
        // Large enough for a pair of threads, more than a panel of logits, and no multiple of a vector.
        let (v, h) = (83, 310);
        let network = Network::new(cell, v, h);
        for (isa, streams) in Isa::available().into_iter().flat_map(|l| [(l, 1), (l, 3)]) {
            let run = |threads| {
                super::with_threads(threads, || {
                    let mut stepper = network.stepper(isa, streams);
                    assert_eq!(stepper.has_spin_pair(), threads > 1, "{cell}, {streams} streams");
                    let ids = Numbers(5).many(40 * streams, 1.0);
                    let mut logits = Vec::new();
                    for ids in ids.chunks(streams) {
                        let ids: Vec<i32> = ids.iter().map(|x| (x.abs() * 82.0) as i32).collect();
                        logits.extend_from_slice(stepper.step(&ids));
                    }
                    logits
                })
            };
            assert!(run(1) == run(2), "{cell}, {isa:?}, {streams} streams");
        }
    }
}
