//! Reads back the definitions that a SQLite database keeps (`sqlite_schema.sql`).
//!
//! Only what [`ddl`](crate::ddl) writes, and what SQLite makes of it when it renames or adds, is understood: a table
//! of any other form was not made here and is left alone.

use std::collections::HashMap;

use operation::{OnDelete, Scalar};

use crate::Meaning;

/// A table as it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Existing {
    pub(crate) name: String,
    pub(crate) columns: Vec<ExistingColumn>,
    /// Table constraints, then what follows the closing parenthesis.
    rest: Vec<Vec<Token>>,
}

/// A column as it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExistingColumn {
    pub(crate) name: String,
    /// The comment that says what its values mean.
    pub(crate) meaning: String,
    /// Type and constraints.
    definition: Vec<Token>,
}

/// What a column of an SQLite table that others made holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Others<'e> {
    pub(crate) affinity: &'e str,
    /// `nothing`, `integer`, `real`, `blob`, `blob16`, `text10`, `textT` or `text`.
    pub(crate) looks: &'e str,
    pub(crate) unlike: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    /// A bare word, in capitals: a keyword, a type, a number.
    Word(String),
    Text(String),
    Comment(String),
    Mark(char),
}

/// Renames that turn what is there into what is wanted: of tables, and of columns by their table's new name.
#[derive(Debug, Default)]
pub(crate) struct Renames {
    pub(crate) tables: HashMap<String, String>,
    pub(crate) columns: HashMap<(String, String), String>,
}

impl Renames {
    fn table<'a>(&'a self, name: &'a str) -> &'a str {
        self.tables.get(name).map_or(name, String::as_str)
    }

    fn column<'a>(&'a self, table: &str, name: &'a str) -> &'a str {
        self.columns.get(&(table.to_owned(), name.to_owned())).map_or(name, String::as_str)
    }
}

impl Existing {
    /// The table of a `CREATE TABLE`, if it is one of ours.
    pub(crate) fn parse(sql: &str) -> Option<Self> {
        let tokens = tokens(sql)?;
        let mut at = tokens.iter();
        for word in ["CREATE", "TABLE"] {
            if *at.next()? != Token::Word(word.into()) {
                return None;
            }
        }
        let name = name_of(at.next()?)?;
        if *at.next()? != Token::Mark('(') {
            return None;
        }
        let (items, after) = items(at.as_slice())?;
        let mut table = Self { name, columns: Vec::new(), rest: Vec::new() };
        for item in items {
            match item {
                // `PRIMARY KEY (…)`: a constraint begins with a keyword, a column's name is quoted or was kept bare
                // by somebody else.
                [Token::Word(_), ..] => table.rest.push(item.to_vec()),
                [first, Token::Comment(meaning), definition @ ..] => {
                    table.columns.push(ExistingColumn {
                        name: name_of(first)?,
                        meaning: meaning.clone(),
                        definition: definition.to_vec(),
                    });
                }
                _ => return None,
            }
        }
        table.rest.push(after.to_vec());
        Some(table)
    }

    /// The same table after renames of any table and column.
    pub(crate) fn renamed(&self, renames: &Renames) -> Self {
        let name = renames.table(&self.name).to_owned();
        Self {
            columns: self
                .columns
                .iter()
                .map(|column| ExistingColumn {
                    name: renames.column(&name, &column.name).to_owned(),
                    meaning: column.meaning.clone(),
                    definition: with_names(&column.definition, &name, renames),
                })
                .collect(),
            rest: self.rest.iter().map(|tokens| with_names(tokens, &name, renames)).collect(),
            name,
        }
    }

    /// Whether only columns differ: key, options and constraints are the same.
    pub(crate) fn same_frame(&self, other: &Self) -> bool {
        self.rest == other.rest
    }

    /// Its primary key.
    pub(crate) fn key(&self) -> Vec<String> {
        let counted = self.columns.iter().filter(|column| column.is_counted());
        let mut key: Vec<String> = counted.map(|column| column.name.clone()).collect();
        for constraint in &self.rest {
            if constraint.first() == Some(&Token::Word("PRIMARY".into())) {
                key.extend(constraint.iter().filter_map(name_of));
            }
        }
        key
    }

    /// Whether a column is part of it.
    pub(crate) fn is_key(&self, column: &str) -> bool {
        self.key().iter().any(|name| name == column)
    }

    pub(crate) fn column(&self, name: &str) -> Option<&ExistingColumn> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Whether the tables hold the same, whatever the order of columns.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.same_frame(other)
            && self.columns.len() == other.columns.len()
            && self.columns.iter().all(|column| other.column(&column.name) == Some(column))
    }
}

impl ExistingColumn {
    pub(crate) fn nullable(&self) -> bool {
        !self.definition.windows(2).any(|pair| {
            pair == [Token::Word("NOT".into()), Token::Word("NULL".into())]
                || pair == [Token::Word("PRIMARY".into()), Token::Word("KEY".into())]
        })
    }

    /// The table and column that it refers to, and what becomes of the row when the target is deleted.
    pub(crate) fn reference(&self) -> Option<(&str, &str, OnDelete)> {
        let at = self.position("REFERENCES")?;
        let [Token::Name(table), Token::Mark('('), Token::Name(column), rest @ ..] =
            &self.definition[at + 1..]
        else {
            return None;
        };
        let says = |word: &str| rest.contains(&Token::Word(word.into()));
        let on_delete = match () {
            () if says("CASCADE") => OnDelete::Cascade,
            () if says("SET") => OnDelete::Clear,
            () => OnDelete::Restrict,
        };
        Some((table, column, on_delete))
    }

    /// Whether the database gives a value where none is given.
    pub(crate) fn has_default(&self) -> bool {
        self.position("DEFAULT").is_some()
    }

    /// Whether the database counts it.
    pub(crate) fn is_counted(&self) -> bool {
        self.position("PRIMARY").is_some()
    }

    /// Whether a number that it counted is never given out again.
    pub(crate) fn never_again(&self) -> bool {
        self.position("AUTOINCREMENT").is_some()
    }

    fn position(&self, word: &str) -> Option<usize> {
        self.definition.iter().position(|token| *token == Token::Word(word.into()))
    }

    /// Its schema, its name and its labels, if it is an enum of PostgreSQL's.
    pub(crate) fn native(&self) -> Option<((String, String), Vec<String>)> {
        let mut words = self.meaning.strip_prefix("enum ")?.split(' ').map(str::to_owned);
        let name = (words.next()?, words.next()?);
        Some((name, words.map(|label| label.trim_matches('\'').to_owned()).collect()))
    }

    /// What others keep in it, if it is of SQLite: the column's affinity, what the value looks like that came last, and whether texts are
    /// compared otherwise than by code points.
    pub(crate) fn others(&self) -> Option<Others<'_>> {
        let mut words = self.meaning.strip_prefix("sqlite ")?.split(' ');
        Some(Others {
            affinity: words.next()?,
            looks: words.next()?,
            unlike: words.next() == Some("unlike"),
        })
    }

    /// What the values mean, if the comment says something that is known.
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        let text = self.meaning.as_str();
        if text.starts_with('\'') {
            return Some(Meaning::Labels(
                text.split(' ').map(|label| label.trim_matches('\'').to_owned()).collect(),
            ));
        }
        if let Some(scale) = text.strip_prefix("Decimal ") {
            return Some(Meaning::Scalar(Scalar::Decimal { scale: scale.parse().ok()? }));
        }
        Scalar::PLAIN
            .iter()
            .find(|scalar| scalar.name() == text)
            .map(|scalar| Meaning::Scalar(*scalar))
    }
}

/// Whether two statements say the same, however they are spaced and quoted.
pub(crate) fn same_statement(a: &str, b: &str) -> bool {
    matches!((tokens(a), tokens(b)), (Some(a), Some(b)) if a == b)
}

/// An index as it is, over columns only.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExistingIndex {
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) unique: bool,
    /// Columns; true where it descends.
    pub(crate) columns: Vec<(String, bool)>,
}

impl ExistingIndex {
    /// The index of a `CREATE INDEX`.
    pub(crate) fn parse(sql: &str) -> Option<Self> {
        let tokens = tokens(sql)?;
        let word = |at: usize, word: &str| tokens.get(at) == Some(&Token::Word(word.into()));
        let unique = word(1, "UNIQUE");
        let at = 1 + usize::from(unique);
        if !word(0, "CREATE") || !word(at, "INDEX") || !word(at + 2, "ON") {
            return None;
        }
        let name = name_of(tokens.get(at + 1)?)?;
        let table = name_of(tokens.get(at + 3)?)?;
        if tokens.get(at + 4) != Some(&Token::Mark('(')) {
            return None;
        }
        let (items, _) = items(&tokens[at + 5..])?;
        let columns = items.iter().map(|item| match item {
            [column] => Some((name_of(column)?, false)),
            [column, Token::Word(word)] if word == "DESC" => Some((name_of(column)?, true)),
            _ => None,
        });
        Some(Self { name, table, unique, columns: columns.collect::<Option<_>>()? })
    }
}

/// The table that a `CREATE INDEX` is on, however its name is written; one of others may have it bare, then in any case.
pub(crate) fn table_of_index(sql: &str) -> Option<String> {
    let tokens = tokens(sql)?;
    let on = tokens.iter().position(|token| *token == Token::Word("ON".into()))?;
    match &tokens[on + 1..] {
        [Token::Name(name) | Token::Word(name), ..]
        | [Token::Mark('[' | '`'), Token::Word(name), ..] => Some(name.clone()),
        _ => None,
    }
}

fn name_of(token: &Token) -> Option<String> {
    match token {
        Token::Name(name) => Some(name.clone()),
        _ => None,
    }
}

/// Names of columns inside `table`, and of table and column behind REFERENCES, after renames.
fn with_names(tokens: &[Token], table: &str, renames: &Renames) -> Vec<Token> {
    let mut renamed = Vec::with_capacity(tokens.len());
    let mut inside = table.to_owned();
    let mut is_table = false;
    for token in tokens {
        renamed.push(match token {
            Token::Name(name) if is_table => {
                is_table = false;
                inside = renames.table(name).to_owned();
                Token::Name(inside.clone())
            }
            Token::Name(name) => Token::Name(renames.column(&inside, name).to_owned()),
            other => {
                is_table |= *other == Token::Word("REFERENCES".into());
                other.clone()
            }
        });
    }
    renamed
}

/// The items up to the closing parenthesis, split at commas outside parentheses, and what follows it.
fn items(tokens: &[Token]) -> Option<(Vec<&[Token]>, &[Token])> {
    let mut items = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') if depth == 0 => {
                items.push(&tokens[start..at]);
                return Some((items, &tokens[at + 1..]));
            }
            Token::Mark(')') => depth -= 1,
            Token::Mark(',') if depth == 0 => {
                items.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/")?;
            tokens.push(Token::Comment(comment[..end].trim().to_owned()));
            rest = &comment[end + 2..];
        } else if c == '"' || c == '\'' {
            let (text, after) = quoted(&rest[1..], c)?;
            tokens.push(if c == '"' { Token::Name(text) } else { Token::Text(text) });
            rest = after;
        } else if c.is_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_uppercase()));
            rest = &rest[end..];
        } else {
            tokens.push(Token::Mark(c));
            rest = &rest[c.len_utf8()..];
        }
    }
    Some(tokens)
}

/// The text up to the closing quote, doubled quotes undone, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c != quote {
            inside.push(c);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            inside.push(quote);
        } else {
            return Some((inside, &text[at + 1..]));
        }
    }
    None
}
