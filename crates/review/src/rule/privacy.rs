//! PRI: people.

use super::table;

mod broad_reader;
mod no_retention;
mod personal_data_leaves;
mod sensitive_in_clear;
mod unclassified_person;
mod unreachable_person;

table! { "privacy"
    "PRI001" unreachable_person Warn "personal data that nobody finds from its person";
    "PRI002" unclassified_person Warn "personal data that is not classed";
    "PRI003" no_retention Warn "a person who is kept for ever";
    "PRI004" personal_data_leaves Warn "personal data that leaves the system";
    "PRI005" sensitive_in_clear Warn "sensitive data in clear";
    "PRI006" broad_reader Warn "personal data of all for everybody";
}
