//! The layers as the equations of [`Cell`] stand, in Burn's tensor operations: Burn's autodiff differentiates them.

use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid};
use charloom_recurrent::cpu::{dropout_keep, dropout_threshold};
use charloom_recurrent::{Cell, Readout, Recurrent, RecurrentLayer, StackDropout};

/// A stack over `[T, N, D]` with dropout: the output `[T, N, H]`, and each layer's final `[S, N, H]`.
pub fn stack(
    stack: &Recurrent,
    mut input: Tensor<3>,
    states: Vec<Tensor<3>>,
    dropout: StackDropout,
) -> (Tensor<3>, Vec<Tensor<3>>) {
    let StackDropout {
        input: of_input,
        hidden,
        output: of_output,
        recurrent_weights,
        seed,
        rows: _,
    } = dropout;
    // The masks of layer k take the seeds k + 1 multiples of 2^64 / φ further, from `seed` or its complement.
    let seed_of =
        |seed: u64, k: u64| seed.wrapping_add((k + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let [t, n, _] = input.dims();
    let rows = input.clone().narrow(2, 0, 1).reshape([t, n, 1]);
    input = input * mask(&rows, of_input, seed_of(!seed, 0));
    let mut last = Vec::new();
    let mut outputs = Vec::new();
    for (index, (layer, state)) in stack.layers.iter().zip(states).enumerate() {
        let k = index as u64;
        let weight = layer.weight_hh.val();
        let weight_hh = weight.clone() * mask(&weight, recurrent_weights, seed_of(!seed, k + 1));
        let (output, state) = self::layer(layer, weight_hh, input, state);
        let p = if index + 1 == stack.layers.len() { of_output } else { hidden };
        input = output.clone() * mask(&output, p, seed_of(seed, k));
        outputs.push(output);
        last.push(state);
    }
    if stack.readout == Readout::Sum {
        let sum = Tensor::stack::<4>(outputs, 0).sum_dim(0).squeeze_dim::<3>(0);
        let top = stack.layers.len() as u64 - 1;
        input = sum.clone() * mask(&sum, of_output, seed_of(seed, top));
    }
    (input, last)
}

/// One layer: `[T, N, H]`, without dropout, and the final `[S, N, H]`.
fn layer(
    layer: &RecurrentLayer,
    weight_hh: Tensor<2>,
    input: Tensor<3>,
    state: Tensor<3>,
) -> (Tensor<3>, Tensor<3>) {
    let ([steps, _, _], h) = (input.dims(), layer.d_hidden());
    let weight_ih = layer.weight_ih.val();
    let bias_ih = layer.bias_ih.as_ref().unwrap().val().unsqueeze::<2>();
    let bias_hh = layer.bias_hh.as_ref().unwrap().val().unsqueeze::<2>();
    let at = |x: &Tensor<3>, index| x.clone().narrow(0, index, 1).squeeze_dim::<2>(0);
    let mut hidden = at(&state, 0);
    let mut cell_state = (layer.cell() == Cell::Lstm).then(|| at(&state, 1));
    let mut output = Vec::new();
    for t in 0..steps {
        let of_input = at(&input, t).matmul(weight_ih.clone().transpose()) + bias_ih.clone();
        let of_hidden = hidden.clone().matmul(weight_hh.clone().transpose()) + bias_hh.clone();
        let gate = |x: &Tensor<2>, index| x.clone().narrow(1, index * h, h);
        let sum = |index| gate(&of_input, index) + gate(&of_hidden, index);
        hidden = match layer.cell() {
            Cell::Lstm => {
                let (i, f, g, o) =
                    (sigmoid(sum(0)), sigmoid(sum(1)), sum(2).tanh(), sigmoid(sum(3)));
                let c = f * cell_state.take().unwrap() + i * g;
                cell_state = Some(c.clone());
                o * c.tanh()
            }
            Cell::Gru => {
                let (r, z) = (sigmoid(sum(0)), sigmoid(sum(1)));
                let n = (gate(&of_input, 2) + r * gate(&of_hidden, 2)).tanh();
                (z.ones_like() - z.clone()) * n + z * hidden
            }
            Cell::Tanh => sum(0).tanh(),
            Cell::Relu => relu(sum(0)),
        };
        output.push(hidden.clone());
    }
    let states = [Some(hidden), cell_state].into_iter().flatten().collect();
    (Tensor::stack(output, 0), Tensor::stack(states, 0))
}

/// The factors of a tensor's elements.
fn mask<const D: usize>(like: &Tensor<D>, p: f32, seed: u64) -> Tensor<D> {
    let threshold = dropout_threshold(p);
    let factor = |index| match dropout_keep(seed, index as u32, threshold) {
        true => 1.0 / (1.0 - f64::from(p)),
        false => 0.0,
    };
    let factors: Vec<f64> = (0..like.shape().num_elements()).map(factor).collect();
    Tensor::from_data(TensorData::new(factors, like.shape()), (&like.device(), like.dtype()))
}
