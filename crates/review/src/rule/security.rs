//! SEC: who may do what.

use super::table;

mod broken_object_access;
mod broken_property_access;
mod costly_policy;
mod idle_role;
mod null_opens_policy;
mod open_write;
mod read_oracle;
mod secret_in_model;
mod secret_readable;
mod tenant_leak;
mod unaudited_power;
mod unlimited_sign_in;
mod unsigned_hook;

table! { "security"
    "SEC001" open_write Warn "a write from outside without a limit";
    "SEC002" broken_object_access Warn "rows of others that a caller reaches";
    "SEC003" broken_property_access Warn "a field that decides, in the hands of those it decides about";
    "SEC005" null_opens_policy Warn "a policy that is true where nobody is the owner";
    "SEC006" tenant_leak Warn "an entity that all tenants share";
    "SEC007" secret_readable Warn "a secret that can be read";
    "SEC008" unlimited_sign_in Warn "passwords that may be tried without end";
    "SEC010" unsigned_hook Warn "a message that anybody could have sent";
    "SEC012" unaudited_power Warn "power over money or people without a trail";
    "SEC013" idle_role Warn whole "a role that may do nothing";
    "SEC014" costly_policy Warn "a policy that reads the whole table";
    "SEC015" read_oracle Warn "a field that is found out by asking";
    "SEC016" secret_in_model Deny "a credential in the text";
}
