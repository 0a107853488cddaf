//! One recurrent layer.

use burn::backend::Dispatch;
use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ops::{LayerInput, LayerSpec, LayerWeights, RecurrentOps};
use crate::stack_dropout::{LayerDropout, drop_elements, drop_ids, drop_vectors};
use crate::{Cell, Dropout, Init, Precision};

/// Which biases the layers have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bias {
    /// One on the input's side and one on the state's, as PyTorch has it.
    #[default]
    Double,
    /// On the input's side only.
    Single,
    /// No bias vector.
    #[serde(rename = "none")]
    Without,
}

impl Bias {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Double, Self::Single, Self::Without];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Double => "double",
            Self::Single => "single",
            Self::Without => "none",
        }
    }
}

/// The input sequence of a layer, time-major.
#[derive(Clone, Debug)]
pub enum Sequence {
    /// Ids `[T, N]`, each in `0..D`, standing for their one-hot vectors.
    Ids(Tensor<2, Int>),
    /// Vectors `[T, N, D]`.
    Dense(Tensor<3>),
}

impl Sequence {
    /// The number of time steps T.
    pub fn steps(&self) -> usize {
        match self {
            Self::Ids(ids) => ids.dims()[0],
            Self::Dense(x) => x.dims()[0],
        }
    }
}

/// Configuration of a [`RecurrentLayer`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecurrentLayerConfig {
    /// The recurrence.
    pub cell: Cell,
    /// Input size D, or the number of different ids.
    pub d_input: usize,
    /// Hidden size H.
    pub d_hidden: usize,
    /// Which biases.
    pub bias: Bias,
    /// Where parameters start.
    pub init: Init,
    /// Where the bias of an LSTM's forget gate starts instead, if it is given: `b_ih` at this
    /// number and `b_hh` at zero. Nothing to other cells, and to layers without a bias.
    ///
    /// At 1 a layer begins by keeping most of what its cells hold, and gradients reach further
    /// back (Gers, Schmidhuber and Cummins 2000; Jozefowicz, Zaremba and Sutskever 2015).
    pub forget_bias: Option<f64>,
}

impl RecurrentLayerConfig {
    /// Draws the parameters, in PyTorch's order: `W_ih`, `W_hh`, `b_ih`, `b_hh`.
    pub fn init(&self, device: &Device, rng: &mut impl Rng) -> RecurrentLayer {
        let Self { cell, d_input, d_hidden, bias, init, forget_bias } = *self;
        let rows = cell.gates() * d_hidden;
        let weight_ih = init.param([rows, d_input], d_hidden, device, rng);
        let weight_hh = init.param([rows, d_hidden], d_hidden, device, rng);
        let (with_ih, with_hh) = match bias {
            Bias::Double => (true, true),
            Bias::Single => (true, false),
            Bias::Without => (false, false),
        };
        let mut bias = |forget: Option<f64>| {
            let drawn = init.bias(rows, d_hidden, device, rng);
            match forget.filter(|_| cell == Cell::Lstm) {
                Some(forget) => with_forget_gate_at(forget, drawn, d_hidden),
                None => drawn,
            }
        };
        let bias_ih = with_ih.then(|| bias(forget_bias));
        let bias_hh = with_hh.then(|| bias(forget_bias.map(|_| 0.0)));
        RecurrentLayer::from_params(cell, weight_ih, weight_hh, bias_ih, bias_hh)
    }
}

/// The bias `[4H]` of an LSTM with the forget gate's part (the second of i, f, g, o) set to one number.
fn with_forget_gate_at(number: f64, bias: Param<Tensor<1>>, h: usize) -> Param<Tensor<1>> {
    let bias = bias.val();
    let gate = Tensor::full([h], number, &bias.device());
    let (before, after) = (bias.clone().narrow(0, 0, h), bias.narrow(0, 2 * h, 2 * h));
    Param::from_tensor(Tensor::cat(vec![before, gate, after], 0).detach())
}

/// One recurrent layer; its parameters are those of a layer of `torch.nn.LSTM`, `GRU` or `RNN`.
/// See [`Cell`] for the equations.
#[derive(Module, Debug)]
pub struct RecurrentLayer {
    /// `[G*H, D]`
    pub weight_ih: Param<Tensor<2>>,
    /// `[G*H, H]`
    pub weight_hh: Param<Tensor<2>>,
    /// `[G*H]`
    pub bias_ih: Option<Param<Tensor<1>>>,
    /// `[G*H]`
    pub bias_hh: Option<Param<Tensor<1>>>,
    #[module(skip)]
    cell: Cell,
    #[module(skip)]
    precision: Precision,
}

impl RecurrentLayer {
    /// A layer with these parameters.
    ///
    /// # Shapes
    /// - `weight_ih`: `[G*H, D]`
    /// - `weight_hh`: `[G*H, H]`
    /// - `bias_ih`, `bias_hh`: `[G*H]`
    pub fn from_params(
        cell: Cell,
        weight_ih: Param<Tensor<2>>,
        weight_hh: Param<Tensor<2>>,
        bias_ih: Option<Param<Tensor<1>>>,
        bias_hh: Option<Param<Tensor<1>>>,
    ) -> Self {
        let precision = Precision::F32;
        Self { weight_ih, weight_hh, bias_ih, bias_hh, cell, precision }
    }

    /// The recurrence.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    /// The precision of products.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Sets the precision of products, which is f32 unless it is set.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Hidden size H.
    pub fn d_hidden(&self) -> usize {
        self.weight_hh.dims()[1]
    }

    /// Runs the layer over a sequence, in f32.
    ///
    /// # Shapes
    /// - `input`: ids `[T, N]` or vectors `[T, N, D]`, T and N at least 1
    /// - `state`: `[S, N, H]`, h before c
    /// - result: the output `[T, N, H]`, after dropout where it is given, and the final state
    ///   `[S, N, H]`; both differentiable
    ///
    /// # Panics
    /// Unless all tensors are in f32.
    pub fn forward(
        &self,
        input: Sequence,
        state: Tensor<3>,
        dropout: Option<Dropout>,
    ) -> (Tensor<3>, Tensor<3>) {
        let steps = input.steps();
        let dropout = LayerDropout { output: dropout, ..LayerDropout::default() };
        let packed = self.forward_packed(input, steps, state, dropout);
        (packed.clone().narrow(0, 0, steps), self.final_state(packed))
    }

    /// The final state, `[S, N, H]`, in what [`forward_packed`](Self::forward_packed) gives.
    pub(crate) fn final_state(&self, packed: Tensor<3>) -> Tensor<3> {
        let states = self.cell.states();
        let [length, _, _] = packed.dims();
        packed.narrow(0, length - states, states)
    }

    /// [`forward`](Self::forward) with output and final state in one tensor, `[T + S, N, H]`, which the layer above and
    /// the loss can read as it is: splitting them would copy the gradients.
    ///
    /// The input may be longer than `steps`; what follows is not read.
    pub(crate) fn forward_packed(
        &self,
        input: Sequence,
        steps: usize,
        state: Tensor<3>,
        dropout: LayerDropout,
    ) -> Tensor<3> {
        let (weight_ih, weight_hh) = (self.weight_ih.val(), self.weight_hh.val());
        let [rows, _] = weight_ih.dims();
        let (input, weight_ih) = match (input, dropout.input) {
            (Sequence::Ids(ids), Some(dropout)) => {
                let (ids, weight_ih) = drop_ids(ids, weight_ih, dropout);
                (Sequence::Ids(ids), weight_ih)
            }
            (Sequence::Dense(x), Some(dropout)) => {
                (Sequence::Dense(drop_vectors(x, dropout)), weight_ih)
            }
            (input, None) => (input, weight_ih),
        };
        let weight_hh = match dropout.weight_hh {
            Some(dropout) => drop_elements(weight_hh, dropout),
            None => weight_hh,
        };
        let input = match input {
            Sequence::Ids(ids) => LayerInput::Ids(ids.into_dispatch()),
            Sequence::Dense(x) => LayerInput::Dense(x.into_dispatch()),
        };
        // An absent bias is zeros without a gradient.
        let absent = || Tensor::<1>::zeros([rows], &weight_ih.device());
        let bias = |bias: &Option<Param<Tensor<1>>>| match bias {
            Some(bias) => bias.val(),
            None => absent(),
        };
        let weights = LayerWeights {
            bias_ih: bias(&self.bias_ih).into_dispatch(),
            bias_hh: bias(&self.bias_hh).into_dispatch(),
            hh: weight_hh.into_dispatch(),
            ih: weight_ih.clone().into_dispatch(),
        };
        let dropout = dropout.output.filter(|dropout| dropout.p > 0.0);
        let spec = LayerSpec { cell: self.cell, steps, dropout, precision: self.precision };
        let packed = Dispatch::recurrent_layer(input, weights, state.into_dispatch(), spec);
        Tensor::from_dispatch(packed)
    }
}
