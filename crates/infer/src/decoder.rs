//! [`Streams`]: texts that the network reads side by side, a character at a time.
//!
//! Everything that generation asks of the network goes through here, so that a faster way to take one
//! step can stand behind it.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};
use charloom_model::{CharRnn, State, Stepper};

/// A long prime is read in pieces of so many characters: logits of all of it need not exist at once.
const PIECE: usize = 256;

/// N texts, the network's state after what each has read, and its logits for what comes next.
#[derive(Debug)]
pub(crate) struct Streams {
    network: CharRnn,
    device: Device,
    state: State,
    /// Takes the steps where the device has kernels for it; then the state is its own.
    stepper: Option<Stepper>,
    /// `[N, V]`
    logits: Vec<f32>,
}

impl Streams {
    /// `rows` texts that have all read `prime`, which must not be empty, from a state of zeros.
    pub(crate) fn new(
        network: &CharRnn,
        prime: &[i32],
        rows: usize,
    ) -> Result<Self, TensorReadError> {
        // A network in training records what is done with it; this one must not.
        let network = network.valid();
        let device = network.fc.weight.val().device();
        let state = network.zero_state(1, &device);
        let mut streams = Self { network, device, state, stepper: None, logits: Vec::new() };
        // The prime is read once, whatever the number of texts.
        let mut pieces = prime.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            let logits = streams.read(piece, [1, piece.len()]);
            if pieces.peek().is_none() {
                let last = logits.narrow(1, piece.len() - 1, 1); // [1, 1, V]
                streams.logits = last.repeat_dim(0, rows).try_into_vec_as()?;
            }
        }
        let layers = streams.state.0.into_iter();
        streams.state = State(layers.map(|layer| layer.repeat_dim(1, rows)).collect());
        streams.stepper = streams.network.stepper(rows);
        if let Some(stepper) = &mut streams.stepper {
            stepper.set_state(&streams.state);
        }
        Ok(streams)
    }

    /// The logits of a text's next character, `[V]`.
    pub(crate) fn logits(&self, row: usize) -> &[f32] {
        let v = self.network.vocab_size();
        &self.logits[row * v..(row + 1) * v]
    }

    /// Reads one more character of every text.
    pub(crate) fn step(&mut self, ids: &[i32]) -> Result<(), TensorReadError> {
        match &mut self.stepper {
            Some(stepper) => self.logits.copy_from_slice(stepper.step(ids)),
            None => self.logits = self.read(ids, [ids.len(), 1]).try_into_vec_as()?,
        }
        Ok(())
    }

    /// Puts into each row what row `parents[row]` has read: some texts go on in several ways, and others
    /// end.
    ///
    /// # Panics
    /// Unless there is one parent a row, each of them a row.
    pub(crate) fn reorder(&mut self, parents: &[usize]) {
        let logits = parents.iter().flat_map(|&parent| self.logits(parent)).copied().collect();
        self.logits = logits;
        match &mut self.stepper {
            Some(stepper) => stepper.reorder(parents),
            None => {
                let rows: Vec<i32> = parents.iter().map(|&parent| parent as i32).collect();
                let rows = Tensor::<1, Int>::from_data(
                    TensorData::new(rows, [parents.len()]),
                    &self.device,
                );
                let layers = std::mem::take(&mut self.state.0).into_iter();
                let layers = layers.map(|layer| layer.select(1, rows.clone())); // [S, N, H]
                self.state = State(layers.collect());
            }
        }
    }

    /// Reads ids `[N, T]`, and gives the logits `[N, T, V]`.
    fn read(&mut self, ids: &[i32], shape: [usize; 2]) -> Tensor<3> {
        let ids = TensorData::new(ids.to_vec(), shape);
        let ids = Tensor::<2, Int>::from_data(ids, &self.device);
        let state = State(std::mem::take(&mut self.state.0));
        let (logits, state) = self.network.forward(ids, state, None);
        self.state = state;
        logits
    }
}

#[cfg(test)]
mod tests;
