//! Layers on top of each other.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;

use crate::layer::{Bias, RecurrentLayer, RecurrentLayerConfig, Sequence};
use crate::stack_dropout::{LayerDropout, drop_elements};
use crate::{Cell, Init, Precision, Readout, StackDropout, State};

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
    /// Which layers the output is made of.
    pub readout: Readout,
}

impl RecurrentConfig {
    /// One layer with two biases and PyTorch's initialisation, whose output is that of the last layer.
    pub fn new(cell: Cell, d_input: usize, d_hidden: usize) -> Self {
        let (bias, init, readout) = (Bias::Double, Init::PyTorch, Readout::Last);
        Self { cell, d_input, d_hidden, layers: 1, bias, init, forget_bias: None, readout }
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

    /// Sets which layers the output is made of.
    pub fn with_readout(self, readout: Readout) -> Self {
        Self { readout, ..self }
    }

    /// Draws the parameters, layer by layer.
    pub fn init(&self, device: &Device, rng: &mut impl Rng) -> Recurrent {
        let Self { cell, d_input, d_hidden, layers, bias, init, forget_bias, readout } = *self;
        let layers = (0..layers)
            .map(|layer| {
                let d_input = if layer == 0 { d_input } else { d_hidden };
                RecurrentLayerConfig { cell, d_input, d_hidden, bias, init, forget_bias }
                    .init(device, rng)
            })
            .collect();
        Recurrent { layers, readout }
    }
}

/// Recurrent layers on top of each other, with the parameters of `torch.nn.LSTM`, `GRU` or `RNN`.
#[derive(Module, Debug)]
pub struct Recurrent {
    /// The layers, from the input up.
    pub layers: Vec<RecurrentLayer>,
    /// Which layers the output is made of.
    #[module(skip)]
    pub readout: Readout,
}

impl Recurrent {
    /// The recurrence of the layers.
    pub fn cell(&self) -> Cell {
        self.layers[0].cell()
    }

    /// The precision of products.
    pub fn precision(&self) -> Precision {
        self.layers[0].precision()
    }

    /// Sets the precision of products, which is f32 unless it is set.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        let layers = self.layers.into_iter().map(|layer| layer.with_precision(precision));
        Self { layers: layers.collect(), ..self }
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
    /// programs put a `Dropout` behind it.) With [`Readout::Sum`] the outputs are summed before anything of them is dropped,
    /// and the dropout of the output falls on the sum.
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

    /// [`run`](Self::run) with S more steps behind the output, `[T + S, N, H]`, which aren't to be read: what
    /// [`linear_cross_entropy`](crate::linear_cross_entropy) reads without a copy.
    pub fn run_packed(
        &self,
        input: Sequence,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        if self.readout == Readout::Sum && self.layers.len() > 1 {
            return self.run_summed(input, state, dropout);
        }
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

    /// [`run_packed`](Self::run_packed) with [`Readout::Sum`]. The layer above and the sum read different masks of the same
    /// output, so the masks are tensor operations here, not a part of the kernels.
    fn run_summed(
        &self,
        input: Sequence,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        let (steps, mut sequence) = (input.steps(), input);
        let mut states = Vec::with_capacity(self.layers.len());
        let mut sum: Option<Tensor<3>> = None;
        let mut of_sum = None;
        for (index, (layer, state)) in self.layers.iter().zip(state.0).enumerate() {
            let dropout =
                dropout.map(|dropout| dropout.layer(index, self.layers.len())).unwrap_or_default();
            let LayerDropout { output, .. } = dropout;
            let of_layer = LayerDropout { output: None, ..dropout };
            let packed = layer.forward_packed(sequence, steps, state, of_layer); // [T + S, N, H]
            states.push(layer.final_state(packed.clone()));
            sum = Some(match sum {
                Some(sum) => sum + packed.clone(),
                None => packed.clone(),
            });
            // What falls on the last layer's output otherwise falls on the sum.
            of_sum = output;
            sequence = Sequence::Dense(match output {
                Some(dropout) if index + 1 < self.layers.len() => drop_elements(packed, dropout),
                _ => packed,
            });
        }
        let sum = sum.expect("a stack has at least one layer");
        let sum = match of_sum {
            Some(dropout) => drop_elements(sum, dropout),
            None => sum,
        };
        (sum, State(states))
    }
}
