//! The words of the language and what they mean, for who offers them while a model is written.

use crate::check::function::FUNCTIONS;
use crate::check::type_expr::BUILTINS;
use crate::reference::{Construct, ITEMS, MEMBERS, MODIFIERS, STATEMENTS};

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the top of a file, or in a service.
    Item,
    /// In an entity.
    Member,
    /// Behind the type of a field.
    Modifier,
    /// In the body of a command, a step or a job.
    Statement,
    /// Where a type is needed.
    Type,
    /// In an expression.
    Function,
}

/// A word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// How it is used.
    pub form: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// The words that may stand at a place, in the order of the reference.
#[must_use]
pub fn words(place: Place) -> Vec<Word> {
    let constructs = |rows: &[Construct]| {
        let words = rows
            .iter()
            .filter(|row| row.name.bytes().all(|it| it.is_ascii_lowercase() || it == b' '));
        words
            .filter(|row| row.name != "field")
            .map(|row| Word { name: row.name, form: row.example, meaning: row.meaning })
            .collect()
    };
    match place {
        Place::Item => constructs(ITEMS),
        Place::Member => constructs(MEMBERS),
        Place::Modifier => constructs(MODIFIERS),
        Place::Statement => constructs(STATEMENTS),
        Place::Type => BUILTINS
            .iter()
            .map(|it| Word { name: it.name, form: it.example, meaning: it.meaning })
            .collect(),
        Place::Function => FUNCTIONS
            .iter()
            .map(|it| Word { name: it.name, form: it.form, meaning: it.meaning })
            .collect(),
    }
}
