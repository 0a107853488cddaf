//! The commands, one module for each.

pub mod baseline;
pub mod complete;
pub mod config;
pub mod dataset;
pub mod devices;
pub mod eval;
pub mod export;
pub mod generate;
pub mod import;
pub mod inspect;
pub mod plan;
pub mod plot;
pub mod predict;
pub mod score;
pub mod sweep;
pub mod train;
