use proptest::prelude::*;

use super::*;
use crate::ids::IdsBuilder;

fn config(batch_size: usize, seq_length: usize, last_target: LastTarget) -> BatchConfig {
    BatchConfig { batch_size, seq_length, last_target }
}

/// The ids 0, 1, 2, … so that each id is its position in the text.
fn counting(len: usize) -> Ids {
    let mut ids = IdsBuilder::new(len.max(1), len);
    (0..len as u32).for_each(|id| ids.push(id));
    ids.finish()
}

fn batch(batches: &Batches, index: usize) -> (Vec<i32>, Vec<i32>) {
    let len = batches.chars_per_batch();
    let (mut inputs, mut targets) = (vec![-1; len], vec![-1; len]);
    batches.fill(index, &mut inputs, &mut targets);
    (inputs, targets)
}

// Worked by hand: 27 characters in N = 3 rows of T = 4 steps make two batches, so rows begin at 0, 8 and 16.
#[test]
fn a_batch_is_the_next_columns_of_all_rows_and_targets_are_one_further() {
    let batches = Batches::new(counting(27), config(3, 4, LastTarget::Next)).unwrap();
    assert_eq!(batches.len(), 2);
    let (inputs, targets) = batch(&batches, 0);
    assert_eq!(inputs, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19]);
    assert_eq!(targets, [1, 2, 3, 4, 9, 10, 11, 12, 17, 18, 19, 20]);
    let (inputs, targets) = batch(&batches, 1);
    assert_eq!(inputs, [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23]);
    assert_eq!(targets, [5, 6, 7, 8, 13, 14, 15, 16, 21, 22, 23, 24]);
}

#[test]
fn wrap_gives_the_last_step_of_each_row_that_rows_first_character() {
    let batches = Batches::new(counting(27), config(3, 4, LastTarget::Wrap)).unwrap();
    let (_, targets) = batch(&batches, 0);
    assert_eq!(targets, [1, 2, 3, 4, 9, 10, 11, 12, 17, 18, 19, 20]);
    let (_, targets) = batch(&batches, 1);
    assert_eq!(targets, [5, 6, 7, 0, 13, 14, 15, 8, 21, 22, 23, 16]);
}

// What the classic exercise's `get_batches` makes of `np.arange(10)` with N = 2 and T = 1: five batches, and in the
// last one `arr[:, 5]` is an IndexError, so that y is `arr[:, 0]`.
#[test]
fn wrap_with_a_single_step_still_ends_on_the_rows_first_character() {
    let batches = Batches::new(counting(10), config(2, 1, LastTarget::Wrap)).unwrap();
    assert_eq!(batches.len(), 5);
    assert_eq!(batch(&batches, 3), (vec![3, 8], vec![4, 9]));
    assert_eq!(batch(&batches, 4), (vec![4, 9], vec![0, 5]));
}

#[test]
fn next_needs_one_character_beyond_the_inputs_and_wrap_does_not() {
    for (chars, next, wrap) in [(11, 0, 0), (12, 0, 1), (13, 1, 1), (24, 1, 2), (25, 2, 2)] {
        let count = |last_target| config(3, 4, last_target).batches_of(chars);
        assert_eq!(count(LastTarget::Next), next, "of {chars}");
        assert_eq!(count(LastTarget::Wrap), wrap, "of {chars}");
        for (last_target, count) in [(LastTarget::Next, next), (LastTarget::Wrap, wrap)] {
            let made = Batches::new(counting(chars), config(3, 4, last_target));
            assert_eq!(made.map_or(0, |batches| batches.len()), count, "of {chars}");
        }
    }
}

#[test]
fn a_too_short_text_is_refused_with_sizes_that_fit() {
    let error = Batches::new(counting(120), config(128, 100, LastTarget::Next))
        .unwrap_err()
        .in_part(Part::Valid);
    assert_eq!(
        error.to_string(),
        "the validation part has 120 characters, but one batch of 128 rows x 100 steps needs 12801"
    );
    // 119 inputs: one row of 100, but not 128 rows of one.
    let BatchError::TooShort(error) = error else { panic!("{error}") };
    assert_eq!((error.batch_size_that_fits, error.seq_length_that_fits), (Some(1), None));
}

#[test]
fn the_suggested_sizes_are_the_largest_that_fit() {
    for last_target in [LastTarget::Next, LastTarget::Wrap] {
        for chars in 0..35 {
            let too_large = config(5, 7, last_target);
            let Err(BatchError::TooShort(error)) = Batches::new(counting(chars), too_large) else {
                assert!(chars >= 35, "{chars}");
                continue;
            };
            assert_eq!((error.chars, error.needed), (chars, too_large.chars_needed()));
            let fits = |n, t| config(n, t, last_target).batches_of(chars) > 0;
            let rows = (1..5).rev().find(|&n| fits(n, 7));
            let steps = (1..7).rev().find(|&t| fits(5, t));
            assert_eq!(error.batch_size_that_fits, rows, "{chars}");
            assert_eq!(error.seq_length_that_fits, steps, "{chars}");
        }
    }
}

#[test]
fn nothing_fits_a_text_without_characters() {
    let error = Batches::new(counting(0), config(2, 3, LastTarget::Next)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text has 0 characters, but one batch of 2 rows x 3 steps needs 7"
    );
    let BatchError::TooShort(error) = error else { panic!("{error}") };
    assert_eq!((error.batch_size_that_fits, error.seq_length_that_fits), (None, None));
}

#[test]
fn sizes_that_make_no_batch_are_refused_without_a_panic() {
    for (n, t) in [(0, 5), (5, 0), (0, 0)] {
        let config = config(n, t, LastTarget::Next);
        assert_eq!(config.batches_of(100), 0);
        let error = Batches::new(counting(100), config).unwrap_err();
        assert_eq!(error, BatchError::Zero(config));
    }
    let config = config(usize::MAX, usize::MAX, LastTarget::Next);
    let error = Batches::new(counting(100), config).unwrap_err();
    assert!(matches!(error, BatchError::TooShort(_)));
}

/// A batch of an epoch whose offsets are random.
fn random_batch(batches: &Batches, index: usize, seed: u64) -> (Vec<i32>, Vec<i32>) {
    let len = batches.chars_per_batch();
    let (mut inputs, mut targets) = (vec![-1; len], vec![-1; len]);
    batches.fill_random(index, seed, &mut inputs, &mut targets);
    (inputs, targets)
}

#[test]
fn random_offsets_differ_between_seeds_and_not_between_calls() {
    let batches = Batches::new(counting(97), config(3, 4, LastTarget::Next)).unwrap();
    let first = random_batch(&batches, 0, 1);
    assert_eq!(random_batch(&batches, 0, 1), first);
    assert_ne!(random_batch(&batches, 0, 2), first);
    assert_ne!(batch(&batches, 0), first);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_target_is_the_next_character_of_the_text(n in 1usize..6, t in 1usize..6, chars in 0usize..200) {
        let text = counting(chars);
        let Ok(batches) = Batches::new(text, config(n, t, LastTarget::Next)) else {
            prop_assert!(chars <= n * t);
            return Ok(());
        };
        for index in 0..batches.len() {
            let (inputs, targets) = batch(&batches, index);
            prop_assert!(inputs.iter().zip(&targets).all(|(input, target)| input + 1 == *target));
        }
    }

    #[test]
    fn batches_side_by_side_give_the_rows_and_the_rows_give_the_text(
        n in 1usize..6, t in 1usize..6, chars in 36usize..200, wrap: bool,
    ) {
        let last_target = if wrap { LastTarget::Wrap } else { LastTarget::Next };
        let batches = Batches::new(counting(chars), config(n, t, last_target)).unwrap();
        let mut rows = vec![Vec::<i32>::new(); n];
        for index in 0..batches.len() {
            let (inputs, _) = batch(&batches, index);
            (rows.iter_mut().zip(inputs.chunks(t))).for_each(|(row, steps)| row.extend(steps));
        }
        let kept = batches.len() * n * t;
        prop_assert!(chars - kept <= n * t, "less than a batch (and one character) is dropped");
        prop_assert_eq!(rows.concat(), (0..kept as i32).collect::<Vec<_>>());
    }

    #[test]
    fn with_random_offsets_rows_are_contiguous_but_for_one_seam_and_no_character_comes_twice(
        n in 1usize..6, t in 1usize..6, chars in 36usize..200, seed: u64,
    ) {
        let batches = Batches::new(counting(chars), config(n, t, LastTarget::Next)).unwrap();
        let mut rows = vec![Vec::<i32>::new(); n];
        for index in 0..batches.len() {
            let (inputs, targets) = random_batch(&batches, index, seed);
            // A target is the next character of the text, and of the last the first.
            let next = |input: &i32| (input + 1) % chars as i32;
            prop_assert!(inputs.iter().map(next).eq(targets));
            (rows.iter_mut().zip(inputs.chunks(t))).for_each(|(row, steps)| row.extend(steps));
        }
        for row in &rows {
            let seams = row.windows(2).filter(|pair| (pair[0] + 1) % chars as i32 != pair[1]);
            prop_assert!(seams.count() <= 1);
        }
        let mut all = rows.concat();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), batches.len() * n * t);
    }
}

#[test]
fn some_rows_of_a_batch_are_those_of_the_whole_batch() {
    let batches = Batches::new(counting(100), config(7, 3, LastTarget::Wrap)).unwrap();
    type Fill = fn(&Batches, usize, &mut [i32], &mut [i32]);
    let fills: [Fill; 2] = [Batches::fill, |batches, index, inputs, targets| {
        batches.fill_random(index, 5, inputs, targets);
    }];
    for fill in fills {
        for index in 0..batches.len() {
            let copied = |batches: &Batches| {
                let len = batches.shape().iter().product();
                let (mut inputs, mut targets) = (vec![-1; len], vec![-1; len]);
                fill(batches, index, &mut inputs, &mut targets);
                (inputs, targets)
            };
            let parts = (0..3).map(|rank| copied(&batches.of_rows(rows_of_rank(7, rank, 3))));
            let (inputs, targets): (Vec<_>, Vec<_>) = parts.unzip();
            assert_eq!((inputs.concat(), targets.concat()), copied(&batches));
        }
    }
}

#[test]
fn every_row_belongs_to_one_rank_and_shares_differ_by_one_at_most() {
    for (rows, ranks) in [(6, 1), (6, 4), (128, 5), (3, 5)] {
        let shares: Vec<_> = (0..ranks).map(|rank| rows_of_rank(rows, rank, ranks)).collect();
        assert!(shares.iter().cloned().flatten().eq(0..rows), "{shares:?}");
        let sizes = shares.iter().map(ExactSizeIterator::len);
        assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "{shares:?}");
    }
}
