use burn::tensor::{Device, Int, Tensor, TensorData};

use super::*;
use crate::{GenerateConfig, Sampling, generate, toy};

fn config(prime: &str, length: usize, count: usize, beam: usize) -> BeamConfig {
    let at_least_one = |number| NonZeroUsize::new(number).unwrap();
    BeamConfig {
        prime: prime.to_string(),
        length,
        stop: None,
        count: at_least_one(count),
        beam: at_least_one(beam),
    }
}

/// All continuations with their ln p, from logits of whole texts: nothing is carried from one to another.
fn all(model: &TrainedModel, config: &BeamConfig) -> Vec<Completion> {
    let prime = prime_ids(&model.vocab, &config.prime).unwrap();
    let mut found = Vec::new();
    extend(model, config, &prime, &mut String::new(), 0.0, &mut found);
    found.sort_by(|left, right| right.log_prob.total_cmp(&left.log_prob));
    found
}

fn extend(
    model: &TrainedModel,
    config: &BeamConfig,
    read: &[i32],
    text: &mut String,
    log_prob: f64,
    found: &mut Vec<Completion>,
) {
    let chars = text.chars().count();
    let stop = config.stop.as_deref().filter(|stop| text.ends_with(stop));
    if chars == config.length || stop.is_some() {
        let text = text[..text.len() - stop.map_or(0, str::len)].to_string();
        found.push(Completion { text, log_prob, chars, stopped: stop.is_some() });
        return;
    }
    let device = Device::flex();
    let t = read.len();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(read.to_vec(), [1, t]), &device);
    let (logits, _) = model.network.forward(ids, model.network.zero_state(1, &device), None);
    let logits: Vec<f32> = logits.narrow(1, t - 1, 1).try_into_vec_as().unwrap(); // [V]
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
    for (id, &logit) in logits.iter().enumerate() {
        text.push(model.vocab.char(id as u32).unwrap());
        let read = [read, &[id as i32]].concat();
        extend(model, config, &read, text, log_prob + f64::from(logit) - sum.ln(), found);
        text.pop();
    }
}

#[track_caller]
fn same(found: &[Completion], expected: &[Completion]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found.log_prob - expected.log_prob).abs() < 1e-4, "{found:?} and {expected:?}");
        let log_prob = expected.log_prob;
        assert_eq!(Completion { log_prob, ..found.clone() }, *expected);
    }
}

#[test]
fn a_beam_that_is_wide_enough_finds_exactly_the_likeliest_of_all() {
    for (chars, prime) in [("abc", "b"), ("\nabc", ""), ("abcde", "cab")] {
        let model = toy::opinionated(chars, &Device::flex());
        let v = model.vocab.len();
        for count in [1, 7, v.pow(4)] {
            let config = config(prime, 4, count, v.pow(3).max(count));
            let all = all(&model, &config);
            assert_eq!(all.len(), v.pow(4));
            same(&complete(&model, &config).unwrap(), &all[..count]);
        }
    }
}

#[test]
fn a_beam_that_is_wide_enough_finds_exactly_the_likeliest_with_a_stop_text_too() {
    for (chars, stop) in [("abc", "b"), ("abcd", "ca"), ("abcd", "aa"), ("abc", "bab")] {
        let model = toy::opinionated(chars, &Device::flex());
        let v = model.vocab.len();
        for count in [1, 6, 40] {
            let stop = Some(stop.to_string());
            let config = BeamConfig { stop, ..config("a", 4, count, v.pow(3).max(count)) };
            let all = all(&model, &config);
            assert!(all.iter().any(|one| one.stopped) && all.iter().any(|one| !one.stopped));
            let count = count.min(all.len());
            same(&complete(&model, &config).unwrap(), &all[..count]);
        }
    }
}

#[test]
fn a_narrow_beam_finds_some_of_all_with_their_right_probabilities() {
    let model = toy::opinionated("abcde", &Device::flex());
    let wanted = config("e", 4, 3, 3);
    let all = all(&model, &wanted);
    for beam in [1, 2, 3, 5] {
        let found = complete(
            &model,
            &BeamConfig { beam: NonZeroUsize::new(beam).unwrap(), ..wanted.clone() },
        )
        .unwrap();
        assert_eq!(found.len(), beam.min(3));
        assert!(found.is_sorted_by(|left, right| left.log_prob >= right.log_prob));
        let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
        let expected: Vec<Completion> =
            all.iter().filter(|one| texts.contains(&one.text.as_str())).cloned().collect();
        same(&found, &expected);
    }
}

#[test]
fn a_beam_of_one_is_greedy() {
    let model = toy::opinionated("\n abcdefg", &Device::flex());
    let greedy = GenerateConfig {
        prime: "bad".to_string(),
        length: 40,
        sampling: Sampling::Greedy,
        seed: 0,
        stop: None,
    };
    let found = complete(&model, &config("bad", 40, 1, 1)).unwrap();
    assert_eq!(found[0].text, generate(&model, &greedy).unwrap());
    assert_eq!((found[0].chars, found[0].stopped), (40, false));
}

#[test]
fn a_whole_and_its_characters_have_their_probabilities() {
    let certain = complete(&toy::cycle("abc"), &config("b", 5, 1, 4)).unwrap();
    assert_eq!(certain[0].text, "cabca");
    assert!(certain[0].probability() > 0.999 && certain[0].probability_per_char() > 0.999);
    let chance =
        toy::with_parameters(toy::opinionated("abcd", &Device::flex()), |_, len| vec![0.0; len]);
    let found = complete(&chance, &config("b", 3, 4, 4)).unwrap();
    // All are equally likely: the lower ids come first.
    let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["aaa", "aab", "aac", "aad"]);
    for one in &found {
        assert!((one.probability() - 1.0 / 64.0).abs() < 1e-9);
        assert!((one.probability_per_char() - 0.25).abs() < 1e-9);
    }
}

#[test]
fn the_stop_text_is_part_of_the_probability_but_not_of_the_text() {
    let stopped = BeamConfig { stop: Some("a".to_string()), ..config("a", 9, 1, 3) };
    let found = complete(&toy::cycle("abc"), &stopped).unwrap();
    assert_eq!((found[0].text.as_str(), found[0].chars, found[0].stopped), ("bc", 3, true));

    // One that never comes, and none.
    for stop in ["ax", ""] {
        let never = BeamConfig { stop: Some(stop.to_string()), ..config("a", 4, 1, 3) };
        let found = complete(&toy::cycle("abc"), &never).unwrap();
        assert_eq!((found[0].text.as_str(), found[0].stopped), ("bcab", false));
    }
}

#[test]
fn a_continuation_of_no_characters_is_certain() {
    let found = complete(&toy::cycle("abc"), &config("a", 0, 3, 3)).unwrap();
    let nothing = Completion { text: String::new(), log_prob: 0.0, chars: 0, stopped: false };
    assert_eq!(found, [nothing]);
    assert_eq!((found[0].probability(), found[0].probability_per_char()), (1.0, 1.0));
}

#[test]
fn a_prime_that_the_model_does_not_know_is_an_error() {
    let error = complete(&toy::cycle("abc"), &config("ax", 2, 1, 1)).unwrap_err();
    assert!(matches!(error, GenerateError::UnknownCharacters { .. }));
}

#[test]
fn logits_that_are_no_numbers_are_an_error() {
    let broken = toy::with_parameters(toy::cycle("abc"), |_, len| vec![f32::NAN; len]);
    let error = complete(&broken, &config("a", 2, 1, 1)).unwrap_err();
    assert!(matches!(error, GenerateError::NotFinite(_)));
}
