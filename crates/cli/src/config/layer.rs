//! [`Layer`]: settings from one place, and [`Layers`]: from all of them.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Spanned, Value};

use super::raw::RawConfig;
use crate::args::Settings;
use crate::report::{Failure, Result};

/// What holds where nothing else is said.
pub const DEFAULT: &str = include_str!("../../../../configs/default.toml");

/// Where a layer was typed.
#[derive(Clone, Debug)]
pub enum Source {
    /// In [`DEFAULT`].
    Default,
    /// In this file, which has this text.
    File(PathBuf, String),
    /// The same, in a run's own `config.toml`: what it says needs no other source.
    Saved(PathBuf, String),
    /// As this flag.
    Flag(&'static str),
    /// As `--set` of this key.
    Set(String),
    /// In this sweep file, in this line, under this key.
    Sweep(PathBuf, usize, String),
}

/// Settings from one place.
#[derive(Debug)]
pub struct Layer {
    pub source: Source,
    pub raw: RawConfig,
}

impl Layer {
    fn default_settings() -> Self {
        let raw = toml::from_str(DEFAULT).expect("a test reads the default settings");
        Self { source: Source::Default, raw }
    }

    /// Reads a settings file.
    pub fn file(path: &Path) -> Result<Self> {
        let text = read(path)?;
        Self::parse(Source::File(path.to_owned(), text.clone()), &text)
    }

    /// Reads the `config.toml` of a run.
    pub fn saved(path: &Path) -> Result<Self> {
        Self::text(path, read(path)?)
    }

    /// Reads the settings of a run from `text`, which `path` holds.
    pub fn text(path: &Path, text: String) -> Result<Self> {
        Self::parse(Source::Saved(path.to_owned(), text.clone()), &text)
    }

    fn parse(source: Source, text: &str) -> Result<Self> {
        match toml::from_str(text) {
            Ok(raw) => Ok(Self { source, raw }),
            Err(error) => Err(source.refuse(&error)),
        }
    }

    /// What a flag says about `key`.
    fn flag(flag: &'static str, key: &str, typed: &str) -> Result<Self> {
        // These keys hold text: what looks like a number is none there.
        let value = match key {
            "data.text" | "sample.prime" => Value::String(typed.to_owned()),
            _ => number_or_text(typed),
        };
        Self::one(Source::Flag(flag), key, &value)
    }

    /// What `--set key=value` says. The value is TOML, or text if it isn't TOML.
    fn set(typed: &str) -> Result<Self> {
        let wrong = || {
            Failure::request(format!("`--set` needs `section.key=value`, not `{typed}`"))
                .hint("`charloom config show` prints every section and key")
        };
        let (key, value) = typed.split_once('=').ok_or_else(wrong)?;
        let (key, value) = (key.trim(), value.trim());
        let plain = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        if !key.contains('.') || !key.split('.').all(plain) || value.is_empty() {
            return Err(wrong());
        }
        let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"));
        let value = match parsed {
            Ok(mut table) if table.len() == 1 => table.remove("value"),
            _ => None,
        }
        .unwrap_or_else(|| number_or_text(value));
        Self::one(Source::Set(key.to_owned()), key, &value)
    }

    /// What a sweep file says about `key`.
    pub fn in_sweep(path: &Path, line: usize, key: &str, value: &Value) -> Result<Self> {
        Self::one(Source::Sweep(path.to_owned(), line, key.to_owned()), key, value)
    }

    fn one(source: Source, key: &str, value: &Value) -> Result<Self> {
        Self::parse(source, &format!("{key} = {value}"))
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::request(format!("could not read the settings file `{}`: {error}", path.display()))
    })
}

/// Rust reads more numbers than TOML (`.5`, `1.`), and people type them.
fn number_or_text(typed: &str) -> Value {
    if let Ok(whole) = typed.parse() {
        return Value::Integer(whole);
    }
    typed.parse().map_or_else(|_| Value::String(typed.to_owned()), Value::Float)
}

impl Source {
    /// An error that the TOML reader found.
    fn refuse(&self, error: &toml::de::Error) -> Failure {
        let place = self.place(error.span().map_or(0, |span| span.start), None);
        let Some((unknown, known)) = unknown_field(error.message()) else {
            // Some of its messages have several lines.
            return Failure::request(format!("{place}: {}", error.message().replace('\n', ", ")));
        };
        let failure = match self {
            Self::Set(key) => Failure::request(format!("`--set`: there is no key `{key}`")),
            Self::Sweep(.., key) => Failure::request(format!("{place}: unknown key `{key}`")),
            _ => Failure::request(format!("{place}: unknown key `{unknown}`")),
        };
        failure.hint(format!("known here: {known}"))
    }

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
            Self::Sweep(path, line, _) => format!("`{}`, line {line}{key}", path.display()),
            Self::Flag(flag) => format!("`{flag}`"),
            Self::Set(key) => format!("`--set {key}`"),
        }
    }
}

/// Serde's message for an unknown key: the key, and the list of those that there are.
fn unknown_field(message: &str) -> Option<(&str, &str)> {
    let (unknown, rest) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let known =
        rest.strip_prefix(", expected one of ").or_else(|| rest.strip_prefix(", expected "))?;
    Some((unknown, known))
}

/// Settings from all places, the most important last.
#[derive(Debug)]
pub struct Layers(Vec<Layer>);

impl Layers {
    /// The default settings alone.
    pub fn new() -> Self {
        Self(vec![Layer::default_settings()])
    }

    /// The default settings under a file, under `--set`, under the other flags.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        Self::new().over_settings(settings)
    }

    /// With a file on top, `--set` over it, and the other flags over that.
    pub fn over_settings(self, settings: &Settings) -> Result<Self> {
        let mut layers = self;
        if let Some(path) = &settings.config {
            layers = layers.over(Layer::file(path)?);
        }
        for set in &settings.set {
            layers = layers.over(Layer::set(set)?);
        }
        layers.over_flags(settings.flags())
    }

    /// With `layer` on top.
    #[must_use]
    pub fn over(mut self, layer: Layer) -> Self {
        self.0.push(layer);
        self
    }

    /// With flags on top: flag, key and what was typed.
    pub fn over_flags(mut self, flags: Vec<(&'static str, &'static str, &str)>) -> Result<Self> {
        for (flag, key, typed) in flags {
            self = self.over(Layer::flag(flag, key, typed)?);
        }
        Ok(self)
    }

    /// All of them, the most important last.
    pub fn all(&self) -> &[Layer] {
        &self.0
    }

    /// Those that say something about the optimizer: the topmost that names one, and what lies over it. What an
    /// optimizer below was told is not meant for this one.
    pub fn of_optimizer(&self) -> &[Layer] {
        let named = self.0.iter().rposition(|layer| layer.raw.train.optimizer.name.is_some());
        &self.0[named.unwrap_or(0)..]
    }
}

/// A value, with its key and where it was given.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    pub key: &'static str,
    pub source: &'a Source,
    pub given: &'a Spanned<Value>,
}

impl<'a> Found<'a> {
    /// The value.
    pub fn value(&self) -> &'a Value {
        self.given.get_ref()
    }

    /// Says what the value must be, and what it is.
    pub fn must_be(&self, what: impl fmt::Display) -> Failure {
        self.is(format_args!("must be {what}, not `{}`", self.value()))
    }

    /// Says something about the key.
    pub fn is(&self, what: impl fmt::Display) -> Failure {
        let place = self.source.place(self.given.span().start, Some(self.key));
        Failure::request(format!("{place} {what}"))
    }

    /// Says where the value is from, unless it is a default.
    pub fn origin(&self) -> Option<String> {
        match self.source {
            Source::Default | Source::Saved(..) => None,
            source => Some(source.place(self.given.span().start, None)),
        }
    }
}
