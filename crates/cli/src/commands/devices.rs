//! `charloom devices`.

use crate::device::{Backend, build_command, device_name};
use crate::report::{Result, print_output};
use crate::threads;

/// Lists the backends of this binary with their devices, and those that aren't built in.
pub fn run() -> Result<()> {
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
