//! DAT: data.

use super::table;

mod ambiguous_rename;
mod derivable_copy;
mod endless_growth;
mod float_for_money;
mod flow_bypass;
mod hot_row;
mod missing_identity;
mod missing_index;
mod mutable_key;
mod nullable_in_unique;
mod orphans;
mod redundant_index;
mod repeating_group;
mod required_cycle;
mod stringly_enum;
mod unbounded_aggregate;
mod unbounded_field;
mod unreachable_state;
mod unused_index;
mod wide_hot_row;

table! { "data"
    "DAT001" missing_index Warn "an access that no index serves";
    "DAT002" redundant_index Warn "an index that another one makes needless";
    "DAT003" unused_index Warn "an index that nothing looks by";
    "DAT004" unbounded_field Warn "a text, JSON, bytes or list without a bound";
    "DAT005" float_for_money Warn "money in binary floating point";
    "DAT006" mutable_key Warn "a key that changes, or is personal";
    "DAT007" unbounded_aggregate Warn "a root with thousands of parts";
    "DAT008" required_cycle Warn "entities that need each other before they are there";
    "DAT010" repeating_group Warn "numbered fields of one kind";
    "DAT011" derivable_copy Warn "a copy that nothing keeps true";
    "DAT012" stringly_enum Warn "a text that is a closed set";
    "DAT013" wide_hot_row Warn "a wide row that is updated all the time";
    "DAT014" hot_row Warn "a row that everybody changes";
    "DAT015" missing_identity Warn "an identity that is not unique";
    "DAT016" unreachable_state Warn "a state that no row is ever in";
    "DAT017" flow_bypass Deny "a change of state that is refused every time";
    "DAT018" orphans Warn "references that outlive what they point at";
    "DAT019" nullable_in_unique Warn "a unique constraint with a field that may be absent";
    "DAT020" endless_growth Warn "a table that grows for ever";
    "DAT021" ambiguous_rename Warn compares "something gone and something like it new";
}
