//! What a database consists of, as far as a model may say it.

use std::collections::BTreeMap;

use sqlparser::ast::Expr;

use crate::Dialect;

/// The name of a table or type: its schema, empty for the one that needs no saying, and its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Name {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.schema.is_empty() {
            write!(f, "{}.", self.schema)?;
        }
        f.write_str(&self.name)
    }
}

#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) dialect: Dialect,
    pub(crate) tables: Vec<Table>,
    pub(crate) enums: BTreeMap<Name, Vec<String>>,
    pub(crate) domains: BTreeMap<Name, Domain>,
    /// Kinds of statements that a model has no words for, with the names of what they make.
    pub(crate) skipped: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Domain {
    pub(crate) kind: String,
    pub(crate) required: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) checks: Vec<Expr>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Table {
    pub(crate) name: Name,
    pub(crate) comment: Option<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) key: Vec<String>,
    pub(crate) uniques: Vec<Vec<String>>,
    pub(crate) references: Vec<Reference>,
    pub(crate) checks: Vec<Check>,
    pub(crate) indexes: Vec<Index>,
}

impl Table {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.name == name)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its type as it is written, in small letters.
    pub(crate) kind: String,
    pub(crate) required: bool,
    pub(crate) default: Option<Expr>,
    /// Whether the database counts it, and whether it never gives a number twice.
    pub(crate) counted: bool,
    /// Whether texts in it are compared without case.
    pub(crate) caseless: bool,
    /// What computes it.
    pub(crate) generated: Option<String>,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) name: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) target: Name,
    /// Empty: the key.
    pub(crate) target_columns: Vec<String>,
    pub(crate) on_delete: OnDelete,
    /// Whether a key that changes takes the reference along.
    pub(crate) on_update: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDelete {
    Restrict,
    Cascade,
    Clear,
    SetDefault,
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) name: Option<String>,
    pub(crate) expression: Expr,
}

#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) name: String,
    /// Columns; true where it descends.
    pub(crate) columns: Vec<(String, bool)>,
}
