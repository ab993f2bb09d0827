//! Names of tables and columns.

use std::fmt;
use std::sync::Arc;

/// The stored name of a table, column or index: never empty, never longer than 63 bytes (PostgreSQL's limit),
/// without NUL or control characters. It is always written quoted, so a reserved word is a fine name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ident {
    name: Arc<str>,
    /// The schema that it stands in, where that is not the one of the model's tables.
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

    /// A name in a schema of the database that is not the one of the model's tables.
    pub fn within(schema: &str, name: &str) -> Self {
        Self { name: name.into(), schema: Some(schema.into()) }
    }

    fn bare(name: Arc<str>) -> Self {
        Self { name, schema: None }
    }

    /// The schema, if it is said.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The bare name, unquoted.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)
    }
}
