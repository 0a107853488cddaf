//! Which settings a resumed run may change, and [`SettingChange`]: one that it did.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CheckpointError, RunConfig};

/// A setting that was changed when a run was resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingChange {
    /// Steps that were taken with the old value.
    pub step: usize,
    /// The key, as in `train.optimizer.lr`.
    pub key: String,
    /// Its old value.
    pub from: Value,
    /// Its new value.
    pub to: Value,
}

impl SettingChange {
    /// Whether it changes the learning rate: what became of the old one is forgotten then.
    pub(crate) fn is_of_learning_rate(&self) -> bool {
        is_among(&["train.optimizer.lr", "train.schedule"], &self.key)
    }
}

/// A setting that differs between two configurations.
pub(crate) struct Difference {
    pub key: String,
    then: Value,
    now: Value,
}

impl Difference {
    /// The change that it is after so many steps.
    pub fn since(self, step: usize) -> SettingChange {
        SettingChange { step, key: self.key, from: self.then, to: self.now }
    }

    /// The error that it is where the setting must stay what it was in the checkpoint.
    pub fn refused(self, checkpoint: &Path) -> CheckpointError {
        CheckpointError::OtherSettings {
            path: checkpoint.to_owned(),
            key: self.key,
            then: self.then.to_string(),
            now: self.now.to_string(),
        }
    }
}

/// Where the text is and what is logged: it has no effect on the weights.
const UNRECORDED: [&str; 2] = ["data.text", "train.step_log"];
/// How long a run trains.
const LENGTH: [&str; 3] = ["train.epochs", "train.max_steps", "train.patience"];
/// What a run may change on the way: all that decides neither what the weights and the optimizer's state are, nor what the
/// batches are, nor how losses are measured.
const ON_THE_WAY: [&str; 21] = [
    "model.dropout",
    "model.output_dropout",
    "model.input_dropout",
    "model.weight_drop",
    "train.eval_every",
    "train.optimizer.lr",
    "train.optimizer.beta1",
    "train.optimizer.beta2",
    "train.optimizer.eps",
    "train.optimizer.alpha",
    "train.optimizer.weight_decay",
    "train.optimizer.decay_biases",
    "train.clip",
    "train.schedule",
    "train.input_lr",
    "train.dropout_ramp",
    "train.ema",
    "train.loss",
    "train.state",
    "train.precision",
    "train.recover",
];

impl RunConfig {
    /// Whether a resumed run may change a key, as in `train.optimizer.lr`.
    pub fn is_resumable(key: &str) -> bool {
        Self::is_incidental(key) || is_among(&ON_THE_WAY, key)
    }

    /// Whether a key says only how long a run trains, what it logs and samples, or where its text is.
    pub(crate) fn is_incidental(key: &str) -> bool {
        !Self::is_recorded(key) || is_among(&LENGTH, key)
    }

    /// Whether a change of a key is recorded: it has an effect on the weights.
    pub(crate) fn is_recorded(key: &str) -> bool {
        !is_among(&UNRECORDED, key) && !key.starts_with("sample.")
    }

    /// Whether a run with these settings is the same training as one with `other`: only how long it trains, what it logs
    /// and its samples may differ, and where the text is.
    pub fn is_same_training(&self, other: &Self) -> bool {
        self.differences(other).iter().all(|difference| Self::is_incidental(&difference.key))
    }

    /// The settings in which `now` differs.
    pub(crate) fn differences(&self, now: &Self) -> Vec<Difference> {
        let values = |config| serde_json::to_value(config).expect("settings become JSON");
        let mut found = Vec::new();
        collect("", &values(self), &values(now), &mut found);
        found
    }
}

/// Whether `key` is one of `keys`, or a part of one.
fn is_among(keys: &[&str], key: &str) -> bool {
    keys.iter().any(|known| {
        key.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Collects the differences of two values by key. Where an optimizer or a schedule has other keys altogether, it differs
/// as a whole.
fn collect(key: &str, then: &Value, now: &Value, found: &mut Vec<Difference>) {
    match (then, now) {
        _ if then == now => {}
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (name, then) in a {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                collect(&key, then, &b[name], found);
            }
        }
        _ => found.push(Difference { key: key.to_owned(), then: then.clone(), now: now.clone() }),
    }
}
