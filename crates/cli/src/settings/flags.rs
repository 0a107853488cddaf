//! A flag for each key, made of the key's documentation, default and legal values.

use std::marker::PhantomData;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::LazyLock;

use charloom_data::setting_of_path;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::names::{ALIASES, OPTIMIZER, last};
use super::schema::{Field, Form, Rule, Word, keys};
use super::value::{braces, inline_json};

/// A flag that was given.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As in `--batch-size`.
    pub typed: String,
    /// The key, as in `data.batch_size`.
    pub path: String,
    /// One value, but for a flag that may be repeated.
    pub values: Vec<String>,
}

/// The flags of all keys, `--config` and `--set`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsFlags {
    /// Settings file (`charloom config show` prints all settings)
    ///
    /// TOML. Keys that it leaves out have their defaults. `--set` and the other flags override it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set any key, as in `--set model.bias=single`; may be repeated
    ///
    /// The value is TOML, or text if it isn't TOML: `--set train.optimizer.beta2=0.99`, `--set train.clip={norm=1}`. The
    /// key's own flag overrides it.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub flags: KeyFlags<All>,
}

impl SettingsFlags {
    /// Gives a key a value, over everything that was typed for it.
    pub fn override_key(&mut self, path: &str, value: String) {
        self.flags.0.retain(|flag| flag.path != path);
        let typed = format!("--{}", last(path).replace('_', "-"));
        self.flags.0.push(Flag { typed, path: path.to_owned(), values: vec![value] });
    }
}

/// The flags of the section `[sample]`.
pub type SampleFlags = KeyFlags<Sample>;
/// The flags of the batch size, the sequence length and `min_count`.
pub type BatchFlags = KeyFlags<Batch>;
/// The flags that say how the files of a text are read.
pub type FormatFlags = KeyFlags<Format>;
/// The flags of the text and of what is held out of training.
pub type SplitFlags = KeyFlags<Split>;

/// The keys that a command has flags for.
pub trait Subset {
    /// Whether a default is that of the settings.
    const HAS_DEFAULTS: bool;
    /// Whether there is a flag for this key.
    fn holds(key: &str) -> bool;
}

/// All keys.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Subset for All {
    const HAS_DEFAULTS: bool = true;
    fn holds(_key: &str) -> bool {
        true
    }
}

/// The keys of the section `[sample]`. What isn't given is as the model's run had it.
#[derive(Clone, Copy, Debug)]
pub struct Sample;

impl Subset for Sample {
    const HAS_DEFAULTS: bool = false;
    fn holds(key: &str) -> bool {
        key.starts_with("sample.")
    }
}

/// What `inspect` shows the effect of: batch size, sequence length, the least number of a character.
#[derive(Clone, Copy, Debug)]
pub struct Batch;

impl Subset for Batch {
    const HAS_DEFAULTS: bool = true;
    fn holds(key: &str) -> bool {
        ["data.batch_size", "data.seq_length", "data.min_count"].contains(&key)
    }
}

/// How the files of a text are read. What isn't given is as a model's run had it.
#[derive(Clone, Copy, Debug)]
pub struct Format;

impl Subset for Format {
    const HAS_DEFAULTS: bool = true;
    fn holds(key: &str) -> bool {
        [
            "data.encoding",
            "data.newlines",
            "data.normalize",
            "data.documents",
            "data.trim_gutenberg",
        ]
        .contains(&key)
    }
}

/// The text and what is held out of training. What isn't given is as a model's run had it, if there is a model.
#[derive(Clone, Copy, Debug)]
pub struct Split;

impl Subset for Split {
    const HAS_DEFAULTS: bool = true;
    fn holds(key: &str) -> bool {
        let split = ["data.text", "data.valid_fraction", "data.test_fraction"];
        split.contains(&key) || key == "data.min_count" || Format::holds(key)
    }
}

/// The flags of some keys. Their values stay text here: the settings check them, and name the flag.
#[derive(Clone, Debug)]
pub struct KeyFlags<S>(Vec<Flag>, PhantomData<S>);

impl<S> From<Vec<Flag>> for KeyFlags<S> {
    fn from(flags: Vec<Flag>) -> Self {
        Self(flags, PhantomData)
    }
}

impl<S> Default for KeyFlags<S> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<S> Deref for KeyFlags<S> {
    type Target = [Flag];

    fn deref(&self) -> &[Flag] {
        &self.0
    }
}

/// What a flag is made of.
#[derive(Debug)]
struct FlagSpec {
    name: String,
    path: String,
    alias: Option<&'static str>,
    heading: &'static str,
    value_name: String,
    is_switch: bool,
    /// Whether it is given several paths.
    is_paths: bool,
    help: String,
    long_help: String,
    default: Option<String>,
}

/// All flags. The learning rate, a part of the optimizer, has one of its own.
fn specs() -> &'static [FlagSpec] {
    static SPECS: LazyLock<Vec<FlagSpec>> = LazyLock::new(|| {
        let mut specs = Vec::new();
        for key in keys() {
            let default = Some(inline_json(&key.default));
            specs.push(FlagSpec::new(&key.path, &key.rule, &key.summary, &key.details, default));
            if key.path == OPTIMIZER {
                let mut fields = key.rule.forms().flat_map(|form| &form.fields);
                let lr = fields.find(|field| field.name == "lr");
                let Field { name, rule, doc, .. } = lr.expect("optimizers have a learning rate");
                specs.push(FlagSpec::new(&format!("{OPTIMIZER}.{name}"), rule, doc, "", None));
            }
        }
        specs
    });
    &SPECS
}

impl FlagSpec {
    fn new(path: &str, rule: &Rule, summary: &str, details: &str, default: Option<String>) -> Self {
        let (above, key) = path.rsplit_once('.').expect("a key is in a section");
        let alias = ALIASES.iter().find(|(_, present)| *present == path);
        let parts = [summary.to_owned(), details.to_owned(), explained(rule)];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Self {
            name: key.replace('_', "-"),
            path: path.to_owned(),
            alias: alias.map(|(old, _)| last(old)),
            heading: match above {
                "data" => "Data",
                "model" => "Model",
                "sample" => "Sampling",
                _ => "Training",
            },
            value_name: value_name(rule),
            is_switch: matches!(rule, Rule::Bool),
            is_paths: rule.is_paths(),
            help: summary.to_owned(),
            long_help: parts.join("\n\n"),
            default,
        }
    }

    fn arg(&'static self, has_default: bool) -> Arg {
        let default = self.default.as_ref().filter(|_| has_default);
        let default = default.map(|default| format!("\n\n[default: {default}]"));
        let mut arg = Arg::new(&*self.path)
            .long(&*self.name)
            .value_name(&*self.value_name)
            .help_heading(self.heading)
            .help(&*self.help)
            .long_help(self.long_help.clone() + &default.unwrap_or_default());
        arg = match self.is_paths {
            // A shell makes several words of a pattern.
            true => arg.num_args(1..).action(ArgAction::Append).value_parser(path_parser()),
            false => arg.allow_hyphen_values(true),
        };
        if let Some(alias) = self.alias {
            arg = arg.alias(alias);
        }
        if self.is_switch {
            arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true");
        }
        arg
    }
}

/// A path as a settings file has it: a name need not be Unicode.
fn path_parser() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|path| setting_of_path(path.as_ref()))
}

/// What stands for the value in a line of help.
fn value_name(rule: &Rule) -> String {
    match rule {
        Rule::Whole { .. } => "N".to_owned(),
        Rule::Real { .. } => "X".to_owned(),
        Rule::Text { is_path: true, .. } => "FILE".to_owned(),
        rule if rule.is_paths() => "FILE".to_owned(),
        Rule::Text { .. } => "TEXT".to_owned(),
        Rule::Bool => "BOOL".to_owned(),
        Rule::AnyOf(_) if rule.words().count() == rule.alternatives().len() => {
            rule.words().map(|word| word.word.as_str()).collect::<Vec<_>>().join("|")
        }
        _ => "VALUE".to_owned(),
    }
}

/// The legal values, one in a line where there are alternatives.
fn explained(rule: &Rule) -> String {
    let alternatives = match rule {
        // Any text will do: on a command line it needs no quotes.
        rule if rule.is_paths() || matches!(rule, Rule::Text { .. }) => return String::new(),
        Rule::AnyOf(alternatives) => alternatives,
        rule => return sentence(rule),
    };
    let mut lines = vec!["Possible values:".to_owned()];
    lines.extend(alternatives.iter().map(|rule| match rule {
        Rule::Word(Word { word, doc }) => described(word, doc),
        Rule::Table(form) => described(&example(form), &form.doc),
        rule => format!("- {rule}"),
    }));
    lines.join("\n")
}

/// A table with stand-ins for its values.
fn example(form: &Form) -> String {
    braces(form.fields.iter().map(|Field { name, rule, .. }| match rule {
        Rule::Word(Word { word, .. }) => (name, format!("\"{word}\"")),
        rule => (name, value_name(rule)),
    }))
}

/// A list item.
fn described(value: &str, doc: &str) -> String {
    match doc {
        "" => format!("- {value}"),
        doc => format!("- {value}: {doc}"),
    }
}

/// What a value must be, as a line by itself.
fn sentence(rule: &Rule) -> String {
    let mut rule = rule.to_string();
    if let Some(first) = rule.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    rule
}

/// The flags of a subset.
fn flags_of<S: Subset>() -> impl Iterator<Item = &'static FlagSpec> {
    specs().iter().filter(|spec| S::holds(&spec.path))
}

impl<S: Subset> Args for KeyFlags<S> {
    fn augment_args(command: Command) -> Command {
        command.args(flags_of::<S>().map(|spec| spec.arg(S::HAS_DEFAULTS)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Subset> FromArgMatches for KeyFlags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = flags_of::<S>().filter_map(|FlagSpec { name, path, .. }| {
            let values = matches.get_many(path)?.cloned().collect();
            Some(Flag { typed: format!("--{name}"), path: path.clone(), values })
        });
        Ok(given.collect::<Vec<_>>().into())
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
