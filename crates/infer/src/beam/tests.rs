use burn::tensor::{Device, Int, Tensor, TensorData};

use charloom_model::TrainedModel;

use super::*;
use crate::{GenerateConfig, Sampling, generate, test_models};

fn config(prompt: &str, length: usize, count: usize, beam_width: usize) -> BeamConfig {
    let at_least_one = |number| NonZeroUsize::new(number).unwrap();
    BeamConfig {
        prompt: prompt.to_string(),
        length,
        stop: None,
        count: at_least_one(count),
        beam_width: at_least_one(beam_width),
    }
}

/// All continuations with their ln p, from logits of whole texts: nothing is carried from one to another.
fn all(model: &TrainedModel, config: &BeamConfig) -> Vec<Completion> {
    let prompt = prompt_ids(&model.vocab, &config.prompt).unwrap();
    let prompt: Vec<i32> = prompt.into_iter().map(|id| id as i32).collect();
    let mut found = Vec::new();
    extend(model, config, &prompt, &mut String::new(), 0.0, &mut found);
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
fn a_beam_that_is_wide_enough_finds_exactly_the_most_likely_of_all() {
    for (chars, prompt) in [("abc", "b"), ("\nabc", ""), ("abcde", "cab")] {
        let model = test_models::random(chars, &Device::flex());
        let v = model.vocab.len();
        for count in [1, 7, v.pow(4)] {
            let config = config(prompt, 4, count, v.pow(3).max(count));
            let all = all(&model, &config);
            assert_eq!(all.len(), v.pow(4));
            same(&beam_search(&model, &config).unwrap(), &all[..count]);
        }
    }
}

#[test]
fn a_beam_that_is_wide_enough_finds_exactly_the_most_likely_with_a_stop_sequence_too() {
    for (chars, stop) in [("abc", "b"), ("abcd", "ca"), ("abcd", "aa"), ("abc", "bab")] {
        let model = test_models::random(chars, &Device::flex());
        let v = model.vocab.len();
        for count in [1, 6, 40] {
            let stop = Some(stop.to_string());
            let config = BeamConfig { stop, ..config("a", 4, count, v.pow(3).max(count)) };
            let all = all(&model, &config);
            assert!(all.iter().any(|one| one.stopped) && all.iter().any(|one| !one.stopped));
            let count = count.min(all.len());
            same(&beam_search(&model, &config).unwrap(), &all[..count]);
        }
    }
}

#[test]
fn a_narrow_beam_finds_some_of_all_with_their_right_probabilities() {
    let model = test_models::random("abcde", &Device::flex());
    let config = config("e", 4, 3, 3);
    let all = all(&model, &config);
    for beam_width in [1, 2, 3, 5] {
        let found = beam_search(
            &model,
            &BeamConfig { beam_width: NonZeroUsize::new(beam_width).unwrap(), ..config.clone() },
        )
        .unwrap();
        assert_eq!(found.len(), beam_width.min(3));
        assert!(found.is_sorted_by(|left, right| left.log_prob >= right.log_prob));
        let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
        let expected: Vec<Completion> =
            all.iter().filter(|one| texts.contains(&one.text.as_str())).cloned().collect();
        same(&found, &expected);
    }
}

#[test]
fn a_beam_width_of_1_is_greedy_decoding() {
    let model = test_models::random("\n abcdefg", &Device::flex());
    let greedy = GenerateConfig {
        prompt: "bad".to_string(),
        length: 40,
        sampling: Sampling::Greedy,
        ..GenerateConfig::default()
    };
    let found = beam_search(&model, &config("bad", 40, 1, 1)).unwrap();
    assert_eq!(found[0].text, generate(&model, &greedy).unwrap());
    assert_eq!((found[0].chars, found[0].stopped), (40, false));
}

#[test]
fn a_whole_and_its_characters_have_their_probabilities() {
    let certain = beam_search(&test_models::cycle("abc"), &config("b", 5, 1, 4)).unwrap();
    assert_eq!(certain[0].text, "cabca");
    assert!(certain[0].probability() > 0.999 && certain[0].probability_per_char() > 0.999);
    let chance =
        test_models::with_parameters(test_models::random("abcd", &Device::flex()), |_, len| {
            vec![0.0; len]
        });
    let found = beam_search(&chance, &config("b", 3, 4, 4)).unwrap();
    // All are equally likely: the lower ids come first.
    let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["aaa", "aab", "aac", "aad"]);
    for one in &found {
        assert!((one.probability() - 1.0 / 64.0).abs() < 1e-9);
        assert!((one.probability_per_char() - 0.25).abs() < 1e-9);
    }
}

#[test]
fn the_stop_sequence_is_part_of_the_probability_but_not_of_the_text() {
    let stopped = BeamConfig { stop: Some("a".to_string()), ..config("a", 9, 1, 3) };
    let found = beam_search(&test_models::cycle("abc"), &stopped).unwrap();
    assert_eq!((found[0].text.as_str(), found[0].chars, found[0].stopped), ("bc", 3, true));

    // One that never comes, and none.
    for stop in ["ax", ""] {
        let never = BeamConfig { stop: Some(stop.to_string()), ..config("a", 4, 1, 3) };
        let found = beam_search(&test_models::cycle("abc"), &never).unwrap();
        assert_eq!((found[0].text.as_str(), found[0].stopped), ("bcab", false));
    }
}

#[test]
fn a_continuation_of_no_characters_is_certain() {
    let found = beam_search(&test_models::cycle("abc"), &config("a", 0, 3, 3)).unwrap();
    let nothing = Completion { text: String::new(), log_prob: 0.0, chars: 0, stopped: false };
    assert_eq!(found, [nothing]);
    assert_eq!((found[0].probability(), found[0].probability_per_char()), (1.0, 1.0));
}

#[test]
fn an_unknown_character_in_the_prompt_is_an_error() {
    let error = beam_search(&test_models::cycle("abc"), &config("ax", 2, 1, 1)).unwrap_err();
    assert!(matches!(error, GenerateError::UnknownCharacters { .. }));
}

#[test]
fn logits_that_are_not_finite_are_an_error() {
    let broken =
        test_models::with_parameters(test_models::cycle("abc"), |_, len| vec![f32::NAN; len]);
    let error = beam_search(&broken, &config("a", 2, 1, 1)).unwrap_err();
    assert!(matches!(error, GenerateError::NonFiniteLogits(_)));
}

#[test]
fn settings_left_out_of_a_file_have_their_defaults() {
    let config: BeamConfig = serde_json::from_str(r#"{"prompt": "ab", "beam_width": 7}"#).unwrap();
    let expected = BeamConfig {
        beam_width: NonZeroUsize::new(7).unwrap(),
        prompt: "ab".to_string(),
        ..BeamConfig::default()
    };
    assert_eq!(config, expected);
    for wrong in [r#"{"beam_width": 0}"#, r#"{"beam": 7}"#] {
        assert!(serde_json::from_str::<BeamConfig>(wrong).is_err(), "{wrong}");
    }
}
