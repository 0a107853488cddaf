//! [`NetworkDecoder`]: the rows of a [`BatchDecoder`](super::BatchDecoder) in one network.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};
use charloom_model::{CharRnn, State, Stepper};

/// Characters of a prompt per forward pass: the logits of a long prompt need not exist all at once.
const PROMPT_CHUNK: usize = 256;

/// A network that reads a batch of texts in step. Its operations are those of
/// [`BatchDecoder`](super::BatchDecoder), which checks what it is given.
#[derive(Debug)]
pub(super) struct NetworkDecoder {
    network: CharRnn,
    device: Device,
    pub(super) states: RowStates,
    rows: usize,
    /// `[N, V]`
    logits: Vec<f32>,
    /// The ids of a step, as the kernels take them.
    ids: Vec<i32>,
}

/// The network's state of every row.
#[derive(Debug)]
pub(super) enum RowStates {
    /// The CPU kernels keep it, beside the weights that they have packed.
    Kernel(Box<Stepper>),
    /// `[S, N, H]` for each layer; none while there is no row.
    Tensors(Option<State>),
}

impl NetworkDecoder {
    /// A decoder without rows. On the CPU this packs the weights for the kernels.
    pub(super) fn new(network: &CharRnn) -> Self {
        // Without autodiff: nothing is recorded for a backward pass.
        let network = network.valid();
        let device = network.fc.weight.val().device();
        let states = match network.stepper(0) {
            Some(stepper) => RowStates::Kernel(Box::new(stepper)),
            None => RowStates::Tensors(None),
        };
        Self { network, device, states, rows: 0, logits: Vec::new(), ids: Vec::new() }
    }

    /// As on a device that has no kernels for single steps.
    #[cfg(test)]
    pub(super) fn without_kernels(network: &CharRnn) -> Self {
        Self { states: RowStates::Tensors(None), ..Self::new(network) }
    }

    /// Number of characters that the network knows, V.
    pub(super) fn vocab_size(&self) -> usize {
        self.network.vocab_size()
    }

    /// Adds a row that has read `prompt`, one id or more, from a zero state.
    ///
    /// # Errors
    /// If the device fails. The row is not added then.
    pub(super) fn push(&mut self, prompt: &[u32]) -> Result<(), TensorReadError> {
        self.set_ids(prompt);
        let mut state = self.network.zero_state(1, &self.device);
        let mut chunks = self.ids.chunks(PROMPT_CHUNK).peekable();
        while let Some(chunk) = chunks.next() {
            let (logits, after) = self.advance(chunk, [1, chunk.len()], state);
            state = after;
            if chunks.peek().is_none() {
                let last = logits.narrow(1, chunk.len() - 1, 1); // [1, 1, V]
                self.logits.extend(last.try_into_vec_as::<f32>()?);
            }
        }
        match &mut self.states {
            RowStates::Kernel(stepper) => stepper.append(&state),
            RowStates::Tensors(states) => {
                *states = Some(match states.take() {
                    Some(states) => concatenated(states, state),
                    None => state,
                });
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The logits of a row's next character, `[V]`.
    pub(super) fn logits(&self, row: usize) -> &[f32] {
        let v = self.network.vocab_size();
        &self.logits[row * v..(row + 1) * v]
    }

    /// Reads one more character of every row.
    ///
    /// # Errors
    /// If the device fails. The rows have lost their state then.
    pub(super) fn step(&mut self, ids: &[u32]) -> Result<(), TensorReadError> {
        self.set_ids(ids);
        match &mut self.states {
            RowStates::Kernel(_) if self.rows == 0 => {}
            RowStates::Kernel(stepper) => self.logits.copy_from_slice(stepper.step(&self.ids)),
            RowStates::Tensors(states) => {
                if let Some(state) = states.take() {
                    let (logits, after) = self.advance(&self.ids, [ids.len(), 1], state);
                    self.states = RowStates::Tensors(Some(after));
                    self.logits = logits.try_into_vec_as()?;
                }
            }
        }
        Ok(())
    }

    /// Keeps the rows with these numbers, in this order.
    pub(super) fn select(&mut self, rows: &[usize]) {
        let mut logits = Vec::with_capacity(rows.len() * self.vocab_size());
        rows.iter().for_each(|&row| logits.extend_from_slice(self.logits(row)));
        self.logits = logits;
        match &mut self.states {
            RowStates::Kernel(stepper) => stepper.reorder(rows),
            RowStates::Tensors(states) => {
                let state = states.take().filter(|_| !rows.is_empty());
                *states = state.map(|state| selected(state, rows, &self.device));
            }
        }
        self.rows = rows.len();
    }

    fn set_ids(&mut self, ids: &[u32]) {
        let v = self.network.vocab_size();
        // Not every backend checks, and out-of-range ids would be undefined behaviour in the kernels.
        assert!(ids.iter().all(|&id| (id as usize) < v), "ids are in 0..{v}");
        self.ids.clear();
        self.ids.extend(ids.iter().map(|&id| id as i32));
    }

    /// Reads ids `[N, T]` from a state; the logits `[N, T, V]` and the state after them.
    fn advance(&self, ids: &[i32], shape: [usize; 2], state: State) -> (Tensor<3>, State) {
        let ids = TensorData::new(ids.to_vec(), shape);
        self.network.forward(Tensor::<2, Int>::from_data(ids, &self.device), state, None)
    }
}

/// The rows of both, `[S, N + M, H]` for each layer.
fn concatenated(left: State, right: State) -> State {
    let layers = left.0.into_iter().zip(right.0);
    State(layers.map(|(left, right)| Tensor::cat(vec![left, right], 1)).collect())
}

/// Some rows, `[S, rows, H]` for each layer.
fn selected(state: State, rows: &[usize], device: &Device) -> State {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let shape = [rows.len()];
    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, shape), device);
    State(state.0.into_iter().map(|layer| layer.select(1, rows.clone())).collect())
}
