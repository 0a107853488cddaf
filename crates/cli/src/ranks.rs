//! The processes that train one model together, as `mpirun` or another launcher has started them.

use std::rc::Rc;

#[cfg(feature = "mpi")]
use charloom_train::Mpi;
use charloom_train::{ProcessGroup, SingleProcess};

use crate::report::{Failure, Result, command};

/// Environment variables in which launchers give the number of processes: Open MPI, MPICH and Intel MPI, SLURM's `srun`.
const WORLD_SIZE: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];
/// The number of a process among those of its machine, from 0, in the same order.
const LOCAL_RANK: [&str; 3] = ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"];
/// The number of processes on this machine.
const LOCAL_SIZE: [&str; 2] = ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"];

/// The value of the first of these variables that is set to a number.
fn number(names: &[&str]) -> Option<usize> {
    names.iter().find_map(|name| std::env::var(name).ok()?.parse().ok())
}

/// The number of this process among those of its machine; 0 without a launcher.
pub fn local_rank() -> usize {
    number(&LOCAL_RANK).unwrap_or(0)
}

/// The number of processes that were started on this machine.
pub fn local_size() -> usize {
    number(&LOCAL_SIZE).unwrap_or(1).max(1)
}

/// Fails if this program was started in several processes: each would do the whole work.
pub fn refuse_several(subcommand: &str) -> Result<()> {
    match number(&WORLD_SIZE) {
        Some(size @ 2..) => Err(Failure::request(format!(
            "`{subcommand}` was started in {size} processes, but each would do the whole work"
        ))
        .hint(format!("`{} {subcommand}` without `mpirun` runs it once", command()))),
        _ => Ok(()),
    }
}

/// This process and the others.
pub struct Ranks {
    pub group: Rc<dyn ProcessGroup>,
    #[cfg(feature = "mpi")]
    mpi: Option<Rc<Mpi>>,
}

impl Ranks {
    /// Does work that all ranks do together. A rank that fails ends all, after its message.
    pub fn run(work: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let ranks = Self::join()?;
        let done = work(&ranks);
        ranks.leave(done)
    }

    /// The number of this process; rank 0 alone reads and writes files and prints.
    pub fn rank(&self) -> usize {
        self.group.rank()
    }

    pub fn size(&self) -> usize {
        self.group.size()
    }

    #[cfg(feature = "mpi")]
    fn join() -> Result<Self> {
        let mpi = match number(&WORLD_SIZE) {
            Some(2..) => Mpi::start().map(Rc::new),
            _ => None,
        };
        let group: Rc<dyn ProcessGroup> = match &mpi {
            Some(mpi) => mpi.clone(),
            None => Rc::new(SingleProcess),
        };
        Ok(Self { group, mpi })
    }

    #[cfg(not(feature = "mpi"))]
    fn join() -> Result<Self> {
        match number(&WORLD_SIZE) {
            Some(size @ 2..) => Err(Failure::request(format!(
                "the program was started in {size} processes, but this binary has no MPI: each would train the whole model"
            ))
            .hint(match command().as_str() {
                "cargo xtask" => "`cargo xtask train --features mpi --ranks 2` builds it with MPI",
                _ => "`cargo install --path crates/cli --features mpi` in charloom's repository builds it with MPI",
            })),
            _ => Ok(Self { group: Rc::new(SingleProcess) }),
        }
    }

    #[cfg(feature = "mpi")]
    fn leave(self, done: Result<()>) -> Result<()> {
        let Some(mpi) = &self.mpi else { return done };
        if let Err(failure) = &done
            && !failure.is_interruption()
        {
            failure.print();
            mpi.abort(failure.exit_code());
        }
        mpi.finish();
        done
    }

    #[cfg(not(feature = "mpi"))]
    fn leave(self, done: Result<()>) -> Result<()> {
        done
    }
}
