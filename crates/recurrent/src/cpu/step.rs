//! Generation: the network one step at a time, its weights packed once, nothing allocated in a step.

use super::buffers::Buffer;
use super::forward::{Forward, Source, Track};
use super::layer::PackedLayer;
use super::loss::Linear;
use super::panels::{Columns, Panels, Product};
use super::simd::{Kernel, Level, Simd};
use super::team::Team;
use super::threads::{Shared, for_each_piece};
use super::{Cell, Weights};
use std::ops::Range;
use std::ptr::null_mut;

/// Multiply-adds in a step from which its units are shared among two threads: each reads half of the weights.
const WORTH_A_TEAM: usize = 1 << 18;
/// And from which its streams are shared among the pool's threads, where those are more than two.
const WORTH_SHARING: usize = 4 << 20;

/// A network for a [`Stepper`].
#[derive(Clone, Copy, Debug)]
pub struct StepperConfig<'a> {
    /// Its cell.
    pub cell: Cell,
    /// Ids that may be fed.
    pub vocabulary: usize,
    /// H.
    pub hidden_size: usize,
    /// The layers; the first reads ids (a network with an embedding E gives `w_ih · Eᵀ` here), the others H.
    pub layers: &'a [Weights<'a>],
    /// The last layer.
    pub linear: Linear<'a>,
}

/// B streams that are generated at once.
pub struct Stepper {
    level: Level,
    layers: Vec<PackedLayer>,
    linear: Panels,
    bias: Buffer,
    streams: usize,
    h: usize,
    d: usize,
    /// `[2, L, B, H]`: h now and, while a step runs, next.
    hidden: [Buffer; 2],
    /// `[L, B, H]`, c of an LSTM.
    carry: Buffer,
    logits: Buffer,
    /// Multiply-adds in a step of one stream.
    products: usize,
    team: Option<Team>,
}

impl Stepper {
    /// Packs the weights; the state is zero.
    ///
    /// # Panics
    /// Where a length isn't what its shape says.
    pub fn new(config: StepperConfig<'_>, streams: usize) -> Self {
        Self::new_at(Level::best(), config, streams)
    }

    /// [`Self::new`] with an instruction set.
    pub(super) fn new_at(level: Level, config: StepperConfig<'_>, streams: usize) -> Self {
        let StepperConfig { cell, vocabulary, hidden_size: h, layers, linear } = config;
        assert_eq!(linear.h, h, "the linear layer reads H");
        let packed: Vec<_> = layers
            .iter()
            .enumerate()
            .map(|(i, weights)| {
                let d = if i == 0 { vocabulary } else { h };
                PackedLayer::new(level, cell, d, h, weights, i == 0)
            })
            .collect();
        let state = packed.len() * streams * h;
        let products = (2 * packed.len()).saturating_sub(1) * cell.gates() * h * h + h * linear.v;
        let mut stepper = Stepper {
            level,
            linear: Panels::of_transposed(
                level,
                linear.weight,
                h,
                Columns::consecutive(linear.v, level),
            ),
            bias: Buffer::copy_of(linear.bias),
            streams,
            h,
            d: vocabulary,
            hidden: [Buffer::zeros(state), Buffer::zeros(state)],
            carry: Buffer::zeros(if cell == Cell::Lstm { state } else { 0 }),
            logits: Buffer::zeros(streams * linear.v),
            products,
            team: None,
            layers: packed,
        };
        stepper.share_work();
        stepper
    }

    /// Multiply-adds in a step.
    fn work(&self) -> usize {
        self.streams * self.products
    }

    /// Starts or ends the team, as the number of streams asks.
    fn share_work(&mut self) {
        let threads = rayon::current_num_threads();
        let wanted = self.work() >= WORTH_A_TEAM
            && (threads == 2 || threads > 2 && self.work() < WORTH_SHARING);
        match (wanted, &self.team) {
            (true, None) => self.team = Team::start(),
            (false, Some(_)) => self.team = None,
            _ => {}
        }
    }

    /// Feeds one id to each stream; gives the logits `[B, V]`.
    ///
    /// # Panics
    /// Unless there are B ids below the vocabulary's size.
    pub fn step(&mut self, ids: &[i32]) -> &[f32] {
        assert_eq!(ids.len(), self.streams, "one id for each stream");
        let below = |&id: &i32| usize::try_from(id).is_ok_and(|id| id < self.d);
        assert!(ids.iter().all(below), "ids are in 0..{}", self.d);
        let [now, next] = &mut self.hidden;
        let step = Step {
            layers: &self.layers,
            linear: &self.linear,
            bias: &self.bias,
            streams: self.streams,
            rows: 0..self.streams,
            stages: 0..self.layers.len() + 1,
            panels: None,
            ids: Source::Ids(ids.as_ptr()),
            now: Shared(now.as_mut_ptr()),
            next: Shared(next.as_mut_ptr()),
            carry: Shared(self.carry.as_mut_ptr()),
            logits: Shared(self.logits.as_mut_ptr()),
        };
        let level = self.level;
        if let Some(team) = &mut self.team {
            for stage in step.stages.clone() {
                let count = step.panels_of(stage);
                team.run(count, &|panel| {
                    let (stages, panels) = (stage..stage + 1, Some(panel..panel + 1));
                    level.run(Step { stages, panels, ..step.clone() });
                });
            }
        } else if self.work() < WORTH_SHARING {
            level.run(step);
        } else {
            for_each_piece(self.streams, |rows| level.run(Step { rows, ..step.clone() }));
        }
        self.hidden.swap(0, 1);
        &self.logits
    }

    /// The state, `[S, L, B, H]`.
    pub fn state(&self) -> Vec<f32> {
        [&self.hidden[0][..], &self.carry[..]].concat()
    }

    /// Sets the state, `[S, L, B, H]`.
    ///
    /// # Panics
    /// Where the length isn't that.
    pub fn set_state(&mut self, state: &[f32]) {
        let (hidden, carry) = state.split_at(self.hidden[0].len());
        self.hidden[0].copy_from_slice(hidden);
        self.carry.copy_from_slice(carry);
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
        let states = [select(&self.hidden[0]), select(&self.carry)];
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
        let (hidden, carry) = state.split_at(l * more * h);
        let states = [join(&self.hidden[0], hidden), join(&self.carry, carry)];
        self.replace_states(states, b + more);
    }

    fn replace_states(&mut self, [hidden, carry]: [Buffer; 2], streams: usize) {
        if streams != self.streams {
            self.hidden[1] = Buffer::zeros(hidden.len());
            self.logits = Buffer::zeros(streams * self.bias.len());
        }
        (self.hidden[0], self.carry, self.streams) = (hidden, carry, streams);
        self.share_work();
    }

    /// Whether a second thread takes half of the units of each step.
    #[cfg(test)]
    pub(super) fn has_team(&self) -> bool {
        self.team.is_some()
    }
}

/// A part of one step.
#[derive(Clone)]
struct Step<'a> {
    layers: &'a [PackedLayer],
    linear: &'a Panels,
    bias: &'a [f32],
    streams: usize,
    rows: Range<usize>,
    /// The layers, and behind them the linear one.
    stages: Range<usize>,
    /// Of a single stage; without them, all of every stage.
    panels: Option<Range<usize>>,
    ids: Source,
    now: Shared,
    next: Shared,
    carry: Shared,
    logits: Shared,
}

impl Step<'_> {
    fn panels_of(&self, stage: usize) -> usize {
        self.layers.get(stage).map_or(self.linear.count(), |layer| layer.hidden.count())
    }

    /// h of a layer, in a buffer of all.
    #[inline(always)]
    fn at(&self, buffer: Shared, layer: usize) -> *mut f32 {
        buffer.at(layer * self.streams * self.linear.k)
    }

    #[inline(always)]
    fn layer<S: Simd>(&self, s: S, index: usize, layer: &PackedLayer, panels: Range<usize>) {
        let carry = Shared(self.at(self.carry, index));
        s.vectorize(Forward {
            layer,
            steps: 1,
            batch: self.streams,
            rows: self.rows.clone(),
            panels,
            source: match index {
                0 => self.ids,
                _ => Source::Dense(self.at(self.next, index - 1)),
            },
            hidden: Track {
                initial: Shared(self.at(self.now, index)),
                first: Shared(self.at(self.next, index)),
                stride: 0,
            },
            carry: Track { initial: carry, first: carry, stride: 0 },
            gates: Shared(null_mut()),
            out: Shared(null_mut()),
            mask: None,
        });
    }

    #[inline(always)]
    fn linear<S: Simd>(&self, s: S, panels: Range<usize>) {
        let (h, v) = (self.linear.k, self.bias.len());
        let hidden = self.at(self.next, self.layers.len() - 1);
        let columns = self.linear.columns_of(panels.clone());
        for row in self.rows.clone() {
            // SAFETY: these columns of these rows of the logits are this piece's; the bias has all columns.
            unsafe {
                let bias = self.bias.as_ptr().add(columns.start);
                let logits = self.logits.at(row * v + columns.start);
                logits.copy_from_nonoverlapping(bias, columns.len());
            }
        }
        s.vectorize(Product {
            a: hidden.wrapping_add(self.rows.start * h),
            a_row: h,
            rows: self.rows.len(),
            parts: &[(0, h)],
            b: self.linear,
            panels,
            out: self.logits.at(self.rows.start * v),
            out_row: v,
            add: true,
        });
    }
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for stage in self.stages.clone() {
            let panels = self.panels.clone().unwrap_or(0..self.panels_of(stage));
            match self.layers.get(stage) {
                Some(layer) => self.layer(s, stage, layer, panels),
                None => self.linear(s, panels),
            }
        }
    }
}
