//! Values of one key: taken as what they must be, or refused with what that is.

use std::ops::RangeInclusive;

use toml::Value;

use super::layer::Found;
use crate::report::Result;

/// The real numbers that a key may have.
#[derive(Clone, Copy, Debug)]
pub struct Reals {
    /// In words, with the bounds.
    words: &'static str,
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

/// A table of one key that a value may be, as `{ norm = 5.0 }`.
pub struct Form<T> {
    pub key: &'static str,
    /// What stands behind the key, in words.
    pub legal: &'static str,
    pub read: fn(&Value) -> Option<T>,
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

    /// One of a few words, or a table of one of a few forms.
    pub fn word_or_table<T: Copy>(self, words: &[(&str, T)], forms: &[Form<T>]) -> Result<T> {
        self.word(words).or_else(|| self.form(forms)).ok_or_else(|| {
            let words = words.iter().map(|(word, _)| format!("`\"{word}\"`"));
            let forms = forms.iter().map(|form| format!("`{{ {} = {} }}`", form.key, form.legal));
            self.must_be(join_or(words.chain(forms).collect()))
        })
    }

    fn word<T: Copy>(self, words: &[(&str, T)]) -> Option<T> {
        let typed = self.value().as_str()?;
        words.iter().find(|(word, _)| *word == typed).map(|&(_, meaning)| meaning)
    }

    fn form<T>(self, forms: &[Form<T>]) -> Option<T> {
        let table = self.value().as_table().filter(|table| table.len() == 1)?;
        let (key, value) = table.iter().next()?;
        forms.iter().find(|form| form.key == key).and_then(|form| (form.read)(value))
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
