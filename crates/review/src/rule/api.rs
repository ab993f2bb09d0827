//! API: the surface.

use super::table;

mod breaking_change;
mod early_removal;
mod guessable_identifier;
mod include_fan_out;
mod page_too_large;
mod personal_data_in_url;
mod undeclared_failure;
mod undocumented;
mod unreachable_surface;

table! { "api"
    "API001" page_too_large Warn "pages that fill the network";
    "API002" include_fan_out Warn "an answer that multiplies beyond measure";
    "API003" unreachable_surface Warn "something that nobody may use";
    "API004" undocumented Note whole "something public without a word about it";
    "API005" guessable_identifier Note "a counted number for what belongs to somebody";
    "API006" personal_data_in_url Warn "personal data in an address";
    "API007" breaking_change Deny compares "a change that breaks callers";
    "API008" early_removal Warn "a deprecation without a day, or past it";
    "API011" undeclared_failure Warn "a failure that the contract does not name";
}
