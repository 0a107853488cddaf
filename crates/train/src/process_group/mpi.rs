//! [`Mpi`]: the processes that `mpirun` or another launcher has started. Every call of MPI is in this file.

use std::cell::Cell;

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};

use crate::ProcessGroup;

/// Bytes of a message at most: MPI counts in C's `int`.
const MOST_BYTES: usize = 1 << 30;

/// All processes of an MPI job.
///
/// Where this is dropped without [`finish`](Self::finish), because a rank panics or returns early, all ranks are aborted: the
/// others would wait for it in a collective operation, and it for them in `MPI_Finalize`.
pub struct Mpi {
    world: SimpleCommunicator,
    is_finished: Cell<bool>,
    /// Finalizes MPI when it is dropped.
    _universe: Universe,
}

impl Mpi {
    /// Initialises MPI. The thread that calls this must be the one that trains. `None` if MPI was initialised before.
    pub fn start() -> Option<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)?;
        Some(Self { world: universe.world(), is_finished: Cell::new(false), _universe: universe })
    }

    /// Tells that this rank leaves as all others do.
    pub fn finish(&self) {
        self.is_finished.set(true);
    }

    /// Ends all ranks, with this exit code.
    pub fn abort(&self, code: u8) -> ! {
        self.world.abort(code.into())
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        if !self.is_finished.get() {
            self.abort(1);
        }
    }
}

impl ProcessGroup for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn all_reduce(&self, values: &mut [f32]) {
        let own = values.to_vec();
        self.world.all_reduce_into(&own[..], values, SystemOperation::sum());
    }

    fn all_reduce_f64(&self, values: &mut [f64]) {
        let own = values.to_vec();
        self.world.all_reduce_into(&own[..], values, SystemOperation::sum());
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) {
        let root = self.world.process_at_rank(0);
        let mut length = bytes.len() as u64;
        root.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        for part in bytes.chunks_mut(MOST_BYTES) {
            root.broadcast_into(part);
        }
    }

    fn gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let root = self.world.process_at_rank(0);
        // A byte more, because the address of an empty slice is that which Open MPI takes for `MPI_IN_PLACE`.
        let bytes = [bytes, &[0]].concat();
        // States are far smaller than what a count can hold.
        let length = i32::try_from(bytes.len()).expect("less than 2 GB from each rank");
        if self.rank() > 0 {
            root.gather_into(&length);
            root.gather_varcount_into(&bytes[..]);
            return Vec::new();
        }
        let mut lengths = vec![0; self.size()];
        root.gather_into_root(&length, &mut lengths[..]);
        let starts = lengths.iter().scan(0, |end, length| {
            let start = *end;
            *end += length;
            Some(start)
        });
        let starts: Vec<i32> = starts.collect();
        let mut all = vec![0; lengths.iter().map(|length| *length as usize).sum()];
        let mut parts = PartitionMut::new(&mut all[..], &lengths[..], &starts[..]);
        root.gather_varcount_into_root(&bytes[..], &mut parts);
        let mut rest = &all[..];
        let parts = lengths.iter().map(|length| {
            let (part, others) = rest.split_at(*length as usize);
            rest = others;
            part[..part.len() - 1].to_vec()
        });
        parts.collect()
    }
}
