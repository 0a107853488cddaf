//! Values, read and written as people type them.

use std::fmt::Display;

use serde_json::Value as Json;
use toml::Value;

/// A value as TOML, or as text if it isn't TOML.
pub fn parse(typed: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {typed}"));
    match parsed {
        Ok(mut table) if table.len() == 1 => table.remove("value"),
        _ => None,
    }
    .unwrap_or_else(|| number_or_text(typed))
}

/// Rust reads more numbers than TOML (`.5`, `1.`), and people type them.
fn number_or_text(typed: &str) -> Value {
    if let Ok(whole) = typed.parse() {
        return Value::Integer(whole);
    }
    typed.parse().map_or_else(|_| Value::String(typed.to_owned()), Value::Float)
}

/// A value as TOML on one line. TOML's own writer would spell out all zeros of 1e-60.
pub fn inline(value: &Value) -> String {
    match value {
        Value::Float(number) if number.is_finite() => format!("{number:?}"),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) => braces(table.iter().map(|(key, value)| (key, inline(value)))),
        value => value.to_string(),
    }
}

/// The same of a value that serde made of settings: its keys are in their order.
pub fn inline_json(value: &Json) -> String {
    match value {
        Json::Object(table) => braces(table.iter().map(|(key, value)| (key, inline_json(value)))),
        Json::Array(values) => {
            format!("[{}]", values.iter().map(inline_json).collect::<Vec<_>>().join(", "))
        }
        value => inline(&Value::try_from(value).expect("settings are TOML")),
    }
}

/// An inline table.
pub fn braces<K: Display>(fields: impl Iterator<Item = (K, String)>) -> String {
    let fields: Vec<_> = fields.map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", fields.join(", "))
}
