//! What a training is told.

use charloom_data::{BatchConfig, Fractions};
use charloom_infer::Sampling;
use charloom_model::CharRnnConfig;

use crate::{Optimizer, Schedule};

/// Everything that decides what is trained and how.
#[derive(Clone, Debug)]
pub struct TrainConfig {
    /// The network; its vocabulary size is taken from the corpus.
    pub model: CharRnnConfig,
    /// Rows, steps and the last target of a row.
    pub batch: BatchConfig,
    /// How much of the text validates.
    pub fractions: Fractions,
    /// Passes over the training part.
    pub epochs: usize,
    /// Optimizer steps after which training ends whatever the epoch; 0 means no limit.
    pub max_steps: usize,
    /// Governs everything random.
    pub seed: u64,
    /// How gradients become steps.
    pub optimizer: Optimizer,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What large gradients are cut to.
    pub clip: Clip,
    /// What the gradients are of.
    pub loss: Loss,
    /// What becomes of the carried state when an epoch begins.
    pub state: StateAtEpoch,
    /// When the model is validated.
    pub eval_every: EvalEvery,
    /// Evaluations without a better validation loss after which training ends; 0 means never.
    pub patience: usize,
    /// The text written after each evaluation.
    pub sample: SampleConfig,
    /// What the text is called in the model file.
    pub text_name: String,
    /// The resolved configuration as TOML: goes into `config.toml` and into the model file.
    pub toml: String,
}

impl TrainConfig {
    /// What decides which training it is, by name: a training that is resumed must have the same.
    pub(crate) fn fixed(&self) -> Vec<(String, String)> {
        let Self {
            model,
            batch,
            fractions,
            epochs: _,
            max_steps: _,
            seed,
            optimizer,
            schedule,
            clip,
            loss,
            state,
            eval_every,
            patience: _,
            sample: _,
            text_name: _,
            toml: _,
        } = self;
        let settings: [(&str, &dyn std::fmt::Debug); 10] = [
            ("model", model),
            ("batch", batch),
            ("fractions", fractions),
            ("seed", seed),
            ("optimizer", optimizer),
            ("schedule", schedule),
            ("clip", clip),
            ("loss", loss),
            ("state", state),
            ("eval_every", eval_every),
        ];
        settings.map(|(name, value)| (name.to_string(), format!("{value:?}"))).into()
    }

    /// Steps of the whole training, if an epoch has so many batches.
    pub fn steps(&self, batches: usize) -> usize {
        let all = self.epochs.saturating_mul(batches);
        if self.max_steps > 0 { all.min(self.max_steps) } else { all }
    }
}

/// What the gradients are of. Losses are reported in nats per character whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// The mean over the N·T characters of a batch.
    #[default]
    Mean,
    /// The sum over the T characters of a row, and the mean over the N rows: T times as much. It is
    /// what min-char-rnn and char-rnn take the gradients of.
    Sum,
}

/// What becomes of the carried state when an epoch begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateAtEpoch {
    /// It is zero again: each row is back at its first character.
    #[default]
    Reset,
    /// It is carried on, as char-rnn does.
    Carry,
}

/// When the model is validated, kept if it is the best, and writes a sample; the end of a training is
/// always such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalEvery {
    /// After each so many epochs.
    Epochs(usize),
    /// After each so many steps.
    Steps(usize),
}

impl EvalEvery {
    /// Steps from one evaluation to the next, if an epoch has so many batches.
    pub fn steps(self, batches: usize) -> usize {
        match self {
            Self::Epochs(epochs) => epochs.saturating_mul(batches),
            Self::Steps(steps) => steps,
        }
    }
}

impl Default for EvalEvery {
    fn default() -> Self {
        Self::Epochs(1)
    }
}

/// What large gradients are cut to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Clip {
    /// Nothing.
    #[default]
    None,
    /// The norm over all parameters together (`torch.nn.utils.clip_grad_norm_`).
    Norm(f64),
    /// Each number on its own, to ± this (`torch.nn.utils.clip_grad_value_`).
    Value(f64),
}

/// The text written after each evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleConfig {
    /// What it goes on from.
    pub prime: String,
    /// Characters to write; 0 writes none.
    pub length: usize,
    /// How characters are picked.
    pub sampling: Sampling,
}
