//! Settings as a settings file.

use std::fmt::Write;

use charloom_train::RunConfig;
use toml::{Table, Value};

use super::layers::Layers;
use super::schema::keys;

/// The settings as TOML, each with what it means, and with where it was given unless it is a default.
pub fn show(config: &RunConfig, layers: &Layers) -> String {
    let table = Table::try_from(config).expect("settings become TOML");
    let mut page = String::new();
    let mut section = "";
    for key in keys() {
        if key.section != section {
            let gap = if page.is_empty() { "" } else { "\n" };
            section = &key.section;
            _ = writeln!(page, "{gap}[{section}]");
        }
        let setting = format!("{} = {}", key.name, inline(&table[section][&key.name]));
        // A path may hold what would end a comment.
        let origin = layers.origin(&key.path).map(|origin| origin.replace(['\n', '\r'], "?"));
        let origin = origin.map(|origin| format!(" (from {origin})")).unwrap_or_default();
        _ = writeln!(page, "{setting:<30} # {}{origin}", key.summary());
    }
    page
}

/// A value on one line, its floats as short as they can be.
pub fn inline(value: &Value) -> String {
    match value {
        Value::Float(number) => format!("{number:?}").replace("NaN", "nan"),
        Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| format!("{key} = {}", inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}
