//! The state that a recurrent network carries from one sequence to the next.

use burn::tensor::{Device, Tensor};

/// The state of a stack: for each of the L layers a tensor `[S, N, H]`, h before c.
#[derive(Clone, Debug)]
pub struct State(pub Vec<Tensor<3>>);

impl State {
    /// The hidden state of a layer, `[N, H]`.
    pub fn hidden(&self, layer: usize) -> Tensor<2> {
        self.0[layer].clone().narrow(0, 0, 1).squeeze_dim(0)
    }

    /// The cell state c of an LSTM layer, `[N, H]`; `None` for other cells.
    pub fn cell_state(&self, layer: usize) -> Option<Tensor<2>> {
        let [states, _, _] = self.0[layer].dims();
        (states == 2).then(|| self.0[layer].clone().narrow(0, 1, 1).squeeze_dim(0))
    }

    /// Number of batch rows N.
    pub fn rows(&self) -> usize {
        self.0[0].dims()[1]
    }

    /// The same state without its graph: what truncated BPTT carries to the next batch.
    pub fn detach(self) -> Self {
        Self(self.0.into_iter().map(Tensor::detach).collect())
    }

    /// The same state on another device.
    pub fn to_device(self, device: &Device) -> Self {
        Self(self.0.into_iter().map(|layer| layer.to_device(device)).collect())
    }
}
