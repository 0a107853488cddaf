//! One step at a time, for generation: no graph, and weights packed once.

use burn::tensor::Tensor;

use crate::{Readout, Recurrent, State, cpu};

/// A network of recurrent layers and a linear one that reads ids and gives logits, on the CPU.
pub struct Stepper {
    kernel: cpu::Stepper,
}

impl Stepper {
    /// Packs a network for `rows` streams. `embed` is `[V, D]`, or nothing where ids stand for one-hot vectors;
    /// `weight` is `[V, H]`, `bias` `[V]`.
    pub fn new(
        rnn: &Recurrent,
        embed: Option<Tensor<2>>,
        weight: Tensor<2>,
        bias: Tensor<1>,
        rows: usize,
    ) -> Self {
        let [v, h] = weight.dims();
        let numbers = |tensor: Tensor<2>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        let vector = |tensor: Tensor<1>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        let layers: Vec<[Vec<f32>; 4]> = rnn
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                let mut weight_ih = layer.weight_ih.val(); // [G*H, D]
                if let (0, Some(embed)) = (index, &embed) {
                    weight_ih = weight_ih.matmul(embed.clone().transpose()); // [G*H, V]
                }
                let [gates, _] = weight_ih.dims();
                let bias = |bias: &Option<burn::module::Param<Tensor<1>>>| match bias {
                    Some(bias) => vector(bias.val()),
                    None => vec![0.0; gates],
                };
                let biases = (bias(&layer.bias_ih), bias(&layer.bias_hh));
                [numbers(weight_ih), numbers(layer.weight_hh.val()), biases.0, biases.1]
            })
            .collect();
        let layers: Vec<cpu::Weights<'_>> = layers
            .iter()
            .map(|[w_ih, w_hh, b_ih, b_hh]| cpu::Weights { w_ih, w_hh, b_ih, b_hh })
            .collect();
        let (weight, bias) = (numbers(weight), vector(bias));
        let linear = cpu::Linear { h, v, weight: &weight, bias: &bias, precision: rnn.precision() };
        let config = cpu::StepperConfig {
            cell: rnn.cell(),
            vocabulary: v,
            hidden_size: h,
            layers: &layers,
            linear,
            sums_layers: rnn.readout == Readout::Sum,
        };
        Self { kernel: cpu::Stepper::new(config, rows) }
    }

    /// Sets the state of every stream, one row for each.
    pub fn set_state(&mut self, state: &State) {
        self.kernel.set_state(&numbers(state));
    }

    /// Adds streams behind those that are there, one for each row of the state. The others are unchanged, to the last
    /// bit.
    pub fn append(&mut self, state: &State) {
        self.kernel.append(&numbers(state));
    }

    /// Puts every stream into the state that stream `parents[stream]` is in. There are as many streams afterwards as
    /// parents: some may end, others continue in several ways.
    ///
    /// # Panics
    /// Unless every parent is a stream.
    pub fn reorder(&mut self, parents: &[usize]) {
        self.kernel.reorder(parents);
    }

    /// Feeds one id to each stream; returns the logits, `[N, V]` row by row.
    ///
    /// # Panics
    /// Unless there is one id a stream, each in `0..V`.
    pub fn step(&mut self, ids: &[i32]) -> &[f32] {
        self.kernel.step(ids)
    }
}

/// A state as the kernel has it: all layers of h, then all layers of c.
fn numbers(state: &State) -> Vec<f32> {
    let [states, _, _] = state.0[0].dims();
    let layers = (0..states)
        .flat_map(|index| state.0.iter().map(move |layer| layer.clone().narrow(0, index, 1)));
    layers.flat_map(|layer| layer.into_data().iter::<f32>().collect::<Vec<_>>()).collect()
}

impl std::fmt::Debug for Stepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepper").finish_non_exhaustive()
    }
}
