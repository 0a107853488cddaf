//! Layers on top of each other.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;

use crate::layer::{Bias, RecurrentLayer, RecurrentLayerConfig, Sequence};
use crate::{Cell, Init, Precision, StackDropout, State};

/// Configuration of a [`Recurrent`] stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrentConfig {
    /// The recurrence.
    pub cell: Cell,
    /// Input size D of the first layer, or the number of different ids.
    pub d_input: usize,
    /// Hidden size H of every layer.
    pub d_hidden: usize,
    /// Number of layers L, at least 1.
    pub layers: usize,
    /// Which biases.
    pub bias: Bias,
    /// Where parameters start.
    pub init: Init,
    /// Where the bias of an LSTM's forget gate starts instead (see [`RecurrentLayerConfig`]).
    pub forget_bias: Option<f64>,
}

impl RecurrentConfig {
    /// One layer with two biases and PyTorch's initialisation.
    pub fn new(cell: Cell, d_input: usize, d_hidden: usize) -> Self {
        let (bias, init) = (Bias::Double, Init::PyTorch);
        Self { cell, d_input, d_hidden, layers: 1, bias, init, forget_bias: None }
    }

    /// Sets the number of layers L.
    pub fn with_layers(self, layers: usize) -> Self {
        Self { layers, ..self }
    }

    /// Sets which biases the layers have.
    pub fn with_bias(self, bias: Bias) -> Self {
        Self { bias, ..self }
    }

    /// Sets where parameters start.
    pub fn with_init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// Sets where the bias of an LSTM's forget gate starts.
    pub fn with_forget_bias(self, forget_bias: Option<f64>) -> Self {
        Self { forget_bias, ..self }
    }

    /// Draws the parameters, layer by layer.
    pub fn init(&self, device: &Device, rng: &mut impl Rng) -> Recurrent {
        let Self { cell, d_input, d_hidden, layers, bias, init, forget_bias } = *self;
        let layers = (0..layers)
            .map(|layer| {
                let d_input = if layer == 0 { d_input } else { d_hidden };
                RecurrentLayerConfig { cell, d_input, d_hidden, bias, init, forget_bias }
                    .init(device, rng)
            })
            .collect();
        Recurrent { layers }
    }
}

/// Recurrent layers on top of each other, with the parameters of `torch.nn.LSTM`, `GRU` or `RNN`.
#[derive(Module, Debug)]
pub struct Recurrent {
    /// The layers, from the input up.
    pub layers: Vec<RecurrentLayer>,
}

impl Recurrent {
    /// The recurrence of the layers.
    pub fn cell(&self) -> Cell {
        self.layers[0].cell()
    }

    /// Sets the precision of products, which is f32 unless it is set.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        let layers = self.layers.into_iter().map(|layer| layer.with_precision(precision));
        Self { layers: layers.collect() }
    }

    /// A state of zeros for N rows.
    pub fn zero_state(&self, n: usize, device: &Device) -> State {
        let shape = |layer: &RecurrentLayer| [layer.cell().states(), n, layer.d_hidden()];
        State(self.layers.iter().map(|layer| Tensor::zeros(shape(layer), device)).collect())
    }

    /// Runs the stack over a batch of id sequences, each id standing for its one-hot vector.
    ///
    /// # Shapes
    /// - `ids`: `[N, T]`
    /// - result: `[N, T, H]` and the final state
    pub fn forward_ids(
        &self,
        ids: Tensor<2, Int>,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        let (output, state) = self.run(Sequence::Ids(ids.swap_dims(0, 1)), state, dropout);
        (output.swap_dims(0, 1), state)
    }

    /// Runs the stack over a batch of sequences of vectors.
    ///
    /// # Shapes
    /// - `input`: `[N, T, D]`
    /// - result: `[N, T, H]` and the final state
    pub fn forward(
        &self,
        input: Tensor<3>,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        let (output, state) = self.run(Sequence::Dense(input.swap_dims(0, 1)), state, dropout);
        (output.swap_dims(0, 1), state)
    }

    /// Runs the stack over a time-major sequence, which is what the layers work in.
    ///
    /// Dropout falls on the output of every layer, the last included ([`StackDropout`]). (`torch.nn.LSTM` spares the last;
    /// programs put a `Dropout` behind it.)
    ///
    /// # Shapes
    /// - `input`: ids `[T, N]` or vectors `[T, N, D]`
    /// - result: `[T, N, H]` and the final state
    ///
    /// # Panics
    /// Unless all tensors are in f32.
    pub fn run(
        &self,
        input: Sequence,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        let steps = input.steps();
        let (packed, states) = self.run_packed(input, state, dropout);
        (packed.narrow(0, 0, steps), states)
    }

    /// [`run`](Self::run) with the last layer's final state behind the output, `[T + S, N, H]`: what
    /// [`linear_cross_entropy`](crate::linear_cross_entropy) reads without a copy.
    pub fn run_packed(
        &self,
        input: Sequence,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        let (steps, mut sequence) = (input.steps(), input);
        let mut states = Vec::with_capacity(self.layers.len());
        for (index, (layer, state)) in self.layers.iter().zip(state.0).enumerate() {
            let dropout =
                dropout.map(|dropout| dropout.layer(index, self.layers.len())).unwrap_or_default();
            let packed = layer.forward_packed(sequence, steps, state, dropout);
            states.push(layer.final_state(packed.clone()));
            sequence = Sequence::Dense(packed);
        }
        match sequence {
            Sequence::Dense(packed) => (packed, State(states)),
            Sequence::Ids(_) => unreachable!("a stack has at least one layer"),
        }
    }
}
