//! Entities and value objects.

use super::{
    Computed, Default, Deprecated, Encrypted, Field, Immutable, Literal, Member, OnDelete, Path,
    Pattern, Pii, Range, Search, Secret, UniqueModifier, choice, views,
};

views! {
    /// `entity Name was Old stored as "t" { members }`, or
    /// `entity Part part of Root as name (1..50) { members }`.
    Entity = Entity {
        /// Its name.
        name: the declared;
        /// `was Old`, if it was renamed.
        was: child Was;
        /// `stored as "t"`, if its table has a name of its own.
        stored_as: child StoredAs;
        /// `part of Root as name`, if it is no root.
        part_of: child PartOf;
        /// What stands inside.
        members: children Member;
    }

    /// `was old_name`, or `was old_name before " "`
    Was = Was {
        /// The former name.
        name: the used;
        /// Which half of its text it is, if it was split.
        half: child Half;
    }

    /// `before " "` or `after " "`
    Half = Half {
        /// `before` or `after`.
        side: the used;
        /// What stands between the halves, a string.
        separator: child Literal;
    }

    /// `stored as "name"`
    StoredAs = StoredAs {
        /// The name in the store, a string.
        name: child Literal;
    }

    /// `part of Root as name (1..50)`
    PartOf = PartOf {
        /// The root.
        root: child Path;
        /// Under what name the root has its parts.
        name: the declared;
        /// How many of them.
        bounds: child Range;
    }

    /// `record Name { fields }`
    Record = Record {
        /// Its name.
        name: the declared;
        /// Its fields.
        fields: children Field;
    }

    /// `enum Name { a, b }`
    Enum = Enum {
        /// Its name.
        name: the declared;
        /// `was Old`, if it was renamed.
        was: child Was;
        /// Its values.
        values: children EnumValue;
    }

    /// One value: `draft`, or `draft was sketch`.
    EnumValue = EnumValue {
        /// Its name.
        name: the declared;
        /// Its former name.
        was: child Was;
    }

    /// `error Name 409 "message with {field}" { fields }`
    Fault = Fault {
        /// Its name.
        name: the declared;
        /// The HTTP status, an integer.
        status: literal 0;
        /// What it says, a string; `{field}` stands for the field's value.
        message: literal 1;
        /// What it carries.
        fields: children Field;
    }
}

choice! {
    /// What a field may say behind its type.
    Modifier {
        /// `= EXPR`
        Default(Default),
        /// `:= EXPR`
        Computed(Computed),
        /// `unique`
        Unique(UniqueModifier),
        /// `immutable`
        Immutable(Immutable),
        /// `search`
        Search(Search),
        /// `pii`
        Pii(Pii),
        /// `encrypted`
        Encrypted(Encrypted),
        /// `secret`
        Secret(Secret),
        /// `pattern "…"`
        Pattern(Pattern),
        /// `was old_name`
        Was(Was),
        /// `stored as "column"`
        StoredAs(StoredAs),
        /// `on delete …`
        OnDelete(OnDelete),
        /// `deprecated …`
        Deprecated(Deprecated),
    }
}
