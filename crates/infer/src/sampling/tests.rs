use super::*;

const DRAWS: u32 = 20_000;

fn random(temperature: f64, top_k: usize, top_p: f64) -> Sampling {
    Sampling::random(temperature, top_k, top_p).expect("in range")
}

/// Logits whose softmax has these proportions.
fn logits(proportions: &[f32]) -> Vec<f32> {
    // A constant on top changes nothing.
    proportions.iter().map(|p| p.ln() + 3.0).collect()
}

/// Draws many times and holds the frequencies against proportions worked by hand.
#[track_caller]
fn draws_are(sampling: Sampling, from: &[f32], expected: &[f64]) {
    let logits = logits(from);
    let mut sampler = Sampler::new(sampling, logits.len(), 11);
    let mut counts = vec![0u32; logits.len()];
    for _ in 0..DRAWS {
        counts[sampler.pick(&logits).expect("finite") as usize] += 1;
    }
    let (n, total) = (f64::from(DRAWS), expected.iter().sum::<f64>());
    for (id, (&count, &expected)) in counts.iter().zip(expected).enumerate() {
        let p = expected / total;
        // Four standard deviations; exactly none, or all, where p is 0 or 1.
        let tolerance = 4.0 * (n * p * (1.0 - p)).sqrt();
        let off = (f64::from(count) - n * p).abs();
        assert!(off <= tolerance, "id {id}: {count} of {DRAWS}, expected {}", n * p);
    }
}

#[test]
fn greedy_takes_the_highest_and_the_first_of_equals() {
    let mut sampler = Sampler::new(Sampling::Greedy, 4, 0);
    assert_eq!(sampler.pick(&[0.5, -1.0, 2.5, 2.0]), Ok(2));
    assert_eq!(sampler.pick(&[-7.0, -3.0, -9.0, -3.0]), Ok(1));
}

#[test]
fn characters_are_drawn_as_often_as_the_softmax_says() {
    draws_are(random(1.0, 0, 1.0), &[1.0, 2.0, 5.0], &[1.0, 2.0, 5.0]);
}

#[test]
fn temperature_is_a_power_of_the_proportions() {
    draws_are(random(0.5, 0, 1.0), &[1.0, 2.0, 5.0], &[1.0, 4.0, 25.0]);
    draws_are(random(2.0, 0, 1.0), &[1.0, 4.0, 25.0], &[1.0, 2.0, 5.0]);
}

#[test]
fn top_k_leaves_the_k_likeliest_in_their_proportions() {
    draws_are(random(1.0, 2, 1.0), &[3.0, 1.0, 4.0, 2.0], &[3.0, 0.0, 4.0, 0.0]);
    draws_are(random(1.0, 1, 1.0), &[3.0, 1.0, 4.0, 4.0], &[0.0, 0.0, 1.0, 0.0]);
    draws_are(random(1.0, 3, 1.0), &[2.0, 2.0, 5.0, 2.0], &[2.0, 2.0, 5.0, 0.0]);
}

#[test]
fn a_top_k_of_all_characters_or_more_restricts_nothing() {
    for k in [3, 4, usize::MAX] {
        draws_are(random(1.0, k, 1.0), &[1.0, 2.0, 5.0], &[1.0, 2.0, 5.0]);
    }
}

/// Likeliest first, the sums of the probabilities are 0.4, 0.7, 0.9, 1.
#[test]
fn top_p_leaves_the_fewest_of_the_likeliest_that_reach_p() {
    let from = [1.0, 4.0, 3.0, 2.0];
    draws_are(random(1.0, 0, 1e-9), &from, &[0.0, 1.0, 0.0, 0.0]);
    draws_are(random(1.0, 0, 0.39), &from, &[0.0, 1.0, 0.0, 0.0]);
    draws_are(random(1.0, 0, 0.41), &from, &[0.0, 4.0, 3.0, 0.0]);
    draws_are(random(1.0, 0, 0.71), &from, &[0.0, 4.0, 3.0, 2.0]);
    draws_are(random(1.0, 0, 0.91), &from, &[1.0, 4.0, 3.0, 2.0]);
}

#[test]
fn a_nucleus_that_reaches_p_exactly_is_enough() {
    draws_are(random(1.0, 0, 0.5), &[1.0; 4], &[1.0, 1.0, 0.0, 0.0]);
}

/// Of 4, 3 and 2 the sums are 0.44, 0.78 and 1; with the 1 that top-k removes, 0.7 would not be enough.
#[test]
fn top_p_is_of_the_probabilities_that_top_k_leaves() {
    draws_are(random(1.0, 3, 0.75), &[1.0, 4.0, 3.0, 2.0], &[0.0, 4.0, 3.0, 0.0]);
    draws_are(random(1.0, 0, 0.75), &[1.0, 4.0, 3.0, 2.0], &[0.0, 4.0, 3.0, 2.0]);
}

/// Squared, 16 of 30 is above a half; as they are, 4 of 10 isn't.
#[test]
fn the_temperature_comes_before_the_filter() {
    draws_are(random(0.5, 0, 0.5), &[4.0, 3.0, 2.0, 1.0], &[1.0, 0.0, 0.0, 0.0]);
    draws_are(random(1.0, 0, 0.5), &[4.0, 3.0, 2.0, 1.0], &[4.0, 3.0, 0.0, 0.0]);
}

#[test]
fn a_logit_of_minus_infinity_is_never_drawn() {
    for sampling in [random(1.0, 0, 1.0), random(9.0, 3, 1.0), random(9.0, 0, 0.999)] {
        draws_are(sampling, &[2.0, 0.0, 2.0], &[1.0, 0.0, 1.0]);
    }
}

#[test]
fn the_largest_logits_and_the_smallest_temperature_overflow_nothing() {
    let mut sampler = Sampler::new(random(f64::MIN_POSITIVE, 0, 0.9), 3, 0);
    assert_eq!(sampler.pick(&[f32::MIN, f32::MAX, 0.0]), Ok(1));
    let mut sampler = Sampler::new(random(f64::MAX, 2, 1.0), 3, 0);
    assert_ne!(sampler.pick(&[f32::MIN, f32::MAX, 0.0]), Ok(0));
}

#[test]
fn logits_that_are_no_numbers_are_an_error() {
    let bad: [&[f32]; 5] = [
        &[1.0, f32::NAN, 2.0],
        &[f32::NAN; 2],
        &[0.0, f32::INFINITY],
        &[f32::NEG_INFINITY; 3],
        &[],
    ];
    for logits in bad {
        for sampling in [Sampling::Greedy, random(1.0, 0, 1.0), random(0.7, 2, 0.5)] {
            assert_eq!(Sampler::new(sampling, 3, 0).pick(logits), Err(NotFinite), "{logits:?}");
        }
    }
}

#[test]
fn settings_that_were_never_checked_do_not_panic() {
    let top_p = [None, Some(f64::NAN), Some(-1.0), Some(7.0)];
    for (temperature, top_p) in [0.0, -1.0, f64::NAN, f64::INFINITY].into_iter().zip(top_p) {
        let filter = Filter { top_k: None, top_p };
        let mut sampler = Sampler::new(Sampling::Random { temperature, filter }, 2, 0);
        let _ = sampler.pick(&[1.0, 2.0, 3.0]);
    }
}

#[test]
fn settings_are_checked_against_their_range() {
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = Sampling::random(temperature, 0, 1.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`temperature` must be a finite number above 0, not `{temperature}`")
        );
    }
    for top_p in [0.0, -0.5, 1.5, f64::NAN] {
        let error = Sampling::random(1.0, 0, top_p).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`top_p` must be above 0 and at most 1, not `{top_p}`")
        );
    }
    let off = Sampling::Random { temperature: 0.8, filter: Filter::default() };
    assert_eq!(Sampling::random(0.8, 0, 1.0), Ok(off));
    let filter = Filter { top_k: NonZeroUsize::new(5), top_p: Some(0.9) };
    let both = Sampling::Random { temperature: 0.8, filter };
    assert_eq!(Sampling::random(0.8, 5, 0.9), Ok(both));
}

#[test]
fn a_seed_and_a_number_decide_every_pick() {
    let logits = logits(&[1.0; 7]);
    let picks = |seed, number| {
        let mut sampler = Sampler::new(random(1.0, 0, 1.0), 7, seed).for_sample(number);
        std::array::from_fn::<_, 40, _>(|_| sampler.pick(&logits))
    };
    let mut plain = Sampler::new(random(1.0, 0, 1.0), 7, 5);
    assert_eq!(picks(5, 0), std::array::from_fn(|_| plain.pick(&logits)));
    assert_eq!(picks(5, 2), picks(5, 2));
    for (seed, number) in [(5, 1), (6, 0), (4, 1)] {
        assert_ne!(picks(5, 0), picks(seed, number));
    }
}

#[test]
fn picking_reuses_its_buffers() {
    let logits = logits(&[1.0, 4.0, 3.0, 2.0]);
    let mut sampler = Sampler::new(random(1.0, 3, 0.9), 4, 0);
    let buffers = (sampler.weights.as_ptr(), sampler.kept.as_ptr());
    for _ in 0..10 {
        sampler.pick(&logits).expect("finite");
    }
    assert_eq!((sampler.weights.as_ptr(), sampler.kept.as_ptr()), buffers);
}
