//! Values of one key: taken as what they must be, or refused with what that is.

use std::ops::RangeInclusive;

use toml::{Table, Value};

use super::layer::Found;
use crate::report::Result;

/// The real numbers that a key may have.
#[derive(Clone, Copy, Debug)]
pub struct Reals {
    /// In words, with the bounds.
    pub words: &'static str,
    holds: fn(f64) -> bool,
}

impl Reals {
    /// 0 ≤ x < 1.
    pub const FRACTION: Self =
        Self { words: "a number from 0 to below 1", holds: |x| (0.0..1.0).contains(&x) };
    /// 0 < x < 1.
    pub const PROPER_FRACTION: Self =
        Self { words: "a number above 0 and below 1", holds: |x| x > 0.0 && x < 1.0 };
    /// 0 < x ≤ 1.
    pub const PROBABILITY: Self =
        Self { words: "a number above 0, up to 1", holds: |x| x > 0.0 && x <= 1.0 };
    /// 0 ≤ x ≤ 1.
    pub const SMALL: Self =
        Self { words: "a number from 0 to 1", holds: |x| (0.0..=1.0).contains(&x) };
    /// 0 < x ≤ 10.
    pub const RATE: Self =
        Self { words: "a number above 0, up to 10", holds: |x| x > 0.0 && x <= 10.0 };
    /// 0 < x ≤ 1,000,000.
    pub const LIMIT: Self =
        Self { words: "a number above 0, up to 1000000", holds: |x| x > 0.0 && x <= 1e6 };
    /// -100 ≤ x ≤ 100.
    pub const BIAS: Self =
        Self { words: "a number from -100 to 100", holds: |x| (-100.0..=100.0).contains(&x) };
    /// 0 ≤ x ≤ 100.
    pub const TEMPERATURE: Self =
        Self { words: "a number from 0 to 100", holds: |x| (0.0..=100.0).contains(&x) };

    /// The value, if it is one of these numbers. Whole numbers are real ones too.
    pub fn read(self, value: &Value) -> Option<f64> {
        let number = match *value {
            Value::Integer(whole) => whole as f64,
            Value::Float(number) => number,
            _ => return None,
        };
        (self.holds)(number).then_some(number)
    }
}

/// A table that a value may be, as `{ norm = 5.0 }`.
pub struct Form<T> {
    /// The key that it is known by.
    pub key: &'static str,
    /// What stands behind the key, in words.
    pub legal: &'static str,
    /// Keys that may stand beside it, each with what stands behind it.
    pub beside: &'static [(&'static str, &'static str)],
    pub read: fn(Fields<'_>) -> Option<T>,
}

impl<T> Form<T> {
    fn words(&self) -> String {
        let first = (self.key, self.legal);
        let keys = std::iter::once(&first).chain(self.beside);
        let keys: Vec<_> = keys.map(|(key, legal)| format!("{key} = {legal}")).collect();
        format!("`{{ {} }}`", keys.join(", "))
    }

    fn knows(&self, key: &str) -> bool {
        key == self.key || self.beside.iter().any(|(beside, _)| *beside == key)
    }
}

/// What stands in the table of a [`Form`].
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a Table);

impl Fields<'_> {
    /// The real number behind `key`, if one of these stands there.
    pub fn real(self, key: &str, legal: Reals) -> Option<f64> {
        legal.read(self.0.get(key)?)
    }

    /// The whole number behind `key`, if one in this range stands there.
    pub fn whole(self, key: &str, range: RangeInclusive<i64>) -> Option<usize> {
        let whole = self.0.get(key)?.as_integer().filter(|whole| range.contains(whole))?;
        usize::try_from(whole).ok()
    }

    /// The same, or `default` if the key isn't there.
    pub fn whole_or(self, key: &str, range: RangeInclusive<i64>, default: usize) -> Option<usize> {
        if self.0.contains_key(key) { self.whole(key, range) } else { Some(default) }
    }
}

impl<'a> Found<'a> {
    /// A whole number within the range.
    pub fn whole(self, range: RangeInclusive<i64>) -> Result<usize> {
        self.value()
            .as_integer()
            .filter(|whole| range.contains(whole))
            .and_then(|whole| usize::try_from(whole).ok())
            .ok_or_else(|| {
                self.must_be(format_args!(
                    "a whole number from {} to {}",
                    range.start(),
                    range.end()
                ))
            })
    }

    /// A real number.
    pub fn real(self, legal: Reals) -> Result<f64> {
        legal.read(self.value()).ok_or_else(|| self.must_be(legal.words))
    }

    /// Any text.
    pub fn text(self) -> Result<&'a str> {
        self.value().as_str().ok_or_else(|| self.must_be("text in quotes"))
    }

    /// One of a few words, each with what it stands for.
    pub fn one_of<T: Copy>(self, words: &[(&str, T)]) -> Result<T> {
        self.word(words).ok_or_else(|| self.must_be(listed(words)))
    }

    /// Yes or no.
    pub fn boolean(self) -> Result<bool> {
        self.value().as_bool().ok_or_else(|| self.must_be("`true` or `false`"))
    }

    /// One of a few words, or a real number.
    pub fn word_or_real<T: Copy>(
        self,
        words: &[(&str, T)],
        legal: Reals,
        made: fn(f64) -> T,
    ) -> Result<T> {
        self.word(words).or_else(|| legal.read(self.value()).map(made)).ok_or_else(|| {
            let words = words.iter().map(|(word, _)| format!("`\"{word}\"`"));
            self.must_be(join_or(words.chain([legal.words.to_owned()]).collect()))
        })
    }

    /// One of a few words, or a table of one of a few forms.
    pub fn word_or_table<T: Copy>(self, words: &[(&str, T)], forms: &[Form<T>]) -> Result<T> {
        self.word(words).or_else(|| self.form(forms)).ok_or_else(|| {
            // Among many forms, all the others would only hide the one that is meant.
            if let Some(meant) = self.meant(forms).filter(|_| forms.len() > 2) {
                return self.must_be(meant.words());
            }
            let words = words.iter().map(|(word, _)| format!("`\"{word}\"`"));
            self.must_be(join_or(words.chain(forms.iter().map(Form::words)).collect()))
        })
    }

    fn word<T: Copy>(self, words: &[(&str, T)]) -> Option<T> {
        let typed = self.value().as_str()?;
        words.iter().find(|(word, _)| *word == typed).map(|&(_, meaning)| meaning)
    }

    fn meant<T>(self, forms: &[Form<T>]) -> Option<&Form<T>> {
        let table = self.value().as_table()?;
        forms.iter().find(|form| table.contains_key(form.key))
    }

    fn form<T>(self, forms: &[Form<T>]) -> Option<T> {
        let (table, form) = (self.value().as_table()?, self.meant(forms)?);
        table.keys().all(|key| form.knows(key)).then(|| (form.read)(Fields(table))).flatten()
    }
}

/// `` `"a"`, `"b"` or `"c"` ``.
fn listed<T>(words: &[(&str, T)]) -> String {
    join_or(words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect())
}

fn join_or(mut parts: Vec<String>) -> String {
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{} or {last}", parts.join(", ")),
        last => last.unwrap_or_default(),
    }
}
