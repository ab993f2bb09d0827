//! The buffer that SQL is written into.

use crate::Ident;

/// The databases that SQL is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.51.3 or newer.
    Sqlite,
    /// PostgreSQL 14 or newer.
    Postgres,
}

/// SQL text under construction. Text is `&'static str`, names are [`Ident`]s, values are numbered binds: a
/// `String` cannot be pushed, so user input concatenated into a statement does not compile.
#[derive(Debug, Clone)]
pub struct Sql {
    text: String,
    dialect: Dialect,
    /// How many binds are others'.
    others: usize,
}

impl Sql {
    /// An empty statement.
    pub fn new(dialect: Dialect) -> Self {
        Self { text: String::with_capacity(256), dialect, others: 0 }
    }

    /// An empty statement that is to stand behind others as a part of one: the binds before `others` are theirs.
    pub fn behind(dialect: Dialect, others: usize) -> Self {
        Self { others, ..Self::new(dialect) }
    }

    /// The dialect being written.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Appends fixed text.
    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a quoted name, with its schema before it. SQLite has no schemas: there the two are one name.
    pub fn ident(&mut self, name: &Ident) -> &mut Self {
        match (name.schema(), self.dialect) {
            (None, _) => {}
            (Some(schema), Dialect::Postgres) => {
                self.quoted('"', schema);
                self.text.push('.');
            }
            (Some(_), Dialect::Sqlite) => return self.quoted('"', &name.to_string()),
        }
        self.quoted('"', name.as_str())
    }

    /// Appends a quoted name without its schema: as a new index is called, and what a table is renamed to.
    pub fn bare(&mut self, name: &Ident) -> &mut Self {
        self.quoted('"', name.as_str())
    }

    /// Appends `prefix` and a number, unquoted: an alias such as `t3`.
    pub fn alias(&mut self, prefix: &'static str, number: usize) -> &mut Self {
        self.text.push_str(prefix);
        self.text.push_str(&number.to_string());
        self
    }

    /// Appends the placeholder of the bind at `position` (from 0): `?1` or `$1` for the first.
    pub fn bind(&mut self, position: usize) -> &mut Self {
        self.text.push(match self.dialect {
            Dialect::Sqlite => '?',
            Dialect::Postgres => '$',
        });
        self.text.push_str(&(self.others + position + 1).to_string());
        self
    }

    /// Appends an integer literal.
    pub fn integer(&mut self, number: i64) -> &mut Self {
        self.text.push_str(&number.to_string());
        self
    }

    /// Appends a string literal. For DDL only, where databases take no binds; values of requests are binds.
    pub fn literal(&mut self, text: &str) -> &mut Self {
        self.quoted('\'', text)
    }

    /// Appends `items` with `separator` between them.
    pub fn list<T>(
        &mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.text.push_str(separator);
            }
            each(self, item);
        }
        self
    }

    /// The statement so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The finished statement.
    pub fn finish(self) -> String {
        self.text
    }

    fn quoted(&mut self, quote: char, text: &str) -> &mut Self {
        self.text.push(quote);
        for c in text.chars().filter(|c| *c != '\0') {
            if c == quote {
                self.text.push(quote);
            }
            self.text.push(c);
        }
        self.text.push(quote);
        self
    }
}
