//! `charloom devices`.

use crate::device::{Backend, build_command, device_name};
use crate::ranks::{Ranks, local_rank};
use crate::report::{Result, pluralize, print_output};
use crate::threads;

/// Lists the backends of this binary with their devices, and those that aren't built in; where several processes were
/// started, also these.
pub fn run(ranks: &Ranks) -> Result<()> {
    threads::limit(None)?;
    if ranks.size() > 1 {
        print_ranks(ranks)?;
    }
    if ranks.rank() > 0 {
        return Ok(());
    }
    let mut missing = Vec::new();
    for backend in Backend::ALL {
        if !backend.is_built_in() {
            missing.push(backend.name());
            continue;
        }
        print_output!("{:<8} {}", backend.name(), backend.about())?;
        let devices = backend.devices();
        for (index, device) in devices.iter().enumerate() {
            let name = device_name(device).unwrap_or_else(|| format!("{} cores", threads::count()));
            print_output!("  --device {index}  {name}")?;
        }
        if devices.is_empty() {
            print_output!("  no device or no driver found")?;
        }
    }
    if !missing.is_empty() {
        print_output!(
            "\nnot built in: {}\nto build one in:  {}",
            missing.join(", "),
            build_command("<command>", "<name>")
        )?;
    }
    Ok(())
}

/// Prints the machine and the threads of each process, on rank 0.
fn print_ranks(ranks: &Ranks) -> Result<()> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let missed = match threads::cores_missed() {
        Some(cores) => format!(", pinned to fewer than the {cores} cores that it could use"),
        None => String::new(),
    };
    let threads = pluralize(threads::count(), "thread");
    let line = format!("{}, local rank {}: {threads}{missed}", host.trim(), local_rank());
    let lines = ranks.group.gather(line.as_bytes());
    if ranks.rank() > 0 {
        return Ok(());
    }
    print_output!("{} processes", lines.len())?;
    for (rank, line) in lines.iter().enumerate() {
        print_output!("  rank {rank}  {}", String::from_utf8_lossy(line))?;
    }
    if lines.iter().any(|line| String::from_utf8_lossy(line).contains("pinned")) {
        print_output!("`mpirun --bind-to none` lets each process use its part of the cores")?;
    }
    print_output!("")
}
