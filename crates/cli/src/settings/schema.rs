//! The schema of the settings: every key with its documentation and its legal values.

use std::sync::LazyLock;

use charloom_train::RunConfig;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;
use toml::Value;

use super::layers::Setting;
use super::show::inline;
use crate::report::Result;

/// The key whose table merges key by key, and whose keys depend on its name.
pub const OPTIMIZER: &str = "train.optimizer";

/// Short spellings of keys, in files and as flags: they were the only ones once.
const ALIASES: [(&str, &str); 4] = [
    ("data.batch", "data.batch_size"),
    ("data.seq", "data.seq_length"),
    ("model.hidden", "model.hidden_size"),
    ("sample.prime", "sample.prompt"),
];

/// A key of the settings.
#[derive(Debug)]
pub struct Key {
    /// As in `train.epochs`.
    pub path: String,
    pub section: String,
    pub name: String,
    /// The name as a flag: `batch-size`.
    pub flag: String,
    /// A short spelling, if there is one.
    pub alias: Option<&'static str>,
    schema: Json,
}

impl Key {
    /// What it means, in a line.
    pub fn summary(&self) -> &str {
        self.schema["description"]
            .as_str()
            .unwrap_or_default()
            .split("\n\n")
            .next()
            .unwrap_or_default()
    }

    /// Its legal values, in words.
    pub fn legal(&self) -> String {
        legal(&self.schema)
    }

    /// Whether it is `true` or `false`.
    pub fn is_switch(&self) -> bool {
        self.schema["type"] == "boolean"
    }

    /// Whether it holds any text: what looks like a number isn't one there.
    pub fn is_text(&self) -> bool {
        self.schema["type"] == "string"
    }
}

/// All keys, in the order of the file.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        let mut keys = Vec::new();
        for (section, schema) in properties(&root()) {
            for (name, schema) in properties(schema) {
                let path = format!("{section}.{name}");
                let alias = ALIASES.iter().find(|(_, long)| *long == path);
                keys.push(Key {
                    alias: alias.map(|(short, _)| short.rsplit('.').next().unwrap_or(short)),
                    section: section.clone(),
                    name: name.clone(),
                    flag: name.replace('_', "-"),
                    schema: schema.clone(),
                    path,
                });
            }
        }
        keys
    });
    &KEYS
}

/// The JSON schema of a settings file.
pub fn root() -> Json {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<RunConfig>().into()
}

/// The path that a typed one stands for, if there is such a key. A key of the optimizer is known if one of them has it.
pub fn known(typed: &str) -> Option<String> {
    let path = ALIASES.iter().find(|(short, _)| *short == typed).map_or(typed, |(_, path)| path);
    let in_optimizer = || {
        let name = path.strip_prefix(OPTIMIZER)?.strip_prefix('.')?;
        optimizers().any(|optimizer| optimizer["properties"].get(name).is_some()).then_some(())
    };
    (keys().iter().any(|key| key.path == path) || in_optimizer().is_some()).then(|| path.to_owned())
}

/// The keys beside an unknown one: those of its section, or the sections.
pub fn siblings(path: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = if path.starts_with(&format!("{OPTIMIZER}.")) {
        optimizers()
            .flat_map(|optimizer| properties(optimizer).map(|(name, _)| name.as_str()))
            .collect()
    } else {
        let section = path.split_once('.').map(|(section, _)| section);
        let in_section = keys().iter().filter(|key| Some(key.section.as_str()) == section);
        in_section.map(|key| key.name.as_str()).collect()
    };
    if names.is_empty() {
        names = keys().iter().map(|key| key.section.as_str()).collect();
    }
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    names
}

/// The schema of each optimizer.
fn optimizers() -> impl Iterator<Item = &'static Json> {
    let key = keys().iter().find(|key| key.path == OPTIMIZER);
    key.into_iter().flat_map(|key| alternatives(&key.schema))
}

/// Checks one setting; `all` has the optimizer's name.
pub fn check(setting: &Setting<'_>, all: &[Setting<'_>]) -> Result<()> {
    let Some(name) = setting.path.strip_prefix("train.optimizer.") else {
        let key =
            keys().iter().find(|key| key.path == setting.path).expect("layers have known keys");
        return match holds(&key.schema, setting.value) {
            true => Ok(()),
            false => Err(setting.must_be(legal_for(&key.schema, setting.value))),
        };
    };
    let chosen = all.iter().find(|setting| setting.path == "train.optimizer.name");
    let chosen = chosen.and_then(|setting| setting.value.as_str()).unwrap_or_default();
    let tag =
        |optimizer: &Json| optimizer["properties"]["name"]["const"].as_str().map(str::to_owned);
    let Some(optimizer) = optimizers().find(|optimizer| tag(optimizer).as_deref() == Some(chosen))
    else {
        if name != "name" {
            return Ok(());
        }
        let names = optimizers().filter_map(tag).map(|name| format!("`\"{name}\"`"));
        return Err(setting.must_be(join_or(names.collect())));
    };
    match optimizer["properties"].get(name) {
        None => {
            let keys: Vec<_> = (properties(optimizer).map(|(name, _)| name))
                .filter(|name| *name != "name")
                .map(|name| format!("`{name}`"))
                .collect();
            Err(setting
                .failure(format!("does not belong to `{chosen}`"))
                .hint(format!("`{chosen}` has {}", keys.join(", "))))
        }
        Some(schema) if !holds(schema, setting.value) => {
            Err(setting.must_be(legal_for(schema, setting.value)))
        }
        Some(_) => Ok(()),
    }
}

fn properties(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    schema["properties"].as_object().into_iter().flatten()
}

/// The schemas of which one must hold.
fn alternatives(schema: &Json) -> &[Json] {
    let list = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Json::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Whether a value is legal.
fn holds(schema: &Json, value: &Value) -> bool {
    let list = alternatives(schema);
    if !list.is_empty() {
        return list.iter().any(|schema| holds(schema, value));
    }
    match (schema["type"].as_str(), value) {
        (Some("integer" | "number"), &Value::Integer(number)) => within(schema, number as f64),
        (Some("number"), &Value::Float(number)) => within(schema, number),
        (Some("boolean"), Value::Boolean(_)) => true,
        (Some("string"), Value::String(text)) => {
            schema.get("const").is_none_or(|word| word == text)
                && (schema.get("enum").and_then(Json::as_array))
                    .is_none_or(|words| words.iter().any(|word| word == text))
                && schema["minLength"].as_u64().is_none_or(|least| text.len() as u64 >= least)
        }
        (Some("object"), Value::Table(table)) => {
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            required.iter().all(|key| key.as_str().is_some_and(|key| table.contains_key(key)))
                && table.iter().all(|(key, value)| {
                    schema["properties"].get(key).is_some_and(|schema| holds(schema, value))
                })
        }
        _ => false,
    }
}

fn within(schema: &Json, number: f64) -> bool {
    let bound = |name: &str| schema[name].as_f64();
    bound("minimum").is_none_or(|least| number >= least)
        && bound("exclusiveMinimum").is_none_or(|least| number > least)
        && bound("maximum").is_none_or(|most| number <= most)
        && bound("exclusiveMaximum").is_none_or(|most| number < most)
}

/// What a value must be, in words. Of many tables only the one that is meant is described.
fn legal_for(schema: &Json, value: &Value) -> String {
    let is_table = |schema: &&Json| schema["type"] == "object";
    let tables: Vec<_> = alternatives(schema).iter().filter(is_table).collect();
    let meant = tables.iter().find(|schema| {
        let first = schema["required"][0].as_str().unwrap_or_default();
        value.as_table().is_some_and(|table| table.contains_key(first))
    });
    match meant.filter(|_| tables.len() > 2) {
        Some(meant) => legal(meant),
        None => legal(schema),
    }
}

/// The legal values, in words.
fn legal(schema: &Json) -> String {
    let list = alternatives(schema);
    if !list.is_empty() {
        return join_or(list.iter().map(legal).collect());
    }
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        return join_or(words.iter().map(|word| format!("`{word}`")).collect());
    }
    if let Some(word) = schema.get("const") {
        return format!("`{word}`");
    }
    match schema["type"].as_str() {
        Some("integer") => format!("a whole number{}", range(schema)),
        Some("number") => format!("a number{}", range(schema)),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("object") => {
            let keys = properties(schema).map(|(key, schema)| format!("{key} = {}", legal(schema)));
            format!("`{{ {} }}`", keys.collect::<Vec<_>>().join(", "))
        }
        _ => "text in quotes".to_owned(),
    }
}

/// ` from 1 to 64`, ` above 0, up to 10`, and the like.
fn range(schema: &Json) -> String {
    let bound = |name: &str| schema[name].as_f64().map(short);
    let (least, above) = (bound("minimum"), bound("exclusiveMinimum"));
    let (most, below) = (bound("maximum"), bound("exclusiveMaximum"));
    match (least, above, most, below) {
        (Some(least), _, Some(most), _) => format!(" from {least} to {most}"),
        (Some(least), _, _, Some(below)) => format!(" from {least} to below {below}"),
        (_, Some(above), Some(most), _) => format!(" above {above}, up to {most}"),
        (_, Some(above), _, Some(below)) => format!(" above {above} and below {below}"),
        (Some(least), ..) => format!(" from {least}"),
        (_, Some(above), ..) => format!(" above {above}"),
        (.., Some(most), _) => format!(" up to {most}"),
        (.., Some(below)) => format!(" below {below}"),
        _ => String::new(),
    }
}

/// A bound as people write it: `1000000`, `0.5`, `1e-38`.
fn short(bound: f64) -> String {
    match bound {
        // The largest whole number that a settings file can hold.
        bound if bound >= i64::MAX as f64 => i64::MAX.to_string(),
        bound if bound.fract() == 0.0 => format!("{bound:.0}"),
        bound => inline(&Value::Float(bound)),
    }
}

pub fn join_or(mut parts: Vec<String>) -> String {
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{} or {last}", parts.join(", ")),
        last => last.unwrap_or_default(),
    }
}
