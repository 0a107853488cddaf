//! The names of keys: present ones, old ones and misspelt ones.

use std::sync::LazyLock;

use super::schema::keys;
use super::source::Source;
use crate::report::Failure;

/// The one key whose tables are merged key by key, as sections are.
pub const OPTIMIZER: &str = "train.optimizer";

/// Old names of keys, which stay valid, and the present ones.
pub const ALIASES: [(&str, &str); 4] = [
    ("data.batch", "data.batch_size"),
    ("data.seq", "data.seq_length"),
    ("model.hidden", "model.hidden_size"),
    ("sample.prime", "sample.prompt"),
];

/// The sections, in the order in which they are written.
fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = keys().iter().map(|key| key.section.as_str()).collect();
    sections.dedup();
    sections
}

/// Whether there is a section of this name.
pub fn is_section(name: &str) -> bool {
    keys().iter().any(|key| key.section == name)
}

/// The present name of a key, if there is such a key.
pub fn canonical(key: &str) -> Option<&'static str> {
    let present = ALIASES.iter().find(|(old, _)| *old == key).map_or(key, |(_, present)| present);
    all().iter().find(|known| *known == present).map(String::as_str)
}

/// Every key, and those of all optimizers: which of these belong to the one that is named is checked when all layers
/// are merged.
fn all() -> &'static [String] {
    static ALL: LazyLock<Vec<String>> = LazyLock::new(|| {
        let mut all: Vec<_> = keys().iter().map(|key| key.path.clone()).collect();
        let optimizer = keys().iter().filter(|key| key.path == OPTIMIZER);
        let forms = optimizer.flat_map(|key| key.rule.forms());
        for field in forms.flat_map(|form| &form.fields) {
            let path = format!("{OPTIMIZER}.{}", field.name);
            if !all.contains(&path) {
                all.push(path);
            }
        }
        all
    });
    &ALL
}

/// There is no such key: says which there are, and which may have been meant.
pub fn unknown(key: &str, source: &Source) -> Failure {
    let place = match source {
        Source::Set(_) => "`--set`".to_owned(),
        source => source.place(),
    };
    let known: Vec<_> = match key.rsplit_once('.') {
        Some((above, _)) if all().iter().any(|known| in_table(known, above)) => {
            all().iter().filter(|known| in_table(known, above)).map(|known| last(known)).collect()
        }
        _ => sections(),
    };
    let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    let known = format!("valid keys: {}", known.join(", "));
    Failure::request(format!("{place}: unknown key `{key}`")).hint(match nearest(key) {
        Some(meant) => format!("did you mean `{meant}`? {known}"),
        None => known,
    })
}

/// Whether a key is in a table, and in no table within it.
fn in_table(key: &str, table: &str) -> bool {
    key.rsplit_once('.').is_some_and(|(above, _)| above == table)
}

/// The last part of a key.
pub fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The key whose last part takes the fewest changes, if they are few; in the same table rather than in another.
fn nearest(key: &str) -> Option<&'static str> {
    let table = key.rsplit_once('.').map_or("", |(above, _)| above);
    let near = all().iter().map(String::as_str).chain(sections()).filter_map(|known| {
        let changes = distance(last(key), last(known));
        let few = last(key).chars().count().div_ceil(3).min(3);
        (changes <= few).then(|| (changes, !in_table(known, table), known))
    });
    near.min().map(|(.., known)| known)
}

/// The fewest insertions, deletions and replacements of characters that make `b` of `a` (Levenshtein 1966).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
