//! The numbers of the advisory locks on PostgreSQL, here together so that no two are one: who holds one would keep out those who
//! wait for another. The keys of receipts, which are locked by a part of their digest, come beside them.

/// Held while what is in the schema `mimar` changes: two servers may start at once.
pub(crate) const DEFINITIONS: i64 = 0x6d69_6d61_7200;

/// Held by who takes tasks of lanes.
pub(crate) const TASKS: i64 = 0x6d69_6d61_7201;

/// Held by who takes deliveries.
pub(crate) const DELIVERIES: i64 = 0x6d69_6d61_7202;

/// Held by the session that changes the schema of the model, as long as that takes.
pub(crate) const MIGRATION: i64 = 0x6d69_6d61_7203;

const _: () = {
    let all = [DEFINITIONS, TASKS, DELIVERIES, MIGRATION];
    let mut at = 1;
    while at < all.len() {
        assert!(all[at - 1] < all[at], "two locks have one number");
        at += 1;
    }
};
