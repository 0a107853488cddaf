//! [`Layer`]: settings from one place, and [`Layers`]: from all of them.

use std::collections::BTreeMap;
use std::path::Path;

use charloom_train::RunConfig;
use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Table, Value};

use super::flags::{Flag, SettingsFlags};
use super::names::{OPTIMIZER, canonical, is_section, unknown};
use super::schema::{Rule, keys};
use super::source::Source;
use super::value::{inline, parse};
use crate::escapes::unescaped;
use crate::report::{Failure, Result, command};

/// What stands between the places of a value of which parts were typed in several.
const AND: &str = " and ";

/// The value of a key, and where it was typed.
#[derive(Clone, Debug)]
pub struct Setting {
    pub key: String,
    pub value: Value,
    pub source: Source,
}

/// Settings from one place: they are meant together, and a later one replaces an earlier one of the same key.
#[derive(Clone, Debug, Default)]
pub struct Layer(Vec<Setting>);

impl Layer {
    /// Reads a settings file.
    pub fn file(path: &Path) -> Result<Self> {
        Self::document(&read(path)?, |line| Source::File(path.to_owned(), line))
    }

    /// Reads the `config.toml` of a run.
    pub fn saved(path: &Path) -> Result<Self> {
        Self::saved_text(path, &read(path)?)
    }

    /// Reads the settings that a run was saved with from `text`, which `path` holds.
    pub fn saved_text(path: &Path, text: &str) -> Result<Self> {
        let saved = |line| Source::Saved(path.to_owned(), line, None);
        let mut layer = Self::document(text, saved)?;
        for Setting { key, source, .. } in &mut layer.0 {
            if let Source::Saved(_, line, origin) = source {
                *origin = text.lines().nth(*line - 1).and_then(|line| origin_in(line, key));
            }
        }
        // Where a run doesn't say these, it was before there was more than one way.
        for (key, value) in [("data.validation", "rows"), ("data.newlines", "keep")] {
            if layer.0.iter().all(|setting| setting.key != key) {
                layer.0.push(Setting {
                    key: key.to_owned(),
                    value: value.into(),
                    source: saved(1),
                });
            }
        }
        Ok(layer)
    }

    /// Settings that the recipe chose.
    pub fn recipe(settings: impl IntoIterator<Item = (String, Value)>) -> Result<Self> {
        Self::of_source(&Source::Recipe, settings)
    }

    /// Settings that were fitted to the length of the text.
    pub fn fitted(settings: impl IntoIterator<Item = (String, Value)>) -> Result<Self> {
        Self::of_source(&Source::Text, settings)
    }

    /// Settings that another file implies, such as the sizes of a model.
    pub fn implied(
        path: &Path,
        settings: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Self> {
        Self::of_source(&Source::Saved(path.to_owned(), 1, None), settings)
    }

    fn of_source(
        source: &Source,
        settings: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Self> {
        Self::of(settings.into_iter().map(|(key, value)| Setting {
            key,
            value,
            source: source.clone(),
        }))
    }

    /// Settings that are meant together; of the same key, the last counts.
    pub fn of(settings: impl IntoIterator<Item = Setting>) -> Result<Self> {
        let mut layer = Self::default();
        settings.into_iter().try_for_each(|setting| layer.add(setting))?;
        Ok(layer)
    }

    /// The settings, in the order in which they were typed.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    /// What a command line says: flags go over `--set`.
    pub fn command_line(set: &[String], flags: &[Flag]) -> Result<Self> {
        let mut layer = Self::default();
        for typed in set {
            layer.add(assignment(typed)?)?;
        }
        for Flag { typed, path, values } in flags {
            // Text flags hold text: what looks like a number is text there.
            let value = |text: &String| {
                Ok(match kind_of(path) {
                    Kind::Path => Value::String(text.clone()),
                    Kind::Text => Value::String(unescaped(&format!("`{typed}`"), text)?),
                    Kind::Other => parse(text),
                })
            };
            layer.add(Setting {
                key: path.clone(),
                value: match &values[..] {
                    [one] => value(one)?,
                    several => several.iter().map(value).collect::<Result<Vec<_>>>()?.into(),
                },
                source: Source::Flag(typed.clone(), path.clone()),
            })?;
        }
        Ok(layer)
    }

    /// Reads a document with sections. A key may be there once.
    fn document(text: &str, source: impl Fn(usize) -> Source) -> Result<Self> {
        let mut layer = Self::default();
        let at = |offset: usize| source(line_of(text, offset));
        let document = DeTable::parse(text).map_err(|error| {
            let place = at(error.span().map_or(0, |span| span.start)).place();
            // Some of its messages have several lines.
            Failure::request(format!("{place}: {}", error.message().replace('\n', ", ")))
        })?;
        for (key, key_offset, value) in flatten(document.get_ref()) {
            let value_offset = value.span().start;
            let value = plain(value)
                .map_err(|problem| Failure::request(problem).at(at(value_offset).place()))?;
            if is_section(&key) {
                let place = at(key_offset).place();
                return Err(Failure::request(format!(
                    "{place}: `{key}` must be a section, `[{key}]`, not `{}`",
                    inline(&value)
                )));
            }
            let name = canonical(&key);
            let offset = if name.is_some() { value_offset } else { key_offset };
            let setting = Setting { key, value, source: at(offset) };
            if let Some(first) = layer.0.iter().find(|other| Some(&*other.key) == name) {
                let (key, place) = (&first.key, setting.source.place());
                return Err(Failure::request(format!("{place}: `{key}` is given twice"))
                    .maybe_hint(
                        (setting.key != *key)
                            .then(|| format!("`{}` is another name of `{key}`", setting.key)),
                    ));
            }
            layer.add(setting)?;
        }
        Ok(layer)
    }

    /// Adds a setting under its key's present name.
    fn add(&mut self, setting: Setting) -> Result<()> {
        let Setting { key, value, source } = setting;
        let Some(name) = canonical(&key) else { return Err(unknown(&key, &source)) };
        match value {
            // The optimizer's keys are merged one by one.
            Value::Table(table) if name == OPTIMIZER => {
                let inner = |(name, value)| Setting {
                    key: format!("{key}.{name}"),
                    value,
                    source: source.clone(),
                };
                table.into_iter().map(inner).try_for_each(|setting| self.add(setting))
            }
            Value::String(_) if name == OPTIMIZER => {
                self.add(Setting { key: format!("{key}.name"), value, source })
            }
            value => {
                self.0.push(Setting { key: name.to_owned(), value, source });
                Ok(())
            }
        }
    }
}

/// Where a value was typed, as [`show()`](fn@super::show) wrote it behind the value's line.
fn origin_in(line: &str, key: &str) -> Option<String> {
    let key = keys().iter().find(|known| is_part_of(&known.path, key))?;
    let (_, origin) = line.rsplit_once(&format!("# {} (from ", key.summary))?;
    origin.strip_suffix(')').map(str::to_owned)
}

/// Whether `part` is `key` or inside it.
fn is_part_of(key: &str, part: &str) -> bool {
    part.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::request(format!("could not read the settings file `{}`: {error}", path.display()))
    })
}

/// What `--set key=value` says.
fn assignment(typed: &str) -> Result<Setting> {
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    match typed.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
        Some((key, value))
            if key.split('.').all(is_name)
                && (!value.is_empty() || kind_of(key) != Kind::Other) =>
        {
            let source = Source::Set(key.to_owned());
            let value = match parse(value) {
                // In quotes it is TOML, which has escapes of its own.
                Value::String(text) if text == value && kind_of(key) == Kind::Text => {
                    Value::String(unescaped(&source.place(), &text)?)
                }
                value => value,
            };
            Ok(Setting { key: key.to_owned(), value, source })
        }
        _ => Err(Failure::request(format!("`--set` needs `section.key=value`, not `{typed}`"))
            .hint(format!("`{} config show` prints every section and key", command()))),
    }
}

/// What a key holds that is typed without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Text, with escapes.
    Text,
    /// A path, as it is.
    Path,
    /// TOML.
    Other,
}

fn kind_of(key: &str) -> Kind {
    let rule = |path| keys().iter().find(|key| key.path == path).map(|key| &key.rule);
    match canonical(key).and_then(rule) {
        Some(rule) if rule.is_paths() => Kind::Path,
        Some(Rule::Text { is_path: true, .. }) => Kind::Path,
        Some(Rule::Text { is_path: false, .. }) => Kind::Text,
        _ => Kind::Other,
    }
}

/// The line of a text in which a byte is, from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

/// What is in a table and in those of its tables that are sections, in the order of the file: key, offset and value.
pub fn flatten<'t>(table: &DeTable<'t>) -> Vec<(String, usize, Spanned<DeValue<'t>>)> {
    fn collect<'t>(
        above: &str,
        table: &DeTable<'t>,
        found: &mut Vec<(String, usize, Spanned<DeValue<'t>>)>,
    ) {
        for (key, value) in table {
            let path = format!("{above}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) if is_section(&path) || path == OPTIMIZER => {
                    collect(&format!("{path}."), inner, found);
                }
                _ => found.push((path, key.span().start, value.clone())),
            }
        }
    }
    let mut found = Vec::new();
    collect("", table, &mut found);
    found.sort_by_key(|(_, offset, _)| *offset);
    found
}

/// A value without its place.
pub fn plain(value: Spanned<DeValue<'_>>) -> Result<Value, String> {
    Value::deserialize(ValueDeserializer::from(value)).map_err(|error| error.message().to_owned())
}

/// Settings from all places, the most important last.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<Layer>);

/// What all layers add up to, over the defaults.
pub struct Merged {
    pub table: Table,
    /// Where the values are from that are no defaults, by key.
    sources: BTreeMap<String, Source>,
}

impl Layers {
    /// The default settings alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// The default settings under a file, under `--set`, under the other flags.
    pub fn from_settings(settings: &SettingsFlags) -> Result<Self> {
        Self::new().over_settings(settings)
    }

    /// With a file on top, and `--set` and the other flags over it.
    pub fn over_settings(self, settings: &SettingsFlags) -> Result<Self> {
        let layers = match &settings.config {
            Some(path) => self.over(Layer::file(path)?),
            None => self,
        };
        Ok(layers.over(Layer::command_line(&settings.set, &settings.flags)?))
    }

    /// With flags on top.
    pub fn over_flags(self, flags: &[Flag]) -> Result<Self> {
        Ok(self.over(Layer::command_line(&[], flags)?))
    }

    /// With `layer` on top.
    #[must_use]
    pub fn over(mut self, layer: Layer) -> Self {
        self.0.push(layer);
        self
    }

    /// Where a key's value was typed, unless it is a default or a run's own.
    pub fn origin(&self, key: &str) -> Option<String> {
        self.merge().origin(key)
    }

    /// The number of the last layer that gives a key or a part of it, from the bottom up.
    pub fn level(&self, key: &str) -> Option<usize> {
        self.0.iter().rposition(|Layer(settings)| {
            settings.iter().any(|setting| is_part_of(key, &setting.key))
        })
    }

    /// Merges them key by key. What an optimizer was told isn't meant for another that a layer above names.
    pub fn merge(&self) -> Merged {
        let table = Table::try_from(RunConfig::default()).expect("settings are TOML");
        let mut merged = Merged { table, sources: BTreeMap::new() };
        for Layer(settings) in &self.0 {
            if settings.iter().any(|setting| setting.key == "train.optimizer.name") {
                merged.forget_optimizer();
            }
            for Setting { key, value, source } in settings {
                merged.put(key, value.clone());
                merged.sources.insert(key.clone(), source.clone());
            }
        }
        merged
    }
}

impl Merged {
    fn put(&mut self, key: &str, value: Value) {
        let (tables, name) = key.rsplit_once('.').expect("a key is in a section");
        let mut table = &mut self.table;
        for name in tables.split('.') {
            let inner = table.entry(name).or_insert_with(|| Table::new().into());
            // What isn't a table where one must be is refused later.
            let Value::Table(inner) = inner else { return };
            table = inner;
        }
        table.insert(name.to_owned(), value);
    }

    fn forget_optimizer(&mut self) {
        self.put(OPTIMIZER, Table::new().into());
        self.sources.retain(|key, _| !key.starts_with(OPTIMIZER));
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&Value> {
        let (section, name) = key.split_once('.')?;
        self.table.get(section)?.get(name)
    }

    /// Where the value of a key is from, or what it is a part of.
    pub fn source(&self, key: &str) -> Option<&Source> {
        let above = || self.source(key.rsplit_once(['.', '['])?.0);
        self.sources.get(key).or_else(above)
    }

    /// Where a key's value was typed, or all parts of it, unless it is a default or a run's own.
    pub fn origin(&self, key: &str) -> Option<String> {
        self.places(key, |source| match source {
            Source::Saved(..) => None,
            source => Some(source.place()),
        })
    }

    /// The same, with where a run's own values were typed before they were saved.
    pub fn original_origin(&self, key: &str) -> Option<String> {
        self.places(key, Source::original_place)
    }

    /// The places of a key and its parts, each once.
    fn places(&self, key: &str, place: impl Fn(&Source) -> Option<String>) -> Option<String> {
        let parts = self.sources.iter().filter(|(part, _)| is_part_of(key, part));
        let mut places: Vec<_> = Vec::new();
        for place in parts.filter_map(|(_, source)| place(source)) {
            for place in place.split(AND) {
                if places.iter().all(|known| known != place) {
                    places.push(place.to_owned());
                }
            }
        }
        (!places.is_empty()).then(|| places.join(AND))
    }
}
