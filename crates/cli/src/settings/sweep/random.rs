//! The table `[random]`: runs whose values are drawn at random.

use charloom_data::derive_seed;
use toml::Value;

use super::{Setting, Source};
use crate::report::{Failure, Result};
use crate::settings::value::inline;

/// Draws of the values of a run until they differ from those of all runs before it.
const MOST_DRAWS: u64 = 1000;

/// The table `[random]`: the number of runs, and what their values are drawn from.
pub struct RandomSearch {
    pub runs: usize,
    pub seed: u64,
    pub keys: Vec<RandomKey>,
    pub source: Source,
}

/// A key of the table `[random]`.
pub struct RandomKey {
    pub key: String,
    pub distribution: Distribution,
    pub source: Source,
}

/// What a value is drawn from. Both ends of a range are part of it.
#[derive(Debug, PartialEq)]
pub enum Distribution {
    /// Each of these is as likely as another.
    Choice(Vec<Value>),
    /// A number whose density is constant.
    Uniform(f64, f64),
    /// A number whose logarithm's density is constant.
    LogUniform(f64, f64),
    /// As `Uniform`, over integers.
    UniformInteger(i64, i64),
    /// As `LogUniform`, over integers.
    LogUniformInteger(i64, i64),
}

impl RandomSearch {
    /// The settings of all runs: no two runs have the same. Those of a run depend on the seed, the run's number and the
    /// runs before it, so more runs leave the first ones as they are.
    pub fn samples(&self) -> Result<Vec<Vec<Setting>>> {
        let mut samples: Vec<Vec<Value>> = Vec::new();
        for run in 0..self.runs {
            let mut draws = (0..MOST_DRAWS).map(|attempt| self.draw(run, attempt));
            let Some(values) = draws.find(|values| !samples.contains(values)) else {
                return Err(Failure::request(format!(
                    "{}: `[random]` has too few different values for {} runs",
                    self.source.place(),
                    self.runs
                ))
                .hint("`[grid]` trains every combination of a few values"));
            };
            samples.push(values);
        }
        let settings = samples.into_iter().map(|values| {
            let settings = self.keys.iter().zip(values).map(|(key, value)| Setting {
                key: key.key.clone(),
                value,
                source: key.source.clone(),
            });
            settings.collect()
        });
        Ok(settings.collect())
    }

    /// The values of a run, one of each key.
    fn draw(&self, run: usize, attempt: u64) -> Vec<Value> {
        let seed = derive_seed(derive_seed(self.seed, attempt), run as u64);
        let of_key =
            |key: &str| key.bytes().fold(seed, |seed, byte| derive_seed(seed, byte.into()));
        self.keys.iter().map(|key| key.distribution.value(of_key(&key.key))).collect()
    }
}

impl Distribution {
    /// What a value of the table says: a list, or `{ uniform = [low, high] }` or `{ log_uniform = [low, high] }`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(key: &str, value: &Value) -> Result<Self, String> {
        if let Value::Array(values) = value {
            return match values.is_empty() {
                true => Err(format!("`{key}` has no values")),
                false => Ok(Self::Choice(values.clone())),
            };
        }
        let shape = || {
            format!(
                "`{key}` must be a list of values, `{{ uniform = [low, high] }}` or `{{ log_uniform = [low, high] }}`, not `{}`",
                inline(value)
            )
        };
        let table = value.as_table().filter(|table| table.len() == 1).ok_or_else(shape)?;
        let (name, range) = table.iter().next().ok_or_else(shape)?;
        let Some([low, high]) = range.as_array().map(Vec::as_slice) else { return Err(shape()) };
        let float = |value: &Value| match value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number).filter(|number| number.is_finite()),
            _ => None,
        };
        let (Some(least), Some(most)) = (float(low), float(high)) else { return Err(shape()) };
        if least >= most {
            return Err(format!(
                "`{key}` must have a low end below the high end, not `{}`",
                inline(range)
            ));
        }
        let integers = low.as_integer().zip(high.as_integer());
        match (name.as_str(), integers) {
            ("uniform", Some((low, high))) => Ok(Self::UniformInteger(low, high)),
            ("uniform", None) => Ok(Self::Uniform(least, most)),
            ("log_uniform", _) if least <= 0.0 => Err(format!(
                "`{key}` must have a low end above 0 for `log_uniform`, not `{}`",
                inline(low)
            )),
            ("log_uniform", Some((low, high))) => Ok(Self::LogUniformInteger(low, high)),
            ("log_uniform", None) => Ok(Self::LogUniform(least, most)),
            _ => Err(shape()),
        }
    }

    /// The value that a seed draws. Numbers that aren't integers have three significant digits, so that runs can be named
    /// after them.
    fn value(&self, seed: u64) -> Value {
        // 53 bits are what a float holds: in [0, 1).
        let fraction = (seed >> 11) as f64 / (1_u64 << 53) as f64;
        let between = |low: f64, high: f64| low + fraction * (high - low);
        let rounded = |number: f64, low: f64, high: f64| {
            let number: f64 = format!("{number:.2e}").parse().expect("a float");
            Value::Float(number.clamp(low, high))
        };
        match *self {
            Self::Choice(ref values) => values[(fraction * values.len() as f64) as usize].clone(),
            Self::Uniform(low, high) => rounded(between(low, high), low, high),
            Self::LogUniform(low, high) => rounded(between(low.ln(), high.ln()).exp(), low, high),
            Self::UniformInteger(low, high) => {
                let number = between(low as f64, high as f64 + 1.0).floor() as i64;
                Value::Integer(number.clamp(low, high))
            }
            Self::LogUniformInteger(low, high) => {
                let number = between((low as f64).ln(), (high as f64 + 1.0).ln()).exp() as i64;
                Value::Integer(number.clamp(low, high))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(runs: usize, keys: &[(&str, &str)]) -> RandomSearch {
        let source = Source::Recipe;
        let keys = keys.iter().map(|(key, value)| {
            let value: toml::Table = toml::from_str(&format!("value = {value}")).unwrap();
            let distribution = Distribution::parse(key, &value["value"]).unwrap();
            RandomKey { key: (*key).to_owned(), distribution, source: source.clone() }
        });
        RandomSearch { runs, seed: 3, keys: keys.collect(), source: source.clone() }
    }

    fn values(search: &RandomSearch, key: usize) -> Vec<Value> {
        let samples = search.samples().unwrap();
        samples.into_iter().map(|mut settings| settings.swap_remove(key).value).collect()
    }

    fn floats(search: &RandomSearch) -> Vec<f64> {
        values(search, 0).iter().map(|value| value.as_float().unwrap()).collect()
    }

    #[test]
    fn half_of_the_values_are_below_the_middle_of_the_range_or_of_its_logarithm() {
        for (value, middle) in
            [("{ uniform = [0.0, 0.5] }", 0.25), ("{ log_uniform = [1e-4, 1e-2] }", 1e-3)]
        {
            let drawn = floats(&search(400, &[("a", value)]));
            let below = drawn.iter().filter(|value| **value < middle).count();
            assert!((160..240).contains(&below), "{value}: {below} of 400");
        }
        assert!(
            floats(&search(400, &[("a", "{ log_uniform = [1e-4, 1e-2] }")]))
                .iter()
                .all(|lr| (1e-4..=1e-2).contains(lr))
        );
    }

    #[test]
    fn integers_reach_both_ends_of_their_range() {
        for distribution in
            [Distribution::UniformInteger(2, 5), Distribution::LogUniformInteger(2, 5)]
        {
            let drawn = (0..200).map(|seed| distribution.value(derive_seed(1, seed)));
            let mut drawn: Vec<_> = drawn.map(|value| value.as_integer().unwrap()).collect();
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn, [2, 3, 4, 5], "{distribution:?}");
        }
    }

    #[test]
    fn more_runs_leave_the_first_ones_as_they_are_and_no_two_are_the_same() {
        let keys =
            [("model.layers", "{ uniform = [1, 4] }"), ("model.cell", "[\"lstm\", \"gru\"]")];
        let [few, all] = [3, 8].map(|runs| search(runs, &keys));
        for key in [0, 1] {
            assert_eq!(values(&few, key), values(&all, key)[..3]);
        }
        // Eight combinations exist; each is there.
        let mut pairs: Vec<_> = values(&all, 0)
            .into_iter()
            .zip(values(&all, 1))
            .map(|pair| format!("{pair:?}"))
            .collect();
        pairs.sort();
        pairs.dedup();
        assert_eq!(pairs.len(), 8);
        assert!(search(9, &keys).samples().is_err());
    }
}
