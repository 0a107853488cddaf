//! From what was typed to settings that need no more checking.

use std::path::PathBuf;

use charloom_data::{BatchConfig, Fractions, LastTarget};
use charloom_infer::{Filter, Sampling};
use charloom_model::{Bias, Cell, CharRnnConfig, Init, InputEncoding};
use charloom_train::{Clip, Optimizer};

use super::layer::{Found, Layers};
use super::raw;
use super::value::{Form, Reals};
use crate::report::Result;

/// Settings, every one in its range. The model's vocabulary size is left at 0: the text will tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    pub text: PathBuf,
    pub fractions: Fractions,
    pub batch: BatchConfig,
    pub model: CharRnnConfig,
    pub epochs: usize,
    pub max_steps: usize,
    pub patience: usize,
    pub seed: u64,
    pub optimizer: Optimizer,
    pub clip: Clip,
    pub sample: Sample,
}

/// How text is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub prime: String,
    pub length: usize,
    /// 0 takes the likeliest character always.
    pub temperature: f64,
    /// 0 for all.
    pub top_k: usize,
    /// 1 for all.
    pub top_p: f64,
}

impl Sample {
    /// The same, as the sampler takes it.
    pub fn sampling(&self) -> Sampling {
        if self.temperature == 0.0 {
            return Sampling::Greedy;
        }
        let filter = Filter {
            top_k: self.top_k.try_into().ok(),
            top_p: (self.top_p < 1.0).then_some(self.top_p),
        };
        Sampling::Random { temperature: self.temperature, filter }
    }
}

/// The most rows, steps, hidden units and layers: more than any machine has use for, and small enough that no
/// product of them overflows.
const MOST: i64 = 65_536;
const MOST_LAYERS: i64 = 64;
/// For counts that cost nothing by themselves.
const MANY: i64 = 1_000_000_000;

/// Checks the settings that the layers add up to.
pub fn resolve(layers: &Layers) -> Result<Resolved> {
    let (text, fractions, batch) = data(raw::Data::of(layers.all()))?;
    let model = model(raw::Model::of(layers.all()))?;
    let optimizer = optimizer(raw::Optimizer::of(layers.of_optimizer()))?;
    let sample = sample(layers)?;

    let raw::Train { epochs, max_steps, patience, seed, clip, schedule, loss, state } =
        raw::Train::of(layers.all());
    // There is one of each so far; they are read so that a typing error is noticed.
    schedule.one_of(&[("constant", ())])?;
    loss.one_of(&[("mean", ())])?;
    state.one_of(&[("reset", ())])?;
    Ok(Resolved {
        text,
        fractions,
        batch,
        model,
        epochs: epochs.whole(1..=MANY)?,
        max_steps: max_steps.whole(0..=MANY)?,
        patience: patience.whole(0..=MANY)?,
        seed: seed.whole(0..=i64::MAX)? as u64,
        optimizer,
        clip: clip.word_or_table(
            &[("none", Clip::None)],
            &[
                Form {
                    key: "norm",
                    legal: ABOVE_ZERO,
                    read: |v| Reals::LIMIT.read(v).map(Clip::Norm),
                },
                Form {
                    key: "value",
                    legal: ABOVE_ZERO,
                    read: |v| Reals::LIMIT.read(v).map(Clip::Value),
                },
            ],
        )?,
        sample,
    })
}

const ABOVE_ZERO: &str = "a number above 0, up to 1000000";

fn data(section: raw::Data<'_>) -> Result<(PathBuf, Fractions, BatchConfig)> {
    let raw::Data { text, valid_fraction, test_fraction, batch_size, seq_length, last_target } =
        section;
    let path = PathBuf::from(text.text()?);
    if path.as_os_str().is_empty() {
        return Err(text.must_be("the path of a text file"));
    }
    let valid = valid_fraction.real(Reals::PROPER_FRACTION)?;
    let test = test_fraction.real(Reals::FRACTION)?;
    let fractions = Fractions::new(valid, test).map_err(|_| {
        test_fraction.must_be(format_args!("less than 1 - `valid_fraction`, which is {valid}"))
    })?;
    let batch = BatchConfig {
        batch_size: batch_size.whole(1..=MOST)?,
        seq_length: seq_length.whole(1..=MOST)?,
        last_target: last_target
            .one_of(&[("next", LastTarget::Next), ("wrap", LastTarget::Wrap)])?,
    };
    Ok((path, fractions, batch))
}

fn model(section: raw::Model<'_>) -> Result<CharRnnConfig> {
    let raw::Model { cell, input, hidden_size, layers, dropout, bias, init } = section;
    Ok(CharRnnConfig {
        vocab_size: 0,
        cell: cell.one_of(&[
            ("lstm", Cell::Lstm),
            ("gru", Cell::Gru),
            ("tanh", Cell::Tanh),
            ("relu", Cell::Relu),
        ])?,
        input: input.word_or_table(
            &[("one-hot", InputEncoding::OneHot)],
            &[Form {
                key: "embedding",
                legal: "a whole number from 1 to 65536",
                read: |value| {
                    let size = value.as_integer().filter(|size| (1..=MOST).contains(size))?;
                    Some(InputEncoding::Embedding(size as usize))
                },
            }],
        )?,
        hidden_size: hidden_size.whole(1..=MOST)?,
        layers: layers.whole(1..=MOST_LAYERS)?,
        dropout: dropout.real(Reals::FRACTION)?,
        bias: bias.one_of(&[
            ("double", Bias::Double),
            ("single", Bias::Single),
            ("none", Bias::Without),
        ])?,
        init: init.word_or_table(
            &[("pytorch", Init::PyTorch)],
            &[
                Form {
                    key: "uniform",
                    legal: ABOVE_ZERO,
                    read: |value| Reals::LIMIT.read(value).map(|bound| Init::Uniform { bound }),
                },
                Form {
                    key: "normal",
                    legal: ABOVE_ZERO,
                    read: |value| Reals::LIMIT.read(value).map(|std| Init::Normal { std }),
                },
            ],
        )?,
    })
}

/// What isn't given has PyTorch's default.
fn optimizer(section: raw::Optimizer<'_>) -> Result<Optimizer> {
    let raw::Optimizer { name, lr, beta1, beta2, eps, weight_decay } = section;
    if let Some(name) = name {
        name.one_of(&[("adam", ())])?;
    }
    let real = |found: Option<Found<'_>>, legal, default| match found {
        Some(found) => found.real(legal),
        None => Ok(default),
    };
    Ok(Optimizer::Adam {
        lr: real(lr, Reals::RATE, 1e-3)?,
        beta1: real(beta1, Reals::FRACTION, 0.9)?,
        beta2: real(beta2, Reals::FRACTION, 0.999)?,
        eps: real(eps, Reals::SMALL, 1e-8)?,
        weight_decay: real(weight_decay, Reals::SMALL, 0.0)?,
    })
}

/// The section `[sample]` alone: generation needs no more.
pub fn sample(layers: &Layers) -> Result<Sample> {
    let raw::Sample { prime, length, temperature, top_k, top_p } = raw::Sample::of(layers.all());
    Ok(Sample {
        prime: prime.text()?.to_owned(),
        length: length.whole(0..=MANY)?,
        temperature: temperature.real(Reals::TEMPERATURE)?,
        top_k: top_k.whole(0..=MANY)?,
        top_p: top_p.real(Reals::PROBABILITY)?,
    })
}
