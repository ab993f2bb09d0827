//! What Mimar's speed is measured with: the data of a shop, a server written by hand for the same requests,
//! a load generator, and the run that compares the two.

pub mod baseline;
pub mod broker;
pub mod check;
pub mod data;
pub mod fault;
pub mod form;
pub mod harness;
mod http;
pub mod identity;
pub mod load;
pub mod pipelined;
pub mod usual;
pub mod webhook;
