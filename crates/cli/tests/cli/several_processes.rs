//! A binary without MPI that was started by `mpirun`.

#[cfg(not(feature = "mpi"))]
#[test]
fn a_binary_without_mpi_says_so_instead_of_training_in_every_process() {
    let world = crate::world::World::with_text();
    for variable in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"] {
        let run = |size: &str| {
            let args = ["train", "--text", "text.txt", "--hidden-size", "8", "--max-steps", "1"];
            let mut command = world.command(&args);
            command.args(["--batch-size", "3", "--seq-length", "7"]).env(variable, size);
            command.output().unwrap()
        };
        let refused = run("2");
        assert_eq!(refused.status.code(), Some(2));
        assert_eq!(
            String::from_utf8(refused.stderr).unwrap(),
            "error: the program was started in 2 processes, but this binary has no MPI: each would train the whole model\n\n\
             hint: `cargo install --path crates/cli --features mpi` in charloom's repository builds it with MPI\n",
            "{variable}"
        );
        assert!(!world.exists("runs"));
        // One process by itself needs none.
        assert_eq!(run("1").status.code(), Some(0));
        std::fs::remove_dir_all(world.path("runs")).unwrap();
    }
}

#[test]
fn a_sweep_is_not_run_in_every_process() {
    let world = crate::sweep::world("[grid]\ntrain.seed = [1]\n");
    let mut command = world.command(&["sweep", "my.toml"]);
    let refused = command.env("OMPI_COMM_WORLD_SIZE", "4").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.starts_with("error: `sweep` was started in 4 processes"), "{message}");
}
