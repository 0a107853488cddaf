use super::*;
use crate::toy;

/// The logits after each of the texts was read from its beginning.
fn read(network: &CharRnn, texts: &[&[i32]]) -> Vec<f32> {
    let logits = |text: &&[i32]| Streams::new(network, text, 1).unwrap().logits(0).to_vec();
    texts.iter().flat_map(logits).collect()
}

#[track_caller]
fn near(left: &[f32], right: &[f32]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert!((left - right).abs() < 1e-5, "{left} and {right}");
    }
}

#[test]
fn reordered_texts_go_on_from_what_their_parents_have_read_with_kernels_and_without() {
    let network = toy::opinionated("\nabcd", &Device::flex()).network;
    for kernels in [true, false] {
        let mut streams = Streams::new(&network, &[0, 3], 3).unwrap();
        assert!(streams.stepper.is_some());
        if !kernels {
            streams.stepper = None;
        }
        streams.step(&[1, 2, 4]).unwrap();
        streams.reorder(&[2, 0, 2]);
        near(&streams.logits, &read(&network, &[&[0, 3, 4], &[0, 3, 1], &[0, 3, 4]]));
        streams.step(&[1, 1, 3]).unwrap();
        near(&streams.logits, &read(&network, &[&[0, 3, 4, 1], &[0, 3, 1, 1], &[0, 3, 4, 3]]));
        streams.reorder(&[0, 1, 2]);
        streams.step(&[2, 0, 0]).unwrap();
        near(
            &streams.logits,
            &read(&network, &[&[0, 3, 4, 1, 2], &[0, 3, 1, 1, 0], &[0, 3, 4, 3, 0]]),
        );
    }
}
