//! What is said of the name under the pointer.

use std::fmt::Write as _;

use model::{EntityId, FieldId, Parameter, Place, Policy, words};
use schema::Schema;
use syntax::{FileId, Span, TokenKind};

use crate::Analysis;
use crate::analysis::Tables;
use crate::hint::bound_text;
use crate::symbol::{Symbol, Thing};

/// What is shown, and for which word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    /// The word.
    pub span: Span,
    /// Markdown.
    pub text: String,
}

/// What is to be said of the word at an offset: its declaration, its documentation, its table, who may, which index serves
/// it; of a word of the language what it means.
#[must_use]
pub fn hover(analysis: &Analysis, file: FileId, offset: u32) -> Option<Hover> {
    let found = analysis
        .names_at(file, offset)
        .into_iter()
        .find_map(|(used, declared)| Some((used, analysis.symbol(declared)?)));
    match found {
        Some((span, symbol)) => {
            let text = of_symbol(analysis, symbol, analysis.tables());
            Some(Hover { span, text })
        }
        None => of_word(analysis, file, offset),
    }
}

/// A symbol in Markdown, with what it is in the tables, if they are given.
pub(crate) fn of_symbol(analysis: &Analysis, symbol: &Symbol, tables: Option<&Tables>) -> String {
    let mut page = format!("```mimar\n{}\n```\n", signature(analysis, symbol));
    if let Some(docs) = docs(analysis, symbol) {
        page.push_str(&format!("\n{docs}\n"));
    }
    for line in facts(analysis, symbol, tables) {
        page.push_str(&format!("\n{line}\n"));
    }
    page
}

/// One line that declares it.
pub(crate) fn signature(analysis: &Analysis, symbol: &Symbol) -> String {
    let model = analysis.model();
    let (name, noun) = (&symbol.name, symbol.thing.noun());
    match &symbol.thing {
        Thing::Field(entity, field) => {
            format!("{}.{}", model[*entity].name, field_text(analysis, *field))
        }
        Thing::Member(field) => field_text(analysis, *field),
        Thing::Entity(id) => match model.part_of(*id) {
            Some(part) => {
                format!("entity {name} part of {} as {}", model[part.root].name, part.name)
            }
            None => format!("entity {name}"),
        },
        Thing::Parts(id) => {
            let bounds = model.part_of(*id).map_or((0, 0), |part| (part.minimum, part.maximum));
            format!("{name}: [{}]({}..{})", model[*id].name, bounds.0, bounds.1)
        }
        Thing::Label(id, _) => format!("{}.{name}", model[*id].name),
        Thing::Enum(id) => {
            let labels = model[*id].values.iter().map(|value| value.name.as_str());
            format!("enum {name} {{ {} }}", labels.collect::<Vec<_>>().join(", "))
        }
        Thing::Error(at) => model.errors.get(*at).map_or_else(String::new, |error| {
            format!("error {name} {} {:?}", error.status, error.message)
        }),
        Thing::Query(at) => model.queries.get(*at).map_or_else(String::new, |query| {
            let parameters = parameters(analysis, &query.parameters);
            let entity = model.entities.get(query.entity.index()).map_or("", |it| &it.name);
            format!("query {name}({parameters}) -> {entity}")
        }),
        Thing::Command(at) => model.commands.get(*at).map_or_else(String::new, |command| {
            let mut text = format!("command {name}({})", parameters(analysis, &command.parameters));
            if let Some((ty, optional)) = &command.answer {
                let mark = if *optional { "?" } else { "" };
                let _ = write!(text, " -> {}{mark}", model.type_text(ty));
            }
            text
        }),
        Thing::Workflow(at) => model.workflows.get(*at).map_or_else(String::new, |workflow| {
            format!("workflow {name}({})", parameters(analysis, &workflow.parameters))
        }),
        Thing::Operation(external, at) => {
            let external = model.externals.get(*external);
            external.and_then(|it| Some((it, it.operations.get(*at)?))).map_or_else(
                String::new,
                |(external, operation)| {
                    let list = |fields: &[FieldId]| {
                        let texts = fields.iter().map(|field| field_text(analysis, *field));
                        texts.collect::<Vec<_>>().join(", ")
                    };
                    let mut text =
                        format!("{}.{name}({})", external.name, list(&operation.parameters));
                    if !operation.answer.is_empty() {
                        let _ = write!(text, " -> {{ {} }}", list(&operation.answer));
                    }
                    text
                },
            )
        }
        Thing::Parameter(ty, optional) => {
            let mark = if *optional { "?" } else { "" };
            format!("{name}: {}{mark}", model.type_text(ty))
        }
        Thing::Binding(at) => {
            analysis.uses().bindings.get(*at).map_or_else(String::new, |binding| {
                format!("{name}: {}", bound_text(analysis, &binding.value, binding.optional))
            })
        }
        _ => format!("{noun} {name}"),
    }
}

fn parameters(analysis: &Analysis, parameters: &[Parameter]) -> String {
    let each = parameters.iter().map(|parameter| {
        let mark = if parameter.optional { "?" } else { "" };
        format!("{}: {}{mark}", parameter.name, analysis.model().type_text(&parameter.ty))
    });
    each.collect::<Vec<_>>().join(", ")
}

/// `name: Type`, and how it is written if the text says more than its name.
fn field_text(analysis: &Analysis, field: FieldId) -> String {
    let field = &analysis.model()[field];
    let written = analysis.text(field.type_span);
    let ty = if written.is_empty() || written.contains('\n') {
        analysis.model().type_text(&field.ty)
    } else {
        written.trim_end_matches('?').to_owned()
    };
    let mark = if field.optional { "?" } else { "" };
    format!("{}: {ty}{mark}", field.name)
}

/// What its `///` lines say.
fn docs(analysis: &Analysis, symbol: &Symbol) -> Option<String> {
    let model = analysis.model();
    match &symbol.thing {
        Thing::Entity(id) | Thing::Parts(id) => model[*id].docs.clone(),
        Thing::Field(_, id) | Thing::Member(id) => model[*id].docs.clone(),
        Thing::Enum(id) => model[*id].docs.clone(),
        Thing::Label(id, at) => model[*id].values.get(*at)?.docs.clone(),
        Thing::Record(at) => model.records.get(*at)?.docs.clone(),
        Thing::Error(at) => model.errors.get(*at)?.docs.clone(),
        Thing::Event(at) => model.events.get(*at)?.docs.clone(),
        Thing::Query(at) => model.queries.get(*at)?.docs.clone(),
        Thing::Command(at) => model.commands.get(*at)?.docs.clone(),
        Thing::Workflow(at) => model.workflows.get(*at)?.docs.clone(),
        Thing::Job(at) => model.jobs.get(*at)?.docs.clone(),
        Thing::Webhook(at) => model.webhooks.get(*at)?.docs.clone(),
        Thing::External(at) => model.externals.get(*at)?.docs.clone(),
        Thing::Role => model.roles.iter().find(|role| role.span == symbol.span)?.docs.clone(),
        _ => None,
    }
}

/// What follows from the model: tables, policies, indexes.
fn facts(analysis: &Analysis, symbol: &Symbol, tables: Option<&Tables>) -> Vec<String> {
    let model = analysis.model();
    let mut lines = Vec::new();
    match &symbol.thing {
        Thing::Entity(id) | Thing::Parts(id) => {
            if let Some(tables) = tables {
                lines.push(format!("Table `{}`", tables.schema.table(*id).name.as_str()));
            }
            lines.push(who_may(analysis, *id));
        }
        Thing::Field(entity, field) => {
            lines.extend(tables.and_then(|tables| column(&tables.schema, *entity, *field)));
            let computed = model[*field].computed.as_ref();
            lines.extend(computed.map(|it| format!("Computed: `{}`", analysis.text(it.span))));
        }
        Thing::Query(at) => {
            let serving = tables.and_then(|tables| tables.serving.get(*at));
            lines.extend(serving.map(|it| format!("Served by {it}")));
            lines.extend(model.queries.get(*at).map(|it| policies(analysis, &it.policies)));
        }
        Thing::Command(at) => {
            lines.extend(model.commands.get(*at).map(|it| policies(analysis, &it.policies)));
        }
        _ => {}
    }
    lines
}

fn column(schema: &Schema, entity: EntityId, field: FieldId) -> Option<String> {
    let table = schema.table(entity);
    let column = table.columns.get(schema.column(entity, field)?)?;
    Some(format!("Column `{}.{}`", table.name.as_str(), column.name.as_str()))
}

/// Who may do what with rows of an entity; a part follows its root.
fn who_may(analysis: &Analysis, id: EntityId) -> String {
    let model = analysis.model();
    match model.part_of(id) {
        Some(part) => {
            let root = &model[part.root];
            format!("As of its root `{}`: {}", root.name, policies(analysis, &root.policies))
        }
        None => policies(analysis, &model[id].policies),
    }
}

/// Policies as they are written; one that grants several actions is one text.
fn policies(analysis: &Analysis, policies: &[Policy]) -> String {
    let mut spans: Vec<Span> = policies.iter().map(|policy| policy.span).collect();
    spans.dedup();
    if spans.is_empty() {
        return "Nobody from outside may: there is no `allow`".to_owned();
    }
    let texts = spans.into_iter().map(|span| {
        let words: Vec<&str> = analysis.text(span).split_whitespace().collect();
        format!("`{}`", words.join(" "))
    });
    texts.collect::<Vec<_>>().join("  \n")
}

/// What a word of the language means.
fn of_word(analysis: &Analysis, file: FileId, offset: u32) -> Option<Hover> {
    let parse = analysis.parse(file)?;
    let token = parse.token_at(offset);
    if parse.token_kind(token) != TokenKind::Word {
        return None;
    }
    let (span, text) = (parse.token_span(token), parse.token_text(token));
    let places = crate::place::of_keyword(parse, offset);
    let found = places.into_iter().flat_map(|place: Place| words(place));
    let word = found.into_iter().find(|word| word.name == text)?;
    let text = format!("```mimar\n{}\n```\n\n{}\n", word.form, word.meaning);
    Some(Hover { span, text })
}
