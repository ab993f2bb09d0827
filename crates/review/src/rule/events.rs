//! EVT: events.

use super::table;

mod breaking_payload;
mod emit_without_bound;
mod event_loop;
mod fat_event;
mod never_consumed;
mod never_emitted;
mod no_order_key;

table! { "events"
    "EVT001" never_emitted Warn "an event that never comes";
    "EVT002" never_consumed Note "an event that nobody hears";
    "EVT003" event_loop Warn "an event that leads to itself";
    "EVT005" fat_event Warn "an event that carries a whole row";
    "EVT006" no_order_key Warn "events of a row without an order";
    "EVT007" breaking_payload Deny compares "a change that breaks consumers";
    "EVT008" emit_without_bound Warn "any number of events by one request";
}
