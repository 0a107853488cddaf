use burn::tensor::Device;
use charloom_model::TrainedModel;

use super::*;
use crate::{Sampling, generate, test_models};

fn random(prompt: &str, length: usize, seed: u64) -> GenerateConfig {
    let sampling = Sampling::random(1.0, 0, 1.0).expect("in range");
    GenerateConfig { prompt: prompt.into(), length, sampling, seed, stop: None }
}

fn random_model() -> TrainedModel {
    test_models::random("\n abcdefg", &Device::flex())
}

/// The texts of [`generate_many`] in the order in which they are finished.
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
fn sample_0_of_many_is_the_text_that_is_generated_alone() {
    let model = random_model();
    let config = random("a bad cab", 50, 9);
    let texts = many(&model, &config, 3);
    assert_eq!(texts[0], (0, generate(&model, &config).unwrap()));
    assert_ne!(texts[0].1, texts[1].1);
    assert_ne!(texts[1].1, texts[2].1);
}

#[test]
fn every_sample_is_what_its_own_random_numbers_give_alone() {
    let model = random_model();
    let config = GenerateConfig { stop: Some("a".to_string()), ..random("fed", 40, 2) };
    let mut texts = many(&model, &config, 5);
    let lengths: Vec<usize> = texts.iter().map(|(_, text)| text.len()).collect();
    assert!(lengths.is_sorted() && lengths[0] < lengths[4], "those that stop first come first");
    texts.sort();
    for (number, text) in texts {
        let mut writer = Writer::new(&config, model.vocab.len(), number as u64);
        let mut decoder = BatchDecoder::new(&model.network);
        decoder.push(&config.prompt_ids(&model.vocab).unwrap()).unwrap();
        let mut alone = String::new();
        while !writer.is_finished() {
            let id = writer.write(decoder.logits(0), &model.vocab, |c| alone.push(c)).unwrap();
            decoder.step(&[id]).unwrap();
        }
        assert_eq!(text, alone);
    }
}

#[test]
fn no_samples_or_no_characters_generate_nothing() {
    let model = random_model();
    assert_eq!(many(&model, &random("", 5, 0), 0), []);
    assert_eq!(many(&model, &random("", 0, 0), 2), [(0, String::new()), (1, String::new())]);
}

/// Texts of one batch, with the steps after which each joins.
fn texts_of_a_changing_batch(
    batch: &mut BatchGenerator,
    configs: &[(usize, GenerateConfig)],
) -> Vec<String> {
    let mut rows: Vec<(RowId, usize)> = Vec::new();
    let mut texts = vec![String::new(); configs.len()];
    for step in 0.. {
        for (number, (_, config)) in
            configs.iter().enumerate().filter(|(_, (joins, _))| *joins == step)
        {
            rows.push((batch.add(config).unwrap(), number));
        }
        if batch.is_empty() && rows.len() == configs.len() {
            break;
        }
        for RowOutput { row, text, finished } in batch.step().unwrap() {
            let (_, number) = rows.iter().find(|(id, _)| *id == row).unwrap();
            texts[*number] += &text;
            if finished {
                assert!(!batch.remove(row), "a finished text has left the batch");
            }
        }
    }
    texts
}

#[test]
fn texts_that_join_late_are_those_that_are_generated_alone() {
    let model = random_model();
    let stopping = |config| GenerateConfig { stop: Some("ab".to_string()), ..config };
    let configs = [
        (0, random("bad ", 30, 1)),
        (0, stopping(random("", 60, 2))),
        (3, GenerateConfig { sampling: Sampling::Greedy, ..random("cab", 25, 0) }),
        (3, random("fed a", 0, 3)),
        (7, random("ggg", 1, 4)),
        (8, stopping(random("ace", 60, 5))),
        // After all others are finished.
        (90, random("bad ", 30, 1)),
    ];
    let alone: Vec<String> =
        configs.iter().map(|(_, config)| generate(&model, config).unwrap()).collect();
    assert_eq!(texts_of_a_changing_batch(&mut BatchGenerator::new(&model), &configs), alone);

    let mut tensors = BatchGenerator::new(&model);
    tensors.decoder = BatchDecoder::without_kernels(&model.network);
    assert_eq!(texts_of_a_changing_batch(&mut tensors, &configs), alone);
}

#[test]
fn a_text_that_is_removed_changes_no_other() {
    let model = random_model();
    let mut batch = BatchGenerator::new(&model);
    let removed = batch.add(&random("bad", 50, 1)).unwrap();
    let kept = batch.add(&random("cab", 20, 2)).unwrap();
    let mut text = String::new();
    for step in 0..20 {
        if step == 4 {
            assert!(batch.remove(removed));
            assert!(!batch.remove(removed));
        }
        let outputs = batch.step().unwrap();
        assert_eq!(outputs.len(), if step < 4 { 2 } else { 1 });
        text += &outputs.iter().find(|output| output.row == kept).unwrap().text;
    }
    assert!(batch.is_empty());
    assert_eq!(text, generate(&model, &random("cab", 20, 2)).unwrap());
}

#[test]
fn finished_texts_leave_the_network_less_to_compute() {
    let model = random_model();
    let mut batch = BatchGenerator::new(&model);
    for length in [1, 2, 5] {
        batch.add(&random("bad", length, 1)).unwrap();
    }
    let rows: Vec<usize> = (0..5)
        .map(|_| {
            batch.step().unwrap();
            assert_eq!(batch.len(), batch.decoder.rows());
            batch.len()
        })
        .collect();
    assert_eq!(rows, [2, 1, 1, 1, 0]);
    assert_eq!(batch.step().unwrap(), []);
}

#[test]
fn a_text_that_cannot_be_generated_leaves_the_batch_as_it_is() {
    let model = random_model();
    let mut batch = BatchGenerator::new(&model);
    batch.add(&random("bad", 5, 1)).unwrap();
    assert!(batch.add(&random("bäd", 5, 1)).is_err());
    assert_eq!(batch.len(), 1);
    assert_eq!(batch.step().unwrap().len(), 1);
}

#[test]
fn a_batch_is_empty_after_an_error() {
    let model = test_models::with_parameters(random_model(), |_, len| vec![f32::NAN; len]);
    let mut batch = BatchGenerator::new(&model);
    batch.add(&random("bad", 5, 1)).unwrap();
    assert!(matches!(batch.step(), Err(GenerateError::NonFiniteLogits(_))));
    assert!(batch.is_empty());
    assert_eq!(batch.step().unwrap(), []);
}
