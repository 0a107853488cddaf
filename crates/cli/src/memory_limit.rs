//! Trainings that don't fit into memory are refused before anything is allocated.

use burn::tensor::Device;
use charloom_data::Corpus;
use charloom_model::has_cpu_kernels;
use charloom_train::{RunConfig, TrainingMemory, largest_that_fit};

use crate::machine_memory;
use crate::report::{Failure, Result, byte_size};

/// Fails if a training takes more memory than there is, with the largest sizes that fit. Of a GPU's memory nothing is known.
pub fn check(config: &RunConfig, corpus: &Corpus, device: &Device) -> Result<()> {
    if !has_cpu_kernels(device) {
        return Ok(());
    }
    match machine_memory::available() {
        Some(available) => check_against(config, corpus, available as f64),
        None => Ok(()),
    }
}

fn check_against(config: &RunConfig, corpus: &Corpus, available: f64) -> Result<()> {
    let (chars, vocab_size) = (corpus.chars(), corpus.vocab().len());
    let needed = TrainingMemory::estimate(config, chars, vocab_size).to_allocate();
    if needed <= available {
        return Ok(());
    }
    let (batch_size, hidden_size) = largest_that_fit(config, chars, vocab_size, available);
    let batch_size = batch_size.map(|size| format!("`--batch-size {size}`"));
    let hidden_size = hidden_size.map(|size| format!("`--hidden-size {size}`"));
    let fitting: Vec<_> = batch_size.into_iter().chain(hidden_size).collect();
    let hint = match fitting.is_empty() {
        true => "fewer layers, a smaller `--hidden-size` and a smaller `--batch-size` take less"
            .to_owned(),
        false => format!("{} is the largest that fits", fitting.join(" or ")),
    };
    let (needed, available) = (byte_size(needed), byte_size(available));
    Err(Failure::request(format!(
        "this training needs about {needed} of memory, and {available} are available"
    ))
    .hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_that_the_hint_names_fit() {
        let corpus = Corpus::from_text(&"the loom weaves the words ".repeat(40)).unwrap();
        let mut config = RunConfig::default();
        let failure = check_against(&config, &corpus, 50e6).unwrap_err();
        let message = format!("{failure:?}");
        let size = |flag: &str| -> usize {
            let (_, after) = message.split_once(flag).expect("the flag");
            after.split('`').next().and_then(|size| size.trim().parse().ok()).expect("a size")
        };
        let (batch_size, hidden_size) = (size("--batch-size"), size("--hidden-size"));
        config.data.batch_size = batch_size;
        assert!(check_against(&config, &corpus, 50e6).is_ok());
        config = RunConfig::default();
        config.model.hidden_size = hidden_size;
        assert!(check_against(&config, &corpus, 50e6).is_ok());
        config.model.hidden_size += 1;
        assert!(check_against(&config, &corpus, 50e6).is_err());
    }
}
