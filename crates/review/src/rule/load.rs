//! CAP: load.

use super::table;

mod connection_limit;
mod limit_above_capacity;
mod unstated_load;
mod writer_limit;

table! { "load"
    "CAP001" writer_limit Warn "more writes than the store commits";
    "CAP002" connection_limit Warn "more connections than the database takes";
    "CAP007" unstated_load Note whole "a load that nobody stated";
    "CAP008" limit_above_capacity Warn "a limit that limits nothing";
}
