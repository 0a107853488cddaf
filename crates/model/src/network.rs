//! The network: input encoding, recurrent stack with dropout, linear layer.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use charloom_recurrent::{
    Precision, Recurrent, RecurrentLayer, Sequence, StackDropout, State, Stepper, has_cpu_kernels,
    linear_cross_entropy, linear_scores,
};

use crate::{Bias, CharRnnConfig, InputEncoding, ParamSpec};

/// A character-level recurrent language model.
///
/// Characters are ids in `0..V`. Dropout is applied if a [`StackDropout`] is given, as in training.
#[derive(Module, Debug)]
pub struct CharRnn {
    /// The learned embedding `[V, D]`, unless input is one-hot.
    pub embed: Option<Param<Tensor<2>>>,
    /// The recurrent layers.
    pub rnn: Recurrent,
    /// The linear layer from the stack's output to logits.
    pub fc: Linear,
}

/// A linear layer in PyTorch's layout: `y = x Wᵀ + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// The weight W, `[V, H]`.
    pub weight: Param<Tensor<2>>,
    /// The bias b, `[V]`.
    pub bias: Param<Tensor<1>>,
}

impl CharRnn {
    /// Number of different characters V.
    pub fn vocab_size(&self) -> usize {
        self.fc.weight.dims()[0]
    }

    /// Sets the precision of products on the CPU, which is f32 unless it is set.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { rnn: self.rnn.with_precision(precision), ..self }
    }

    /// The precision of products.
    pub fn precision(&self) -> Precision {
        self.rnn.precision()
    }

    /// The state of zeros for N rows.
    pub fn zero_state(&self, n: usize, device: &Device) -> State {
        self.rnn.zero_state(n, device)
    }

    /// The logits of the next character after each character.
    ///
    /// # Shapes
    /// - `ids`: `[N, T]`
    /// - result: `[N, T, V]` and the state after the last step
    pub fn forward(
        &self,
        ids: Tensor<2, Int>,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        let [n, t] = ids.dims();
        let (packed, state) = self.hidden(ids, state, dropout);
        let [_, _, h] = packed.dims();
        let hidden = self.rounded(packed.narrow(0, 0, t).reshape([t * n, h]));
        let weight = self.rounded(self.fc.weight.val()).transpose(); // [H, V]
        let logits = hidden.matmul(weight) + self.fc.bias.val().unsqueeze();
        (logits.reshape([t, n, self.vocab_size()]).swap_dims(0, 1), state)
    }

    /// An operand of a product in the network's precision. Its gradient isn't rounded.
    fn rounded(&self, operand: Tensor<2>) -> Tensor<2> {
        let device = operand.device();
        let precision = self.precision();
        if precision == Precision::F32 || !has_cpu_kernels(&device) {
            return operand;
        }
        let data = operand.to_data();
        let rounded = data.iter::<f32>().map(|x| precision.round(x)).collect::<Vec<_>>();
        let rounded = Tensor::<2>::from_data(TensorData::new(rounded, operand.dims()), &device);
        // Exact: the two are close to each other.
        let change = rounded - operand.clone().detach();
        operand + change.detach()
    }

    /// The mean cross-entropy in nats per character against the characters that came next.
    ///
    /// # Shapes
    /// - `inputs`, `targets`: `[N, T]`
    /// - result: `[1]` and the state after the last step
    pub fn loss(
        &self,
        inputs: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<1>, State) {
        let targets = time_major(targets);
        let (hidden, state) = self.hidden(inputs, state, dropout);
        let (weight, bias) = (self.fc.weight.val(), self.fc.bias.val());
        (linear_cross_entropy(rows(hidden), weight, bias, targets, self.precision()), state)
    }

    /// The summed cross-entropy in nats, and the number of targets that were predicted as the most likely character.
    ///
    /// # Shapes
    /// - `inputs`, `targets`: `[N, T]`
    /// - result: `[2]` and the state after the last step
    pub fn scores(
        &self,
        inputs: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        state: State,
    ) -> (Tensor<1>, State) {
        let targets = time_major(targets);
        let (hidden, state) = self.hidden(inputs, state, None);
        let (weight, bias) = (self.fc.weight.val(), self.fc.bias.val());
        (linear_scores(rows(hidden), weight, bias, targets, self.precision()), state)
    }

    /// The network with packed weights, which reads one character of each of `rows` streams at a time; `None` if this
    /// device has no kernels for that.
    pub fn stepper(&self, rows: usize) -> Option<Stepper> {
        let (weight, bias) = (self.fc.weight.val(), self.fc.bias.val());
        has_cpu_kernels(&weight.device()).then(|| {
            let embed = self.embed.as_ref().map(Param::val);
            Stepper::new(&self.rnn, embed, weight, bias, rows)
        })
    }

    /// What the linear layer reads, time-major: `[T + S, N, H]`, of which the last S steps don't count.
    fn hidden(
        &self,
        ids: Tensor<2, Int>,
        state: State,
        dropout: Option<StackDropout>,
    ) -> (Tensor<3>, State) {
        let [n, t] = ids.dims();
        let ids = ids.swap_dims(0, 1); // [T, N]
        let input = match &self.embed {
            None => Sequence::Ids(ids),
            Some(table) => {
                let [_, d] = table.dims();
                let rows = table.val().select(0, ids.reshape([t * n]));
                Sequence::Dense(rows.reshape([t, n, d]))
            }
        };
        self.rnn.run_packed(input, state, dropout)
    }

    /// The configuration that this network was made with, but for what matters to a new or a training one only.
    pub(crate) fn config(&self) -> CharRnnConfig {
        let layer = &self.rnn.layers[0];
        CharRnnConfig {
            cell: layer.cell(),
            input: match &self.embed {
                None => InputEncoding::OneHot,
                Some(table) => InputEncoding::Embedding(table.dims()[1]),
            },
            hidden_size: layer.d_hidden(),
            layers: self.rnn.layers.len(),
            readout: self.rnn.readout,
            dropout: 0.0,
            bias: match (&layer.bias_ih, &layer.bias_hh) {
                (None, _) => Bias::Without,
                (Some(_), None) => Bias::Single,
                (Some(_), Some(_)) => Bias::Double,
            },
            ..CharRnnConfig::default()
        }
    }

    /// The values of all parameters with their names, in the order of [`CharRnnConfig::parameters`].
    pub fn parameters(&self) -> Vec<(String, TensorData)> {
        let mut values = Vec::new();
        values.extend(self.embed.as_ref().map(data));
        for layer in &self.rnn.layers {
            values.extend([data(&layer.weight_ih), data(&layer.weight_hh)]);
            values.extend([&layer.bias_ih, &layer.bias_hh].into_iter().flatten().map(data));
        }
        values.extend([data(&self.fc.weight), data(&self.fc.bias)]);
        let specs = self.config().parameters(self.vocab_size()).into_iter();
        specs.map(|spec| spec.name).zip(values).collect()
    }

    /// Builds a network from the values of its parameters. `values` is asked for each in turn, in the order of
    /// [`CharRnnConfig::parameters`].
    ///
    /// # Errors
    /// What `values` returns.
    ///
    /// # Panics
    /// If `values` gives numbers of another shape than it was asked for.
    pub fn from_tensors<E>(
        config: &CharRnnConfig,
        vocab_size: usize,
        device: &Device,
        values: impl FnMut(&ParamSpec) -> Result<TensorData, E>,
    ) -> Result<Self, E> {
        let specs = config.parameters(vocab_size).into_iter();
        let mut params = Params { specs, device, values };
        let embed = match config.input {
            InputEncoding::OneHot => None,
            InputEncoding::Embedding(_) => Some(params.next()?),
        };
        let layers = (0..config.layers).map(|_| {
            let (weight_ih, weight_hh) = (params.next()?, params.next()?);
            let bias_ih = (config.bias != Bias::Without).then(|| params.next()).transpose()?;
            let bias_hh = (config.bias == Bias::Double).then(|| params.next()).transpose()?;
            Ok::<_, E>(RecurrentLayer::from_params(
                config.cell,
                weight_ih,
                weight_hh,
                bias_ih,
                bias_hh,
            ))
        });
        let rnn = Recurrent { layers: layers.collect::<Result<_, _>>()?, readout: config.readout };
        let fc = Linear { weight: params.next()?, bias: params.next()? };
        Ok(Self { embed, rnn, fc })
    }

    /// A network of the same kind on the same device, with the values that `values` gives for a name and a shape.
    ///
    /// # Errors
    /// What `values` returns.
    ///
    /// # Panics
    /// If `values` gives numbers of another shape than it was asked for.
    pub fn with_parameters<E>(
        self,
        mut values: impl FnMut(&str, &[usize]) -> Result<TensorData, E>,
    ) -> Result<Self, E> {
        let device = self.fc.weight.device();
        let precision = self.precision();
        let network = Self::from_tensors(&self.config(), self.vocab_size(), &device, |spec| {
            values(&spec.name, &spec.shape)
        })?;
        Ok(network.with_precision(precision))
    }
}

/// The values of a parameter.
fn data<const D: usize>(param: &Param<Tensor<D>>) -> TensorData {
    param.val().to_data()
}

/// Makes the parameters of a network, one after the other.
struct Params<'a, F> {
    specs: std::vec::IntoIter<ParamSpec>,
    device: &'a Device,
    values: F,
}

impl<E, F: FnMut(&ParamSpec) -> Result<TensorData, E>> Params<'_, F> {
    fn next<const D: usize>(&mut self) -> Result<Param<Tensor<D>>, E> {
        let spec = self.specs.next().expect("the list has every parameter of the network");
        let data = (self.values)(&spec)?;
        assert_eq!(data.shape().to_vec(), spec.shape, "the shape of `{}`", spec.name);
        Ok(Param::from_tensor(Tensor::from_data(data, self.device)))
    }
}

/// `[N, T]` to `[T · N]`.
fn time_major(ids: Tensor<2, Int>) -> Tensor<1, Int> {
    let elements = ids.dims().iter().product::<usize>();
    ids.swap_dims(0, 1).reshape([elements])
}

/// `[T, N, H]` to `[T · N, H]`.
fn rows(hidden: Tensor<3>) -> Tensor<2> {
    let [t, n, h] = hidden.dims();
    hidden.reshape([t * n, h])
}
