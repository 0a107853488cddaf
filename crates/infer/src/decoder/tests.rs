use burn::tensor::Device;
use charloom_model::{CharRnn, TrainedModel};

use super::network::RowStates;
use super::*;
use crate::test_models;

fn model() -> TrainedModel {
    test_models::random("\nabcdefg", &Device::flex())
}

/// A row that reads these ids, one a step, after the first.
fn alone(mut decoder: BatchDecoder, ids: &[u32]) -> Vec<f32> {
    decoder.push(&ids[..1]).unwrap();
    for &id in &ids[1..] {
        decoder.step(&[id]).unwrap();
    }
    decoder.logits(0).to_vec()
}

#[track_caller]
fn near(left: &[f32], right: &[f32]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert!((left - right).abs() < 1e-5, "{left} and {right}");
    }
}

#[test]
fn selected_rows_continue_from_what_they_have_read_with_kernels_and_without() {
    let network = model().network;
    let makers: [fn(&CharRnn) -> BatchDecoder; 2] =
        [BatchDecoder::new, BatchDecoder::without_kernels];
    for (make, kernels) in makers.into_iter().zip([true, false]) {
        let mut decoder = make(&network);
        assert_eq!(matches!(decoder.decoders[0].states, RowStates::Kernel(_)), kernels);
        let read = |ids: &[u32]| alone(make(&network), ids);
        decoder.push(&[0]).unwrap();
        decoder.select(&[0, 0, 0]);
        decoder.step(&[1, 2, 4]).unwrap();
        decoder.select(&[2, 0, 2, 1]);
        assert_eq!(decoder.rows(), 4);
        for (row, ids) in [[0, 4], [0, 1], [0, 4], [0, 2]].iter().enumerate() {
            near(decoder.logits(row), &read(ids));
        }
        decoder.step(&[1, 1, 3, 5]).unwrap();
        decoder.remove(1);
        for (row, ids) in [[0, 4, 1], [0, 4, 3], [0, 2, 5]].iter().enumerate() {
            near(decoder.logits(row), &read(ids));
        }
        decoder.select(&[]);
        decoder.step(&[]).unwrap();
        assert_eq!(decoder.rows(), 0);
        decoder.push(&[6]).unwrap();
        decoder.step(&[2]).unwrap();
        near(decoder.logits(0), &read(&[6, 2]));
    }
}

/// What BatchDecoder's documentation promises for the CPU: not one bit differs.
#[test]
fn other_rows_change_no_bit_of_a_row_on_the_cpu() {
    let network = model().network;
    let ids: Vec<u32> = (0..40).map(|i| (i * i + i / 3) % 8).collect();
    let expected = alone(BatchDecoder::new(&network), &ids);
    let mut decoder = BatchDecoder::new(&network);
    for at in 0..12 {
        decoder.push(&[at % 8]).unwrap();
    }
    let mut row = decoder.push(&ids[..1]).unwrap();
    for (step, &id) in ids.iter().enumerate().skip(1) {
        // Some join, some leave, before this row and behind it.
        match step % 4 {
            0 => drop(decoder.push(&ids[..step]).unwrap()),
            1 if row > 0 => {
                decoder.remove(0);
                row -= 1;
            }
            2 if row + 1 < decoder.rows() => decoder.remove(row + 1),
            _ => {}
        }
        let mut step_ids = vec![step as u32 % 8; decoder.rows()];
        step_ids[row] = id;
        decoder.step(&step_ids).unwrap();
    }
    assert_eq!(decoder.logits(row), expected);
}

/// A prompt is read in chunks of 256: the first ends within one, the second with one, the third is one longer.
#[test]
fn reading_a_prompt_at_once_equals_reading_it_character_by_character() {
    let network = model().network;
    for length in [5, 512, 513] {
        let prompt: Vec<u32> = (0..length).map(|i| (i * i + i / 3) % 8).collect();
        let mut at_once = BatchDecoder::new(&network);
        at_once.push(&prompt).unwrap();
        let stepped = alone(BatchDecoder::new(&network), &prompt);
        for (a, b) in at_once.logits(0).iter().zip(stepped) {
            assert!((a - b).abs() < 1e-4, "{a} and {b} after {length}");
        }
        // The state after the prompt, and not only its last logits.
        at_once.step(&[3]).unwrap();
        let stepped = alone(BatchDecoder::new(&network), &[&prompt[..], &[3]].concat());
        for (a, b) in at_once.logits(0).iter().zip(stepped) {
            assert!((a - b).abs() < 1e-4, "{a} and {b} after {length}");
        }
    }
}

#[test]
#[should_panic(expected = "ids are in 0..8")]
fn an_id_that_the_network_lacks_is_refused() {
    let _ = BatchDecoder::new(&model().network).push(&[8]);
}
