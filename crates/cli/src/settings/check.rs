//! Whether a value is what its key may have, and if not, why.

use toml::{Table, Value};

use super::schema::{Bound, Field, Form, Rule};
use super::value::inline;

/// What is wrong with a value.
#[derive(Debug)]
pub struct Problem {
    /// The key, as in `train.clip.norm`.
    pub key: String,
    /// What it must be, and what it is.
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    fn must_be(key: &str, legal: impl std::fmt::Display, value: &Value) -> Self {
        let message = format!("must be {legal}, not `{}`", inline(value));
        Self { key: key.to_owned(), message, hint: None }
    }
}

impl Rule {
    /// Checks the value that a key has.
    pub fn check(&self, key: &str, value: &Value) -> Result<(), Problem> {
        if let Value::Table(table) = value {
            if let Some(form) = self.meant_form(table) {
                return form.check(key, table);
            }
            if let Some((tag, named)) = self.tag().and_then(|tag| Some((tag, table.get(tag)?))) {
                return Err(Problem::must_be(&format!("{key}.{tag}"), self.form_names(), named));
            }
        }
        let list = self.alternatives().iter().find_map(|rule| match rule {
            Self::List(each) => Some(each),
            _ => None,
        });
        if let (Some(rule), Value::Array(values)) = (list, value) {
            let mut values = values.iter().enumerate();
            return values
                .try_for_each(|(index, value)| rule.check(&format!("{key}[{index}]"), value));
        }
        if self.alternatives().iter().any(|rule| rule.holds(value)) {
            return Ok(());
        }
        let mut problem = Problem::must_be(key, self, value);
        if let Self::Real { reason, .. } = self
            && !reason.is_empty()
        {
            problem.message += &format!(": {reason}");
        }
        Err(problem)
    }

    /// Whether a value that isn't a table is legal.
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Whole { min, max } => {
                value.as_integer().is_some_and(|whole| (*min..=*max).contains(&whole))
            }
            Self::Real { min, max, .. } => match *value {
                // Whole numbers are real ones too.
                Value::Integer(whole) => in_range(whole as f64, *min, *max),
                Value::Float(number) => in_range(number, *min, *max),
                _ => false,
            },
            Self::Text { may_be_empty, .. } => {
                value.as_str().is_some_and(|text| *may_be_empty || !text.is_empty())
            }
            Self::Bool => value.is_bool(),
            Self::Word(word) => value.as_str() == Some(&word.word),
            Self::Table(_) | Self::List(_) | Self::AnyOf(_) => false,
        }
    }

    /// The form that a table is of: the one with its tag, or the only one whose first key it has.
    fn meant_form(&self, table: &Table) -> Option<&Form> {
        let mut meant = self.forms().filter(|form| match form.tag() {
            Some(tag) => table.get(&form.fields[0].name).and_then(Value::as_str) == Some(tag),
            None => table.contains_key(&form.fields[0].name),
        });
        meant.next().filter(|_| meant.next().is_none())
    }
}

/// Also refuses what is not a number.
fn in_range(number: f64, min: Bound, max: Bound) -> bool {
    let above = number > min.number || min.is_legal && number == min.number;
    above && (number < max.number || max.is_legal && number == max.number)
}

impl Form {
    fn check(&self, key: &str, table: &Table) -> Result<(), Problem> {
        for (name, value) in table {
            let key = format!("{key}.{name}");
            match self.fields.iter().find(|field| field.name == *name) {
                Some(field) => field.rule.check(&key, value)?,
                None => return Err(self.does_not_have(key)),
            }
        }
        let missing = |field: &&Field| field.is_required && !table.contains_key(&field.name);
        match self.fields.iter().find(missing) {
            Some(_) => {
                let form = format!("`{self}`");
                Err(Problem::must_be(key, form, &Value::Table(table.clone())))
            }
            None => Ok(()),
        }
    }

    fn does_not_have(&self, key: String) -> Problem {
        if key.contains(']') {
            let names = self.fields.iter().map(|field| format!("`{}`", field.name));
            let hint = format!("valid keys: {}", names.collect::<Vec<_>>().join(", "));
            return Problem { key, message: "is not a key of this table".into(), hint: Some(hint) };
        }
        let name = self.name();
        let others = self.fields[1..].iter().map(|field| format!("`{}`", field.name));
        let hint = match others.collect::<Vec<_>>() {
            others if others.is_empty() => format!("`{name}` has no other key"),
            others => format!("`{name}` has {}", others.join(", ")),
        };
        Problem { key, message: format!("does not belong to `{name}`"), hint: Some(hint) }
    }
}
