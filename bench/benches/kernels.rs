//! The CPU kernels by themselves, on the classic network's sizes: `cargo bench --workspace --bench kernels`.

use charloom_recurrent::cpu::{
    Dims, Dropout, Input, Linear, Reduction, SavedActivations, SequenceArgs, Stepper,
    StepperConfig, Weights, backward, forward, linear_cross_entropy_training,
};
use charloom_recurrent::{Cell, Precision};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use rand::distr::{Distribution, Uniform};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const V: usize = 83;
const CELLS: [(Cell, Precision); 6] = {
    use Precision::{Bf16, F32};
    [
        (Cell::Lstm, F32),
        (Cell::Lstm, Bf16),
        (Cell::Gru, F32),
        (Cell::Gru, Bf16),
        (Cell::Tanh, F32),
        (Cell::Tanh, Bf16),
    ]
};
/// The second layer: it reads vectors.
const DIMS: Dims = Dims { t: 100, n: 128, d: 256, h: 256 };

fn main() {
    divan::main();
}

/// Numbers in ±1/√256, as weights start.
fn numbers(len: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(len as u64);
    let range = Uniform::new_inclusive(-1.0 / 16.0, 1.0 / 16.0).expect("not empty");
    (0..len).map(|_| range.sample(&mut rng)).collect()
}

fn ids(len: usize) -> Vec<i32> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    (0..len).map(|_| rng.random_range(0..V as i32)).collect()
}

/// A layer's parameters: W_ih, W_hh, b_ih, b_hh.
fn layer(cell: Cell, d: usize, h: usize) -> [Vec<f32>; 4] {
    let rows = cell.gates() * h;
    [rows * d, rows * h, rows, rows].map(numbers)
}

fn weights([w_ih, w_hh, b_ih, b_hh]: &[Vec<f32>; 4]) -> Weights<'_> {
    Weights { w_ih, w_hh, b_ih, b_hh }
}

/// A layer that reads vectors, with dropout.
fn args<'a>(
    (cell, precision): (Cell, Precision),
    parameters: &'a [Vec<f32>; 4],
    input: &'a [f32],
) -> SequenceArgs<'a> {
    SequenceArgs {
        cell,
        dims: DIMS,
        input: Input::Dense(input),
        weights: weights(parameters),
        precision,
        dropout: Some(Dropout::new(0.5, 1)),
    }
}

#[divan::bench(args = CELLS)]
fn layer_forward(bencher: Bencher<'_, '_>, (cell, precision): (Cell, Precision)) {
    let Dims { t, n, d, h } = DIMS;
    let (parameters, input) = (layer(cell, d, h), numbers(t * n * d));
    let state = numbers(cell.states() * n * h);
    let mut out = vec![0.0; (t + cell.states()) * n * h];
    let mut saved = SavedActivations::new(cell, t, n, h);
    bencher.counter(ItemsCount::new(t * n)).bench_local(|| {
        forward(&args((cell, precision), &parameters, &input), &state, &mut out, Some(&mut saved));
        black_box(&out);
    });
}

#[divan::bench(args = CELLS)]
fn layer_backward(bencher: Bencher<'_, '_>, (cell, precision): (Cell, Precision)) {
    let Dims { t, n, d, h } = DIMS;
    let (parameters, input) = (layer(cell, d, h), numbers(t * n * d));
    let state = numbers(cell.states() * n * h);
    let mut out = vec![0.0; (t + cell.states()) * n * h];
    let mut saved = SavedActivations::new(cell, t, n, h);
    let args = args((cell, precision), &parameters, &input);
    forward(&args, &state, &mut out, Some(&mut saved));
    let grad = numbers(out.len());
    bencher
        .counter(ItemsCount::new(t * n))
        .bench_local(|| black_box(backward(&args, &saved, &grad, true)));
}

#[divan::bench(args = [Precision::F32, Precision::Bf16])]
fn loss_with_gradients(bencher: Bencher<'_, '_>, precision: Precision) {
    let Dims { t, n, h, .. } = DIMS;
    let (hidden, weight, bias, targets) =
        (numbers(t * n * h), numbers(V * h), numbers(V), ids(t * n));
    bencher.counter(ItemsCount::new(t * n)).bench_local(|| {
        let linear = Linear { h, v: V, weight: &weight, bias: &bias, precision };
        black_box(linear_cross_entropy_training(&hidden, linear, &targets, Reduction::Mean))
    });
}

/// One character of every stream, with two layers of 256.
#[divan::bench(args = [1, 8, 64].map(|n| [(n, Precision::F32), (n, Precision::Bf16)]).concat())]
fn generation_step(bencher: Bencher<'_, '_>, (streams, precision): (usize, Precision)) {
    let h = DIMS.h;
    let parameters = [layer(Cell::Lstm, V, h), layer(Cell::Lstm, h, h)];
    let layers = parameters.each_ref().map(weights);
    let (weight, bias) = (numbers(V * h), numbers(V));
    let linear = Linear { h, v: V, weight: &weight, bias: &bias, precision };
    let config = StepperConfig {
        cell: Cell::Lstm,
        vocabulary: V,
        hidden_size: h,
        layers: &layers,
        linear,
        sums_layers: false,
    };
    let mut stepper = Stepper::new(config, streams);
    let ids = ids(streams);
    bencher.counter(ItemsCount::new(streams)).bench_local(|| {
        black_box(stepper.step(&ids));
    });
}
