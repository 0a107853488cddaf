//! Generation: the network one step at a time, its weights packed once, nothing allocated in a step in f32.

use std::ops::Range;

use super::buffer::Buffer;
use super::forward::{ForwardPass, InputPtr};
use super::gemm::Gemm;
use super::isa::Isa;
use super::loss::Linear;
use super::packed::{PackedWeights, PanelLayout};
use super::packed_layer::PackedLayer;
use super::send_ptr::SendPtr;
use super::simd::{Kernel, Simd};
use super::spin_pair::SpinPair;
use super::state_buffer::StateBuffer;
use super::threads::{Share, for_each_row_range};
use super::{Cell, Input, Weights};

/// The fewest multiply-adds in a step that are worth sharing its units between two threads, each of which reads half of
/// the weights.
const MIN_SPIN_PAIR: usize = 1 << 18;
/// The fewest that are worth sharing its streams among the pool's threads, where those are more than two.
const MIN_POOL: usize = 4 << 20;

/// A network for a [`Stepper`].
#[derive(Clone, Copy, Debug)]
pub struct StepperConfig<'a> {
    /// The recurrence.
    pub cell: Cell,
    /// V: ids are below it.
    pub vocabulary: usize,
    /// H.
    pub hidden_size: usize,
    /// The layers; the first reads ids (a network with an embedding E gives `w_ih · Eᵀ` here), the others H.
    pub layers: &'a [Weights<'a>],
    /// The layer that gives the logits.
    pub linear: Linear<'a>,
    /// Whether it reads the sum of all layers' h, not that of the last layer alone.
    pub sums_layers: bool,
}

/// A network that advances B streams by one step at a time.
pub struct Stepper {
    isa: Isa,
    layers: Vec<PackedLayer>,
    linear: PackedWeights,
    sums_layers: bool,
    bias: Buffer,
    streams: usize,
    h: usize,
    vocabulary: usize,
    /// `[2, L, B, H]`: h before a step and, while it runs, after it.
    hidden: [Buffer; 2],
    /// `[L, B, H]`, c of an LSTM.
    cell_state: Buffer,
    /// `[B, V]`
    logits: Buffer,
    /// Multiply-adds in a step of one stream.
    products: usize,
    pair: Option<SpinPair>,
}

impl Stepper {
    /// Packs the weights; the state is zero.
    ///
    /// # Panics
    /// Where a length isn't what its shape says.
    pub fn new(config: StepperConfig<'_>, streams: usize) -> Self {
        Self::new_on(Isa::best(), config, streams)
    }

    /// [`Self::new`] with an instruction set.
    pub(super) fn new_on(isa: Isa, config: StepperConfig<'_>, streams: usize) -> Self {
        let StepperConfig { cell, vocabulary, hidden_size: h, layers, linear, sums_layers } =
            config;
        let precision = linear.precision;
        assert_eq!(linear.h, h, "the linear layer reads H");
        let packed: Vec<_> = layers
            .iter()
            .enumerate()
            .map(|(i, weights)| {
                let d = if i == 0 { vocabulary } else { h };
                PackedLayer::new(isa, precision, cell, d, h, weights, i == 0)
            })
            .collect();
        let state = packed.len() * streams * h;
        let read = if sums_layers { packed.len() } else { 1 };
        let products =
            (2 * packed.len()).saturating_sub(1) * cell.gates() * h * h + read * h * linear.v;
        let mut stepper = Stepper {
            isa,
            linear: PackedWeights::of_transposed(
                isa,
                precision,
                linear.weight,
                h,
                PanelLayout::consecutive(linear.v, isa),
            ),
            sums_layers,
            bias: Buffer::copy_of(linear.bias),
            streams,
            h,
            vocabulary,
            hidden: [Buffer::zeros(state), Buffer::zeros(state)],
            cell_state: Buffer::zeros(if cell == Cell::Lstm { state } else { 0 }),
            logits: Buffer::zeros(streams * linear.v),
            products,
            pair: None,
            layers: packed,
        };
        stepper.share_work();
        stepper
    }

    /// Multiply-adds in a step.
    fn work(&self) -> usize {
        self.streams * self.products
    }

    /// Starts or ends the pair of threads, depending on the number of streams.
    fn share_work(&mut self) {
        let threads = rayon::current_num_threads();
        let worthwhile =
            self.work() >= MIN_SPIN_PAIR && (threads == 2 || threads > 2 && self.work() < MIN_POOL);
        match (worthwhile, &self.pair) {
            (true, None) => self.pair = SpinPair::start(),
            (false, Some(_)) => self.pair = None,
            _ => {}
        }
    }

    /// Feeds one id to each stream; returns the logits `[B, V]`.
    ///
    /// # Panics
    /// Unless there are B ids below the vocabulary's size.
    pub fn step(&mut self, ids: &[i32]) -> &[f32] {
        assert_eq!(ids.len(), self.streams, "one id for each stream");
        let below = |&id: &i32| usize::try_from(id).is_ok_and(|id| id < self.vocabulary);
        assert!(ids.iter().all(below), "ids are in 0..{}", self.vocabulary);
        let [before, after] = &mut self.hidden;
        // SAFETY: `before` is only read while the step runs. Of everything else, each part of the step accesses its own
        // rows or units.
        let (hidden_before, hidden, cell_state, logits) = unsafe {
            (
                SendPtr::read_only(before),
                SendPtr::new(after),
                SendPtr::new(&mut self.cell_state),
                SendPtr::new(&mut self.logits),
            )
        };
        let step = Step {
            layers: &self.layers,
            linear: &self.linear,
            sums_layers: self.sums_layers,
            bias: &self.bias,
            streams: self.streams,
            rows: 0..self.streams,
            stages: 0..self.layers.len() + 1,
            panels: None,
            ids: Input::Ids(ids).into(),
            hidden_before,
            hidden,
            cell_state,
            logits,
        };
        let isa = self.isa;
        // SAFETY, of each of the three: ids were checked above, and the buffers have the shapes that `new` gave them.
        if let Some(pair) = &mut self.pair {
            for stage in step.stages.clone() {
                let count = step.panels_of(stage);
                pair.run(count, &|panel| {
                    let (stages, panels) = (stage..stage + 1, Some(panel..panel + 1));
                    // SAFETY: as above; each panel is run once, after all of the stage before.
                    unsafe { isa.run(Step { stages, panels, ..step.clone() }) };
                });
            }
        } else if self.streams * self.products < MIN_POOL {
            // SAFETY: as above; no other thread takes part.
            unsafe { isa.run(step) };
        } else {
            for_each_row_range(self.streams, |rows| {
                // SAFETY: as above; ranges of rows don't overlap.
                unsafe { isa.run(Step { rows, ..step.clone() }) };
            });
        }
        self.hidden.swap(0, 1);
        &self.logits
    }

    /// The state, `[S, L, B, H]`.
    pub fn state(&self) -> Vec<f32> {
        [&self.hidden[0][..], &self.cell_state[..]].concat()
    }

    /// Sets the state, `[S, L, B, H]`.
    ///
    /// # Panics
    /// Where the length isn't that.
    pub fn set_state(&mut self, state: &[f32]) {
        let (hidden, cell_state) = state.split_at(self.hidden[0].len());
        self.hidden[0].copy_from_slice(hidden);
        self.cell_state.copy_from_slice(cell_state);
    }

    /// Gives each stream the state that stream `parents[stream]` has. There are as many streams afterwards as parents.
    ///
    /// # Panics
    /// Unless every parent is a stream.
    pub fn reorder(&mut self, parents: &[usize]) {
        let (b, h) = (self.streams, self.h);
        assert!(parents.iter().all(|&parent| parent < b), "parents are in 0..{b}");
        let select = |old: &Buffer| {
            let layers = old.chunks_exact((b * h).max(1));
            let rows = layers.flat_map(|layer| {
                parents.iter().map(move |parent| &layer[parent * h..(parent + 1) * h])
            });
            let mut new = Buffer::new(old.len() / b.max(1) * parents.len());
            new.chunks_exact_mut(h).zip(rows).for_each(|(new, row)| new.copy_from_slice(row));
            new
        };
        let states = [select(&self.hidden[0]), select(&self.cell_state)];
        self.replace_states(states, parents.len());
    }

    /// Adds streams behind those that are there, in this state, `[S, L, B, H]`.
    ///
    /// # Panics
    /// Where the length isn't that of a number of streams.
    pub fn append(&mut self, state: &[f32]) {
        let (l, b, h) = (self.layers.len(), self.streams, self.h);
        let states = if self.layers[0].cell == Cell::Lstm { 2 } else { 1 };
        let more = state.len() / (states * l * h);
        assert_eq!(state.len(), states * l * more * h, "a state of some streams");
        let join = |old: &Buffer, new: &[f32]| {
            let mut joined = Vec::with_capacity(old.len() + new.len());
            for (layer, new) in new.chunks_exact((more * h).max(1)).enumerate() {
                joined.extend_from_slice(&old[layer * b * h..][..b * h]);
                joined.extend_from_slice(new);
            }
            Buffer::copy_of(&joined)
        };
        let (hidden, cell_state) = state.split_at(l * more * h);
        let states = [join(&self.hidden[0], hidden), join(&self.cell_state, cell_state)];
        self.replace_states(states, b + more);
    }

    fn replace_states(&mut self, [hidden, cell_state]: [Buffer; 2], streams: usize) {
        if streams != self.streams {
            self.hidden[1] = Buffer::zeros(hidden.len());
            self.logits = Buffer::zeros(streams * self.bias.len());
        }
        (self.hidden[0], self.cell_state, self.streams) = (hidden, cell_state, streams);
        self.share_work();
    }

    /// Whether a second thread takes half of the units of each step.
    #[cfg(test)]
    pub(super) fn has_spin_pair(&self) -> bool {
        self.pair.is_some()
    }
}

/// A part of one step: some rows of some stages, or some panels of one stage.
///
/// # Safety
/// To run it, every pointer must be valid for the shape that is given for it, ids are below D, and nothing else accesses
/// these rows and units of what is written meanwhile. Where a stage isn't the first of the part, the stage before has
/// ended for these rows.
#[derive(Clone)]
struct Step<'a> {
    layers: &'a [PackedLayer],
    linear: &'a PackedWeights,
    /// Whether the linear layer reads all layers.
    sums_layers: bool,
    /// `[V]`
    bias: &'a [f32],
    /// B.
    streams: usize,
    rows: Range<usize>,
    /// The layers, and after them the linear one.
    stages: Range<usize>,
    /// Panels of a single stage; `None` for all panels of every stage.
    panels: Option<Range<usize>>,
    /// `[B]`
    ids: InputPtr<'a>,
    /// `[L, B, H]`; only read.
    hidden_before: SendPtr<'a, f32>,
    /// `[L, B, H]`
    hidden: SendPtr<'a, f32>,
    /// `[L, B, H]` for an LSTM.
    cell_state: SendPtr<'a, f32>,
    /// `[B, V]`
    logits: SendPtr<'a, f32>,
}

impl<'a> Step<'a> {
    fn panels_of(&self, stage: usize) -> usize {
        self.layers.get(stage).map_or(self.linear.panels(), |layer| layer.hidden.panels())
    }

    /// The `[B, H]` of a layer in an `[L, B, H]`.
    #[inline(always)]
    fn of_layer(&self, states: SendPtr<'a, f32>, layer: usize) -> SendPtr<'a, f32> {
        states.offset(layer * self.streams * self.linear.k)
    }

    /// # Safety
    /// As the part itself.
    #[inline(always)]
    unsafe fn layer<S: Simd>(&self, s: S, index: usize, panels: Range<usize>) {
        let layer = &self.layers[index];
        let pass = ForwardPass {
            layer,
            steps: 1,
            batch: self.streams,
            share: Share::of_rows(self.rows.clone()),
            panels,
            input: match index {
                0 => self.ids,
                _ => InputPtr::Dense(self.of_layer(self.hidden, index - 1)),
            },
            hidden: StateBuffer {
                initial: self.of_layer(self.hidden_before, index),
                first: self.of_layer(self.hidden, index),
                stride: 0,
            },
            // In place.
            cell_state: (layer.cell == Cell::Lstm).then(|| {
                let states = self.of_layer(self.cell_state, index);
                StateBuffer { initial: states, first: states, stride: 0 }
            }),
            gates: None,
            out: None,
            mask: None,
        };
        // SAFETY: promised by the caller.
        unsafe { s.vectorize(pass) };
    }

    /// # Safety
    /// As the part itself.
    #[inline(always)]
    unsafe fn linear<S: Simd>(&self, s: S, panels: Range<usize>) {
        let (h, v) = (self.linear.k, self.bias.len());
        let columns = self.linear.columns_of(panels.clone());
        let bias = &self.bias[columns.clone()];
        for row in self.rows.clone() {
            let logits = self.logits.at(row * v + columns.start);
            // SAFETY: the caller promised these columns of these rows of the logits.
            unsafe { logits.copy_from_nonoverlapping(bias.as_ptr(), bias.len()) };
        }
        // The product of a sum is the sum of the products.
        let last = self.layers.len() - 1;
        for layer in if self.sums_layers { 0 } else { last }..=last {
            let gemm = Gemm {
                a: self.of_layer(self.hidden, layer).at(self.rows.start * h),
                a_stride: h,
                rows: self.rows.len(),
                parts: &[(0, h)],
                b: self.linear,
                panels: panels.clone(),
                c: self.logits.at(self.rows.start * v),
                c_stride: v,
                add: true,
            };
            // SAFETY: A is h of a layer, C the logits, both promised by the caller.
            unsafe { s.vectorize(gemm) };
        }
    }
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        for stage in self.stages.clone() {
            let panels = self.panels.clone().unwrap_or(0..self.panels_of(stage));
            // SAFETY: promised by the caller.
            unsafe {
                if stage < self.layers.len() {
                    self.layer(s, stage, panels)
                } else {
                    self.linear(s, panels)
                }
            }
        }
    }
}
