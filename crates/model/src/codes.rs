//! The kinds of faults that checking finds: `E02xx` names and types, `E03xx` data, `E04xx` access, `E05xx`
//! behaviour, `E06xx` running; `W0xxx` warnings; `N0xxx` what the runtime does not carry out yet.

use syntax::Code;

/// Every code of this crate, in order.
pub static CODES: &[Code] = &[];
