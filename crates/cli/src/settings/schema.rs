//! What the JSON schema of [`RunConfig`] says about each key: its documentation, its default and its legal values.

use std::fmt;
use std::sync::LazyLock;

use charloom_train::RunConfig;
use serde_json::Value as Json;

use super::value::braces;

/// A key of a settings file.
#[derive(Debug)]
pub struct Key {
    /// With its section, as in `data.batch_size`.
    pub path: String,
    pub section: String,
    pub name: String,
    /// The first paragraph of its documentation.
    pub summary: String,
    /// All other paragraphs.
    pub details: String,
    pub default: Json,
    pub rule: Rule,
}

/// The values that a key may have.
#[derive(Debug)]
pub enum Rule {
    Whole {
        min: i64,
        max: i64,
    },
    Real {
        min: Bound,
        max: Bound,
        reason: String,
    },
    Text {
        may_be_empty: bool,
        is_path: bool,
    },
    Bool,
    Word(Word),
    Table(Form),
    /// Values that all follow one rule.
    List(Box<Self>),
    AnyOf(Vec<Self>),
}

/// A bound of a range of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub number: f64,
    pub is_legal: bool,
}

#[derive(Debug)]
pub struct Word {
    pub word: String,
    pub doc: String,
}

/// A table that a value may be. Its first field tells it apart from others: by its name, or as a tag by its value.
#[derive(Debug)]
pub struct Form {
    pub fields: Vec<Field>,
    pub doc: String,
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub rule: Rule,
    pub is_required: bool,
    pub doc: String,
}

/// All keys, in the order in which they are written.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        let mut keys = Vec::new();
        for (section, schema) in properties(&json_schema()) {
            keys.extend(properties(schema).map(|(name, schema)| Key::new(section, name, schema)));
        }
        keys
    });
    &KEYS
}

/// The JSON schema of a settings file.
pub fn json_schema() -> Json {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let settings = settings.with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<RunConfig>().to_value()
}

fn properties(schema: &Json) -> impl Iterator<Item = (&String, &Json)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn description(schema: &Json) -> &str {
    schema["description"].as_str().unwrap_or_default()
}

impl Key {
    fn new(section: &str, name: &str, schema: &Json) -> Self {
        let doc = description(schema);
        let (summary, details) = doc.split_once("\n\n").unwrap_or((doc, ""));
        Self {
            path: format!("{section}.{name}"),
            section: section.to_owned(),
            name: name.to_owned(),
            summary: summary.replace('\n', " "),
            details: details.to_owned(),
            default: schema["default"].clone(),
            rule: Rule::new(schema),
        }
    }
}

impl Rule {
    /// Reads a schema. There are no others than those that `schemars` makes of the settings' types.
    fn new(schema: &Json) -> Self {
        let any_of = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array());
        if let Some(any_of) = any_of {
            let mut rules = Vec::new();
            for rule in any_of.iter().map(Self::new) {
                match rule {
                    Self::AnyOf(inner) => rules.extend(inner),
                    rule => rules.push(rule),
                }
            }
            return Self::AnyOf(rules);
        }
        let word = |word: &Json| {
            let word = word.as_str().expect("words are strings").to_owned();
            Self::Word(Word { word, doc: description(schema).replace('\n', " ") })
        };
        if let Some(words) = schema["enum"].as_array() {
            return Self::AnyOf(words.iter().map(word).collect());
        }
        if let Some(only) = schema.get("const") {
            return word(only);
        }
        match schema["type"].as_str() {
            Some("integer") => Self::Whole {
                min: schema["minimum"].as_i64().expect("an integer has a minimum"),
                max: schema["maximum"].as_i64().expect("an integer has a maximum"),
            },
            Some("number") => {
                let bound = |inclusive: &str, exclusive: &str| {
                    let [within, beyond] = [inclusive, exclusive].map(|key| schema[key].as_f64());
                    let number = within.or(beyond).expect("a number has bounds");
                    Bound { number, is_legal: within.is_some() }
                };
                Self::Real {
                    min: bound("minimum", "exclusiveMinimum"),
                    max: bound("maximum", "exclusiveMaximum"),
                    reason: schema["x-reason"].as_str().unwrap_or_default().to_owned(),
                }
            }
            Some("boolean") => Self::Bool,
            Some("string") => Self::Text {
                may_be_empty: schema["minLength"].as_u64().is_none(),
                is_path: schema["format"] == "path",
            },
            Some("object") => Self::Table(Form::new(schema)),
            Some("array") => Self::List(Box::new(Self::new(&schema["items"]))),
            other => unreachable!("a test reads the schema: no setting has the type {other:?}"),
        }
    }

    /// The alternatives: the rule itself if it has none.
    pub fn alternatives(&self) -> &[Self] {
        match self {
            Self::AnyOf(rules) => rules,
            rule => std::slice::from_ref(rule),
        }
    }

    /// Whether it is a path, or a list of paths.
    pub fn is_paths(&self) -> bool {
        let is_path = |rule: &Self| matches!(rule, Self::Text { is_path: true, .. });
        self.alternatives().iter().any(|rule| matches!(rule, Self::List(each) if is_path(each)))
    }

    /// The words among the alternatives.
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.alternatives().iter().filter_map(|rule| match rule {
            Self::Word(word) => Some(word),
            _ => None,
        })
    }

    /// The tables among the alternatives.
    pub fn forms(&self) -> impl Iterator<Item = &Form> {
        self.alternatives().iter().filter_map(|rule| match rule {
            Self::Table(form) => Some(form),
            _ => None,
        })
    }

    /// What the tables are called: `"adam"` or `"sgd"`, each as code.
    pub fn form_names(&self) -> String {
        join_or(self.forms().map(|form| format!("`\"{}\"`", form.name())))
    }

    /// The name of the field whose value tells the tables apart, if that is how it is done.
    pub fn tag(&self) -> Option<&str> {
        self.forms().find_map(|form| form.tag().map(|_| form.fields[0].name.as_str()))
    }
}

impl Form {
    fn new(schema: &Json) -> Self {
        let required = |name: &String| {
            schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
        };
        let field = |(name, schema): (&String, &Json)| Field {
            name: name.clone(),
            rule: Rule::new(schema),
            is_required: required(name),
            doc: description(schema).replace('\n', " "),
        };
        Self {
            fields: properties(schema).map(field).collect(),
            doc: description(schema).replace('\n', " "),
        }
    }

    /// The value of its first field, if there is but one.
    pub fn tag(&self) -> Option<&str> {
        match &self.fields[0].rule {
            Rule::Word(Word { word, .. }) => Some(word),
            _ => None,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.tag().unwrap_or(&self.fields[0].name)
    }
}

/// What a value must be: `a whole number from 1 to 64`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Real { min, max, reason: _ } => match (min.is_legal, max.is_legal) {
                (true, true) => write!(f, "a number from {min} to {max}"),
                (true, false) => write!(f, "a number from {min} to below {max}"),
                (false, true) => write!(f, "a number above {min}, up to {max}"),
                (false, false) => write!(f, "a number above {min} and below {max}"),
            },
            Self::Text { may_be_empty: true, .. } => f.write_str("text in quotes"),
            Self::Text { may_be_empty: false, .. } => f.write_str("non-empty text in quotes"),
            Self::Bool => f.write_str("`true` or `false`"),
            Self::Word(Word { word, .. }) => write!(f, "`\"{word}\"`"),
            Self::Table(form) => write!(f, "`{form}`"),
            Self::List(each) => write!(f, "a list of {each}"),
            paths if paths.is_paths() => f.write_str("a path in quotes, or a list of paths"),
            Self::AnyOf(_) if self.tag().is_some() => {
                write!(f, "{}, or a table with one of these as its `name`", self.form_names())
            }
            Self::AnyOf(rules) => f.write_str(&join_or(rules.iter().map(Self::to_string))),
        }
    }
}

/// `1000000`, `0.5`, `1e-38`.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            number if number.fract() == 0.0 => write!(f, "{number}"),
            number => write!(f, "{number:?}"),
        }
    }
}

/// `{ cosine = a number from 0 to 1, warmup_steps = a whole number from 0 to 9 }`.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields.iter().map(|Field { name, rule, .. }| (name, rule.to_string()));
        f.write_str(&braces(fields))
    }
}

/// `a, b or c`.
fn join_or(parts: impl Iterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.collect();
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{} or {last}", parts.join(", ")),
        last => last.unwrap_or_default(),
    }
}
