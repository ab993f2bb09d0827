//! The binary as it is used: real processes, real folders, real ports.

mod commands;
mod data;
mod dev;
mod process;
mod serve;
