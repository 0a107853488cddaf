//! [`Layer`]: settings from one source, and [`Layers`]: from all of them.

use std::fmt;
use std::path::{Path, PathBuf};

use charloom_train::RunConfig;
use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Table, Value};

use super::flags::{Flag, SettingsFlags};
use super::schema::{OPTIMIZER, keys, known, siblings};
use super::show::inline;
use crate::report::{Failure, Result};

/// Where a layer was typed.
#[derive(Clone, Debug)]
pub enum Source {
    /// Nowhere: the default.
    Default,
    /// In this file, which has this text.
    File(PathBuf, String),
    /// The same, in a run's own `config.toml`, of which no other source need be named.
    Saved(PathBuf, String),
    /// As this flag.
    Flag(String),
    /// As `--set` of this key.
    Set(String),
    /// In this sweep file, in this line.
    Sweep(PathBuf, usize),
}

/// Settings from one source.
#[derive(Clone, Debug)]
pub struct Layer {
    source: Source,
    entries: Vec<Entry>,
}

/// A key, its value, and where in the source's text it is.
#[derive(Clone, Debug)]
struct Entry {
    path: String,
    value: Value,
    offset: usize,
}

impl Layer {
    fn defaults() -> Self {
        let table = Table::try_from(RunConfig::default()).expect("the defaults become TOML");
        let mut layer = Self { source: Source::Default, entries: Vec::new() };
        for (section, keys) in table {
            for (name, value) in keys.as_table().into_iter().flatten() {
                layer
                    .push(&format!("{section}.{name}"), value.clone(), 0)
                    .expect("it has this key");
            }
        }
        layer
    }

    /// Reads a settings file.
    pub fn file(path: &Path) -> Result<Self> {
        let text = read(path)?;
        Self::parse(Source::File(path.to_owned(), text.clone()), &text)
    }

    /// Reads the `config.toml` of a run.
    pub fn saved(path: &Path) -> Result<Self> {
        Self::saved_text(path, read(path)?)
    }

    /// Reads the settings of a run from `text`, which `path` holds.
    pub fn saved_text(path: &Path, text: String) -> Result<Self> {
        let mut layer = Self::parse(Source::Saved(path.to_owned(), text.clone()), &text)?;
        // Where a run doesn't say how it is validated, it was before there was more than one way.
        if !layer.entries.iter().any(|entry| entry.path == "data.validation") {
            layer.push("data.validation", "rows".into(), 0)?;
        }
        Ok(layer)
    }

    /// Settings that another file implies.
    pub fn implied(
        path: &Path,
        settings: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Self> {
        let source = Source::Saved(path.to_owned(), String::new());
        let mut layer = Self { source, entries: Vec::new() };
        settings.into_iter().try_for_each(|(key, value)| layer.push(&key, value, 0))?;
        Ok(layer)
    }

    fn parse(source: Source, text: &str) -> Result<Self> {
        let mut layer = Self { source, entries: Vec::new() };
        let table = DeTable::parse(text).map_err(|error| {
            let problem = error.message().replace('\n', ", ");
            layer.failure(error.span().map_or(0, |span| span.start), problem)
        })?;
        for (section, inner) in table.get_ref() {
            let name = section.get_ref().as_ref();
            if !keys().iter().any(|key| key.section == name) {
                return Err(layer.unknown(name, section.span().start));
            }
            let Some(inner_table) = inner.get_ref().as_table() else {
                let problem = format!("`{name}` must be the section `[{name}]`");
                return Err(layer.failure(inner.span().start, problem));
            };
            layer.push_table(name, inner_table)?;
        }
        Ok(layer)
    }

    fn push_table(&mut self, above: &str, table: &DeTable<'_>) -> Result<()> {
        for (key, value) in table {
            let path = format!("{above}.{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) if path == OPTIMIZER => self.push_table(&path, inner)?,
                _ if known(&path).is_none() => return Err(self.unknown(&path, key.span().start)),
                _ => self.push(&path, plain(value), value.span().start)?,
            }
        }
        Ok(())
    }

    /// Adds a value. The optimizer's table is taken apart; its name alone will do for it.
    fn push(&mut self, path: &str, value: Value, offset: usize) -> Result<()> {
        let Some(path) = known(path) else { return Err(self.unknown(path, offset)) };
        match value {
            Value::Table(table) if path == OPTIMIZER => (table.into_iter())
                .try_for_each(|(key, value)| self.push(&format!("{path}.{key}"), value, offset)),
            value => {
                let path = if path == OPTIMIZER { format!("{path}.name") } else { path };
                self.entries.push(Entry { path, value, offset });
                Ok(())
            }
        }
    }

    /// What a flag says about a key.
    fn flag(flag: &Flag) -> Result<Self> {
        let is_text = keys().iter().any(|key| key.path == flag.path && key.is_text());
        let value = match is_text {
            true => Value::String(flag.value.clone()),
            false => typed_value(&flag.value),
        };
        Self::one(Source::Flag(flag.typed.clone()), &flag.path, value)
    }

    /// What `--set key=value` says.
    fn set(typed: &str) -> Result<Self> {
        let wrong = || {
            Failure::request(format!("`--set` needs `section.key=value`, not `{typed}`"))
                .hint("`charloom config show` prints every section and key")
        };
        let (key, value) = typed.split_once('=').ok_or_else(wrong)?;
        let (key, value) = (key.trim(), value.trim());
        let is_name = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        if !key.contains('.') || !key.split('.').all(is_name) {
            return Err(wrong());
        }
        let is_text = keys().iter().any(|of| Some(&of.path) == known(key).as_ref() && of.is_text());
        if value.is_empty() && !is_text {
            return Err(wrong());
        }
        Self::one(Source::Set(key.to_owned()), key, typed_value(value))
    }

    /// What a sweep file says about a key.
    pub fn in_sweep(path: &Path, line: usize, key: &str, value: &Value) -> Result<Self> {
        Self::one(Source::Sweep(path.to_owned(), line), key, value.clone())
    }

    fn one(source: Source, key: &str, value: Value) -> Result<Self> {
        let mut layer = Self { source, entries: Vec::new() };
        layer.push(key, value, 0)?;
        Ok(layer)
    }

    fn failure(&self, offset: usize, problem: impl fmt::Display) -> Failure {
        Failure::request(format!("{}: {problem}", self.source.place(offset, None)))
    }

    fn unknown(&self, path: &str, offset: usize) -> Failure {
        let valid: Vec<_> = siblings(path).into_iter().map(|name| format!("`{name}`")).collect();
        let failure = match self.source {
            Source::Set(_) => Failure::request(format!("`--set`: there is no key `{path}`")),
            _ => self.failure(offset, format!("unknown key `{path}`")),
        };
        failure.hint(format!("valid keys: {}", valid.join(", ")))
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::request(format!("could not read the settings file `{}`: {error}", path.display()))
    })
}

/// A value without its position.
pub fn plain(value: &Spanned<DeValue<'_>>) -> Value {
    Value::deserialize(ValueDeserializer::from(value.clone())).expect("a TOML value is one")
}

/// A value as it is typed on a command line: TOML, or text if it isn't TOML.
fn typed_value(typed: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {typed}"));
    if let Ok(mut table) = parsed
        && let (1, Some(value)) = (table.len(), table.remove("value"))
    {
        return value;
    }
    // Rust reads more numbers than TOML (`.5`, `1.`), and people type them.
    if let Ok(whole) = typed.parse() {
        return Value::Integer(whole);
    }
    typed.parse().map_or_else(|_| Value::String(typed.to_owned()), Value::Float)
}

impl Source {
    /// The place where `key` was given: file and line, or flag.
    fn place(&self, offset: usize, key: Option<&str>) -> String {
        let key = key.map(|key| format!(": `{key}`")).unwrap_or_default();
        match self {
            Self::Default => format!("default settings{key}"),
            Self::File(path, text) | Self::Saved(path, text) => {
                let before = text.get(..offset).unwrap_or(text);
                let line = before.matches('\n').count() + 1;
                format!("`{}`, line {line}{key}", path.display())
            }
            Self::Sweep(path, line) => format!("`{}`, line {line}{key}", path.display()),
            Self::Flag(flag) => format!("`{flag}`"),
            Self::Set(key) => format!("`--set {key}`"),
        }
    }
}

/// Settings from all sources, the most important last.
#[derive(Clone, Debug)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// The defaults alone.
    pub fn new() -> Self {
        Self(vec![Layer::defaults()])
    }

    /// The defaults under a file, under `--set`, under the other flags.
    pub fn from_settings(settings: &SettingsFlags) -> Result<Self> {
        Self::new().over_settings(settings)
    }

    /// With a file on top, `--set` over it, and the other flags over that.
    pub fn over_settings(self, settings: &SettingsFlags) -> Result<Self> {
        let mut layers = self;
        if let Some(path) = &settings.config {
            layers = layers.over(Layer::file(path)?);
        }
        for set in &settings.set {
            layers = layers.over(Layer::set(set)?);
        }
        layers.over_flags(&settings.flags)
    }

    /// With `layer` on top.
    #[must_use]
    pub fn over(mut self, layer: Layer) -> Self {
        self.0.push(layer);
        self
    }

    /// With flags on top.
    pub fn over_flags(mut self, flags: &[Flag]) -> Result<Self> {
        for flag in flags {
            self = self.over(Layer::flag(flag)?);
        }
        Ok(self)
    }

    /// Each key once, with its topmost value. A layer that names an optimizer begins with that one's own defaults: what
    /// lower layers say of the optimizer isn't meant for it.
    pub fn merged(&self) -> Result<Vec<Setting<'_>>> {
        let mut merged: Vec<Setting<'_>> = Vec::new();
        for Layer { source, entries } in &self.0 {
            if entries.iter().any(|entry| entry.path == "train.optimizer.name") {
                merged.retain(|setting| !setting.path.starts_with("train.optimizer."));
            }
            for Entry { path, value, offset } in entries {
                let setting = Setting { path, value, source, offset: *offset };
                match merged.iter_mut().find(|setting| setting.path == path) {
                    Some(below) => *below = setting,
                    None => merged.push(setting),
                }
            }
        }
        Ok(merged)
    }

    /// A key's topmost value, if a layer has it.
    pub fn setting(&self, path: &str) -> Option<Setting<'_>> {
        self.merged().ok()?.into_iter().find(|setting| setting.path == path)
    }

    /// Where a key's value was given, unless it is a default or a run's own.
    pub fn origin(&self, path: &str) -> Option<String> {
        let settings = self.merged().ok()?;
        let within = |setting: &&Setting<'_>| {
            setting
                .path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let mut origins: Vec<_> =
            settings.iter().filter(within).filter_map(Setting::origin).collect();
        origins.dedup();
        (!origins.is_empty()).then(|| origins.join(" and "))
    }
}

/// A key's value, and where it was given.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    pub path: &'a str,
    pub value: &'a Value,
    source: &'a Source,
    offset: usize,
}

impl Setting<'_> {
    /// Says what the value must be, and what it is.
    pub fn must_be(&self, legal: impl fmt::Display) -> Failure {
        self.failure(format_args!("must be {legal}, not `{}`", inline(self.value)))
    }

    /// Says something about the key.
    pub fn failure(&self, problem: impl fmt::Display) -> Failure {
        Failure::request(format!("{} {problem}", self.source.place(self.offset, Some(self.path))))
    }

    /// Where the value was given, unless it is a default or a run's own.
    fn origin(&self) -> Option<String> {
        match self.source {
            Source::Default | Source::Saved(..) => None,
            source => Some(source.place(self.offset, None)),
        }
    }
}
