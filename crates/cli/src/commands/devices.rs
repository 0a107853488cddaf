//! `charloom devices`.

use crate::device::{Backend, build_command, device_name};
use crate::report::{Result, answer};
use crate::threads;

/// Lists the backends that are built in, and their devices.
pub fn run() -> Result<()> {
    let mut missing = Vec::new();
    for backend in Backend::ALL {
        if !backend.is_built_in() {
            missing.push(backend.name());
            continue;
        }
        answer!("{:<8} {}", backend.name(), backend.about())?;
        let devices = backend.devices();
        for (index, device) in devices.iter().enumerate() {
            let name = device_name(device).unwrap_or_else(|| format!("{} cores", threads::count()));
            answer!("  --device {index}  {name}")?;
        }
        if devices.is_empty() {
            answer!("  no device or no driver found")?;
        }
    }
    if !missing.is_empty() {
        answer!(
            "\nnot built in: {}\n{} builds one in",
            missing.join(", "),
            build_command("<command>", "<name>")
        )?;
    }
    Ok(())
}
