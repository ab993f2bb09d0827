//! Who asks.

use model::RoleId;

/// A set of roles, by position; a model has at most 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Roles(u64);

impl Roles {
    /// No role: a caller without a token.
    pub const NONE: Self = Self(0);

    /// What runs inside: the built-in role of commands, jobs and workflows alone.
    pub const SYSTEM: Self = Self(1 << RoleId::SYSTEM.0);

    /// The most roles that a model may have.
    pub const MAXIMUM: usize = 64;

    /// The set with `role` in it; a role past the 64th is left out.
    #[must_use]
    pub fn with(self, role: RoleId) -> Self {
        Self(self.0 | 1_u64.checked_shl(role.0).unwrap_or(0))
    }

    /// Whether `role` is in it.
    #[must_use]
    pub fn has(self, role: RoleId) -> bool {
        self.0 & 1_u64.checked_shl(role.0).unwrap_or(0) != 0
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Who asks: nothing of it comes from anywhere but a verified token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The roles the token carries.
    pub roles: Roles,
    /// The token's subject (RFC 7519 §4.1.2): for a role whose callers are rows, the row's key as text.
    pub subject: Option<Box<str>>,
    /// Whether there was a token at all: decides between 401 and 403.
    pub authenticated: bool,
}

impl Caller {
    /// A caller without a token.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }
}
