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

/// Draws many times and compares the frequencies with proportions that were worked out by hand.
#[track_caller]
fn draws_are(sampling: Sampling, from: &[f32], expected: &[f64]) {
    let logits = logits(from);
    let mut sampler = Sampler::new(sampling, logits.len(), 11);
    let mut counts = vec![0u32; logits.len()];
    for _ in 0..DRAWS {
        counts[sampler.sample(&logits).expect("finite") as usize] += 1;
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
    assert_eq!(sampler.sample(&[0.5, -1.0, 2.5, 2.0]), Ok(2));
    assert_eq!(sampler.sample(&[-7.0, -3.0, -9.0, -3.0]), Ok(1));
}

#[test]
fn characters_are_drawn_with_the_probabilities_of_the_softmax() {
    draws_are(random(1.0, 0, 1.0), &[1.0, 2.0, 5.0], &[1.0, 2.0, 5.0]);
}

#[test]
fn temperature_is_a_power_of_the_proportions() {
    draws_are(random(0.5, 0, 1.0), &[1.0, 2.0, 5.0], &[1.0, 4.0, 25.0]);
    draws_are(random(2.0, 0, 1.0), &[1.0, 4.0, 25.0], &[1.0, 2.0, 5.0]);
}

#[test]
fn top_k_keeps_the_k_most_likely_in_their_proportions() {
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

/// Most likely first, the cumulative sums of the probabilities are 0.4, 0.7, 0.9, 1.
#[test]
fn top_p_keeps_the_fewest_of_the_most_likely_that_reach_p() {
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
fn top_p_applies_to_the_probabilities_that_top_k_leaves() {
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
    assert_eq!(sampler.sample(&[f32::MIN, f32::MAX, 0.0]), Ok(1));
    let mut sampler = Sampler::new(random(f64::MAX, 2, 1.0), 3, 0);
    assert_ne!(sampler.sample(&[f32::MIN, f32::MAX, 0.0]), Ok(0));
}

#[test]
fn logits_that_are_not_finite_are_an_error() {
    let bad: [&[f32]; 5] = [
        &[1.0, f32::NAN, 2.0],
        &[f32::NAN; 2],
        &[0.0, f32::INFINITY],
        &[f32::NEG_INFINITY; 3],
        &[],
    ];
    for logits in bad {
        for sampling in [Sampling::Greedy, random(1.0, 0, 1.0), random(0.7, 2, 0.5)] {
            assert_eq!(
                Sampler::new(sampling, 3, 0).sample(logits),
                Err(NonFiniteLogits),
                "{logits:?}"
            );
        }
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
    let off = Sampling::Random { temperature: 0.8, filter: TopKTopP::default() };
    assert_eq!(Sampling::random(0.8, 0, 1.0), Ok(off));
    let filter = TopKTopP { top_k: NonZeroUsize::new(5), top_p: Some(0.9) };
    let both = Sampling::Random { temperature: 0.8, filter };
    assert_eq!(Sampling::random(0.8, 5, 0.9), Ok(both));
}

#[test]
fn a_seed_and_a_sample_number_decide_every_choice() {
    let logits = logits(&[1.0; 7]);
    let choices = |seed, sample| {
        let mut sampler = Sampler::new(random(1.0, 0, 1.0), 7, seed).for_sample(sample);
        std::array::from_fn::<_, 40, _>(|_| sampler.sample(&logits))
    };
    let mut plain = Sampler::new(random(1.0, 0, 1.0), 7, 5);
    assert_eq!(choices(5, 0), std::array::from_fn(|_| plain.sample(&logits)));
    assert_eq!(choices(5, 2), choices(5, 2));
    for (seed, sample) in [(5, 1), (6, 0), (4, 1)] {
        assert_ne!(choices(5, 0), choices(seed, sample));
    }
}

/// Settings that `Sampling::random` would refuse, written by hand.
#[test]
fn settings_that_were_never_validated_still_choose_a_character_that_exists() {
    let top_p = [None, Some(f64::NAN), Some(-1.0), Some(7.0)];
    for (temperature, top_p) in [0.0, -1.0, f64::NAN, f64::INFINITY].into_iter().zip(top_p) {
        let sampling = Sampling::Random { temperature, filter: TopKTopP { top_k: None, top_p } };
        assert!(sampling.validate().is_err());
        let found = Sampler::new(sampling, 3, 0).sample(&[1.0, 2.0, 3.0]);
        assert!(matches!(found, Ok(0..3) | Err(NonFiniteLogits)), "{found:?} by {sampling:?}");
    }
}

#[test]
fn settings_can_be_written_as_json_and_read_again() {
    for (sampling, json) in [
        (Sampling::Greedy, r#""greedy""#),
        (
            random(0.5, 0, 1.0),
            r#"{"random":{"temperature":0.5,"filter":{"top_k":null,"top_p":null}}}"#,
        ),
        (random(0.5, 3, 0.9), r#"{"random":{"temperature":0.5,"filter":{"top_k":3,"top_p":0.9}}}"#),
    ] {
        assert_eq!(serde_json::to_string(&sampling).unwrap(), json);
        assert_eq!(serde_json::from_str::<Sampling>(json).unwrap(), sampling);
    }
    let short = r#"{"random":{"temperature":0.5}}"#;
    assert_eq!(serde_json::from_str::<Sampling>(short).unwrap(), random(0.5, 0, 1.0));
    for unknown in [
        r#"{"random":{"temperature":0.5,"seed":1}}"#,
        r#"{"random":{"temperature":0.5,"filter":{"k":1}}}"#,
    ] {
        assert!(serde_json::from_str::<Sampling>(unknown).is_err());
    }
}

#[test]
fn earlier_logits_do_not_influence_a_choice() {
    for sampling in [random(1.0, 0, 1.0), random(1.0, 3, 0.9)] {
        let mut used = Sampler::new(sampling, 2, 0);
        for count in [9, 2, 5] {
            used.sample(&logits(&vec![2.0; count])).expect("finite");
            let mut fresh = Sampler { weights: Vec::new(), kept: Vec::new(), ..used.clone() };
            let logits = logits(&[1.0, 4.0, 3.0, 2.0]);
            assert_eq!(used.sample(&logits), fresh.sample(&logits));
        }
    }
}
