//! `charloom config`.

use std::io::Write;
use std::path::Path;

use crate::args::Settings;
use crate::config::{self, Layer, Layers};
use crate::report::{Failure, Result, say};

/// Prints all settings.
pub fn show(settings: &Settings) -> Result<()> {
    let layers = Layers::from_settings(settings)?;
    let resolved = config::resolve(&layers)?;
    let page = config::show(&resolved, &layers);
    std::io::stdout().write_all(page.as_bytes()).map_err(Failure::output)
}

/// Checks a settings file. Whether its text exists is not asked: it may be for another machine.
pub fn check(file: &Path) -> Result<()> {
    config::resolve(&Layers::new().over(Layer::file(file)?))?;
    say!("`{}` is a valid settings file", file.display());
    Ok(())
}
