use burn::tensor::Device;

use super::*;
use crate::toy;

fn greedy(prime: &str, length: usize) -> GenerateConfig {
    GenerateConfig { prime: prime.into(), length, sampling: Sampling::Greedy, seed: 0, stop: None }
}

fn random(prime: &str, length: usize, seed: u64) -> GenerateConfig {
    let sampling = Sampling::random(1.0, 0, 1.0).expect("in range");
    GenerateConfig { sampling, seed, ..greedy(prime, length) }
}

fn stopping(config: GenerateConfig, stop: &str) -> GenerateConfig {
    GenerateConfig { stop: Some(stop.into()), ..config }
}

fn opinionated() -> TrainedModel {
    toy::opinionated("\n abcdefg", &Device::flex())
}

/// What [`generate_many`] gives out, in order.
fn many(model: &TrainedModel, config: &GenerateConfig, samples: usize) -> Vec<(usize, String)> {
    let mut given = Vec::new();
    let texts = generate_many(model, config, samples, &mut |number, text| {
        given.push((number, text.to_string()));
    });
    let mut by_number = given.clone();
    by_number.sort();
    let texts: Vec<_> = texts.expect("generates").into_iter().enumerate().collect();
    assert_eq!(by_number, texts);
    given
}

#[test]
fn the_text_goes_on_from_the_prime_without_repeating_it() {
    let model = toy::cycle("abcde");
    assert_eq!(generate(&model, &greedy("eab", 7)).unwrap(), "cdeabcd");
}

#[test]
fn without_a_prime_the_text_starts_as_if_after_a_newline_or_else_the_first_character() {
    assert_eq!(generate(&toy::cycle("ab\ncd"), &greedy("", 4)).unwrap(), "cdab");
    assert_eq!(generate(&toy::cycle("xyz"), &greedy("", 4)).unwrap(), "yzxy");
}

#[test]
fn the_stop_text_ends_the_text_and_is_not_part_of_it() {
    let model = toy::cycle("abcde");
    // Straddling the end of the prime doesn't count: the prime was not written.
    assert_eq!(generate(&model, &stopping(greedy("a", 20), "abc")).unwrap(), "bcde");
    assert_eq!(generate(&model, &stopping(greedy("a", 20), "b")).unwrap(), "");
}

#[test]
fn a_stop_text_that_does_not_come_whole_takes_nothing_away() {
    let model = toy::cycle("abcde");
    assert_eq!(generate(&model, &stopping(greedy("a", 7), "abcd")).unwrap(), "bcdeabc");
    assert_eq!(generate(&model, &stopping(greedy("a", 7), "é")).unwrap(), "bcdeabc");
    assert_eq!(generate(&model, &stopping(greedy("a", 7), "")).unwrap(), "bcdeabc");
}

#[test]
fn a_generator_gives_exactly_as_many_characters_as_asked_for() {
    let model = opinionated();
    for length in [0, 1, 9] {
        let mut generator = Generator::new(&model, &random("", length, 0)).unwrap();
        assert_eq!(generator.by_ref().map(Result::unwrap).count(), length);
        assert!(generator.next().is_none());
    }
}

#[test]
fn a_prime_that_the_model_cannot_read_is_named_with_what_it_can() {
    let model = toy::cycle("ab\n");
    assert!(greedy("b\na", 3).check(&model.vocab).is_ok());
    for error in [
        greedy("aé\tbé", 3).check(&model.vocab).unwrap_err(),
        generate(&model, &greedy("aé\tbé", 3)).unwrap_err(),
        generate_many(&model, &greedy("aé\tbé", 3), 2, &mut |_, _| ()).unwrap_err(),
    ] {
        let message = "cannot start from the prime: characters not in the vocabulary: `é`, `\\t`";
        assert_eq!(error.to_string(), message);
        assert_eq!(error.hint().as_deref(), Some("the model knows `a`, `b`, `\\n`"));
    }
}

#[test]
fn of_thousands_of_known_characters_only_some_are_listed() {
    let chars: String = ('\u{4e00}'..).take(1203).collect();
    let hint = generate(&toy::cycle(&chars), &greedy("?", 3)).unwrap_err().hint().unwrap();
    assert!(hint.ends_with(" and 1003 more"), "{hint}");
    assert!(hint.len() < 2000);
}

#[test]
fn the_same_seed_writes_the_same_text_and_another_seed_another() {
    let model = opinionated();
    let text = |seed| generate(&model, &random("bad ", 60, seed)).unwrap();
    assert_eq!(text(4), text(4));
    assert_ne!(text(4), text(5));
}

#[test]
fn sample_0_of_many_is_the_text_that_is_written_alone() {
    let model = opinionated();
    let config = random("a bad cab", 50, 9);
    let texts = many(&model, &config, 3);
    assert_eq!(texts[0], (0, generate(&model, &config).unwrap()));
    assert_ne!(texts[0].1, texts[1].1);
    assert_ne!(texts[1].1, texts[2].1);
}

#[test]
fn every_sample_is_what_its_own_numbers_write_alone() {
    let model = opinionated();
    let config = stopping(random("fed", 40, 2), "a");
    let mut texts = many(&model, &config, 5);
    let lengths: Vec<usize> = texts.iter().map(|(_, text)| text.len()).collect();
    assert!(lengths.is_sorted() && lengths[0] < lengths[4], "those that stop first come first");
    texts.sort();
    for (number, text) in texts {
        let writer = Writer::new(&config, model.network.vocab_size(), number as u64);
        let alone = Generator { writer, ..Generator::new(&model, &config).unwrap() };
        assert_eq!(text, alone.collect::<Result<String, _>>().unwrap());
    }
}

#[test]
fn no_samples_or_no_characters_are_no_work() {
    let model = opinionated();
    assert_eq!(many(&model, &random("", 5, 0), 0), []);
    assert_eq!(many(&model, &random("", 0, 0), 2), [(0, String::new()), (1, String::new())]);
}

#[test]
fn a_network_that_diverged_is_an_error_and_then_the_end() {
    let model = toy::with_parameters(opinionated(), |_, len| vec![f32::NAN; len]);
    let mut generator = Generator::new(&model, &random("", 5, 0)).unwrap();
    assert!(matches!(generator.next(), Some(Err(GenerateError::NotFinite(NotFinite)))));
    assert!(generator.next().is_none());
    let many = generate_many(&model, &random("", 5, 0), 2, &mut |_, _| panic!("no text is whole"));
    assert!(matches!(many, Err(GenerateError::NotFinite(NotFinite))));
}

#[test]
fn a_network_in_training_writes_what_it_writes_afterwards() {
    let training = toy::opinionated("\n abcdefg", &Device::flex().autodiff());
    let config = random("ab", 40, 1);
    assert_eq!(generate(&training, &config).unwrap(), generate(&opinionated(), &config).unwrap());
}

/// Prime pieces are of 256: the first prime ends within one, the second with one, the third is one more.
#[test]
fn reading_a_prime_at_once_is_reading_it_character_by_character() {
    let model = opinionated();
    let v = model.network.vocab_size() as i32;
    for length in [5, 512, 513] {
        let prime: Vec<i32> = (0..length).map(|i| (i * i + i / 3) % v).collect();
        let at_once = Streams::new(&model.network, &prime, 2).unwrap();
        let mut stepped = Streams::new(&model.network, &prime[..1], 2).unwrap();
        for &id in &prime[1..] {
            stepped.step(&[id, id]).unwrap();
        }
        for row in 0..2 {
            for (a, b) in at_once.logits(row).iter().zip(stepped.logits(row)) {
                assert!((a - b).abs() < 1e-4, "{a} and {b} after {length}");
            }
        }
    }
}
