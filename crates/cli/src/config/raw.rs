//! Settings as they were typed: every key is optional, every value any TOML value, and no other key is known.

use serde::Deserialize;
use toml::{Spanned, Value};

use super::layer::{Found, Layer};

/// A value and where it stands.
pub type Given = Option<Spanned<Value>>;

/// What one layer says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawConfig {
    pub data: RawData,
    pub model: RawModel,
    pub train: RawTrain,
    pub sample: RawSample,
}

/// A section, once as it is in a layer and once as all layers together have it. In the latter a key is what the last
/// expression makes of the topmost value that is given for it.
macro_rules! section {
    (
        $raw:ident, $all:ident, $key:ty, $path:literal, $expecting:literal,
        { $($field:ident),* } $(, { $nested:ident: $nested_raw:ident })?;
        $pick:expr, $made:expr
    ) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default, expecting = $expecting)]
        pub struct $raw {
            $(pub $field: Given,)*
            $(pub $nested: $nested_raw,)?
        }

        #[derive(Debug)]
        pub struct $all<'a> {
            $(pub $field: $key,)*
        }

        impl<'a> $all<'a> {
            /// From the layers, the most important last.
            pub fn of(layers: &'a [Layer]) -> Self {
                let pick: fn(&'a RawConfig) -> &'a $raw = $pick;
                Self {
                    $($field: {
                        let key = concat!($path, ".", stringify!($field));
                        let found = layers.iter().rev().find_map(|layer| {
                            let given = pick(&layer.raw).$field.as_ref()?;
                            Some(Found { key, source: &layer.source, given })
                        });
                        ($made)(found)
                    },)*
                }
            }
        }
    };
}

/// For keys that the default settings have.
fn always<'a>(found: Option<Found<'a>>) -> Found<'a> {
    found.expect("a test reads every key from the default settings")
}

section!(
    RawData, Data, Found<'a>, "data", "the section `[data]`",
    { text, valid_fraction, test_fraction, batch_size, seq_length, last_target };
    |raw| &raw.data, always
);

section!(
    RawModel, Model, Found<'a>, "model", "the section `[model]`",
    { cell, input, hidden_size, layers, dropout, bias, init, forget_bias };
    |raw| &raw.model, always
);

section!(
    RawTrain, Train, Found<'a>, "train", "the section `[train]`",
    { epochs, max_steps, patience, seed, eval_every, clip, schedule, loss, state }, { optimizer: RawOptimizer };
    |raw| &raw.train, always
);

// The keys of all optimizers. Which of them belong to the one that is named is checked later.
section!(
    RawOptimizer, Optimizer, Option<Found<'a>>, "train.optimizer",
    "a table such as `{ name = \"adam\", lr = 1e-3 }`",
    {
        name, lr, beta1, beta2, alpha, momentum, dampening, nesterov, centered, lr_decay, eps, form, weight_decay
    };
    |raw| &raw.train.optimizer, std::convert::identity
);

section!(
    RawSample, Sample, Found<'a>, "sample", "the section `[sample]`",
    { prime, length, temperature, top_k, top_p };
    |raw| &raw.sample, always
);
