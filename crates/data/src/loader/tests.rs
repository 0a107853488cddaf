use super::*;
use crate::batch::{BatchConfig, LastTarget};
use crate::vocab::Vocab;

/// Five batches of N = 2 rows, T = 3 steps, of the text `0, 1, 2, …`; row 1 begins at 15.
fn loader() -> BatchLoader {
    let text: String = ('a'..).take(33).collect();
    let ids = Vocab::from_text(&text).encode(&text).unwrap();
    let config = BatchConfig { batch_size: 2, seq_length: 3, last_target: LastTarget::Next };
    BatchLoader::new(Batches::new(ids, config).unwrap(), Device::flex())
}

fn indices(loader: &dyn DataLoader<CharBatch>) -> Vec<usize> {
    loader.iter().map(|batch| batch.unwrap().index).collect()
}

/// (done, total) before each batch and after the last.
fn progress(loader: &dyn DataLoader<CharBatch>) -> Vec<(usize, usize)> {
    let mut iter = loader.iter();
    let mut seen = Vec::new();
    loop {
        let progress = iter.progress();
        seen.push((progress.items_processed, progress.items_total));
        if iter.next().is_none() {
            return seen;
        }
    }
}

#[test]
fn a_batch_holds_its_rows_and_their_targets() {
    let loader = loader();
    let batch = loader.iter().nth(1).unwrap().unwrap();
    assert_eq!(batch.index, 1);
    let inputs = TensorData::from([[3, 4, 5], [18, 19, 20]]);
    let targets = TensorData::from([[4, 5, 6], [19, 20, 21]]);
    batch.inputs.into_data().assert_eq(&inputs, false);
    batch.targets.into_data().assert_eq(&targets, false);
}

#[test]
fn every_epoch_gives_all_batches_in_order_and_counts_them() {
    let loader = loader();
    assert_eq!(loader.num_items(), 5);
    assert_eq!(indices(&loader), [0, 1, 2, 3, 4]);
    assert_eq!(indices(&loader), [0, 1, 2, 3, 4]);
    let whole = [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5), (5, 5)];
    assert_eq!(progress(&loader), whole);
}

#[test]
fn a_resumed_epoch_begins_where_it_stopped_and_the_next_one_at_the_start() {
    let resumed = loader().start_at(3);
    assert_eq!(resumed.num_items(), 5);
    assert_eq!(indices(&resumed), [3, 4]);
    assert_eq!(indices(&resumed), [0, 1, 2, 3, 4]);
    assert_eq!(progress(&loader().start_at(3)), [(3, 5), (4, 5), (5, 5)]);
}

#[test]
fn an_epoch_resumed_at_its_end_is_empty() {
    for end in [5, 9, usize::MAX] {
        let resumed = loader().start_at(end);
        assert_eq!(progress(&resumed), [(5, 5)]);
        assert_eq!(indices(&resumed), [0, 1, 2, 3, 4]);
    }
}

// Burn's training loop moves every loader before it iterates.
#[test]
fn moving_to_a_device_keeps_the_place_to_resume_at() {
    let moved = loader().start_at(4).to_device(&Device::flex());
    assert_eq!(indices(&*moved), [4]);
    assert_eq!(indices(&*moved), [0, 1, 2, 3, 4]);
}

#[test]
fn a_slice_is_a_loader_of_its_own_batches() {
    let middle = loader().slice(1, 4);
    assert_eq!(middle.num_items(), 3);
    assert_eq!(indices(&*middle), [1, 2, 3]);
    assert_eq!(progress(&*middle), [(0, 3), (1, 3), (2, 3), (3, 3)]);
    assert_eq!(indices(&*middle.slice(1, 3)), [2, 3]);
}

#[test]
fn a_slice_is_cut_to_the_batches_that_exist() {
    assert_eq!(indices(&*loader().slice(3, 99)), [3, 4]);
    for (start, end) in [(4, 2), (7, 9), (2, 2), (usize::MAX, usize::MAX)] {
        let none = loader().slice(start, end);
        assert_eq!(indices(&*none), [0; 0], "{start}..{end}");
        assert_eq!(progress(&*none), [(0, 0)]);
    }
}
