//! Names of tables and columns.

use std::fmt;
use std::sync::Arc;

/// What PostgreSQL is told of a schema that is a service's, as its comment: by that it is known as one, also when the service has
/// gone from the model.
pub const SERVICE_SCHEMA: &str = "The tables of a service, made by Mimar.";

/// What PostgreSQL is told of a view that stands where a table stood before it moved, as its comment.
pub const FORMER_PLACE: &str =
    "A table stood here; servers of the version before find it through this view.";

/// The stored name of a table, column or index: never empty, never longer than 63 bytes (PostgreSQL's limit),
/// without NUL or control characters. It is always written quoted, so a reserved word is a fine name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident {
    name: Arc<str>,
    /// The schema that it stands in, where that is not the connection's.
    schema: Option<Arc<str>>,
}

impl Ident {
    /// The longest name both databases keep whole, in bytes.
    pub const MAX: usize = 63;

    /// A name, or `None` if no database could hold it.
    pub fn new(name: &str) -> Option<Self> {
        let fits =
            !name.is_empty() && name.len() <= Self::MAX && !name.chars().any(char::is_control);
        fits.then(|| Self::bare(name.into()))
    }

    /// A name made to fit: control characters are dropped, an overlong name is cut and ended by a hash of the
    /// whole, so that two long names that begin alike stay apart.
    pub fn fit(name: &str) -> Self {
        let clean: String = name.chars().filter(|c| !c.is_control()).collect();
        if let Some(ident) = Self::new(&clean) {
            return ident;
        }
        // FNV-1a, 32 bit: stable across versions, which a stored name must be.
        let hash = clean
            .bytes()
            .fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let mut cut = clean.len().min(Self::MAX - 9);
        while !clean.is_char_boundary(cut) {
            cut -= 1;
        }
        Self::bare(format!("{}_{hash:08x}", &clean[..cut]).into())
    }

    /// A name in a schema of the database, where that is not the connection's.
    pub fn within(schema: &str, name: &str) -> Self {
        Self { name: name.into(), schema: Some(schema.into()) }
    }

    /// The name that a text says as [`fmt::Display`] writes it: `schema.name`, or `name`. No name of a table or a schema that
    /// Mimar looks at has a dot.
    pub fn read(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self { schema: Some(schema.into()), ..Self::fit(name) },
            None => Self::fit(text),
        }
    }

    /// A name beside this one, in the same schema, made to fit.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { schema: self.schema.clone(), ..Self::fit(name) }
    }

    fn bare(name: Arc<str>) -> Self {
        Self { name, schema: None }
    }

    /// The schema, if it is said.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name without its schema, unquoted.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// Unquoted: `schema.name` where a schema is said.
impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
