//! [`TrainingMemory`]: what a training takes of main memory, told before anything is allocated.

use charloom_model::{Cell, CharRnnConfig, InputEncoding, Readout};

use crate::settings::{AdagradConfig, OptimizerConfig, RmsPropConfig, SgdConfig};
use crate::{RunConfig, TrainConfig};

/// Bytes that a training on the CPU takes at its peak, by part: an estimate, within 15 % of what was measured
/// (docs/runs.md).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingMemory {
    /// The program itself and its threads.
    pub program: f64,
    /// The characters' ids.
    pub text: f64,
    /// The weights.
    pub weights: f64,
    /// Their gradients.
    pub gradients: f64,
    /// What the optimizer remembers of each weight.
    pub optimizer: f64,
    /// The moving average of the weights.
    pub average: f64,
    /// What the layers keep of the forward pass for the backward pass, and the gradients that flow back through them.
    pub activations: f64,
    /// The logits of some rows at a time, which never exist whole.
    pub logits: f64,
    /// Copies of the weights in the kernels' layout, sums of their gradients, and temporaries of the update.
    pub workspace: f64,
}

/// Bytes of a number in single precision.
const F32: f64 = 4.0;
/// What the smallest training takes.
const PROGRAM: f64 = 30e6;

impl TrainingMemory {
    /// What a training takes with a text of `chars` characters, V of them distinct.
    pub fn estimate(config: &RunConfig, chars: usize, vocab_size: usize) -> Self {
        let RunConfig { data, model, train, .. } = config;
        let sizes: Vec<f64> = (model.parameters(vocab_size).iter())
            .map(|parameter| F32 * parameter.num_elements() as f64)
            .collect();
        let weights: f64 = sizes.iter().sum();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let bytes_per_id = match vocab_size {
            0..=0x100 => 1.0,
            0x101..=0x1_0000 => 2.0,
            _ => F32,
        };
        let phases = data.batch_phases();
        let rows = phases.iter().map(|(_, size)| size.batch_size as f64 * size.seq_length as f64);
        let rows = rows.fold(0.0, f64::max);
        let (states, temporaries) = optimizer_state(train);
        Self {
            program: PROGRAM,
            text: bytes_per_id * chars as f64,
            weights,
            gradients: weights,
            optimizer: states * weights,
            average: if train.ema > 0.0 { weights } else { 0.0 },
            activations: F32 * rows * activations_per_row(model),
            logits: F32 * logits(rows, vocab_size),
            workspace: 3.0 * weights + temporaries * largest,
        }
    }

    /// All parts together.
    pub fn total(&self) -> f64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// The parts by name.
    pub fn parts(&self) -> [(&'static str, f64); 9] {
        [
            ("program", self.program),
            ("text", self.text),
            ("weights", self.weights),
            ("gradients", self.gradients),
            ("optimizer", self.optimizer),
            ("average of the weights", self.average),
            ("activations", self.activations),
            ("logits", self.logits),
            ("workspace", self.workspace),
        ]
    }

    /// What isn't in memory yet when the text has been read.
    pub fn to_allocate(&self) -> f64 {
        self.total() - self.program - self.text
    }

    /// Bytes of a model file, without its metadata.
    pub fn model_file(&self) -> f64 {
        self.weights
    }

    /// Bytes of a checkpoint, without the carried state.
    pub fn checkpoint(&self) -> f64 {
        self.weights + self.optimizer + self.average
    }
}

/// Numbers that the optimizer keeps for each weight, and temporaries of its first step, in sizes of the largest parameter.
fn optimizer_state(train: &TrainConfig) -> (f64, f64) {
    let count = |kept: &[bool]| kept.iter().filter(|kept| **kept).count() as f64;
    match train.optimizer {
        OptimizerConfig::Adam(_) | OptimizerConfig::AdamW(_) => (2.0, 5.0),
        OptimizerConfig::Sgd(SgdConfig { momentum, .. }) => (count(&[momentum > 0.0]), 1.5),
        OptimizerConfig::RmsProp(RmsPropConfig { momentum, centered, .. }) => {
            (count(&[true, centered, momentum > 0.0]), 5.0)
        }
        OptimizerConfig::Adagrad(AdagradConfig { .. }) => (1.0, 3.0),
    }
}

/// Numbers that are kept for each character of a batch.
fn activations_per_row(model: &CharRnnConfig) -> f64 {
    // Gates, hidden state and cell state, and the output after dropout.
    let of_layer = match model.cell {
        Cell::Lstm => 4.0 + 1.0 + 1.0 + 1.0,
        Cell::Gru => 4.0 + 1.0 + 1.0,
        Cell::Tanh | Cell::Relu => 1.0 + 1.0,
    };
    let (h, layers) = (model.hidden_size as f64, model.layers as f64);
    let summed = match model.readout {
        Readout::Last => 0.0,
        Readout::Sum => 2.0 * layers,
    };
    let embedded = match model.input {
        InputEncoding::OneHot => 0.0,
        InputEncoding::Embedding(d) => 2.0 * d as f64,
    };
    // The gradients of a layer's output and input, and their sum with what comes from above.
    h * (layers * of_layer + summed + 3.0) + embedded
}

/// Logits that exist at a time: about 2^18, at least 256 rows of them, at most 2^24.
fn logits(rows: f64, vocab_size: usize) -> f64 {
    let v = vocab_size as f64;
    (256.0 * v).clamp(262_144.0, 16_777_216.0).min(rows * v)
}

/// The largest batch size and the largest hidden size below those of the settings with which a training takes at most
/// `bytes` more than when the text has been read.
pub fn largest_that_fit(
    config: &RunConfig,
    chars: usize,
    vocab_size: usize,
    bytes: f64,
) -> (Option<usize>, Option<usize>) {
    let fits = |config: &RunConfig| {
        TrainingMemory::estimate(config, chars, vocab_size).to_allocate() <= bytes
    };
    let mut changed = config.clone();
    let batch_size = largest(config.data.batch_size, |size| {
        changed.data.batch_size = size;
        fits(&changed)
    });
    let mut changed = config.clone();
    let hidden_size = largest(config.model.hidden_size, |size| {
        changed.model.hidden_size = size;
        fits(&changed)
    });
    (batch_size, hidden_size)
}

/// The largest size below `size` that fits, where all smaller ones do too.
fn largest(size: usize, mut fits: impl FnMut(usize) -> bool) -> Option<usize> {
    let (mut fitting, mut too_large) = (0, size);
    while too_large - fitting > 1 {
        let middle = fitting + (too_large - fitting) / 2;
        match fits(middle) {
            true => fitting = middle,
            false => too_large = middle,
        }
    }
    (fitting > 0).then_some(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peak resident memory in MB of `charloom train --max-steps 6`, measured on x86-64 with two threads.
    #[test]
    fn the_estimate_is_within_15_percent_of_what_was_measured() {
        for (hidden, layers, n, t, chars, vocab, measured) in MEASURED {
            let mut config = RunConfig::default();
            (config.model.hidden_size, config.model.layers) = (hidden, layers);
            (config.data.batch_size, config.data.seq_length) = (n, t);
            let estimate = TrainingMemory::estimate(&config, chars, vocab).total() / 1e6;
            let ratio = estimate / measured;
            assert!((0.85..1.15).contains(&ratio), "{hidden} {layers} {n} {t}: {estimate} MB");
        }
    }

    /// H, L, N, T, characters, V and MB.
    type Measurement = (usize, usize, usize, usize, usize, usize, f64);
    const MEASURED: [Measurement; 6] = [
        (8, 1, 2, 5, 886_308, 104, 30.9),
        (256, 2, 128, 100, 886_308, 104, 311.6),
        (1024, 1, 32, 64, 886_308, 104, 355.1),
        (256, 1, 32, 64, 410_000, 5_000, 306.2),
        (256, 1, 64, 400, 300_000, 104, 321.2),
        (256, 2, 64, 400, 300_000, 104, 557.9),
    ];

    #[test]
    fn the_sizes_that_fit_do_and_the_next_larger_ones_do_not() {
        let mut config = RunConfig::default();
        (config.model.hidden_size, config.data.batch_size) = (4096, 512);
        let need = |batch_size: usize, hidden_size: usize| {
            let mut config = config.clone();
            (config.data.batch_size, config.model.hidden_size) = (batch_size, hidden_size);
            TrainingMemory::estimate(&config, 1000, 50).to_allocate()
        };
        let limit = 8e9;
        let (batch_size, hidden_size) = largest_that_fit(&config, 1000, 50, limit);
        let (n, h) = (batch_size.unwrap(), hidden_size.unwrap());
        assert!(need(n, 4096) <= limit && need(n + 1, 4096) > limit, "{n}");
        assert!(need(512, h) <= limit && need(512, h + 1) > limit, "{h}");
        assert_eq!(largest_that_fit(&config, 1000, 50, 1.0), (None, None));
    }
}
