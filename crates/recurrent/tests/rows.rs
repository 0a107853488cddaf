//! Some rows of a batch by themselves, as processes that share a batch compute them.

use burn::tensor::{Device, Int, Tensor, TensorData};
use charloom_recurrent::{
    BatchRows, Cell, Readout, Recurrent, RecurrentConfig, Sequence, StackDropout, State,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const STEPS: usize = 5;
const ROWS: usize = 7;
const VOCAB: usize = 6;

/// The output `[T, N, H]` and the final states `[S, N, H]` of these rows, under dropout of every kind.
fn run(stack: &Recurrent, first: usize, rows: usize, as_ids: bool) -> Vec<Tensor<3>> {
    let device = Device::flex();
    let id = |row: usize, t: usize| ((row * 31 + t * 7) % VOCAB) as i32;
    let ids = (first..first + rows).flat_map(|row| (0..STEPS).map(move |t| id(row, t)));
    let ids = TensorData::new(ids.collect::<Vec<_>>(), [rows, STEPS]);
    let ids = Tensor::<2, Int>::from_data(ids, &device).swap_dims(0, 1);
    let input = match as_ids {
        true => Sequence::Ids(ids),
        false => Sequence::Dense(ids.one_hot::<3>(VOCAB).float()),
    };
    let state = stack.zero_state(rows, &device).0.into_iter().map(|zeros| {
        let [s, n, h] = zeros.dims();
        let at = |index: usize| {
            let (row, unit) = (first + index / h % n, index % h);
            ((index / (n * h) + 2 * row + 3 * unit) % 11) as f32 / 11.0
        };
        Tensor::from_data(TensorData::new((0..s * n * h).map(at).collect(), [s, n, h]), &device)
    });
    let dropout = StackDropout {
        input: 0.2,
        output: 0.3,
        recurrent_weights: 0.2,
        rows: (rows < ROWS).then_some(BatchRows { first, of: ROWS }),
        ..StackDropout::new(0.5, 9)
    };
    let (output, state) = stack.run(input, State(state.collect()), Some(dropout));
    [output].into_iter().chain(state.0).collect()
}

#[test]
fn rows_of_a_batch_by_themselves_have_the_bits_that_they_have_in_the_batch() {
    for (cell, readout) in [
        (Cell::Lstm, Readout::Last),
        (Cell::Gru, Readout::Last),
        (Cell::Tanh, Readout::Last),
        (Cell::Relu, Readout::Last),
        (Cell::Lstm, Readout::Sum),
    ] {
        let config = RecurrentConfig::new(cell, VOCAB, 19).with_layers(2).with_readout(readout);
        let stack = config.init(&Device::flex(), &mut ChaCha8Rng::seed_from_u64(1));
        for as_ids in [true, false] {
            let whole = run(&stack, 0, ROWS, as_ids);
            for (first, rows) in [(0, 3), (3, 4), (6, 1)] {
                for (part, whole) in run(&stack, first, rows, as_ids).into_iter().zip(&whole) {
                    let expected = whole.clone().narrow(1, first, rows).into_data();
                    let what = format!("{cell} {readout:?}, ids {as_ids}, rows {first}..");
                    assert_eq!(part.into_data().as_bytes(), expected.as_bytes(), "{what}");
                }
            }
        }
    }
}
