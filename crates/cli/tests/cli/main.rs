//! Black-box tests of the program: command lines, output and files.

mod adapt;
mod bad_input;
mod bad_models;
mod bad_sweeps;
mod baseline;
mod batch_schedule;
mod complete;
mod ensemble;
mod evaluation;
mod export;
mod import;
mod init_from;
mod installed;
#[cfg(unix)]
mod machine_trouble;
mod plan;
mod plot;
mod precision;
mod predict;
#[cfg(unix)]
mod questions;
mod readout;
mod recipe;
mod score;
mod settings;
mod several_processes;
#[cfg(unix)]
mod signals;
mod sweep;
mod sweep_parts;
mod sweep_search;
mod texts;
mod workflow;
mod world;
