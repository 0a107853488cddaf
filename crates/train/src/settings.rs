//! The settings of a run, as they are in its `config.toml`.
//!
//! Each key is defined once, here or in the crate that it configures: its default in `Default`, its documentation in the
//! comment, its legal range in `schemars`' attributes. The settings file, the flags, `charloom config show`, the checks
//! and what a checkpoint stores are made of that.

use charloom_data::DataConfig;
use charloom_infer::SampleConfig;
use charloom_model::{Bias, Cell, CharRnnConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod optimizer;
mod precision;
mod schedule;

use optimizer::EPS_REASON;
pub use optimizer::{
    AdagradConfig, AdagradForm, AdamConfig, AdamWConfig, OptimizerConfig, RmsPropConfig, SgdConfig,
};
pub use precision::PrecisionConfig;
pub use schedule::{Constant, LrSchedule};

/// Everything that decides what is trained and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The text, its split and its batches.
    pub data: DataConfig,
    /// The network.
    pub model: CharRnnConfig,
    /// Optimization and evaluation.
    pub train: TrainConfig,
    /// The sample that is generated at each evaluation.
    pub sample: SampleConfig,
}

/// A value that doesn't fit another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {problem}")]
pub struct InvalidSetting {
    /// The key, as in `data.test_fraction`.
    pub key: &'static str,
    /// What is wrong with its value.
    pub problem: String,
    /// What would help.
    pub hint: Option<&'static str>,
}

impl RunConfig {
    /// Checks what one value says of another. (The range of each value by itself is in the schema.)
    ///
    /// # Errors
    /// If two values don't fit each other.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let invalid = |key, problem: String, hint| Err(InvalidSetting { key, problem, hint });
        if let Err(error) = self.data.format() {
            let problem = format!("must be `\"auto\"` or the name of an encoding: {error}");
            let hint = "such as `utf-8`, `utf-16le`, `windows-1252`, `koi8-r`, `shift_jis`, `gbk` or `big5`";
            return invalid("data.encoding", problem, Some(hint));
        }
        let DataConfig { valid_fraction, test_fraction, .. } = self.data;
        if valid_fraction + test_fraction >= 1.0 {
            let problem = format!(
                "must be less than 1 - `data.valid_fraction`, which is {valid_fraction}, not `{test_fraction}`"
            );
            return invalid("data.test_fraction", problem, None);
        }
        let fractions: Vec<f64> =
            self.data.batch_schedule.iter().map(|change| change.from).collect();
        if let Some(from) = fractions.iter().find(|from| !(f64::MIN_POSITIVE..1.0).contains(from)) {
            let problem = format!("must have fractions `from` above 0 and below 1, not `{from:?}`");
            return invalid("data.batch_schedule", problem, None);
        }
        if let Some([before, after]) = fractions.array_windows().find(|[a, b]| a >= b) {
            let problem = format!(
                "must have ascending fractions `from`, not `{before:?}` before `{after:?}`"
            );
            return invalid("data.batch_schedule", problem, None);
        }
        let CharRnnConfig { cell, bias, forget_bias, .. } = self.model;
        if forget_bias.is_some() && (cell != Cell::Lstm || bias == Bias::Without) {
            let why = match cell {
                Cell::Lstm => "`model.bias` is `\"none\"`: there is no bias to set".to_owned(),
                _ => format!("`model.cell` is `\"{cell}\"`: only an LSTM has a forget gate"),
            };
            let hint = "`--forget-bias none` leaves it to `model.init`";
            let problem = format!("must be `\"none\"` where {why}");
            return invalid("model.forget_bias", problem, Some(hint));
        }
        if let Some(eps) =
            self.train.optimizer.eps().filter(|eps| eps.is_nan() || *eps as f32 <= 0.0)
        {
            let problem =
                format!("must be above 0 in single precision, not `{eps:?}`: {EPS_REASON}");
            return invalid("train.optimizer.eps", problem, None);
        }
        match self.train.optimizer {
            OptimizerConfig::Sgd(SgdConfig { momentum, dampening, nesterov: true, .. })
                if momentum == 0.0 || dampening > 0.0 =>
            {
                let problem =
                    "must be `false` where `momentum` is 0 or `dampening` is not, not `true`";
                invalid("train.optimizer.nesterov", problem.to_owned(), None)
            }
            OptimizerConfig::Adagrad(AdagradConfig {
                form: AdagradForm::MinCharRnn,
                lr_decay,
                weight_decay,
                ..
            }) if lr_decay > 0.0 || weight_decay > 0.0 => {
                let (key, decay) = match lr_decay > 0.0 {
                    true => ("train.optimizer.lr_decay", lr_decay),
                    false => ("train.optimizer.weight_decay", weight_decay),
                };
                let problem =
                    format!("must be 0 where `form` is `\"min-char-rnn\"`, not `{decay}`");
                invalid(key, problem, None)
            }
            _ => Ok(()),
        }
    }
}

/// The section `[train]`: optimization and evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Recipe for what isn't given: "auto", unless sizes or a length are given, or "none"
    ///
    /// "auto" fits network, batches, dropout, schedule and length to the text and to `minutes`, after measuring the speed of
    /// this machine. It applies where none of `cell`, `input`, `hidden_size`, `layers`, `epochs` and `max_steps` is given, or
    /// where `minutes` is; what is given is kept. What it chose is in the run's `config.toml`.
    pub recipe: Recipe,
    /// Minutes that a training by recipe takes
    #[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0.0))]
    pub minutes: f64,
    /// Number of epochs: passes over the training part
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub epochs: usize,
    /// Maximum number of optimizer steps, 0 for no limit
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub max_steps: usize,
    /// Early stopping after so many evaluations without a new best, 0 for never
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub patience: usize,
    /// Random seed: initial weights, dropout, samples
    #[schemars(range(min = 0, max = 9_223_372_036_854_775_807i64))]
    pub seed: u64,
    /// Evaluation interval: { epochs = N } or { steps = N }
    pub eval_every: EvalInterval,
    /// Optimizer: "adam", "adamw", "sgd", "rmsprop" or "adagrad"
    ///
    /// A name alone takes all other keys from PyTorch's defaults.
    pub optimizer: OptimizerConfig,
    /// Gradient clipping: { norm | value | quantile = X } or "none"
    ///
    /// "quantile" clips the global norm at the X-quantile of the norms before clipping of the last 1,000 steps, this one
    /// included, with linear interpolation (AutoClip, Seetharaman et al. 2020, over a window). So the limit follows the
    /// gradients, whatever their scale.
    pub clip: GradClip,
    /// Learning-rate schedule
    pub schedule: LrSchedule,
    /// Learning rate of the input weights, relative to that of all others
    ///
    /// The input weights are those that a character selects: the first layer's with one-hot input, else the embedding.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0.0))]
    pub input_lr: f64,
    /// Fraction of the training over which dropout grows from 0 to its full probability
    #[schemars(range(min = 0.0, max = 1.0))]
    pub dropout_ramp: f64,
    /// Decay of an exponential moving average of the weights, 0 for none
    ///
    /// At each step the average becomes this times itself plus the rest times the weights. Both are evaluated, and the better
    /// one is kept.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub ema: f64,
    /// Loss reduction: "mean" over N and T, or "sum" over T and mean over N
    pub loss: LossReduction,
    /// Hidden state at the start of an epoch: "reset" to zero or "carry" over
    pub state: EpochState,
    /// Precision of products: "f32", "bf16" (bfloat16) or "auto"
    ///
    /// "bf16" rounds the operands of products to 8 bits of precision; their sums, parameters, states, gates, loss and optimizer
    /// stay in f32. "auto" is "bf16" where the processor has instructions that make it faster, else "f32"; a run's `config.toml`
    /// has what it was. Recipes choose "auto". GPUs compute in f32.
    pub precision: PrecisionConfig,
    /// Write the loss and learning rate of every step to `steps.csv`
    pub step_log: bool,
    /// How often a training that diverges goes back and continues at half the learning rate
    ///
    /// Where the loss or a gradient becomes NaN or infinite, the training goes back to the checkpoint of the last evaluation that
    /// the settings ask for, or to the start, and halves the learning rate for the rest. `metrics.csv` counts how often. 0 ends
    /// the training instead.
    #[schemars(range(min = 0, max = 100))]
    pub recover: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            recipe: Recipe::Auto,
            minutes: 3.0,
            epochs: 10,
            max_steps: 0,
            patience: 0,
            seed: 1,
            eval_every: EvalInterval::Epochs(1),
            optimizer: OptimizerConfig::Adam(AdamConfig { lr: 2e-3, ..AdamConfig::default() }),
            clip: GradClip::Norm(5.0),
            schedule: LrSchedule::default(),
            input_lr: 1.0,
            dropout_ramp: 0.0,
            ema: 0.0,
            loss: LossReduction::Mean,
            state: EpochState::Reset,
            precision: PrecisionConfig::F32,
            step_log: false,
            recover: 3,
        }
    }
}

/// Whether settings that aren't given are fitted to the text and a time budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// Where neither sizes nor a length are given, or a time budget is.
    #[default]
    Auto,
    /// Never: what isn't given has its default.
    None,
}

/// When the model is evaluated; the end of a training is always such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvalInterval {
    /// Every so many epochs.
    Epochs(#[schemars(range(min = 1, max = 1_000_000_000))] usize),
    /// Every so many optimizer steps.
    Steps(#[schemars(range(min = 1, max = 1_000_000_000))] usize),
}

/// How large gradients are clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GradClip {
    /// Not at all.
    #[default]
    None,
    /// To a norm over all parameters together (`torch.nn.utils.clip_grad_norm_`).
    Norm(#[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0.0))] f64),
    /// Each element to ± this (`torch.nn.utils.clip_grad_value_`).
    Value(#[schemars(range(max = 1_000_000.0), extend("exclusiveMinimum" = 0.0))] f64),
    /// To a norm over all parameters together, which is this quantile of the last steps' norms.
    Quantile(#[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))] f64),
}

/// What is differentiated. Losses are reported in nats per character whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LossReduction {
    /// The mean over the N·T characters of a batch.
    #[default]
    Mean,
    /// The sum over the T characters of a row and the mean over the N rows, as in min-char-rnn and char-rnn.
    Sum,
}

/// What the carried state is when an epoch starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EpochState {
    /// Zero: each row is back at its first character.
    #[default]
    Reset,
    /// The state that the last epoch ended in, as in char-rnn.
    Carry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_refused_by_key() {
        let refused = |change: fn(&mut RunConfig)| {
            let mut config = RunConfig::default();
            change(&mut config);
            config.validate().unwrap_err().key
        };
        assert_eq!(RunConfig::default().validate(), Ok(()));
        let key = refused(|config| {
            (config.data.valid_fraction, config.data.test_fraction) = (0.6, 0.4);
        });
        assert_eq!(key, "data.test_fraction");
        let key = refused(|config| {
            (config.model.cell, config.model.forget_bias) = (Cell::Gru, Some(1.0));
        });
        assert_eq!(key, "model.forget_bias");
        // Below what single precision can hold.
        let key = refused(|config| {
            let adam = AdamConfig { eps: 1e-60, ..AdamConfig::default() };
            config.train.optimizer = OptimizerConfig::Adam(adam);
        });
        assert_eq!(key, "train.optimizer.eps");
        let key = refused(|config| {
            let sgd = SgdConfig { nesterov: true, ..SgdConfig::default() };
            config.train.optimizer = OptimizerConfig::Sgd(sgd);
        });
        assert_eq!(key, "train.optimizer.nesterov");
        let key = refused(|config| {
            let form = AdagradForm::MinCharRnn;
            let adagrad = AdagradConfig { form, weight_decay: 0.1, ..AdagradConfig::default() };
            config.train.optimizer = OptimizerConfig::Adagrad(adagrad);
        });
        assert_eq!(key, "train.optimizer.weight_decay");
    }
}
