//! `charloom config`.

use std::io::Write;
use std::path::Path;

use crate::report::{Failure, Result, print_status};
use crate::settings::SettingsFlags;
use crate::settings::{self, Layer, Layers};

/// Prints all settings.
pub fn show(settings: &SettingsFlags) -> Result<()> {
    let layers = Layers::from_settings(settings)?;
    let resolved = settings::resolve(&layers)?;
    let page = settings::show(&resolved, &layers);
    std::io::stdout().write_all(page.as_bytes()).map_err(Failure::output)
}

/// Checks a settings file. Its text need not exist: the file may be meant for another machine.
pub fn check(file: &Path) -> Result<()> {
    settings::resolve(&Layers::new().over(Layer::file(file)?))?;
    print_status!("`{}` is a valid settings file", file.display());
    Ok(())
}

/// Prints the JSON schema of a settings file.
pub fn schema() -> Result<()> {
    let schema = format!("{:#}\n", settings::json_schema());
    std::io::stdout().write_all(schema.as_bytes()).map_err(Failure::output)
}
