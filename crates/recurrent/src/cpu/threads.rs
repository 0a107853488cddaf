//! Loops over the threads of the current rayon pool. How work is divided never decides a result: a row's numbers don't
//! depend on the rows that it shares a range with.

use std::ops::Range;

use rayon::prelude::*;

use super::spin::AbortOnUnwind;
use super::team::{Barrier, Roster};

/// The fewest rows that are worth another thread's read of the weights.
const MIN_ROWS: usize = 4;
/// The fewest `f32` to write that are worth a second thread.
const MIN_PARALLEL: usize = 1 << 15;

/// Part `index` of `0..len` in `count` parts of nearly equal size.
#[inline(always)]
pub fn part(len: usize, index: usize, count: usize) -> Range<usize> {
    index * len / count..(index + 1) * len / count
}

/// Runs `work` on consecutive parts of `0..rows`, one part for each thread.
pub fn for_each_row_range(rows: usize, work: impl Fn(Range<usize>) + Sync) {
    let parts = rayon::current_num_threads().min(rows.div_ceil(MIN_ROWS)).max(1);
    for_each_task(parts, |i| work(part(rows, i, parts)));
}

/// The fewest multiply-adds of a thread at a time step that are worth a wait for other threads: some microseconds.
const MIN_STEP: usize = 1 << 18;
/// The fewest rows of a thread before units are divided too: they use a vector of weights as long as it is in a register.
const MIN_UNDIVIDED_ROWS: usize = 16;
/// The most bytes of recurrent weights that a thread reads at each time step before units are divided too: what a core's
/// second-level cache holds, about.
const MAX_STEP_WEIGHTS: usize = 4 << 20;

/// What the threads of a layer divide.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The rows of the batch.
    pub rows: usize,
    /// The panels of weights, which units are divided by.
    pub panels: usize,
    /// Multiply-adds of a row at each time step.
    pub products: usize,
    /// Bytes of weights that each time step reads.
    pub bytes: usize,
}

impl Shape {
    /// Among how many threads the units of each row are divided.
    pub(super) fn unit_parts(self, threads: usize) -> usize {
        if self.rows * self.products / threads < MIN_STEP {
            return 1;
        }
        let fit_rows = threads.min(self.rows / MIN_UNDIVIDED_ROWS).max(1);
        let fit_cache = self.bytes.div_ceil(MAX_STEP_WEIGHTS);
        (threads / fit_rows).max(fit_cache).min(threads).min(self.panels)
    }
}

/// What one thread computes of a layer: some rows, and of these some units.
///
/// Threads with the same rows divide the units, run at the same time and wait for one another at each time step.
#[derive(Clone)]
pub struct Share<'a> {
    /// The rows.
    pub rows: Range<usize>,
    /// Index of this thread among those with the same rows.
    part: usize,
    /// Number of threads with the same rows.
    parts: usize,
    /// Where they wait for one another.
    barrier: Option<&'a Barrier>,
}

impl Share<'_> {
    /// All units of some rows.
    pub fn of_rows(rows: Range<usize>) -> Self {
        Share { rows, part: 0, parts: 1, barrier: None }
    }

    /// This thread's part of some panels.
    pub fn panels(&self, panels: usize) -> Range<usize> {
        part(panels, self.part, self.parts)
    }

    /// Waits for the other threads with these rows. What any of them wrote before, all see afterwards.
    pub fn wait(&self) {
        if let Some(barrier) = self.barrier {
            barrier.wait(self.parts);
        }
    }
}

/// Runs `work` on shares that together are all units of all rows.
pub fn for_each_share(shape: Shape, work: impl Fn(Share<'_>) + Sync) {
    let threads = rayon::current_num_threads();
    if shape.unit_parts(threads) == 1 {
        return for_each_row_range(shape.rows, |rows| work(Share::of_rows(rows)));
    }
    let barriers: Vec<Barrier> = (0..threads).map(|_| Barrier::new()).collect();
    run_team(threads, |index, threads| {
        let parts = shape.unit_parts(threads);
        let (row_part, row_parts) = (index / parts, threads / parts);
        if row_part < row_parts {
            work(Share {
                rows: part(shape.rows, row_part, row_parts),
                part: index % parts,
                parts,
                barrier: Some(&barriers[row_part]),
            });
        }
    });
}

/// Calls `work` on up to `wanted` threads that run at the same time, with each thread's index and their number.
fn run_team(wanted: usize, work: impl Fn(usize, usize) + Sync) {
    let roster = Roster::new();
    let take_part = |starts: bool| {
        let Some(index) = roster.join() else { return };
        let size = if starts { roster.start(wanted) } else { roster.size() };
        let abort = AbortOnUnwind;
        work(index, size);
        std::mem::forget(abort);
    };
    rayon::scope(|scope| {
        for _ in 1..wanted {
            scope.spawn(|_| take_part(false));
        }
        take_part(true);
    });
}

/// Runs `task` on each of `0..tasks`, as threads become free.
pub fn for_each_task(tasks: usize, task: impl Fn(usize) + Sync) {
    if tasks <= 1 || rayon::current_num_threads() == 1 {
        (0..tasks).for_each(task);
    } else {
        (0..tasks).into_par_iter().with_max_len(1).for_each(&task);
    }
}

/// Runs `work` on each chunk of `size` elements of `data` with the chunk's index.
pub fn for_each_chunk(data: &mut [f32], size: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    if data.len() < MIN_PARALLEL || rayon::current_num_threads() == 1 {
        data.chunks_mut(size.max(1)).enumerate().for_each(|(i, data)| work(i, data));
    } else {
        data.par_chunks_mut(size.max(1)).enumerate().for_each(|(i, data)| work(i, data));
    }
}
