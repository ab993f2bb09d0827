//! What may be written at a place.

mod path;

use model::{EntityId, Model, Place, Type, Word, words};
use syntax::ast::{self, View as _};
use syntax::{FileId, Node, NodeKind, Parse, TokenKind};

use crate::Analysis;
use crate::hover::{of_symbol, signature};
use crate::place::{BLOCKS, block, of_block};
use crate::symbol::{Symbol, Thing};
use path::{Target, before_dot, scope, type_of};

/// What is allowed of an event.
const EVENT_ACTIONS: &[&str] = &["read", "replay"];

/// Something that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What is inserted.
    pub label: String,
    /// What it is.
    pub kind: CompletionKind,
    /// Its declaration or its form, in one line.
    pub detail: String,
    /// What is to be said of it, in Markdown.
    pub docs: String,
}

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    /// A word of the language.
    Keyword,
    /// A built-in type, a record or an enum.
    Type,
    /// An entity.
    Entity,
    /// A field, a member, or the parts of a row.
    Field,
    /// A label of an enum.
    Label,
    /// An event or an error.
    Event,
    /// A query, a command, a workflow or an operation.
    Function,
    /// A parameter, a `let` or a loop.
    Variable,
    /// A role.
    Role,
    /// A service or an external.
    Module,
}

/// What may be written at a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completions {
    /// Each of them once.
    pub items: Vec<Completion>,
    /// Whether these are all. Otherwise they are the first of those in which the letters stand that are written already.
    pub are_all: bool,
}

/// What may be written at an offset, at most so many. If there are no more than these, the letters that stand there already
/// do not choose: editors do.
#[must_use]
pub fn complete(analysis: &Analysis, file: FileId, offset: u32, most: usize) -> Completions {
    let Some(parse) = analysis.parse(file) else { return Completions::default() };
    let offset = parse.text.floor_char_boundary(offset as usize) as u32;
    let mut offers = Offers { analysis, found: Vec::new() };
    offers.gather(parse, offset);
    let mut found = offers.found;
    let mut seen = rustc_hash::FxHashSet::default();
    found.retain(|offer| seen.insert(offer.label()));
    let are_all = found.len() <= most;
    if !are_all {
        let before = parse.text.get(..offset as usize).unwrap_or("");
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let typed = &before[before.trim_end_matches(is_letter).len()..];
        found.retain(|offer| is_abbreviated(offer.label(), typed));
        found.truncate(most);
    }
    // Only what is shown is described.
    let items = found.into_iter().map(|offer| offer.describe(analysis)).collect();
    Completions { items, are_all }
}

/// Whether letters stand in a name in their order, be they large or small: what editors take for an abbreviation of it.
fn is_abbreviated(name: &str, letters: &str) -> bool {
    let mut rest = name.chars();
    letters.chars().all(|letter| rest.any(|it| it.eq_ignore_ascii_case(&letter)))
}

/// Something that may be written, not described yet.
#[derive(Clone, Copy)]
enum Offer<'a> {
    Symbol(&'a Symbol),
    Word { name: &'a str, kind: CompletionKind, detail: &'a str, docs: &'a str },
}

impl<'a> Offer<'a> {
    fn label(self) -> &'a str {
        match self {
            Self::Symbol(symbol) => &symbol.name,
            Self::Word { name, .. } => name,
        }
    }

    fn describe(self, analysis: &Analysis) -> Completion {
        let label = self.label().to_owned();
        match self {
            Self::Symbol(symbol) => Completion {
                label,
                kind: kind_of(&symbol.thing),
                detail: signature(analysis, symbol),
                docs: of_symbol(analysis, symbol, None),
            },
            Self::Word { kind, detail, docs, .. } => {
                Completion { label, kind, detail: detail.to_owned(), docs: docs.to_owned() }
            }
        }
    }
}

struct Offers<'a> {
    analysis: &'a Analysis,
    found: Vec<Offer<'a>>,
}

impl<'a> Offers<'a> {
    fn gather(&mut self, parse: &Parse, offset: u32) {
        // The token that the cursor stands in or right behind.
        let touched = parse.token_at(offset.saturating_sub(1));
        let kind = parse.token_kind(touched);
        let is_open_string = kind == TokenKind::String && parse.token_span(touched).end > offset;
        if matches!(kind, TokenKind::Comment | TokenKind::DocComment) || is_open_string {
            return;
        }
        let word = if offset > 0 && kind == TokenKind::Word { touched } else { touched + 1 };
        let Some(before) = previous(parse, word) else {
            return self.words(Place::Item);
        };
        let before_kind = parse.token_kind(before);
        if before_kind == TokenKind::Dot {
            return self.behind_dot(parse, before, offset);
        }
        let nodes = parse.nodes_at(parse.token_span(before).start);
        let has = |kinds: &[NodeKind]| nodes.iter().any(|node| kinds.contains(&node.kind()));
        let text = parse.token_text(before);
        let between = parse.token_span(before).end as usize..offset as usize;
        let is_new_line = parse.text.get(between).is_some_and(|text| text.contains('\n'));
        match before_kind {
            TokenKind::LeftBrace | TokenKind::RightBrace => self.opening(parse, offset),
            TokenKind::Word if !is_new_line && self.behind_word(parse, text, &nodes, offset) => {}
            _ if is_new_line => self.opening(parse, offset),
            TokenKind::Colon if has(&[NodeKind::Initializer]) || is_in_row(parse, offset) => {
                self.values(parse, before, offset);
            }
            TokenKind::Colon | TokenKind::LeftBracket => self.types(),
            TokenKind::Arrow if has(&[NodeKind::Flow]) => self.flow(&nodes),
            TokenKind::Arrow => self.types(),
            TokenKind::Comma | TokenKind::LeftParen | TokenKind::Minus
                if has(&[NodeKind::Index, NodeKind::Unique]) =>
            {
                self.own_fields(&nodes);
            }
            TokenKind::Comma if has(&[NodeKind::Roles]) => self.roles(),
            TokenKind::Comma
                if has(&[NodeKind::AllowAction, NodeKind::Allow]) && has(&[NodeKind::Event]) =>
            {
                self.keywords(EVENT_ACTIONS);
            }
            TokenKind::Comma if has(&[NodeKind::AllowAction, NodeKind::Allow]) => {
                self.actions();
                self.own_fields(&nodes);
            }
            TokenKind::Comma if has(&[NodeKind::Flow]) => self.flow(&nodes),
            TokenKind::Comma if has(&[NodeKind::WebhookSends, NodeKind::WebhookReceives]) => {
                self.symbols(|thing| matches!(thing, Thing::Event(_)));
            }
            TokenKind::Comma | TokenKind::LeftParen if has(&[NodeKind::Parameters]) => {}
            kind if opens_value(kind) => self.values(parse, before, offset),
            _ if has(&[NodeKind::Field, NodeKind::Key]) => self.words(Place::Modifier),
            _ => self.connectives(),
        }
    }

    /// What follows a word that decides it; false where the word decides nothing.
    fn behind_word(&mut self, parse: &Parse, word: &str, nodes: &[Node<'_>], offset: u32) -> bool {
        let has = |kind: NodeKind| nodes.iter().any(|node| node.kind() == kind);
        match word {
            "emit" | "on" | "sends" | "receives" => {
                self.symbols(|thing| matches!(thing, Thing::Event(_)));
            }
            "run" => {
                self.symbols(|thing| matches!(thing, Thing::Command(_) | Thing::Workflow(_)));
            }
            "call" => self.symbols(|thing| matches!(thing, Thing::External(_))),
            "create" | "of" | "users" => self.symbols(|thing| matches!(thing, Thing::Entity(_))),
            "else" => {
                self.symbols(|thing| matches!(thing, Thing::Error(_)));
                self.keywords(&["if"]);
            }
            "allow" if has(NodeKind::Event) => self.keywords(EVENT_ACTIONS),
            "allow" if has(NodeKind::Allow) => self.actions(),
            "allow" | "to" => self.roles(),
            "as" if has(NodeKind::AuthUsers) => self.roles(),
            "limit" | "slo" if !has(NodeKind::External) && !has(NodeKind::Auth) => {
                self.symbols(|thing| matches!(thing, Thing::Query(_) | Thing::Command(_)));
            }
            "deploy" => self.symbols(|thing| matches!(thing, Thing::Service)),
            "flow" => self.own_fields(nodes),
            "in" if has(NodeKind::For) => {
                self.variables(parse, offset);
                self.symbols(|thing| matches!(thing, Thing::Entity(_)));
            }
            "update" | "delete" if !has(NodeKind::Allow) => self.variables(parse, offset),
            "when" | "where" | "require" | "and" | "or" | "not" | "if" | "then" | "return"
            | "check" | "in" | "unique"
                if opens_expression(word, nodes) =>
            {
                self.expression(parse, offset);
                if word == "return" {
                    self.keywords(&["create", "run", "call"]);
                }
            }
            _ => return false,
        }
        true
    }

    /// What opens a line in the block around.
    fn opening(&mut self, parse: &Parse, offset: u32) {
        if is_in_row(parse, offset) {
            return self.members(parse, offset);
        }
        let kind = block(parse, offset).kind();
        if let Some(place) = of_block(kind) {
            self.words(place);
        }
        for (_, words) in BLOCKS.iter().filter(|(of, _)| *of == kind) {
            self.keywords(words);
        }
        if kind == NodeKind::Load {
            self.symbols(|it| matches!(it, Thing::Entity(_) | Thing::Query(_) | Thing::Command(_)));
        }
        if kind == NodeKind::Flow {
            self.flow(&parse.nodes_at(offset));
        }
        // A statement or a rule may go on in the next line.
        if matches!(kind, NodeKind::Entity | NodeKind::Query | NodeKind::Command | NodeKind::Block)
        {
            self.keywords(&["and", "or", "when"]);
        }
    }

    /// Fields that a `create`, `update` or `emit` may set.
    fn members(&mut self, parse: &Parse, offset: u32) {
        let node = block(parse, offset);
        match self.target(node) {
            Some(Target::Entity(id)) => self.fields_of(id),
            Some(Target::Members(fields)) => fields.into_iter().for_each(|it| self.field(it)),
            _ => {}
        }
        self.variables(parse, offset);
    }

    /// What a statement with members fills.
    fn target(&self, node: Node<'_>) -> Option<Target> {
        let path = node.children().find_map(ast::Path::cast)?;
        match node.kind() {
            NodeKind::Update => {
                let words: Vec<&str> = path.segments().map(|it| it.text()).collect();
                let offset = node.span().start;
                let start = scope(self.analysis, node.parse(), offset, &words, path.is_row())?;
                start.entity().map(Target::Entity)
            }
            _ => {
                let last = path.last()?.span();
                let symbol = self.analysis.names_at(last.file, last.start).first().copied();
                path::of_symbol(self.analysis, self.analysis.symbol(symbol?.1)?)
            }
        }
    }

    /// What stands behind an operator, a colon or a comma.
    fn values(&mut self, parse: &Parse, before: u32, offset: u32) {
        let node = block(parse, offset);
        if parse.token_kind(before) == TokenKind::Colon
            && let Some(name) = previous(parse, before)
            && let Some(target) = self.target(node)
            && let Some(ty) = target.member(self.analysis.model(), parse.token_text(name))
        {
            self.labels(&ty);
        } else if matches!(parse.token_kind(before), TokenKind::EqualEqual | TokenKind::BangEqual)
            && let Some(ty) = type_of(self.analysis, parse, before, offset)
        {
            self.labels(&ty);
        } else if parse.token_kind(before) == TokenKind::Equal {
            self.default(parse, before);
        }
        self.expression(parse, offset);
    }

    /// What a field may be by default, or a `let` may keep.
    fn default(&mut self, parse: &Parse, equal: u32) {
        let nodes = parse.nodes_at(parse.token_span(equal).start);
        let field = nodes.iter().rev().find_map(|node| ast::Field::cast(*node));
        let symbol = field.and_then(|it| self.analysis.symbol(it.name()?.span()));
        match symbol.map(|symbol| &symbol.thing) {
            Some(Thing::Field(_, id) | Thing::Member(id)) => {
                let ty = self.analysis.model()[*id].ty.clone();
                self.labels(&ty);
                self.keywords(&["auto"]);
            }
            _ => self.keywords(&["create", "run", "call"]),
        }
    }

    fn behind_dot(&mut self, parse: &Parse, dot: u32, offset: u32) {
        let (words, is_row) = before_dot(parse, dot);
        match scope(self.analysis, parse, offset, &words, is_row) {
            Some(Target::Entity(id)) => self.fields_of(id),
            Some(Target::Members(fields)) => fields.into_iter().for_each(|it| self.field(it)),
            Some(Target::Enum(id)) => self.labels(&Type::Enum(id)),
            Some(Target::External(at)) => {
                self.symbols(|thing| matches!(thing, Thing::Operation(of, _) if *of == at));
            }
            Some(Target::Service(id)) => {
                let model = self.analysis.model();
                self.symbols(|thing| match thing {
                    Thing::Entity(entity) => model[*entity].service == id,
                    Thing::Event(at) => model.events.get(*at).is_some_and(|it| it.service == id),
                    Thing::Command(at) => {
                        model.commands.get(*at).is_some_and(|it| it.service == id)
                    }
                    Thing::Query(at) => model.queries.get(*at).is_some_and(|it| it.service == id),
                    _ => false,
                });
            }
            None => {}
        }
    }

    fn expression(&mut self, parse: &Parse, offset: u32) {
        self.variables(parse, offset);
        self.keywords(&["caller", "true", "false", "null", "now", "not"]);
        self.words(Place::Function);
        // A part is folded by the name of the member that holds it.
        if let Some(Target::Entity(id)) = scope(self.analysis, parse, offset, &[], true) {
            let parts = self.analysis.model()[id].parts.clone();
            self.symbols(|thing| matches!(thing, Thing::Parts(part) if parts.contains(part)));
        }
    }

    /// Parameters and names of the item around that stand before an offset.
    fn variables(&mut self, parse: &Parse, offset: u32) {
        self.found.extend(path::variables(self.analysis, parse, offset).map(Offer::Symbol));
    }

    fn connectives(&mut self) {
        self.keywords(&["and", "or", "when", "to", "else", "in"]);
    }

    fn types(&mut self) {
        self.symbols(|it| matches!(it, Thing::Entity(_) | Thing::Record(_) | Thing::Enum(_)));
        self.words(Place::Type);
        self.keywords(&["enum"]);
        self.symbols(|it| matches!(it, Thing::Service));
    }

    fn roles(&mut self) {
        self.symbols(|thing| matches!(thing, Thing::Role));
        for name in ["anyone", "system"] {
            self.add(name, CompletionKind::Role, "role", "");
        }
    }

    fn actions(&mut self) {
        for action in model::Action::ALL {
            self.add(action.word(), CompletionKind::Keyword, "action", "");
        }
    }

    /// The fields of the entity around.
    fn own_fields(&mut self, nodes: &[Node<'_>]) {
        let entity = nodes.iter().rev().find_map(|node| ast::Entity::cast(*node));
        let symbol = entity.and_then(|it| self.analysis.symbol(it.name()?.span()));
        if let Some(Thing::Entity(id)) = symbol.map(|symbol| &symbol.thing) {
            self.fields_of(*id);
        }
    }

    /// The labels of the enum that a flow is about.
    fn flow(&mut self, nodes: &[Node<'_>]) {
        let flow = nodes.iter().rev().find_map(|node| ast::Flow::cast(*node));
        let Some(name) = flow.and_then(ast::Flow::field) else { return };
        let Some((_, declared)) =
            self.analysis.names_at(name.span().file, name.span().start).first().copied()
        else {
            return;
        };
        if let Some(Thing::Field(_, id)) = self.analysis.symbol(declared).map(|it| &it.thing) {
            let ty = self.analysis.model()[*id].ty.clone();
            self.labels(&ty);
        }
    }

    fn fields_of(&mut self, id: EntityId) {
        let model: &Model = self.analysis.model();
        let Some(entity) = model.entities.get(id.index()) else { return };
        for field in entity.fields.iter().filter(|field| !model[**field].is_position) {
            self.field(*field);
        }
        self.symbols(|thing| matches!(thing, Thing::Parts(part) if entity.parts.contains(part)));
    }

    fn field(&mut self, id: model::FieldId) {
        let declared = self.analysis.model()[id].span;
        self.found.extend(self.analysis.symbol(declared).map(Offer::Symbol));
    }

    fn labels(&mut self, ty: &Type) {
        if let Type::Enum(id) = ty {
            self.symbols(|thing| matches!(thing, Thing::Label(of, _) if of == id));
        }
    }

    fn symbols(&mut self, wanted: impl Fn(&Thing) -> bool) {
        let symbols = self.analysis.symbols.iter().filter(|symbol| wanted(&symbol.thing));
        self.found.extend(symbols.map(Offer::Symbol));
    }

    fn words(&mut self, place: Place) {
        let kind = match place {
            Place::Type => CompletionKind::Type,
            Place::Function => CompletionKind::Function,
            _ => CompletionKind::Keyword,
        };
        for Word { name, form, meaning } in words(place) {
            self.add(name, kind, form, meaning);
        }
    }

    fn keywords(&mut self, words: &[&'static str]) {
        for word in words {
            self.add(word, CompletionKind::Keyword, "", "");
        }
    }

    fn add(
        &mut self,
        name: &'static str,
        kind: CompletionKind,
        detail: &'static str,
        docs: &'static str,
    ) {
        self.found.push(Offer::Word { name, kind, detail, docs });
    }
}

const fn kind_of(thing: &Thing) -> CompletionKind {
    match thing {
        Thing::App | Thing::Service | Thing::External(_) | Thing::Environment => {
            CompletionKind::Module
        }
        Thing::Role => CompletionKind::Role,
        Thing::Entity(_) => CompletionKind::Entity,
        Thing::Parts(_) | Thing::Field(..) | Thing::Member(_) => CompletionKind::Field,
        Thing::Enum(_) | Thing::Record(_) => CompletionKind::Type,
        Thing::Label(..) => CompletionKind::Label,
        Thing::Error(_) | Thing::Event(_) => CompletionKind::Event,
        Thing::Query(_)
        | Thing::Command(_)
        | Thing::Workflow(_)
        | Thing::Job(_)
        | Thing::Webhook(_)
        | Thing::Operation(..) => CompletionKind::Function,
        Thing::Parameter(..) | Thing::Binding(_) => CompletionKind::Variable,
    }
}

/// The token before another, white space and comments left out.
fn previous(parse: &Parse, token: u32) -> Option<u32> {
    (0..token).rev().find(|at| !parse.token_kind(*at).is_trivia())
}

/// Whether an offset stands in the braces of a statement that fills members.
fn is_in_row(parse: &Parse, offset: u32) -> bool {
    matches!(
        block(parse, offset).kind(),
        NodeKind::Create | NodeKind::Update | NodeKind::Emit | NodeKind::Raise
    )
}

const fn opens_value(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Colon
            | TokenKind::ColonEqual
            | TokenKind::Equal
            | TokenKind::EqualEqual
            | TokenKind::BangEqual
            | TokenKind::Less
            | TokenKind::LessEqual
            | TokenKind::Greater
            | TokenKind::GreaterEqual
            | TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::Star
            | TokenKind::Slash
            | TokenKind::LeftParen
            | TokenKind::LeftBracket
            | TokenKind::Comma
    )
}

/// Whether a word before the cursor asks for an expression; `unique` does behind `later` only.
fn opens_expression(word: &str, nodes: &[Node<'_>]) -> bool {
    word != "unique" || nodes.iter().any(|node| node.kind() == NodeKind::LaterUnique)
}
