//! The program from outside: what is typed, what comes back, what stands on disk then.

mod bad_input;
mod bad_models;
mod complete;
mod predict;
mod score;
mod import;
mod init_from;
mod settings;
mod workflow;
mod world;
