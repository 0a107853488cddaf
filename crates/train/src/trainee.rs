//! The network as burn-train's learner wants it: what a step of training and of validation is.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::ExecutionError;
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use charloom_model::{CharRnn, Dropout};

use crate::stream::StreamBatch;
use crate::{Clip, Loss};

/// A network in training.
#[derive(Module, Debug)]
pub struct Trainee {
    /// The network.
    pub network: CharRnn,
    dropout: f64,
    #[module(skip)]
    clip: Clip,
    #[module(skip)]
    loss: Loss,
}

/// What came of one batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOutput {
    /// Nats per character, the mean over the batch. NaN where it could not be read.
    pub loss: f64,
    /// Characters predicted.
    pub chars: usize,
    /// Time from asking for the batch to the updated parameters; the training loop fills it in.
    pub seconds: f64,
}

impl ItemLazy for StepOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Trainee {
    /// Trains `network` with dropout of the given probability and gradients cut as `clip` says.
    pub fn new(network: CharRnn, dropout: f64, clip: Clip) -> Self {
        Self { network, dropout, clip, loss: Loss::Mean }
    }

    /// Sets what the gradients are of: the mean if nothing is said.
    #[must_use]
    pub fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }
}

impl TrainStep for Trainee {
    type Input = StreamBatch;
    type Output = StepOutput;

    fn step(&self, batch: StreamBatch) -> TrainOutput<StepOutput> {
        let StreamBatch { chars, carry, seed } = batch;
        let [n, t] = chars.inputs.dims();
        let zeros = || self.network.zero_state(n, &chars.inputs.device());
        let state = carry.get().unwrap_or_else(zeros);
        let dropout = Dropout { p: self.dropout as f32, seed };
        let (loss, state) =
            self.network.loss(chars.inputs.clone(), chars.targets.clone(), state, Some(dropout));
        carry.put(state);
        let grads = match self.loss {
            Loss::Mean => loss.backward(),
            Loss::Sum => loss.clone().mul_scalar(t as f64).backward(),
        };
        let loss = loss.try_into_scalar::<f64>().unwrap_or(f64::NAN);
        TrainOutput::new(self, grads, StepOutput { loss, chars: n * t, seconds: 0.0 })
    }

    fn optimize(
        self,
        optim: &mut ModuleOptimizer,
        lr: ModuleLearningRate,
        mut grads: GradientsParams,
    ) -> Self {
        self.clip.apply(&self, &mut grads);
        optim.step(lr, self, grads)
    }
}

impl InferenceStep for Trainee {
    type Input = StreamBatch;
    type Output = StepOutput;

    fn step(&self, batch: StreamBatch) -> StepOutput {
        let StreamBatch { chars, carry, seed: _ } = batch;
        let [n, t] = chars.inputs.dims();
        let zeros = || self.network.zero_state(n, &chars.inputs.device());
        let state = carry.get().unwrap_or_else(zeros);
        let (loss, state) =
            self.network.loss(chars.inputs.clone(), chars.targets.clone(), state, None);
        carry.put(state);
        let loss = loss.try_into_scalar::<f64>().unwrap_or(f64::NAN);
        StepOutput { loss, chars: n * t, seconds: 0.0 }
    }
}
