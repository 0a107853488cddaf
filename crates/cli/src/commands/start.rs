//! A model that a training starts from: its settings, and what becomes of its characters.

use std::path::Path;

use charloom_data::{EscapedChar, Vocab};
use charloom_model::{CharRnnConfig, TrainedModel, VocabDiff};
use toml::{Table, Value};

use crate::report::{Failure, Result, counted, say};
use crate::settings::{Layer, inline};

/// The model and where it is from.
pub struct FirstModel<'a> {
    pub path: &'a Path,
    pub model: TrainedModel,
}

impl FirstModel<'_> {
    /// The settings that the parameters depend on. They override the defaults alone: what somebody sets is compared.
    pub fn settings(&self) -> Result<Layer> {
        let sizes = sizes(&self.model.config).into_iter();
        Layer::implied(self.path, sizes.map(|(key, value)| (format!("model.{key}"), value)))
    }

    /// Refuses a network of another kind or size than the model's.
    pub fn check(&self, asked: &CharRnnConfig) -> Result<()> {
        let own = sizes(&self.model.config);
        let other: Vec<_> =
            own.iter().zip(sizes(asked)).filter(|(own, asked)| *own != asked).collect();
        if other.is_empty() {
            return Ok(());
        }
        let list = |pairs: &mut dyn Iterator<Item = &(String, Value)>| {
            let pairs: Vec<_> =
                pairs.map(|(key, value)| format!("`{key} = {}`", inline(value))).collect();
            pairs.join(", ")
        };
        let flags =
            other.iter().map(|(own, _)| format!("--set 'model.{}={}'", own.0, inline(&own.1)));
        Err(Failure::request(format!(
            "`{}` has {}, but the settings ask for {}",
            self.path.display(),
            list(&mut other.iter().map(|(own, _)| *own)),
            list(&mut other.iter().map(|(_, asked)| asked)),
        ))
        .hint(format!(
            "what isn't set is taken over from the model: leave it out, or add `{}`",
            flags.collect::<Vec<_>>().join(" ")
        )))
    }

    /// Says which of the text's characters the model knows.
    pub fn tell(&self, vocab: &Vocab) {
        let VocabDiff { kept, new, dropped } = VocabDiff::between(&self.model.vocab, vocab);
        say!("starting from `{}`", self.path.display());
        match new.len() {
            0 => say!("it knows all {} of the text", counted(kept.len(), "character")),
            count => say!(
                "{count} of {} {} new: {}",
                counted(vocab.len(), "character"),
                if count == 1 { "is" } else { "are" },
                listed(&new)
            ),
        }
        if !dropped.is_empty() {
            say!(
                "{} of the model's that the text lacks {} dropped: {}",
                counted(dropped.len(), "character"),
                if dropped.len() == 1 { "is" } else { "are" },
                listed(&dropped)
            );
        }
    }
}

/// The keys of `[model]` that decide which parameters there are, with the config's values.
fn sizes(config: &CharRnnConfig) -> Vec<(String, Value)> {
    const FREE: [&str; 3] = ["dropout", "init", "forget_bias"];
    let table = Table::try_from(config).expect("settings become TOML");
    table.into_iter().filter(|(key, _)| !FREE.contains(&key.as_str())).collect()
}

/// Some of the characters.
fn listed(chars: &[char]) -> String {
    const LISTED: usize = 24;
    let shown: Vec<_> =
        chars.iter().take(LISTED).map(|&char| format!("`{}`", EscapedChar(char))).collect();
    let more = match chars.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    shown.join(", ") + &more
}
