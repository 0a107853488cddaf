//! The network: input encoding, recurrent stack with dropout, linear layer.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};
use charloom_recurrent::{
    Dropout, Recurrent, Sequence, State, Stepper, has_cpu_kernels, linear_cross_entropy,
    linear_scores,
};

/// A character-level recurrent language model.
///
/// Characters are ids in `0..V`. Between the layers and before the linear one, dropout falls
/// where a [`Dropout`] is given: training gives one, everything else none.
#[derive(Module, Debug)]
pub struct CharRnn {
    /// The learned vectors `[V, D]`, unless characters come in one-hot.
    pub embed: Option<Param<Tensor<2>>>,
    /// The recurrent layers.
    pub rnn: Recurrent,
    /// The linear layer that turns hidden states into logits.
    pub fc: Output,
}

/// The linear layer, with PyTorch's layout.
#[derive(Module, Debug)]
pub struct Output {
    /// `[V, H]`
    pub weight: Param<Tensor<2>>,
    /// `[V]`
    pub bias: Param<Tensor<1>>,
}

impl CharRnn {
    /// Number of different characters V.
    pub fn vocab_size(&self) -> usize {
        self.fc.weight.dims()[0]
    }

    /// A state of zeros for N rows.
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
        dropout: Option<Dropout>,
    ) -> (Tensor<3>, State) {
        let [n, t] = ids.dims();
        let (packed, state) = self.hidden(ids, state, dropout);
        let [_, _, h] = packed.dims();
        let hidden = packed.narrow(0, 0, t);
        let weight = self.fc.weight.val().transpose(); // [H, V]
        let logits = hidden.reshape([t * n, h]).matmul(weight) + self.fc.bias.val().unsqueeze();
        (logits.reshape([t, n, self.vocab_size()]).swap_dims(0, 1), state)
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
        dropout: Option<Dropout>,
    ) -> (Tensor<1>, State) {
        let targets = time_major(targets);
        let (hidden, state) = self.hidden(inputs, state, dropout);
        let (weight, bias) = (self.fc.weight.val(), self.fc.bias.val());
        (linear_cross_entropy(rows(hidden), weight, bias, targets), state)
    }

    /// What evaluation wants of the same: the summed cross-entropy in nats and the number of targets that were the
    /// likeliest.
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
        (linear_scores(rows(hidden), weight, bias, targets), state)
    }

    /// The network packed for reading one character of `rows` streams at a time, where this device
    /// has kernels for that.
    pub fn stepper(&self, rows: usize) -> Option<Stepper> {
        let (weight, bias) = (self.fc.weight.val(), self.fc.bias.val());
        has_cpu_kernels(&weight.device()).then(|| {
            let embed = self.embed.as_ref().map(Param::val);
            Stepper::new(&self.rnn, embed, weight, bias, rows)
        })
    }

    /// The hidden states of the last layer, time-major, and behind them its final state: `[T + S, N, H]`.
    fn hidden(
        &self,
        ids: Tensor<2, Int>,
        state: State,
        dropout: Option<Dropout>,
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

    /// Every parameter under its name in PyTorch: `rnn.weight_ih_l0` … `fc.bias`.
    pub fn parameters(&self) -> Vec<(String, TensorData)> {
        let mut all = Vec::new();
        self.clone()
            .replace::<std::convert::Infallible>(&mut |name, _, data| {
                all.push((name.to_string(), data()));
                Ok(None)
            })
            .unwrap_or_else(|never| match never {});
        all
    }

    /// The model with the parameters that `find` gives for a name and a shape.
    pub fn with_parameters<E>(
        self,
        mut find: impl FnMut(&str, &[usize]) -> Result<TensorData, E>,
    ) -> Result<Self, E> {
        self.replace(&mut |name, shape, _| find(name, shape).map(Some))
    }

    /// The one list of parameters: shows each to `visit` and takes what that returns in its place.
    fn replace<E>(mut self, visit: &mut Visit<'_, E>) -> Result<Self, E> {
        if let Some(embed) = self.embed {
            self.embed = Some(replaced("embed.weight", embed, visit)?);
        }
        let mut layers = Vec::new();
        for (index, mut layer) in std::mem::take(&mut self.rnn.layers).into_iter().enumerate() {
            let name = |parameter: &str| format!("rnn.{parameter}_l{index}");
            layer.weight_ih = replaced(&name("weight_ih"), layer.weight_ih, visit)?;
            layer.weight_hh = replaced(&name("weight_hh"), layer.weight_hh, visit)?;
            if let Some(bias) = layer.bias_ih {
                layer.bias_ih = Some(replaced(&name("bias_ih"), bias, visit)?);
            }
            if let Some(bias) = layer.bias_hh {
                layer.bias_hh = Some(replaced(&name("bias_hh"), bias, visit)?);
            }
            layers.push(layer);
        }
        self.rnn.layers = layers;
        self.fc.weight = replaced("fc.weight", self.fc.weight, visit)?;
        self.fc.bias = replaced("fc.bias", self.fc.bias, visit)?;
        Ok(self)
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

/// Given a parameter's name, its shape and a way to its numbers.
type Visit<'a, E> =
    dyn FnMut(&str, &[usize], &dyn Fn() -> TensorData) -> Result<Option<TensorData>, E> + 'a;

fn replaced<const D: usize, E>(
    name: &str,
    param: Param<Tensor<D>>,
    visit: &mut Visit<'_, E>,
) -> Result<Param<Tensor<D>>, E> {
    let old = param.val();
    Ok(match visit(name, &old.dims(), &|| old.to_data())? {
        None => param,
        Some(data) => {
            let new = Tensor::from_data(data, &old.device());
            let new = new.set_require_grad(old.is_require_grad());
            let (id, _, mapper) = param.consume();
            Param::from_mapped_value(id, new, mapper)
        }
    })
}
