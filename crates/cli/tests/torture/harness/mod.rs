//! A server of one's own, a client that shows every byte, tokens, and chance that can be repeated.

mod client;
mod random;
mod server;
mod token;

use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use client::{Answer, Client, Request};
pub(crate) use random::Random;
pub(crate) use server::{Project, Server, binary, both, example};
pub(crate) use token::{SECRET, hs256, sign, token};

static TURN: RwLock<()> = RwLock::new(());

/// Tests that measure time run alone.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    TURN.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Tests that do not, run beside each other.
pub(crate) fn beside() -> RwLockReadGuard<'static, ()> {
    TURN.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}
