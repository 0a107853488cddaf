//! One module for each command.

pub mod config;
pub mod dataset;
pub mod devices;
pub mod eval;
pub mod generate;
pub mod inspect;
pub mod model;
pub mod plot;
pub mod sweep;
pub mod text;
pub mod train;
