//! A checkpoint of which one file is of any bytes is resumed, for a step, or refused. The first byte says which file.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use burn::tensor::Device;
use charloom_data::Corpus;
use charloom_fuzz::folder;
use charloom_train::{RunConfig, Trainer};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 4] = ["model.bpk", "optimizer.bpk", "state.safetensors", "progress.json"];

/// A checkpoint after three steps, and what its files hold.
struct Saved {
    config: RunConfig,
    corpus: Corpus,
    checkpoints: PathBuf,
    checkpoint: PathBuf,
    contents: [Vec<u8>; 4],
}

static SAVED: LazyLock<Saved> = LazyLock::new(|| {
    let corpus = Corpus::from_text(&"the loom weaves ".repeat(40)).expect("a text");
    let mut config = RunConfig::default();
    (config.data.batch_size, config.data.seq_length) = (2, 8);
    (config.model.hidden_size, config.model.layers) = (8, 1);
    let mut trainer =
        Trainer::new(config.clone(), &corpus, &Device::flex()).expect("valid settings");
    for _ in 0..3 {
        trainer.step().expect("a step");
    }
    let checkpoints = folder().join("checkpoints");
    let checkpoint = trainer.save(&checkpoints).expect("a checkpoint");
    let contents = FILES.map(|name| std::fs::read(checkpoint.join(name)).expect("a file"));
    Saved { config, corpus, checkpoints, checkpoint, contents }
});

fuzz_target!(|input: &[u8]| {
    let Some((&first, content)) = input.split_first() else { return };
    let Saved { config, corpus, checkpoints, checkpoint, contents } = &*SAVED;
    let changed = usize::from(first) % FILES.len();
    std::fs::write(checkpoint.join(FILES[changed]), content).expect("the file is written");
    if let Ok((mut trainer, _)) =
        Trainer::resume(config.clone(), corpus, &Device::flex(), checkpoints)
    {
        drop(trainer.step());
    }
    std::fs::write(checkpoint.join(FILES[changed]), &contents[changed])
        .expect("the file is written");
});
