//! Loops over the threads of the current rayon pool. How work is divided never decides a result: a row's numbers don't
//! depend on the rows that it shares a range with.

use std::ops::Range;

use rayon::prelude::*;

/// The fewest rows that are worth another thread's read of the weights.
const MIN_ROWS: usize = 4;
/// The fewest `f32` to write that are worth a second thread.
const MIN_PARALLEL: usize = 1 << 15;

/// Runs `work` on consecutive parts of `0..rows`, one part for each thread.
pub fn for_each_row_range(rows: usize, work: impl Fn(Range<usize>) + Sync) {
    let parts = rayon::current_num_threads().min(rows.div_ceil(MIN_ROWS)).max(1);
    for_each_task(parts, |i| work(i * rows / parts..(i + 1) * rows / parts));
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
