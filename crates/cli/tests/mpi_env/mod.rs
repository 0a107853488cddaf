//! What Open MPI needs to run several ranks on the machine of a test.

/// Root may start processes, more of them than there are cores; none is pinned; what was asked to stop has three
/// seconds to save. Containers have no ptrace.
pub const ONE_MACHINE: [(&str, &str); 7] = [
    ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
    ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
    ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
    ("OMPI_MCA_hwloc_base_binding_policy", "none"),
    ("OMPI_MCA_mpi_yield_when_idle", "1"),
    ("OMPI_MCA_odls_base_sigkill_timeout", "3"),
    ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
];
