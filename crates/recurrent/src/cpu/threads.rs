//! Work over the current rayon pool. Nothing here decides what is computed in which order: a piece's results
//! don't depend on which piece it is in.

use std::ops::Range;

use rayon::prelude::*;

/// Rows below which a piece isn't worth another read of the weights.
const FEWEST_ROWS: usize = 4;

/// A pointer that pieces of one job share; each writes its own rows or columns.
#[derive(Clone, Copy)]
pub struct Shared(pub *mut f32);

// SAFETY: whoever makes one sees to it that no two threads touch the same element.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The pointer, `offset` elements on.
    #[inline(always)]
    pub fn at(self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// Runs `piece` on the parts of `0..rows`, one for each thread.
pub fn for_each_piece(rows: usize, piece: impl Fn(Range<usize>) + Sync) {
    let pieces = rayon::current_num_threads().min(rows.div_ceil(FEWEST_ROWS)).max(1);
    for_each_job(pieces, |i| piece(i * rows / pieces..(i + 1) * rows / pieces));
}

/// Runs `job` on `0..jobs`, each when a thread is free.
pub fn for_each_job(jobs: usize, job: impl Fn(usize) + Sync) {
    if jobs <= 1 || rayon::current_num_threads() == 1 {
        (0..jobs).for_each(job);
    } else {
        (0..jobs).into_par_iter().with_max_len(1).for_each(&job);
    }
}

/// Runs `chunk` on each part of `size` elements.
pub fn for_each_chunk(data: &mut [f32], size: usize, chunk: impl Fn(usize, &mut [f32]) + Sync) {
    // Below this much a second thread costs more than it does.
    if data.len() < 1 << 15 || rayon::current_num_threads() == 1 {
        data.chunks_mut(size.max(1)).enumerate().for_each(|(i, data)| chunk(i, data));
    } else {
        data.par_chunks_mut(size.max(1)).enumerate().for_each(|(i, data)| chunk(i, data));
    }
}
