//! Numbers in JSON that are read as they were written, to the last bit.
//!
//! JSON's own numbers come back a bit off now and then: serde_json rounds as it reads, unless the whole
//! program has it do otherwise. Here they are text, which Rust writes and reads without loss.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    format!("{number:?}").serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("`{text}` is no number")))
}

/// The same for a number that may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, Error, Serialize, Serializer};

    pub fn serialize<S: Serializer>(
        number: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.map(|number| format!("{number:?}")).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let number = |text: String| {
            text.parse().map_err(|_| D::Error::custom(format!("`{text}` is no number")))
        };
        text.map(number).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Two {
        #[serde(with = "super")]
        some: f64,
        #[serde(with = "super::option")]
        other: Option<f64>,
    }

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        for bits in (0..500u64).map(|i| 0x3FF0_0000_0000_0000 + i * 0x0003_1415_9265_3589) {
            let some = f64::from_bits(bits);
            for other in [None, Some(some / 3.0)] {
                let json = serde_json::to_string(&Two { some, other }).unwrap();
                let two: Two = serde_json::from_str(&json).unwrap();
                assert_eq!(two.some.to_bits(), bits, "{json}");
                assert_eq!(two.other.map(f64::to_bits), other.map(f64::to_bits), "{json}");
            }
        }
        assert!(serde_json::from_str::<Two>(r#"{"some":"x","other":null}"#).is_err());
    }
}
