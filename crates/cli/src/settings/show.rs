//! Settings as a settings file.

use charloom_train::{RunConfig, SettingChange};

use super::layers::Layers;
use super::schema::keys;
use super::value::inline_json;

/// The settings as TOML, each with what it means, and with where it was typed unless it is a default.
pub fn show(config: &RunConfig, layers: &Layers) -> String {
    // Not TOML's tables: they don't keep the order of an optimizer's keys.
    let values = serde_json::to_value(config).expect("settings are JSON");
    let merged = layers.merge();
    let mut page = String::new();
    let mut section = "";
    for key in keys() {
        if key.section != section {
            let gap = if page.is_empty() { "" } else { "\n" };
            section = &key.section;
            page += &format!("{gap}[{section}]\n");
        }
        let setting = format!("{} = {}", key.name, inline_json(&values[section][&key.name]));
        // A path may hold what would end a comment.
        let origin =
            merged.original_origin(&key.path).map(|origin| origin.replace(['\n', '\r'], "?"));
        let origin = origin.map(|origin| format!(" (from {origin})")).unwrap_or_default();
        page += &format!("{setting:<30} # {}{origin}\n", key.summary);
    }
    page
}

/// What a resumed run changed, as comments for the end of the page; empty where it changed nothing.
pub fn show_changes(changes: &[SettingChange]) -> String {
    let mut comments = String::new();
    for SettingChange { step, key, from, to } in changes {
        let (from, to) = (inline_json(from), inline_json(to));
        comments += &format!("# after step {step}: `{key}` changed from {from} to {to}\n");
    }
    match comments.is_empty() {
        true => comments,
        false => format!("\n{comments}"),
    }
}
