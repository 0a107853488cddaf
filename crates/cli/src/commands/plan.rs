//! `charloom plan` and `train --dry-run`: what a training takes of memory, time and disk.

use std::time::Instant;

use charloom_model::has_cpu_kernels;
use charloom_train::{RunConfig, TrainInfo, Trainer, TrainingMemory};

use super::train::{fitted, train_failure};
use crate::args::{DeviceArgs, PlanArgs};
use crate::read_text::read_corpus;
use crate::report::{Result, byte_size, duration, pluralize, print_output, with_thousands};
use crate::settings::{self, Layers, SettingsFlags};
use crate::{machine_memory, memory_limit, recipe, threads};

/// Plans a training.
pub fn run(PlanArgs { settings, device }: &PlanArgs) -> Result<()> {
    plan(settings, device)
}

/// Prints what a training takes, measured with steps for a second; nothing is written.
pub fn plan(settings: &SettingsFlags, machine: &DeviceArgs) -> Result<()> {
    threads::limit(machine.threads)?;
    let started = Instant::now();
    let device = machine.backend.open(machine.device)?;
    let layers = Layers::from_settings(settings)?;
    let config = settings::resolve(&layers)?;
    let corpus = read_corpus(&config.data)?;
    let by_recipe = recipe::applies(&layers, &config)?;
    let (_, config) = fitted(layers, config, by_recipe, &corpus, &device, started)?;
    let memory = TrainingMemory::estimate(&config, corpus.chars(), corpus.vocab().len());
    if has_cpu_kernels(&device) {
        print_memory(&memory)?;
        memory_limit::check(&config, &corpus, &device)?;
    }
    let failure = |error| train_failure(&error, None, &corpus, &config);
    let mut trainer = Trainer::new(config.clone(), &corpus, &device).map_err(failure)?;
    let info = trainer.info();
    print_model(&info, &config)?;
    print_time(&info, trainer.measure_speed().map_err(failure)?)?;
    print_output!(
        "files       model {}, each of up to 3 checkpoints {}",
        byte_size(memory.model_file()),
        byte_size(memory.checkpoint())
    )
}

fn print_memory(memory: &TrainingMemory) -> Result<()> {
    let available = machine_memory::available().map(|bytes| byte_size(bytes as f64));
    let available = available.map(|bytes| format!(", {bytes} available")).unwrap_or_default();
    print_output!("memory      about {}{available}", byte_size(memory.total()))?;
    for (name, bytes) in memory.parts().into_iter().filter(|(_, bytes)| *bytes > 0.0) {
        print_output!("            {name:<24}{:>10}", byte_size(bytes))?;
    }
    Ok(())
}

fn print_model(info: &TrainInfo, config: &RunConfig) -> Result<()> {
    let model = &config.model;
    print_output!(
        "model       {}, {} of {}, {} parameters",
        model.cell,
        pluralize(model.layers, "layer"),
        model.hidden_size,
        with_thousands(info.parameters as u64)
    )
}

fn print_time(info: &TrainInfo, chars_per_second: f64) -> Result<()> {
    let epoch = info.train_chars as f64 / chars_per_second;
    let training = epoch * info.total_steps as f64 / info.batches as f64;
    print_output!(
        "time        {} characters/s: {} an epoch of {}, {} in all ({}), without evaluations",
        with_thousands(chars_per_second as u64),
        duration(epoch),
        pluralize(info.batches, "step"),
        duration(training),
        pluralize(info.total_steps, "step"),
    )
}
