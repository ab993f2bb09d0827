//! Identities: positions in the model's tables.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// As a position.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// An entity or a part.
    EntityId;
    /// A field of an entity, of a record, of an event or of an error: fields of all owners share one table.
    FieldId;
    /// An enum, named or inline.
    EnumId;
    /// A record.
    RecordId;
    /// An error.
    ErrorId;
    /// A query.
    QueryId;
    /// A command.
    CommandId;
    /// An event.
    EventId;
    /// An external dependency.
    ExternalId;
    /// A service.
    ServiceId;
    /// A role. The built-in ones come first: [`RoleId::SYSTEM`].
    RoleId;
}

impl RoleId {
    /// `system`: what runs inside; never a caller's role.
    pub const SYSTEM: Self = Self(0);
}
