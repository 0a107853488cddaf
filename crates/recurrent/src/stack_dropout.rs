//! [`StackDropout`]: what is dropped where while a stack is trained.

use burn::tensor::{Int, Tensor, TensorData};

use crate::cpu::{BatchRows, Dropout, dropout_factors};

/// Dropout of a stack of layers in training. What isn't dropped is divided by `1 - p`; the carried state is never dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StackDropout {
    /// Probability that an input vector is dropped as a whole: an id stands for no input then.
    pub input: f32,
    /// Probability that an element of what a layer gives to the layer above is dropped.
    pub hidden: f32,
    /// Probability that an element of the stack's output is dropped: of the last layer's, or of the sum of all layers'.
    pub output: f32,
    /// Probability that an element of `W_hh` is dropped, for all steps and rows alike: DropConnect, the weight drop of Merity,
    /// Keskar and Socher 2018 (arXiv 1708.02182).
    pub recurrent_weights: f32,
    /// The seed of the masks; another one for each optimizer step.
    pub seed: u64,
    /// The rows that this process has of a larger batch; `None` where it has all of them.
    pub rows: Option<BatchRows>,
}

impl StackDropout {
    /// The same dropout between the layers and on the output, and none elsewhere.
    pub fn new(p: f32, seed: u64) -> Self {
        Self { hidden: p, output: p, seed, ..Self::default() }
    }

    /// The dropout of a layer of a stack of `layers`.
    pub(crate) fn layer(&self, index: usize, layers: usize) -> LayerDropout {
        let Self { input, hidden, output, recurrent_weights, seed, rows } = *self;
        let of_output = if index + 1 == layers { output } else { hidden };
        // The masks of one step need seeds of their own: layer k takes the k-th for its output.
        let of_input = if index == 0 { input } else { 0.0 };
        let of_rows = |dropout: Dropout| Dropout { rows, ..dropout };
        LayerDropout {
            input: for_layer(of_input, !seed, 0).map(of_rows),
            output: for_layer(of_output, seed, index).map(of_rows),
            weight_hh: for_layer(recurrent_weights, !seed, index + 1),
        }
    }
}

/// Dropout with probability `p` and a seed of its own for the `layer`-th of a stack; `None` where nothing is dropped.
fn for_layer(p: f32, seed: u64, layer: usize) -> Option<Dropout> {
    // Multiples of 2^64 / φ are far apart in all bits.
    let seed = seed.wrapping_add((layer as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (p > 0.0).then_some(Dropout::new(p, seed))
}

/// Dropout of one layer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LayerDropout {
    /// Of its input vectors, as wholes.
    pub input: Option<Dropout>,
    /// Of its output.
    pub output: Option<Dropout>,
    /// Of the elements of `W_hh`.
    pub weight_hh: Option<Dropout>,
}

/// A tensor `[T, N, H]`, or a matrix, with some of its elements dropped.
pub(crate) fn drop_elements<const D: usize>(tensor: Tensor<D>, dropout: Dropout) -> Tensor<D> {
    let dims = tensor.dims();
    let [n, h] = [dims[D - 2], dims[D - 1]];
    let steps = dims[..D - 2].iter().product();
    let factors = TensorData::new(dropout_factors(dropout, [steps, n, h]), dims);
    let factors = Tensor::from_data(factors, &tensor.device());
    tensor * factors
}

/// Vectors `[T, N, D]`, some of them dropped.
pub(crate) fn drop_vectors(input: Tensor<3>, dropout: Dropout) -> Tensor<3> {
    let [t, n, _] = input.dims();
    let factors = TensorData::new(dropout_factors(dropout, [t, n, 1]), [t, n, 1]);
    let factors = Tensor::<3>::from_data(factors, &input.device());
    input * factors
}

/// The same for ids `[T, N]` and the weights `[G*H, D]` that they select from: what is dropped becomes the id D, and the
/// weights get a column of zeros for it.
pub(crate) fn drop_ids(
    ids: Tensor<2, Int>,
    weight: Tensor<2>,
    dropout: Dropout,
) -> (Tensor<2, Int>, Tensor<2>) {
    let ([t, n], [rows, d]) = (ids.dims(), weight.dims());
    let (ids_device, device) = (ids.device(), weight.device());
    let kept = dropout_factors(dropout, [t, n, 1]);
    let kept = kept.into_iter().map(|factor| i32::from(factor != 0.0));
    let kept = TensorData::new(kept.collect::<Vec<_>>(), [t, n]);
    let kept = Tensor::<2, Int>::from_data(kept, &ids_device);
    let dropped = kept.clone().mul_scalar(-1).add_scalar(1);
    let ids = ids * kept + dropped.mul_scalar(d as i32);
    let scaled = weight.mul_scalar(dropout.scale());
    (ids, Tensor::cat(vec![scaled, Tensor::zeros([rows, 1], &device)], 1))
}
