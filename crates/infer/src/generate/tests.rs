use burn::tensor::Device;

use super::*;
use crate::sampling::TopKTopP;
use crate::{generate_many, test_models};

fn greedy(prompt: &str, length: usize) -> GenerateConfig {
    GenerateConfig {
        prompt: prompt.into(),
        length,
        sampling: Sampling::Greedy,
        ..GenerateConfig::default()
    }
}

fn random(prompt: &str, length: usize, seed: u64) -> GenerateConfig {
    let sampling = Sampling::random(1.0, 0, 1.0).expect("in range");
    GenerateConfig { sampling, seed, ..greedy(prompt, length) }
}

fn stopping(config: GenerateConfig, stop: &str) -> GenerateConfig {
    GenerateConfig { stop: Some(stop.into()), ..config }
}

fn random_model() -> TrainedModel {
    test_models::random("\n abcdefg", &Device::flex())
}

#[test]
fn the_text_continues_the_prompt_without_repeating_it() {
    let model = test_models::cycle("abcde");
    assert_eq!(generate(&model, &greedy("eab", 7)).unwrap(), "cdeabcd");
}

#[test]
fn without_a_prompt_the_text_starts_as_if_after_a_newline_or_else_the_first_character() {
    assert_eq!(generate(&test_models::cycle("ab\ncd"), &greedy("", 4)).unwrap(), "cdab");
    assert_eq!(generate(&test_models::cycle("xyz"), &greedy("", 4)).unwrap(), "yzxy");
}

#[test]
fn the_stop_sequence_ends_the_text_and_is_not_part_of_it() {
    let model = test_models::cycle("abcde");
    // One that begins in the prompt doesn't count: the prompt was not generated.
    assert_eq!(generate(&model, &stopping(greedy("a", 20), "abc")).unwrap(), "bcde");
    assert_eq!(generate(&model, &stopping(greedy("a", 20), "b")).unwrap(), "");
}

#[test]
fn a_stop_sequence_that_stays_incomplete_removes_nothing() {
    let model = test_models::cycle("abcde");
    assert_eq!(generate(&model, &stopping(greedy("a", 7), "abcd")).unwrap(), "bcdeabc");
    assert_eq!(generate(&model, &stopping(greedy("a", 7), "é")).unwrap(), "bcdeabc");
    assert_eq!(generate(&model, &stopping(greedy("a", 7), "")).unwrap(), "bcdeabc");
}

#[test]
fn a_generator_gives_exactly_as_many_characters_as_asked_for() {
    let model = random_model();
    for length in [0, 1, 9] {
        let mut generator = Generator::new(&model, &random("", length, 0)).unwrap();
        assert_eq!(generator.by_ref().map(Result::unwrap).count(), length);
        assert!(generator.next().is_none());
    }
}

#[test]
fn unknown_characters_of_the_prompt_are_listed_with_the_known_ones() {
    let model = test_models::cycle("ab\n");
    assert!(greedy("b\na", 3).check(&model.vocab).is_ok());
    for error in [
        greedy("aé\tbé", 3).check(&model.vocab).unwrap_err(),
        generate(&model, &greedy("aé\tbé", 3)).unwrap_err(),
        generate_many(&model, &greedy("aé\tbé", 3), 2, &mut |_, _| ()).unwrap_err(),
    ] {
        let message = "cannot start from the prompt: characters not in the vocabulary: `é`, `\\t`";
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().as_deref(), Some("the model knows `a`, `b`, `\\n`"));
    }
}

#[test]
fn of_thousands_of_known_characters_only_some_are_listed() {
    let chars: String = ('\u{4e00}'..).take(1203).collect();
    let hint = generate(&test_models::cycle(&chars), &greedy("?", 3)).unwrap_err().hint().unwrap();
    assert!(hint.ends_with(" and 1003 more"), "{hint}");
    assert!(hint.len() < 2000);
}

#[test]
fn the_same_seed_gives_the_same_text_and_another_seed_another() {
    let model = random_model();
    let text = |seed| generate(&model, &random("bad ", 60, seed)).unwrap();
    assert_eq!(text(4), text(4));
    assert_ne!(text(4), text(5));
}

#[test]
fn a_network_that_diverged_is_an_error_and_then_the_end() {
    let model = test_models::with_parameters(random_model(), |_, len| vec![f32::NAN; len]);
    let mut generator = Generator::new(&model, &random("", 5, 0)).unwrap();
    assert!(matches!(generator.next(), Some(Err(GenerateError::NonFiniteLogits(NonFiniteLogits)))));
    assert!(generator.next().is_none());
    let many = generate_many(&model, &random("", 5, 0), 2, &mut |_, _| panic!("no text is whole"));
    assert!(matches!(many, Err(GenerateError::NonFiniteLogits(NonFiniteLogits))));
}

#[test]
fn a_network_in_training_generates_the_same_text() {
    let training = test_models::random("\n abcdefg", &Device::flex().autodiff());
    let config = random("ab", 40, 1);
    assert_eq!(generate(&training, &config).unwrap(), generate(&random_model(), &config).unwrap());
}

#[test]
fn a_model_continues_a_prompt_with_default_settings() {
    let model = random_model();
    let text = model.generate("bad").unwrap();
    assert_eq!(text.chars().count(), 400);
    let config = GenerateConfig { prompt: "bad".into(), ..GenerateConfig::default() };
    assert_eq!(model.generate_with(&config).unwrap(), text);
}

#[test]
fn settings_that_are_out_of_range_are_an_error_before_anything_is_generated() {
    let model = test_models::cycle("abc");
    let filter = TopKTopP { top_k: None, top_p: Some(0.0) };
    let config = GenerateConfig {
        sampling: Sampling::Random { temperature: 1.0, filter },
        ..GenerateConfig::default()
    };
    assert_eq!(config.validate(), Err(SamplingError::TopP(0.0)));
    for error in [
        config.check(&model.vocab).unwrap_err(),
        model.generate_with(&config).unwrap_err(),
        generate_many(&model, &config, 2, &mut |_, _| ()).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "`top_p` must be above 0 and at most 1, not `0`");
        assert_eq!(error.hint().as_deref(), Some("a `top_p` of 1 turns the filter off"));
    }
}

#[test]
fn settings_left_out_of_a_file_have_their_defaults() {
    let config: GenerateConfig =
        serde_json::from_str(r#"{"prompt": "ab", "sampling": "greedy"}"#).unwrap();
    let expected = GenerateConfig {
        prompt: "ab".into(),
        sampling: Sampling::Greedy,
        ..GenerateConfig::default()
    };
    assert_eq!(config, expected);
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<GenerateConfig>(&json).unwrap(), config);
    assert!(serde_json::from_str::<GenerateConfig>(r#"{"prime": "ab"}"#).is_err());
}
