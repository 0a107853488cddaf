//! Optional numbers in a settings file, where a word stands for the absence of a number: TOML has no null.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number, or "none".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum NumberOrNone {
    None(NoneWord),
    Number(#[schemars(range(min = -100.0, max = 100.0))] f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NoneWord {
    None,
}

/// A probability below 1, or "same".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum NumberOrSame {
    Same(SameWord),
    Number(#[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))] f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SameWord {
    Same,
}

/// `serialize` and `deserialize` of an `Option<f64>` as an untagged enum of a word and a number.
macro_rules! optional_number {
    ($module:ident, $form:ident, $absent:pat, $word:expr) => {
        pub(crate) mod $module {
            use serde::{Deserialize, Deserializer, Serialize, Serializer};

            use super::*;

            pub fn serialize<S: Serializer>(
                number: &Option<f64>,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                number.map_or($word, $form::Number).serialize(serializer)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Option<f64>, D::Error> {
                Ok(match $form::deserialize(deserializer)? {
                    $absent => None,
                    $form::Number(number) => Some(number),
                })
            }
        }
    };
}

optional_number!(
    number_or_none,
    NumberOrNone,
    NumberOrNone::None(_),
    NumberOrNone::None(NoneWord::None)
);
optional_number!(
    number_or_same,
    NumberOrSame,
    NumberOrSame::Same(_),
    NumberOrSame::Same(SameWord::Same)
);
