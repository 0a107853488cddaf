//! From what was typed to settings that need no more checking.

use std::path::PathBuf;

use charloom_data::{BatchConfig, Fractions, LastTarget};
use charloom_infer::{Sampling, TopKTopP};
use charloom_model::{Bias, Cell, CharRnnConfig, Init, InputEncoding};
use charloom_train::{Clip, EvalEvery, Loss, Optimizer, Schedule, StateAtEpoch};

use super::layer::Layers;
use super::value::{Form, Reals};
use super::{optimizer, raw};
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
    pub eval_every: EvalEvery,
    pub optimizer: Optimizer,
    pub clip: Clip,
    pub schedule: Schedule,
    pub loss: Loss,
    pub state: StateAtEpoch,
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
        let filter = TopKTopP {
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
    let optimizer = optimizer::resolve(raw::Optimizer::of(layers.of_optimizer()))?;
    let sample = sample(layers)?;

    let raw::Train { epochs, max_steps, patience, seed, eval_every, clip, schedule, loss, state } =
        raw::Train::of(layers.all());
    Ok(Resolved {
        text,
        fractions,
        batch,
        model,
        epochs: epochs.whole(1..=MANY)?,
        max_steps: max_steps.whole(0..=MANY)?,
        patience: patience.whole(0..=MANY)?,
        seed: seed.whole(0..=i64::MAX)? as u64,
        eval_every: eval_every.word_or_table(
            &[],
            &[
                Form {
                    key: "epochs",
                    legal: COUNT,
                    beside: &[],
                    read: |table| table.whole("epochs", 1..=MANY).map(EvalEvery::Epochs),
                },
                Form {
                    key: "steps",
                    legal: COUNT,
                    beside: &[],
                    read: |table| table.whole("steps", 1..=MANY).map(EvalEvery::Steps),
                },
            ],
        )?,
        optimizer,
        clip: clip.word_or_table(
            &[("none", Clip::None)],
            &[
                Form {
                    key: "norm",
                    legal: Reals::LIMIT.words,
                    beside: &[],
                    read: |table| table.real("norm", Reals::LIMIT).map(Clip::Norm),
                },
                Form {
                    key: "value",
                    legal: Reals::LIMIT.words,
                    beside: &[],
                    read: |table| table.real("value", Reals::LIMIT).map(Clip::Value),
                },
            ],
        )?,
        schedule: schedule.word_or_table(&[("constant", Schedule::Constant)], SCHEDULES)?,
        loss: loss.one_of(&[("mean", Loss::Mean), ("sum", Loss::Sum)])?,
        state: state.one_of(&[("reset", StateAtEpoch::Reset), ("carry", StateAtEpoch::Carry)])?,
        sample,
    })
}

/// In words, from 1 to [`MANY`].
const COUNT: &str = "a whole number from 1 to 1000000000";

const SCHEDULES: &[Form<Schedule>] = &[
    Form {
        key: "exponential",
        legal: Reals::PROBABILITY.words,
        beside: &[("from_epoch", COUNT)],
        read: |table| {
            let gamma = table.real("exponential", Reals::PROBABILITY)?;
            let from_epoch = table.whole_or("from_epoch", 1..=MANY, 1)?;
            Some(Schedule::Exponential { gamma, from_epoch })
        },
    },
    Form {
        key: "step",
        legal: Reals::PROBABILITY.words,
        beside: &[("every", COUNT), ("from_epoch", COUNT)],
        read: |table| {
            let gamma = table.real("step", Reals::PROBABILITY)?;
            let every = table.whole("every", 1..=MANY)?;
            let from_epoch = table.whole_or("from_epoch", 1..=MANY, every)?;
            Some(Schedule::Step { gamma, every, from_epoch })
        },
    },
    Form {
        key: "linear",
        legal: Reals::SMALL.words,
        beside: &[],
        read: |table| {
            let end_factor = table.real("linear", Reals::SMALL)?;
            Some(Schedule::Linear { end_factor })
        },
    },
    Form {
        key: "cosine",
        legal: Reals::SMALL.words,
        beside: &[("warmup_steps", "a whole number from 0 to 1000000000")],
        read: |table| {
            let end_factor = table.real("cosine", Reals::SMALL)?;
            let warmup_steps = table.whole_or("warmup_steps", 0..=MANY, 0)?;
            Some(Schedule::Cosine { end_factor, warmup_steps })
        },
    },
    Form {
        key: "plateau",
        legal: Reals::PROPER_FRACTION.words,
        beside: &[("patience", "a whole number from 0 to 1000000000")],
        read: |table| {
            let factor = table.real("plateau", Reals::PROPER_FRACTION)?;
            let patience = table.whole_or("patience", 0..=MANY, 10)?;
            Some(Schedule::Plateau { factor, patience })
        },
    },
];

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
    let raw::Model { cell, input, hidden_size, layers, dropout, bias, init, forget_bias } = section;
    let model = CharRnnConfig {
        cell: cell.one_of(&Cell::ALL.map(|cell| (cell.name(), cell)))?,
        input: input.word_or_table(
            &[("one-hot", InputEncoding::OneHot)],
            &[Form {
                key: "embedding",
                legal: "a whole number from 1 to 65536",
                beside: &[],
                read: |table| table.whole("embedding", 1..=MOST).map(InputEncoding::Embedding),
            }],
        )?,
        hidden_size: hidden_size.whole(1..=MOST)?,
        layers: layers.whole(1..=MOST_LAYERS)?,
        dropout: dropout.real(Reals::FRACTION)?,
        bias: bias.one_of(&Bias::ALL.map(|bias| (bias.name(), bias)))?,
        init: init.word_or_table(
            &[("pytorch", Init::PyTorch)],
            &[
                Form {
                    key: "uniform",
                    legal: Reals::LIMIT.words,
                    beside: &[],
                    read: |table| {
                        let bound = table.real("uniform", Reals::LIMIT)?;
                        Some(Init::Uniform(bound))
                    },
                },
                Form {
                    key: "normal",
                    legal: Reals::LIMIT.words,
                    beside: &[],
                    read: |table| {
                        let std = table.real("normal", Reals::LIMIT)?;
                        Some(Init::Normal(std))
                    },
                },
            ],
        )?,
        forget_bias: forget_bias.word_or_real(&[("none", None)], Reals::BIAS, Some)?,
    };
    if model.forget_bias.is_some() {
        let why = if model.cell != Cell::Lstm {
            format!("where `model.cell` is `\"{}\"`: only an LSTM has a forget gate", model.cell)
        } else if model.bias == Bias::Without {
            "where `model.bias` is `\"none\"`: there is no bias to set".to_owned()
        } else {
            return Ok(model);
        };
        return Err(forget_bias
            .is(format_args!("must be `\"none\"` {why}"))
            .hint("`--set model.forget_bias=none` leaves it as `model.init` has it"));
    }
    Ok(model)
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
