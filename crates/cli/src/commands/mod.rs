//! One module for each command.

pub mod complete;
pub mod config;
pub mod dataset;
pub mod devices;
pub mod eval;
pub mod generate;
pub mod import;
pub mod inspect;
pub mod model;
pub mod plot;
pub mod predict;
pub mod score;
pub mod start;
pub mod sweep;
pub mod text;
pub mod train;
