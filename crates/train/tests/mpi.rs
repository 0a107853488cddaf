//! The operations of [`Mpi`] under real MPI, and that a rank which panics ends all. The program starts itself under `mpirun`.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use charloom_train::{Mpi, ProcessGroup};

const RANK: &str = "OMPI_COMM_WORLD_RANK";

fn main() {
    match std::env::var(RANK) {
        Ok(_) => rank(&std::env::args().nth(1).unwrap_or_default()),
        Err(_) => {
            operations_give_the_same_to_all_ranks();
            a_rank_that_panics_ends_all();
        }
    }
}

/// What each rank does.
fn rank(test: &str) {
    let mpi = Mpi::start().expect("MPI starts");
    let (rank, size) = (mpi.rank(), mpi.size());
    if test == "panic" {
        assert!(rank != 1, "rank 1 fails");
        // The others wait for it.
        mpi.all_reduce(&mut [0.0]);
        unreachable!("rank 1 never arrives");
    }
    let mut values: Vec<f32> = (0..100_000).map(|index| (index * (rank + 1)) as f32).collect();
    mpi.all_reduce(&mut values);
    let ranks = (size * (size + 1) / 2) as f32;
    assert!(values.iter().enumerate().all(|(index, sum)| *sum == index as f32 * ranks));
    let mut thirds = [1.0 / 3.0];
    mpi.all_reduce_f64(&mut thirds);
    assert!((thirds[0] - size as f64 / 3.0).abs() < 1e-15);

    let mut message = match rank {
        0 => b"from rank 0".to_vec(),
        _ => vec![7; 100],
    };
    mpi.broadcast(&mut message);
    assert_eq!(message, b"from rank 0");
    // As many bytes as the rank's number: none from rank 0.
    let parts = mpi.gather(&vec![rank as u8; rank]);
    let expected: Vec<Vec<u8>> = (0..size).map(|rank| vec![rank as u8; rank]).collect();
    assert_eq!(parts, if rank == 0 { expected } else { Vec::new() });
    mpi.finish();
}

fn start(ranks: &str, test: &str) -> Output {
    let mut command = Command::new("mpirun");
    command.args(["-n", ranks]).arg(std::env::current_exe().unwrap()).arg(test);
    command.envs(mpi_env::ONE_MACHINE).stdin(Stdio::null());
    command.output().expect("`mpirun` is installed")
}

fn operations_give_the_same_to_all_ranks() {
    for ranks in ["1", "2", "3"] {
        let ran = start(ranks, "operations");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    println!("test operations_give_the_same_to_all_ranks ... ok");
}

fn a_rank_that_panics_ends_all() {
    let started = Instant::now();
    let ran = start("3", "panic");
    let printed = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(!ran.status.success() && printed.contains("rank 1 fails"), "{printed}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    println!("test a_rank_that_panics_ends_all ... ok");
}

#[path = "../../cli/tests/mpi_env/mod.rs"]
mod mpi_env;
