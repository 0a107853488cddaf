//! How well a model predicts a text: the one evaluation that training, `eval`, sweeps and the benchmark use.

use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData, TensorReadError};
use charloom_data::{Batches, Ids, rows_of_rank};
use charloom_model::{CharRnn, State};
use thiserror::Error;

use crate::ensemble::{Networks, logits, size_and_device};
use crate::evaluation::{Evaluation, EvaluationSums};

/// Why a model can't be evaluated.
#[derive(Debug, Error)]
pub enum EvaluateError {
    /// There is no character that has one before it.
    #[error("a text must have at least 2 characters to be predicted, not {chars}")]
    TooShort {
        /// How many there are.
        chars: usize,
    },
    /// The text was encoded with another vocabulary.
    #[error("the text has the character id {id}, but the network's are 0 to {}", vocab_size - 1)]
    UnknownId {
        /// An id that the network lacks.
        id: i32,
        /// The network's vocabulary size V.
        vocab_size: usize,
    },
    /// The network's logits are NaN or infinite.
    #[error("the loss is {loss}: the network's logits are not finite numbers")]
    NotFinite {
        /// NaN or infinity.
        loss: f64,
    },
    /// The callback asked to stop.
    #[error("the evaluation was stopped after {done} of {total}")]
    Stopped {
        /// Amount of work done, as passed to the callback.
        done: usize,
        /// Of how much.
        total: usize,
    },
    /// The device failed.
    #[error("the device could not compute the loss: {0}")]
    Device(#[from] TensorReadError),
}

/// Receives the amount of work done and the total, and may end the evaluation.
type Progress<'a> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'a;

/// How [`evaluate`] cuts a text into parallel rows.
struct Rows {
    /// Characters that a row reads before those that it predicts.
    warm_up: usize,
    /// Most rows.
    most: usize,
    /// Fewest characters of a row: warming up must not take most of the time.
    shortest: usize,
}

const ROWS: Rows = Rows { warm_up: 512, most: 64, shortest: 4096 };
/// Characters of a row that are read at a time.
const STEPS: usize = 256;

/// Predicts every character of a text but the first. Nothing is dropped out.
///
/// Long texts are read in up to 64 parallel rows, which is a matter of speed: each row first reads the 512 characters
/// before its own, which are not counted. The rows depend on the length of the text alone, so the result doesn't change
/// with the batch size or the sequence length of a training.
///
/// `progress` receives the number of characters done and the total, and may end the evaluation.
///
/// # Errors
/// If the text has fewer than 2 characters, an id is not one of the network's, the loss is not a finite number,
/// `progress` ends the work early, or the device fails.
pub fn evaluate(
    model: &impl Networks,
    ids: &Ids,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    evaluate_in(&ROWS, model, ids, progress)
}

fn evaluate_in(
    rows: &Rows,
    model: &impl Networks,
    ids: &Ids,
    progress: &mut Progress<'_>,
) -> Result<Evaluation, EvaluateError> {
    let whole = evaluate_share_in(rows, model, ids, (0, 1), progress)?;
    Ok(whole.expect("one process has all rows"))
}

fn evaluate_share_in(
    rows: &Rows,
    model: &impl Networks,
    ids: &Ids,
    (rank, ranks): (usize, usize),
    progress: &mut Progress<'_>,
) -> Result<Option<Evaluation>, EvaluateError> {
    let total = predicted_chars(ids)?;
    let mut scores = Scores::new(model);
    let n = (total / rows.shortest).clamp(1, rows.most);
    let own = rows_of_rank(n, rank, ranks);
    if own.is_empty() {
        return Ok(None);
    }
    if n == 1 {
        scores.read(ids, &[0], total, None, (total, progress))?;
        return scores.sums.mean().map(Some);
    }
    // Row r reads from character r·S on, and predicts S characters after the warm-up. The first row's warm-up is counted:
    // nothing stands before it. The last row may be shorter than the others.
    let stride = (total - rows.warm_up).div_ceil(n);
    let last = total - rows.warm_up - (n - 1) * stride;
    let (has_first, has_last) = (usize::from(own.start == 0), usize::from(own.end == n));
    let total = has_first * rows.warm_up + own.len() * stride - has_last * (stride - last);

    let starts: Vec<usize> = own.clone().map(|row| row * stride).collect();
    let (first, others) = starts.split_at(has_first);
    let first = scores.read(ids, first, rows.warm_up, None, (total, progress))?;
    let others = scores.warm_up(ids, others, rows.warm_up)?;
    let state = join(first, others);

    let starts: Vec<usize> = starts.iter().map(|start| start + rows.warm_up).collect();
    let state = scores.read(ids, &starts, last, Some(state), (total, progress))?;
    let longer = own.len() - has_last;
    if longer > 0 {
        let rest: Vec<usize> = starts[..longer].iter().map(|start| start + last).collect();
        let state = first_rows(state, longer);
        scores.read(ids, &rest, stride - last, Some(state), (total, progress))?;
    }
    scores.sums.mean().map(Some)
}

/// The part of [`evaluate`] that the process `rank` does of so many that share the work: some of the rows. The means of all
/// parts, weighted by their characters, are those of the whole. `None` where there are fewer rows than processes and this one
/// has nothing to do.
///
/// `progress` receives the number of characters done and the total, both of this part.
///
/// # Errors
/// Those of [`evaluate`].
pub fn evaluate_share(
    model: &impl Networks,
    ids: &Ids,
    rank: usize,
    ranks: usize,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Option<Evaluation>, EvaluateError> {
    evaluate_share_in(&ROWS, model, ids, (rank, ranks), progress)
}

/// Predicts every target of the batches: the rows' states start at zero and are carried from batch to batch. What the
/// batches leave out isn't predicted. This is how PyTorch examples measure; the result depends on N and T.
///
/// `progress` receives the number of batches done and the total, and may end the evaluation.
///
/// # Errors
/// Those of [`evaluate`].
pub fn evaluate_rows(
    model: &impl Networks,
    batches: &Batches,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    let shape = batches.shape();
    let mut inputs = vec![0; shape.iter().product()];
    let mut targets = inputs.clone();
    let mut scores = Scores::new(model);
    let mut state = None;
    for index in 0..batches.len() {
        batches.fill(index, &mut inputs, &mut targets);
        state = Some(scores.add(&inputs, &targets, shape, state)?);
        report(progress, index + 1, batches.len())?;
    }
    scores.sums.mean()
}

/// Predicts the text in windows of T characters, one after the other, each from a zero state: as nanoGPT and other models of a
/// fixed context are evaluated. A last window may be shorter.
///
/// `progress` receives the number of characters done and the total, and may end the evaluation.
///
/// # Errors
/// Those of [`evaluate`].
///
/// # Panics
/// If `window` is 0.
pub fn evaluate_windows(
    model: &impl Networks,
    ids: &Ids,
    window: usize,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Evaluation, EvaluateError> {
    assert!(window > 0, "a window has characters");
    let total = predicted_chars(ids)?;
    let mut scores = Scores::new(model);
    let whole: Vec<usize> = (0..total / window).map(|index| index * window).collect();
    for starts in whole.chunks(ROWS.most) {
        scores.read(ids, starts, window, None, (total, progress))?;
    }
    let rest = total % window;
    if rest > 0 {
        scores.read(ids, &[total - rest], rest, None, (total, progress))?;
    }
    scores.sums.mean()
}

/// The number of characters that have one before them.
fn predicted_chars(ids: &Ids) -> Result<usize, EvaluateError> {
    match ids.len() {
        chars @ (0 | 1) => Err(EvaluateError::TooShort { chars }),
        chars => Ok(chars - 1),
    }
}

/// Reports progress. Whoever wants to stop when all is done has the result anyway.
fn report(progress: &mut Progress<'_>, done: usize, total: usize) -> Result<(), EvaluateError> {
    match progress(done, total) {
        ControlFlow::Break(()) if done < total => Err(EvaluateError::Stopped { done, total }),
        _ => Ok(()),
    }
}

/// The rows of two states of each network, one below the other. Either may have no rows, not both.
fn join(first: Vec<State>, others: Vec<State>) -> Vec<State> {
    let is_empty = |states: &[State]| states.iter().all(|state| state.rows() == 0);
    match (is_empty(&first), is_empty(&others)) {
        (true, _) => return others,
        (_, true) => return first,
        _ => {}
    }
    let join = |(first, others): (State, State)| {
        let layers = first.0.into_iter().zip(others.0);
        State(layers.map(|(first, others)| Tensor::cat(vec![first, others], 1)).collect()) // [S, N, H]
    };
    first.into_iter().zip(others).map(join).collect()
}

fn first_rows(states: Vec<State>, n: usize) -> Vec<State> {
    let narrow = |state: State| State(state.0.into_iter().map(|h| h.narrow(1, 0, n)).collect());
    states.into_iter().map(narrow).collect()
}

/// Sums over the characters predicted so far.
struct Scores {
    networks: Vec<CharRnn>,
    vocab_size: usize,
    device: Device,
    /// With a large vocabulary, T is cut so that no more logits than these exist at a time.
    max_logits: usize,
    sums: EvaluationSums,
}

impl Scores {
    fn new(model: &impl Networks) -> Self {
        // A network in training records what is done with it; this one must not.
        let networks: Vec<CharRnn> = model.networks().iter().map(CharRnn::valid).collect();
        let (vocab_size, device) = size_and_device(&networks);
        let max_logits = 1 << 24; // 64 MB
        Self { networks, vocab_size, device, max_logits, sums: EvaluationSums::default() }
    }

    fn zero_states(&self, n: usize) -> Vec<State> {
        self.networks.iter().map(|network| network.zero_state(n, &self.device)).collect()
    }

    /// Predicts the `length` characters that follow `start + 1` in each row, a piece of the row at a time; without rows,
    /// nothing.
    fn read(
        &mut self,
        ids: &Ids,
        starts: &[usize],
        length: usize,
        mut states: Option<Vec<State>>,
        (total, progress): (usize, &mut Progress<'_>),
    ) -> Result<Vec<State>, EvaluateError> {
        let length = if starts.is_empty() { 0 } else { length };
        for done in (0..length).step_by(STEPS) {
            let t = STEPS.min(length - done);
            let (mut inputs, mut targets) = (Vec::new(), Vec::new());
            let mut row = vec![0; t + 1];
            for start in starts {
                ids.copy_to(start + done, &mut row);
                inputs.extend_from_slice(&row[..t]);
                targets.extend_from_slice(&row[1..]);
            }
            states = Some(self.add(&inputs, &targets, [starts.len(), t], states)?);
            report(progress, self.sums.chars(), total)?;
        }
        Ok(states.unwrap_or_else(|| self.zero_states(starts.len())))
    }

    /// The states after the `length` characters from `start` on in each row.
    fn warm_up(
        &mut self,
        ids: &Ids,
        starts: &[usize],
        length: usize,
    ) -> Result<Vec<State>, EvaluateError> {
        let before = self.sums;
        let states =
            self.read(ids, starts, length, None, (0, &mut |_, _| ControlFlow::Continue(())));
        self.sums = before;
        states
    }

    /// Predicts `targets` from `inputs`, both `[N, T]`, row by row.
    fn add(
        &mut self,
        inputs: &[i32],
        targets: &[i32],
        [n, t]: [usize; 2],
        states: Option<Vec<State>>,
    ) -> Result<Vec<State>, EvaluateError> {
        let v = self.vocab_size;
        // Not every backend checks ids, and a kernel that is given a wrong one reads out of bounds.
        let known = |id: i32| usize::try_from(id).is_ok_and(|id| id < v);
        if let Some(&id) = inputs.iter().chain(targets).find(|&&id| !known(id)) {
            return Err(EvaluateError::UnknownId { id, vocab_size: v });
        }
        let tensor = |ids: &[i32]| {
            Tensor::<2, Int>::from_data(TensorData::new(ids.to_vec(), [n, t]), &self.device)
        };
        let (inputs, targets) = (tensor(inputs), tensor(targets));
        let mut states = states.unwrap_or_else(|| self.zero_states(n));
        let steps = (self.max_logits / (n * v * self.networks.len())).clamp(1, t);
        for start in (0..t).step_by(steps) {
            let part = |ids: &Tensor<2, Int>| ids.clone().narrow(1, start, steps.min(t - start));
            self.add_part(part(&inputs), part(&targets), &mut states)?;
        }
        Ok(states)
    }

    /// Predicts `targets` from `inputs`, both `[N, T]`, and leaves the states after them.
    fn add_part(
        &mut self,
        inputs: Tensor<2, Int>,
        targets: Tensor<2, Int>,
        states: &mut [State],
    ) -> Result<(), EvaluateError> {
        match (&self.networks[..], &mut *states) {
            // The kernels need not keep the logits.
            ([network], [state]) => {
                let [n, t] = targets.dims();
                let before = State(std::mem::take(&mut state.0));
                let (sums, after) = network.scores(inputs, targets, before); // [2]
                *state = after;
                // Up to 2²⁴ hits are exact in f32.
                let sums: Vec<f32> = sums.try_into_vec_as()?;
                self.sums.add(n * t, sums[0].into(), sums[1].into());
            }
            _ => {
                let targets: Vec<i32> = targets.try_into_vec_as()?;
                self.sums.add_logits(&logits(&self.networks, &inputs, states)?, &targets);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
