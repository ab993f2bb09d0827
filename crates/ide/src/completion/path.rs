//! What stands before a dot.

use model::{Bound, EntityId, EnumId, FieldId, Model, ServiceId, Type};
use syntax::ast::{self, View as _};
use syntax::{NodeKind, Parse, TokenKind};

use crate::Analysis;
use crate::symbol::{Symbol, Thing};

/// What has members.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    Entity(EntityId),
    Members(Vec<FieldId>),
    Enum(EnumId),
    External(usize),
    Service(ServiceId),
}

impl Target {
    /// The entity it is.
    pub(crate) const fn entity(&self) -> Option<EntityId> {
        match self {
            Self::Entity(id) => Some(*id),
            _ => None,
        }
    }

    /// The type of a member.
    pub(crate) fn member(&self, model: &Model, name: &str) -> Option<Type> {
        let fields = match self {
            Self::Entity(id) => &model.entities.get(id.index())?.fields,
            Self::Members(fields) => fields,
            _ => return None,
        };
        let found = fields.iter().find(|field| model[**field].name == name)?;
        Some(model[*found].ty.clone())
    }
}

/// The words before a dot, in order, and whether they begin with a dot themselves.
pub(crate) fn before_dot(parse: &Parse, dot: u32) -> (Vec<&str>, bool) {
    let mut words = Vec::new();
    let mut at = dot;
    // The words of a path stand without white space between them.
    while at > 0 && parse.token_kind(at) == TokenKind::Dot {
        if parse.token_kind(at - 1) != TokenKind::Word {
            words.reverse();
            return (words, true);
        }
        words.push(parse.token_text(at - 1));
        if at < 2 || parse.token_kind(at - 2) != TokenKind::Dot {
            words.reverse();
            return (words, false);
        }
        at -= 2;
    }
    words.reverse();
    (words, true)
}

/// What the words of a path come to, seen from an offset; no words at all are the row.
pub(crate) fn scope(
    analysis: &Analysis,
    parse: &Parse,
    offset: u32,
    words: &[&str],
    is_row: bool,
) -> Option<Target> {
    let (start, rest) = if is_row {
        (Target::Entity(row(analysis, parse, offset)?), words)
    } else {
        let (first, rest) = words.split_first()?;
        (named(analysis, parse, offset, first)?, rest)
    };
    rest.iter().try_fold(start, |at, word| {
        let ty = match &at {
            Target::Service(_) => {
                let found = analysis.symbols.iter().find(|it| it.name == *word)?;
                return of_symbol(analysis, found);
            }
            other => other.member(analysis.model(), word)?,
        };
        of_type(analysis.model(), &ty)
    })
}

/// The type of the path that ends before a token. What is being written may not have been understood yet, so that the words
/// are followed where the checker did not.
pub(crate) fn type_of(analysis: &Analysis, parse: &Parse, token: u32, offset: u32) -> Option<Type> {
    let last = (0..token).rev().find(|at| !parse.token_kind(*at).is_trivia())?;
    if parse.token_kind(last) != TokenKind::Word {
        return None;
    }
    if last > 0 && parse.token_kind(last - 1) == TokenKind::Dot {
        let (words, is_row) = before_dot(parse, last - 1);
        let owner = scope(analysis, parse, offset, &words, is_row)?;
        return owner.member(analysis.model(), parse.token_text(last));
    }
    let name = parse.token_text(last);
    let symbol = variables(analysis, parse, offset).find(|symbol| symbol.name == name)?;
    match &symbol.thing {
        Thing::Parameter(ty, _) => Some(ty.clone()),
        Thing::Binding(at) => match &analysis.uses().bindings.get(*at)?.value {
            Bound::Value(ty) => Some(ty.clone()),
            Bound::Answer(_) => None,
        },
        _ => None,
    }
}

/// Parameters and bindings of the item around that are declared before an offset, the nearest first.
pub(crate) fn variables<'a>(
    analysis: &'a Analysis,
    parse: &Parse,
    offset: u32,
) -> impl Iterator<Item = &'a Symbol> + use<'a> {
    let nodes = parse.nodes_at(offset);
    let item = nodes.iter().rev().find(|node| {
        matches!(
            node.kind(),
            NodeKind::Query | NodeKind::Command | NodeKind::Workflow | NodeKind::Job
        )
    });
    let span = item.map(|node| node.span());
    analysis.symbols.iter().rev().filter(move |symbol| {
        let is_variable = matches!(symbol.thing, Thing::Parameter(..) | Thing::Binding(_));
        let is_before = symbol.span.end < offset;
        is_variable
            && is_before
            && span.is_some_and(|it| it.file == symbol.span.file && it.start <= symbol.span.start)
    })
}

/// What a name that begins a path stands for.
fn named(analysis: &Analysis, parse: &Parse, offset: u32, word: &str) -> Option<Target> {
    let model = analysis.model();
    if let Some(symbol) = variables(analysis, parse, offset).find(|symbol| symbol.name == word) {
        return of_symbol(analysis, symbol);
    }
    if word == "caller" {
        return model.roles.iter().find_map(|role| role.entity).map(Target::Entity);
    }
    let found = analysis.symbols.iter().filter(|symbol| symbol.name == word);
    found
        .filter(|it| !matches!(it.thing, Thing::Parameter(..) | Thing::Binding(_)))
        .find_map(|symbol| of_symbol(analysis, symbol))
}

/// What has members of a symbol.
pub(crate) fn of_symbol(analysis: &Analysis, symbol: &Symbol) -> Option<Target> {
    let model = analysis.model();
    match &symbol.thing {
        Thing::Entity(id) | Thing::Parts(id) => Some(Target::Entity(*id)),
        Thing::Parameter(ty, _) => of_type(model, ty),
        Thing::Binding(at) => match &analysis.uses().bindings.get(*at)?.value {
            Bound::Value(ty) => of_type(model, ty),
            Bound::Answer(fields) => Some(Target::Members(fields.clone())),
        },
        Thing::Field(_, id) | Thing::Member(id) => of_type(model, &model[*id].ty),
        Thing::Enum(id) => Some(Target::Enum(*id)),
        Thing::External(at) => Some(Target::External(*at)),
        Thing::Service => {
            let at = model.services.iter().position(|service| service.span == symbol.span)?;
            Some(Target::Service(ServiceId(at as u32)))
        }
        Thing::Event(at) => Some(Target::Members(model.events.get(*at)?.fields.clone())),
        Thing::Error(at) => Some(Target::Members(model.errors.get(*at)?.fields.clone())),
        Thing::Record(at) => Some(Target::Members(model.records.get(*at)?.fields.clone())),
        _ => None,
    }
}

fn of_type(model: &Model, ty: &Type) -> Option<Target> {
    match ty {
        Type::Entity(id) => Some(Target::Entity(*id)),
        Type::Record(id) => Some(Target::Members(model.records.get(id.index())?.fields.clone())),
        Type::Enum(id) => Some(Target::Enum(*id)),
        _ => None,
    }
}

/// The entity whose row a lone dot begins at.
fn row(analysis: &Analysis, parse: &Parse, offset: u32) -> Option<EntityId> {
    let entity_at = |name: ast::Name<'_>| {
        let names = analysis.names_at(name.span().file, name.span().start);
        let symbol = analysis.symbol(names.first()?.1)?;
        of_symbol(analysis, symbol)?.entity()
    };
    parse.nodes_at(offset).into_iter().rev().find_map(|node| match node.kind() {
        NodeKind::Entity => entity_at(ast::Entity::cast(node)?.name()?),
        NodeKind::Query => {
            let result = ast::Query::cast(node)?.result()?;
            let end = result.node().text().trim_end().len() as u32;
            let span = result.node().span();
            let names = analysis.names_at(span.file, span.start + end);
            of_symbol(analysis, analysis.symbol(names.first()?.1)?)?.entity()
        }
        NodeKind::Update => {
            let path = node.children().find_map(ast::Path::cast)?;
            let words: Vec<&str> = path.segments().map(|it| it.text()).collect();
            scope(analysis, parse, node.span().start, &words, path.is_row())?.entity()
        }
        // `for order in Order where .status == …`
        NodeKind::For => {
            let source = ast::For::cast(node)?.source()?;
            let ast::Expr::Path(path) = source else { return None };
            let is_entity = path.first()?.text().starts_with(|it: char| it.is_ascii_uppercase());
            let behind = node.children().find(|it| it.kind() == NodeKind::Block);
            let is_filter = behind.is_none_or(|it| offset <= it.span().start);
            if is_entity && is_filter { entity_at(path.last()?) } else { None }
        }
        // `sum(lines, .price)`
        NodeKind::FunctionCall => {
            let first = node.children().find_map(ast::Path::cast)?;
            let name = first.last()?;
            let names = analysis.names_at(name.span().file, name.span().start);
            match analysis.symbol(names.first()?.1)?.thing {
                Thing::Parts(part) => Some(part),
                _ => None,
            }
        }
        _ => None,
    })
}
