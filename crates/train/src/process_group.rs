//! [`ProcessGroup`]: the processes that train one model together.

#[cfg(feature = "mpi")]
mod mpi;

#[cfg(feature = "mpi")]
pub use mpi::Mpi;

/// The processes that train one model together, and their collective operations: all ranks call the same ones in the same
/// order, and each call returns when all have arrived.
///
/// A process that leaves in another way than all others must end them, or they wait for ever: an implementation sees to
/// that.
pub trait ProcessGroup {
    /// The number of this process, from 0. Rank 0 alone reads and writes files.
    fn rank(&self) -> usize;

    /// The number of processes: the world size.
    fn size(&self) -> usize;

    /// Sums elementwise over all ranks. All get the same bits.
    fn all_reduce(&self, values: &mut [f32]);

    /// [`all_reduce`](Self::all_reduce) in double precision.
    fn all_reduce_f64(&self, values: &mut [f64]);

    /// Replaces `bytes` by those of rank 0.
    fn broadcast(&self, bytes: &mut Vec<u8>);

    /// The bytes of each rank, in order, on rank 0; nothing on other ranks.
    fn gather(&self, bytes: &[u8]) -> Vec<Vec<u8>>;
}

/// One process by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleProcess;

impl ProcessGroup for SingleProcess {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_reduce(&self, _values: &mut [f32]) {}

    fn all_reduce_f64(&self, _values: &mut [f64]) {}

    fn broadcast(&self, _bytes: &mut Vec<u8>) {}

    fn gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        vec![bytes.to_vec()]
    }
}
