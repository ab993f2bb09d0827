//! The requests of LSP 3.17 that are answered.

use std::sync::Arc;

use ide::Analysis;
use lsp_server::{ErrorCode, Request};
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionParams, CompletionList, CompletionParams,
    DocumentFormattingParams, DocumentSymbolParams, DocumentSymbolResponse, GotoDefinitionParams,
    Hover, HoverContents, HoverParams, InlayHint, InlayHintKind, InlayHintLabel, InlayHintParams,
    Location, MarkupContent, MarkupKind, PrepareRenameResponse, ReferenceParams, RenameParams,
    SemanticTokensParams, SemanticTokensRangeParams, TextDocumentIdentifier,
    TextDocumentPositionParams, TextEdit,
};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use syntax::{Applicability, FileId, Span};

use super::convert;
use super::documents::{Document, Project, Workspace};
use super::session::params;

type Answer = Result<Box<RawValue>, (ErrorCode, String)>;

/// Answers a request.
pub(super) fn answer(workspace: &mut Workspace, request: Request) -> Answer {
    let given = request.params;
    match request.method.as_str() {
        "textDocument/hover" => hover(workspace, params(given)?),
        "textDocument/completion" => completion(workspace, params(given)?),
        "textDocument/definition" => definition(workspace, params(given)?),
        "textDocument/references" => references(workspace, params(given)?),
        "textDocument/prepareRename" => prepare_rename(workspace, params(given)?),
        "textDocument/rename" => rename(workspace, params(given)?),
        "textDocument/documentSymbol" => symbols(workspace, params(given)?),
        "textDocument/semanticTokens/full" => semantic_tokens(workspace, params(given)?),
        "textDocument/semanticTokens/range" => semantic_tokens_in(workspace, params(given)?),
        "textDocument/formatting" => formatting(workspace, params(given)?),
        "textDocument/codeAction" => code_actions(workspace, params(given)?),
        "textDocument/inlayHint" => hints(workspace, params(given)?),
        other => Err((ErrorCode::MethodNotFound, format!("there is no method `{other}`"))),
    }
}

/// A document that a request speaks of.
struct Asked<'w> {
    project: &'w Project,
    document: &'w Document,
    file: FileId,
    analysis: Arc<Analysis>,
    encoding: ide::Encoding,
}

impl Asked<'_> {
    fn offset(&self, position: lsp_types::Position) -> u32 {
        self.document.offset(position, self.encoding)
    }

    fn span(&self, range: lsp_types::Range) -> Span {
        let (start, end) = (self.offset(range.start), self.offset(range.end));
        Span::new(self.file, start.min(end), end.max(start))
    }

    fn range(&self, span: Span) -> lsp_types::Range {
        self.document.range(span, self.encoding)
    }

    fn locations(&self, spans: Vec<Span>) -> Vec<Location> {
        let each = spans.into_iter();
        each.filter_map(|span| convert::location(self.project, span, self.encoding)).collect()
    }
}

fn asked<'w>(
    workspace: &'w mut Workspace,
    document: &TextDocumentIdentifier,
) -> Result<Asked<'w>, (ErrorCode, String)> {
    let unknown = || (ErrorCode::InvalidParams, format!("{} was never opened", document.uri));
    let at = workspace.find(&document.uri).ok_or_else(unknown)?;
    let encoding = workspace.encoding;
    let project = workspace.projects.get_mut(at.project).ok_or_else(unknown)?;
    let analysis = project.analysis();
    let project: &Project = project;
    let document = project.document(at.file).ok_or_else(unknown)?;
    Ok(Asked { project, document, file: at.file, analysis, encoding })
}

/// The same of a model that is checked as it stands, whatever that takes: for what changes texts.
fn asked_exactly<'w>(
    workspace: &'w mut Workspace,
    document: &TextDocumentIdentifier,
) -> Result<Asked<'w>, (ErrorCode, String)> {
    if let Some(at) = workspace.find(&document.uri)
        && let Some(project) = workspace.projects.get_mut(at.project)
    {
        project.exact_analysis();
    }
    asked(workspace, document)
}

fn exactly_at(
    workspace: &mut Workspace,
    place: TextDocumentPositionParams,
) -> Result<(Asked<'_>, u32), (ErrorCode, String)> {
    let asked = asked_exactly(workspace, &place.text_document)?;
    let offset = asked.offset(place.position);
    Ok((asked, offset))
}

fn at(
    workspace: &mut Workspace,
    place: TextDocumentPositionParams,
) -> Result<(Asked<'_>, u32), (ErrorCode, String)> {
    let asked = asked(workspace, &place.text_document)?;
    let offset = asked.offset(place.position);
    Ok((asked, offset))
}

/// A value as an answer.
pub(super) fn json(value: impl Serialize) -> Answer {
    serde_json::value::to_raw_value(&value)
        .map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

fn hover(workspace: &mut Workspace, given: HoverParams) -> Answer {
    let (asked, offset) = at(workspace, given.text_document_position_params)?;
    let found = ide::hover(&asked.analysis, asked.file, offset).map(|hover| Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value: hover.text,
        }),
        range: Some(asked.range(hover.span)),
    });
    json(found)
}

fn completion(workspace: &mut Workspace, given: CompletionParams) -> Answer {
    let (asked, offset) = at(workspace, given.text_document_position)?;
    let found = ide::complete(&asked.analysis, asked.file, offset, OFFERS);
    let items: Vec<_> = found.items.into_iter().map(convert::completion).collect();
    if found.are_all {
        return json(items);
    }
    // The letters that stand there have chosen; the editor asks again when there are more of them.
    json(CompletionList { is_incomplete: true, items })
}

/// How many completions are offered at once: more than anybody reads.
const OFFERS: usize = 100;

fn definition(workspace: &mut Workspace, given: GotoDefinitionParams) -> Answer {
    let (asked, offset) = at(workspace, given.text_document_position_params)?;
    json(asked.locations(ide::definition(&asked.analysis, asked.file, offset)))
}

fn references(workspace: &mut Workspace, given: ReferenceParams) -> Answer {
    let (asked, offset) = exactly_at(workspace, given.text_document_position)?;
    let with_declaration = given.context.include_declaration;
    let found = ide::references(&asked.analysis, asked.file, offset, with_declaration);
    json(asked.locations(found))
}

fn prepare_rename(workspace: &mut Workspace, given: TextDocumentPositionParams) -> Answer {
    let (asked, offset) = exactly_at(workspace, given)?;
    let found = ide::renamable(&asked.analysis, asked.file, offset).map(|(span, symbol)| {
        let (range, placeholder) = (asked.range(span), symbol.name.clone());
        PrepareRenameResponse::RangeWithPlaceholder { range, placeholder }
    });
    json(found)
}

fn rename(workspace: &mut Workspace, given: RenameParams) -> Answer {
    let (asked, offset) = exactly_at(workspace, given.text_document_position)?;
    let edits = ide::rename(&asked.analysis, asked.file, offset, &given.new_name)
        .map_err(|why| (ErrorCode::RequestFailed, why.to_string()))?;
    json(convert::workspace_edit(asked.project, &edits, asked.encoding))
}

fn symbols(workspace: &mut Workspace, given: DocumentSymbolParams) -> Answer {
    let asked = asked(workspace, &given.text_document)?;
    let found = ide::outline(&asked.analysis, asked.file).into_iter();
    let found = found.map(|it| convert::symbol(asked.document, it, asked.encoding));
    json(DocumentSymbolResponse::Nested(found.collect()))
}

fn semantic_tokens(workspace: &mut Workspace, given: SemanticTokensParams) -> Answer {
    let asked = asked(workspace, &given.text_document)?;
    let tokens = ide::semantic_tokens(&asked.analysis, asked.file);
    let data = convert::semantic_tokens(asked.document, &tokens, asked.encoding);
    json(json!({ "data": data }))
}

fn semantic_tokens_in(workspace: &mut Workspace, given: SemanticTokensRangeParams) -> Answer {
    let asked = asked(workspace, &given.text_document)?;
    let tokens = ide::semantic_tokens_in(&asked.analysis, asked.span(given.range));
    let data = convert::semantic_tokens(asked.document, &tokens, asked.encoding);
    json(json!({ "data": data }))
}

fn formatting(workspace: &mut Workspace, given: DocumentFormattingParams) -> Answer {
    let asked = asked(workspace, &given.text_document)?;
    let parse = &asked.document.parse;
    // A file with faults stays as it is; the faults are shown already, and are no reason to stop a save.
    let Ok(text) = syntax::format(parse) else { return json(()) };
    if *text == *parse.text {
        return json(Vec::<TextEdit>::new());
    }
    let whole = Span::new(asked.file, 0, parse.text.len() as u32);
    json(vec![TextEdit::new(asked.range(whole), text)])
}

fn code_actions(workspace: &mut Workspace, given: CodeActionParams) -> Answer {
    asked_exactly(workspace, &given.text_document)?;
    let found = workspace.find(&given.text_document.uri);
    let project = found.and_then(|at| workspace.projects.get_mut(at.project));
    let diagnostics = project.map(Project::diagnostics).unwrap_or_default();
    let asked = asked(workspace, &given.text_document)?;
    let actions = ide::actions(&diagnostics, asked.span(given.range)).map(|(found, fix)| {
        let diagnostic = convert::diagnostic(asked.project, found, asked.encoding);
        CodeAction {
            title: fix.title.clone(),
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: diagnostic.map(|it| vec![it]),
            edit: Some(convert::workspace_edit(asked.project, &fix.edits, asked.encoding)),
            is_preferred: Some(fix.applicability == Applicability::Safe),
            ..CodeAction::default()
        }
    });
    json(actions.collect::<Vec<_>>())
}

fn hints(workspace: &mut Workspace, given: InlayHintParams) -> Answer {
    let asked = asked(workspace, &given.text_document)?;
    let found = ide::hints(&asked.analysis, asked.span(given.range)).into_iter();
    let hints = found.map(|hint| InlayHint {
        position: asked.document.position(hint.offset, asked.encoding),
        label: InlayHintLabel::String(hint.text),
        kind: hint.is_type.then_some(InlayHintKind::TYPE),
        text_edits: None,
        tooltip: None,
        padding_left: Some(!hint.is_type),
        padding_right: None,
        data: None,
    });
    json(hints.collect::<Vec<_>>())
}
