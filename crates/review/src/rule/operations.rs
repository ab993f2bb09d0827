//! OPS: running it.

use super::table;

mod embedded_beyond_one;
mod no_backup;
mod no_production;
mod no_promise;
mod unargued_choice;

table! { "operations"
    "OPS001" no_promise Note whole "something public without a promise";
    "OPS002" no_production Note whole "a design that runs nowhere";
    "OPS003" embedded_beyond_one Deny "a database file for more than one process";
    "OPS004" no_backup Warn "production without a backup";
    "OPS005" unargued_choice Warn "a choice that nothing argues for";
}
