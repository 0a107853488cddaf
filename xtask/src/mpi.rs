//! `--features mpi --ranks N`: several processes that train one model together, on this machine.

use std::process::Command;

/// What Open MPI is told. Root may start processes, as in containers, and more of them than there are cores; none is pinned to
/// a core, because each has threads; what Ctrl-C asks to stop has ten seconds to save, and so long
/// `mpirun` also waits where a rank fails. Containers have no ptrace, which the
/// shared-memory transport would use. The names that start with `PRTE` are those of Open MPI 5.
const OPEN_MPI: [(&str, &str); 8] = [
    ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
    ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
    ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
    ("OMPI_MCA_hwloc_base_binding_policy", "none"),
    ("OMPI_MCA_odls_base_sigkill_timeout", "10"),
    ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
    ("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe"),
    ("PRTE_MCA_hwloc_default_binding_policy", "none"),
];

/// The command that runs `program` in so many processes.
pub fn launch(program: &Command, ranks: usize) -> Command {
    let mut mpirun = Command::new("mpirun");
    mpirun.arg("-n").arg(ranks.to_string()).arg(program.get_program());
    // Variables of the caller win.
    mpirun.envs(OPEN_MPI.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()));
    mpirun
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_started_by_mpirun() {
        let command = launch(&Command::new("/t/charloom"), 3);
        assert_eq!(command.get_program(), "mpirun");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["-n", "3", "/t/charloom"]);
    }
}
