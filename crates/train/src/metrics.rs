//! What burn-train shows and logs of each step.

use std::sync::Arc;

use burn::tensor::TensorReadError;
use burn::train::metric::{
    Adaptor, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes,
    NumericEntry, SerializedEntry,
};

use crate::trainee::StepOutput;

/// Perplexity, the exponential of the loss: as many characters were equally likely, on average.
pub fn perplexity(loss: f64) -> f64 {
    loss.exp()
}

/// Bits per character: the loss by the logarithm of two.
pub fn bits_per_char(loss: f64) -> f64 {
    loss / std::f64::consts::LN_2
}

/// A quotient of sums over the steps of an epoch, and a function of it.
#[derive(Clone)]
pub struct StepMetric {
    name: MetricName,
    unit: Option<&'static str>,
    higher_is_better: bool,
    /// What a step adds to the sums above and below the line.
    parts: fn(&StepOutput) -> (f64, f64),
    finish: fn(f64) -> f64,
    last: f64,
    sums: (f64, f64),
    chars: usize,
}

impl StepMetric {
    fn of_loss(name: &str, unit: Option<&'static str>, finish: fn(f64) -> f64) -> Self {
        let parts = |step: &StepOutput| (step.loss * step.chars as f64, step.chars as f64);
        Self::new(name, unit, false, parts, finish)
    }

    fn new(
        name: &str,
        unit: Option<&'static str>,
        higher_is_better: bool,
        parts: fn(&StepOutput) -> (f64, f64),
        finish: fn(f64) -> f64,
    ) -> Self {
        let name = Arc::new(name.to_string());
        let (last, sums) = (f64::NAN, (0.0, 0.0));
        Self { name, unit, higher_is_better, parts, finish, last, sums, chars: 0 }
    }

    /// Nats per character.
    pub fn loss() -> Self {
        Self::of_loss("Loss", Some("nats/char"), |loss| loss)
    }

    /// See [`perplexity`].
    pub fn perplexity() -> Self {
        Self::of_loss("Perplexity", None, perplexity)
    }

    /// See [`bits_per_char`].
    pub fn bits_per_char() -> Self {
        Self::of_loss("Bits per character", Some("bits/char"), bits_per_char)
    }

    /// Characters by the seconds that their steps took.
    pub fn chars_per_second() -> Self {
        let parts = |step: &StepOutput| (step.chars as f64, step.seconds);
        Self::new("Characters per second", Some("chars/s"), true, parts, |speed| speed)
    }

    fn running(&self) -> f64 {
        (self.finish)(self.sums.0 / self.sums.1)
    }
}

impl Metric for StepMetric {
    type Input = StepOutput;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        let unit = self.unit.map(str::to_string);
        NumericAttributes { unit, higher_is_better: self.higher_is_better }.into()
    }

    fn update(
        &mut self,
        step: &StepOutput,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let (above, below) = (self.parts)(step);
        self.last = (self.finish)(above / below);
        self.sums = (self.sums.0 + above, self.sums.1 + below);
        self.chars += step.chars;
        let shown = format!("epoch {:.4} - batch {:.4}", self.running(), self.last);
        let logged = NumericEntry::Aggregated { aggregated_value: self.last, count: step.chars };
        Ok(SerializedEntry::new(shown, logged.serialize()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        let shown = format!("{:.4}", self.running());
        Ok(SerializedEntry::new(shown, NumericEntry::Final(self.running()).serialize()))
    }

    fn clear(&mut self) {
        (self.last, self.sums, self.chars) = (f64::NAN, (0.0, 0.0), 0);
    }
}

impl Numeric for StepMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(NumericEntry::Aggregated { aggregated_value: self.last, count: 1 })
    }

    fn running_value(&self) -> Option<NumericEntry> {
        let count = self.chars;
        Some(NumericEntry::Aggregated { aggregated_value: self.running(), count })
    }

    fn final_value(&self) -> NumericEntry {
        NumericEntry::Final(self.running())
    }
}

impl Adaptor<StepOutput> for StepOutput {
    fn adapt(&self) -> StepOutput {
        *self
    }
}
