//! A linear layer, softmax and cross-entropy in one pass, over chunks of rows: the logits never exist whole.

use super::Precision;
use super::buffer::Buffer;
use super::gemm::Gemm;
use super::isa::Isa;
use super::math::exp;
use super::packed::{PackedWeights, PanelLayout};
use super::send_ptr::SendPtr;
use super::simd::{Kernel, Simd};
use super::threads::for_each_row_range;
use super::weight_grad_gemm::{Dense, WeightGradGemm, add_products};

/// The most logits in a chunk, about, where that is at least [`MIN_CHUNK_ROWS`].
const CHUNK: usize = 1 << 18;
/// Fewest rows of a chunk: each reads and writes the gradient of the weight once.
const MIN_CHUNK_ROWS: usize = 256;
/// The most logits in a chunk of a large vocabulary, 64 MB.
const MAX_CHUNK: usize = 1 << 24;

/// How the rows' losses are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

/// Gradients of the loss; the caller multiplies them by the gradient that arrives from above.
#[derive(Clone, Debug)]
pub struct LossGrads {
    /// Of the length of `hidden`, `[R, H]`.
    pub hidden: Vec<f32>,
    /// `[V, H]`
    pub weight: Vec<f32>,
    /// `[V]`
    pub bias: Vec<f32>,
}

/// The loss and the hits of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowScores {
    /// The sum of `-log p(target)`, in nats.
    pub nll: f64,
    /// Rows whose largest logit (the first of equals) is the target's.
    pub hits: usize,
}

/// A linear layer `hidden · weightᵀ + bias`.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// H.
    pub h: usize,
    /// V.
    pub v: usize,
    /// `[V, H]`
    pub weight: &'a [f32],
    /// `[V]`
    pub bias: &'a [f32],
    /// What the operands of products are rounded to.
    pub precision: Precision,
}

/// The cross-entropy of `hidden · weightᵀ + bias` against `targets`, in nats.
///
/// # Shapes
/// - `hidden`: `[R, H]`; it may be longer, as a layer's output is, which ends in the state: what follows isn't read,
///   and has zeros for gradient
/// - `targets`: `[R]`, each below V
///
/// # Panics
/// Where a length isn't what its shape says, or a target isn't below V.
pub fn linear_cross_entropy(
    hidden: &[f32],
    linear: Linear<'_>,
    targets: &[i32],
    reduction: Reduction,
) -> f64 {
    reduce(run(Isa::best(), hidden, linear, targets, None).nll, targets.len(), reduction)
}

/// [`linear_cross_entropy`] and its gradients, from one pass.
///
/// # Panics
/// As [`linear_cross_entropy`].
pub fn linear_cross_entropy_training(
    hidden: &[f32],
    linear: Linear<'_>,
    targets: &[i32],
    reduction: Reduction,
) -> (f64, LossGrads) {
    training_on(Isa::best(), hidden, linear, targets, reduction)
}

/// The summed loss and the number of rows predicted right.
///
/// # Panics
/// As [`linear_cross_entropy`].
pub fn linear_scores(hidden: &[f32], linear: Linear<'_>, targets: &[i32]) -> RowScores {
    run(Isa::best(), hidden, linear, targets, None)
}

/// [`linear_cross_entropy_training`] with an instruction set.
pub(super) fn training_on(
    isa: Isa,
    hidden: &[f32],
    linear: Linear<'_>,
    targets: &[i32],
    reduction: Reduction,
) -> (f64, LossGrads) {
    let mut grads = LossGrads {
        hidden: vec![0.0; hidden.len()],
        weight: vec![0.0; linear.weight.len()],
        bias: vec![0.0; linear.bias.len()],
    };
    let scale = match reduction {
        Reduction::Mean => 1.0 / targets.len() as f32,
        Reduction::Sum => 1.0,
    };
    let scores = run(isa, hidden, linear, targets, Some((&mut grads, scale)));
    (reduce(scores.nll, targets.len(), reduction), grads)
}

fn reduce(sum: f64, rows: usize, reduction: Reduction) -> f64 {
    match reduction {
        Reduction::Mean => sum / rows as f64,
        Reduction::Sum => sum,
    }
}

fn run(
    isa: Isa,
    hidden: &[f32],
    Linear { h, v, weight, bias, precision }: Linear<'_>,
    targets: &[i32],
    mut training: Option<(&mut LossGrads, f32)>,
) -> RowScores {
    let rows = targets.len();
    assert!(hidden.len() >= rows * h, "hidden is [R, H]");
    assert_eq!(weight.len(), v * h, "the weight is [V, H]");
    assert_eq!(bias.len(), v, "the bias is [V]");
    let below = |&id: &i32| usize::try_from(id).is_ok_and(|id| id < v);
    assert!(targets.iter().all(below), "targets are in 0..{v}");

    let layout = PanelLayout::consecutive(v, isa);
    let forward = PackedWeights::of_transposed(isa, precision, weight, h, layout);
    let backward = training.is_some().then(|| PackedWeights::of_rows(isa, precision, weight, v, h));
    // Rows of the chunk start on a cache line.
    let stride = v.next_multiple_of(16);
    let fewest = MIN_CHUNK_ROWS.min(MAX_CHUNK / stride).max(16);
    let chunk = (CHUNK / stride).clamp(fewest, rows.max(fewest));
    let mut logits = Buffer::new(chunk * stride);
    let mut losses = vec![(0.0_f32, false); chunk];
    let mut scores = RowScores { nll: 0.0, hits: 0 };
    for first in (0..rows).step_by(chunk) {
        let count = chunk.min(rows - first);
        let hidden = &hidden[first * h..(first + count) * h];
        let targets = &targets[first..first + count];
        // SAFETY: each range of rows accesses its own rows.
        let (shared_logits, shared_losses, d_hidden) = unsafe {
            let d_hidden = match &mut training {
                Some((grads, scale)) => {
                    Some((SendPtr::new(&mut grads.hidden[first * h..]), *scale))
                }
                None => None,
            };
            (SendPtr::new(&mut logits), SendPtr::new(&mut losses), d_hidden)
        };
        for_each_row_range(count, |rows| {
            let item = LossRows {
                hidden: &hidden[rows.start * h..rows.end * h],
                targets: &targets[rows.clone()],
                bias,
                forward: &forward,
                backward: backward.as_ref(),
                logits: shared_logits.at(rows.start * stride),
                stride,
                losses: shared_losses.at(rows.start),
                d_hidden: d_hidden.map(|(d_hidden, scale)| (d_hidden.at(rows.start * h), scale)),
            };
            // SAFETY: targets were checked above; the chunk's buffers have these rows, and ranges don't overlap.
            unsafe { isa.run(item) };
        });
        if let Some((grads, _)) = &mut training {
            // SAFETY: it is the only product; the gradients have the shapes of the weight and the bias.
            unsafe {
                let c = SendPtr::new(&mut grads.weight);
                let gemm = WeightGradGemm {
                    a: &logits,
                    stride,
                    k: count,
                    columns: 0..v,
                    dense: [Some(Dense { b: hidden, n: h, c }), None],
                    one_hot: None,
                    sums: SendPtr::new(&mut grads.bias),
                };
                add_products(isa, precision, &[gemm]);
            }
        }
        for &(loss, hit) in &losses[..count] {
            scores.nll += f64::from(loss);
            scores.hits += usize::from(hit);
        }
    }
    scores
}

/// Some rows of a chunk.
///
/// # Safety
/// To run it, the pointers must be valid for reads and writes of as many rows as there are targets, which nothing else
/// accesses meanwhile; targets are below V.
struct LossRows<'a> {
    /// `[R, H]`
    hidden: &'a [f32],
    /// `[R]`
    targets: &'a [i32],
    /// `[V]`
    bias: &'a [f32],
    /// `weightᵀ`
    forward: &'a PackedWeights,
    /// `weight`, if gradients are computed.
    backward: Option<&'a PackedWeights>,
    /// `[R, stride]`; replaced by the gradients of the logits, if they are computed.
    logits: *mut f32,
    /// From one row of logits to the next, at least V.
    stride: usize,
    /// `[R]`: the loss of each row, and whether its target has the largest logit.
    losses: *mut (f32, bool),
    /// `[R, H]`, the gradient of `hidden`, and the factor of all gradients.
    d_hidden: Option<(*mut f32, f32)>,
}

impl Kernel for LossRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self, s: S) {
        let (v, h, rows) = (self.bias.len(), self.forward.k, self.targets.len());
        let gemm = Gemm {
            a: self.hidden.as_ptr(),
            a_stride: h,
            rows,
            parts: &[(0, h)],
            b: self.forward,
            panels: 0..self.forward.panels(),
            c: self.logits,
            c_stride: self.stride,
            add: false,
        };
        // SAFETY: A is `hidden`; the caller promised the logits.
        unsafe { s.vectorize(gemm) };
        for (row, &target) in self.targets.iter().enumerate() {
            // SAFETY: the caller promised this row of logits and of losses.
            let (logits, loss) = unsafe {
                let logits = self.logits.add(row * self.stride);
                (std::slice::from_raw_parts_mut(logits, v), &mut *self.losses.add(row))
            };
            let scale = self.d_hidden.map(|(_, scale)| scale);
            *loss = softmax_row(s, logits, self.bias, target as usize, scale);
        }
        if let (Some(backward), Some((d_hidden, _))) = (self.backward, self.d_hidden) {
            let gemm = Gemm {
                a: self.logits,
                a_stride: self.stride,
                rows,
                parts: &[(0, v)],
                b: backward,
                panels: 0..backward.panels(),
                c: d_hidden,
                c_stride: h,
                add: false,
            };
            // SAFETY: A is the logits that were just written; the caller promised the rows of `d_hidden`.
            unsafe { s.vectorize(gemm) };
        }
    }
}

/// Adds the bias; returns the row's loss and whether the target has the largest logit. With a scale, replaces the
/// logits by their gradient times the scale.
#[inline(always)]
fn softmax_row<S: Simd>(
    s: S,
    logits: &mut [f32],
    bias: &[f32],
    target: usize,
    scale: Option<f32>,
) -> (f32, bool) {
    let v = logits.len();
    let at = logits.as_mut_ptr();
    // SAFETY: every access is to the lanes below v.
    unsafe {
        for i in (0..v).step_by(S::LANES) {
            let lanes = S::LANES.min(v - i);
            let sum = s
                .add(s.load_partial(at.add(i), lanes), s.load_partial(bias.as_ptr().add(i), lanes));
            s.store_partial(at.add(i), sum, lanes);
        }
        let largest = largest(s, logits);
        let at_target = logits[target];
        // The first of equals counts as the most likely.
        let hit = at_target == largest && !logits[..target].contains(&largest);
        // Lanes beyond the row must not count: exp of them isn't zero.
        let mut sums = s.splat(0.0);
        let mut tail = 0.0;
        for i in (0..v).step_by(S::LANES) {
            let lanes = S::LANES.min(v - i);
            let e = exp(s, s.sub(s.load_partial(at.add(i), lanes), s.splat(largest)));
            if scale.is_some() {
                s.store_partial(at.add(i), e, lanes);
            }
            if lanes == S::LANES {
                sums = s.add(sums, e);
            } else {
                tail = lane_sum(s, e, lanes);
            }
        }
        let sum = lane_sum(s, sums, S::LANES) + tail;
        if let Some(scale) = scale {
            let factor = s.splat(scale / sum);
            for i in (0..v).step_by(S::LANES) {
                let lanes = S::LANES.min(v - i);
                s.store_partial(at.add(i), s.mul(s.load_partial(at.add(i), lanes), factor), lanes);
            }
            logits[target] -= scale;
        }
        (sum.ln() + (largest - at_target), hit)
    }
}

/// The largest of a row. NaN may be overlooked.
#[inline(always)]
fn largest<S: Simd>(s: S, row: &[f32]) -> f32 {
    let mut largest = s.splat(f32::NEG_INFINITY);
    let chunks = row.chunks_exact(S::LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        // SAFETY: the chunk has all lanes.
        largest = s.max(unsafe { s.load(chunk.as_ptr()) }, largest);
    }
    let mut lanes = [f32::NEG_INFINITY; 16];
    // SAFETY: no vector has more than 16 lanes.
    unsafe { s.store(lanes.as_mut_ptr(), largest) };
    lanes.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, f32::max)
}

/// The sum of the first lanes, in order.
#[inline(always)]
fn lane_sum<S: Simd>(s: S, value: S::F, lanes: usize) -> f32 {
    let mut all = [0.0; 16];
    // SAFETY: no vector has more than 16 lanes.
    unsafe { s.store(all.as_mut_ptr(), value) };
    all[..lanes].iter().sum()
}
