//! `--init-from`: the model that a training is initialised from, and what it keeps of it.

use std::path::Path;

use charloom_data::Vocab;
use charloom_model::{CharRnnConfig, TrainedModel, VocabDiff};
use toml::{Table, Value};

use crate::char_list::char_list;
use crate::report::{Failure, Result, pluralize, print_status};
use crate::settings::{Layer, inline};

/// Characters that are listed at most.
const MOST_LISTED: usize = 24;

/// A model to initialise from, and its file.
pub struct InitModel<'a> {
    pub path: &'a Path,
    pub model: TrainedModel,
}

impl InitModel<'_> {
    /// The settings that decide the shapes of the parameters. They override the defaults only: what the user sets is
    /// compared by [`check`](Self::check).
    pub fn settings(&self) -> Result<Layer> {
        let sizes = sizes(&self.model.config).into_iter();
        Layer::implied(self.path, sizes.map(|(key, value)| (format!("model.{key}"), value)))
    }

    /// Fails if the settings ask for another cell or other sizes than the model has.
    pub fn check(&self, requested: &CharRnnConfig) -> Result<()> {
        let own = sizes(&self.model.config);
        let different: Vec<_> = (own.iter().zip(sizes(requested)))
            .filter(|(own, requested)| *own != requested)
            .collect();
        if different.is_empty() {
            return Ok(());
        }
        let list = |pairs: &mut dyn Iterator<Item = &(String, Value)>| {
            let pairs: Vec<_> =
                pairs.map(|(key, value)| format!("`{key} = {}`", inline(value))).collect();
            pairs.join(", ")
        };
        let flags =
            different.iter().map(|(own, _)| format!("--set 'model.{}={}'", own.0, inline(&own.1)));
        Err(Failure::request(format!(
            "`{}` has {}, but the settings ask for {}",
            self.path.display(),
            list(&mut different.iter().map(|(own, _)| *own)),
            list(&mut different.iter().map(|(_, requested)| requested)),
        ))
        .hint(format!(
            "leave these settings out to use the model's, or add `{}`",
            flags.collect::<Vec<_>>().join(" ")
        )))
    }

    /// Prints which characters of the text the model knows, and which of its own are dropped.
    pub fn print_vocab_diff(&self, vocab: &Vocab) {
        let VocabDiff { kept, new, dropped } = VocabDiff::between(&self.model.vocab, vocab);
        print_status!("initialising from `{}`", self.path.display());
        match new.len() {
            0 => print_status!(
                "the model knows all {} of the text",
                pluralize(kept.len(), "character")
            ),
            count => print_status!(
                "{count} of the text's {} {} new to the model: {}",
                pluralize(vocab.len(), "character"),
                if count == 1 { "is" } else { "are" },
                char_list(&new, MOST_LISTED)
            ),
        }
        if !dropped.is_empty() {
            print_status!(
                "{} of the model {} not in the text and dropped: {}",
                pluralize(dropped.len(), "character"),
                if dropped.len() == 1 { "is" } else { "are" },
                char_list(&dropped, MOST_LISTED)
            );
        }
    }
}

/// The keys of `[model]` that decide the shapes of the parameters, with the config's values.
fn sizes(config: &CharRnnConfig) -> Vec<(String, Value)> {
    const SHAPELESS: [&str; 7] = [
        "dropout",
        "output_dropout",
        "input_dropout",
        "weight_drop",
        "init",
        "forget_bias",
        "input_std",
    ];
    let table = Table::try_from(config).expect("a configuration is a TOML table");
    table.into_iter().filter(|(key, _)| !SHAPELESS.contains(&key.as_str())).collect()
}
