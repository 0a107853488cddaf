//! The program from outside: what is typed, what comes back, what stands on disk then.

mod bad_input;
mod bad_models;
mod bad_sweeps;
mod complete;
mod import;
mod init_from;
mod installed;
mod plot;
mod predict;
#[cfg(unix)]
mod questions;
mod score;
mod settings;
mod sweep;
mod workflow;
mod world;
