//! Between what `ide` says and what LSP 3.17 calls it.

use ide::{Completion, CompletionKind, Encoding, Outline, SemanticKind, SemanticToken, Thing};
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionOptions, DiagnosticRelatedInformation,
    DiagnosticSeverity, DocumentSymbol, Documentation, Location, MarkupContent, MarkupKind,
    NumberOrString, OneOf, PositionEncodingKind, SemanticTokenModifier, SemanticTokenType,
    SemanticTokensLegend, ServerCapabilities, SymbolKind, TextEdit, Url, WorkspaceEdit,
};
use serde_json::{Value, json};
use syntax::{Diagnostic, Edit, Severity, Span};

use super::documents::{Document, Project};

/// What this server can do; `by_range` if the editor asks for the colours of what can be seen.
pub(super) fn capabilities(encoding: Encoding, by_range: bool) -> Value {
    let kinds = SemanticKind::ALL.iter().map(|(_, name)| SemanticTokenType::new(name));
    let legend = SemanticTokensLegend {
        token_types: kinds.collect(),
        token_modifiers: vec![SemanticTokenModifier::DECLARATION],
    };
    let capabilities = ServerCapabilities {
        position_encoding: Some(match encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }),
        hover_provider: Some(true.into()),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(vec![".".to_owned(), ":".to_owned(), " ".to_owned()]),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        inlay_hint_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    };
    let mut value = serde_json::to_value(capabilities).unwrap_or_default();
    // 2: changes are parts of the text.
    value["textDocumentSync"] = json!({ "openClose": true, "change": 2 });
    value["renameProvider"] = json!({ "prepareProvider": true });
    value["codeActionProvider"] = json!({ "codeActionKinds": ["quickfix"] });
    value["semanticTokensProvider"] = json!({ "legend": legend, "full": !by_range, "range": true });
    value["workspace"] =
        json!({ "workspaceFolders": { "supported": true, "changeNotifications": true } });
    value
}

/// A diagnostic; `None` of a file that is not of the project.
pub(super) fn diagnostic(
    project: &Project,
    found: &Diagnostic,
    encoding: Encoding,
) -> Option<lsp_types::Diagnostic> {
    let document = project.document(found.primary.span.file)?;
    let mut message = found.message.clone();
    if !found.primary.text.is_empty() {
        message.push_str(&format!(": {}", found.primary.text));
    }
    for note in &found.notes {
        message.push_str(&format!("\nnote: {note}"));
    }
    for help in &found.helps {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let related = found.labels.iter().filter_map(|label| {
        let location = location(project, label.span, encoding)?;
        Some(DiagnosticRelatedInformation { location, message: label.text.clone() })
    });
    let related: Vec<DiagnosticRelatedInformation> = related.collect();
    Some(lsp_types::Diagnostic {
        range: document.range(found.primary.span, encoding),
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Note => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(found.code.to_owned())),
        source: Some("mimar".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..lsp_types::Diagnostic::default()
    })
}

/// Says that a file has more diagnostics than are shown.
pub(super) fn more_diagnostics(count: usize) -> lsp_types::Diagnostic {
    let message = format!("{count} more in this file: `mimar check` shows all of them");
    lsp_types::Diagnostic {
        severity: Some(DiagnosticSeverity::INFORMATION),
        source: Some("mimar".to_owned()),
        message,
        ..lsp_types::Diagnostic::default()
    }
}

/// The place of a span.
pub(super) fn location(project: &Project, span: Span, encoding: Encoding) -> Option<Location> {
    let document = project.document(span.file)?;
    Some(Location::new(document.url.clone(), document.range(span, encoding)))
}

/// Edits by file.
pub(super) fn workspace_edit(
    project: &Project,
    edits: &[Edit],
    encoding: Encoding,
) -> WorkspaceEdit {
    let mut changes: std::collections::HashMap<Url, Vec<TextEdit>> =
        std::collections::HashMap::new();
    for edit in edits {
        let Some(document) = project.document(edit.span.file) else { continue };
        let range = document.range(edit.span, encoding);
        let text = TextEdit::new(range, edit.replacement.clone());
        changes.entry(document.url.clone()).or_default().push(text);
    }
    WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
}

/// A completion.
pub(super) fn completion(it: Completion) -> CompletionItem {
    let markup = |text: String| {
        Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: text })
    };
    CompletionItem {
        kind: Some(match it.kind {
            CompletionKind::Keyword => CompletionItemKind::KEYWORD,
            CompletionKind::Type => CompletionItemKind::STRUCT,
            CompletionKind::Entity => CompletionItemKind::CLASS,
            CompletionKind::Field => CompletionItemKind::FIELD,
            CompletionKind::Label => CompletionItemKind::ENUM_MEMBER,
            CompletionKind::Event => CompletionItemKind::EVENT,
            CompletionKind::Function => CompletionItemKind::FUNCTION,
            CompletionKind::Variable => CompletionItemKind::VARIABLE,
            CompletionKind::Role => CompletionItemKind::CONSTANT,
            CompletionKind::Module => CompletionItemKind::MODULE,
        }),
        label: it.label,
        detail: (!it.detail.is_empty()).then_some(it.detail),
        documentation: (!it.docs.is_empty()).then(|| markup(it.docs)),
        ..CompletionItem::default()
    }
}

/// A name of a file with what stands inside.
#[expect(deprecated, reason = "the struct cannot be made without its deprecated member")]
pub(super) fn symbol(document: &Document, it: Outline, encoding: Encoding) -> DocumentSymbol {
    let children = it.children.into_iter().map(|child| symbol(document, child, encoding));
    DocumentSymbol {
        name: it.name,
        detail: Some(it.detail),
        kind: symbol_kind(it.thing.as_ref()),
        tags: None,
        deprecated: None,
        range: document.range(it.span, encoding),
        selection_range: document.range(it.name_span, encoding),
        children: Some(children.collect()),
    }
}

const fn symbol_kind(thing: Option<&Thing>) -> SymbolKind {
    match thing {
        Some(Thing::App | Thing::Environment) => SymbolKind::PACKAGE,
        Some(Thing::Service) => SymbolKind::MODULE,
        Some(Thing::External(_)) => SymbolKind::INTERFACE,
        Some(Thing::Role) => SymbolKind::CONSTANT,
        Some(Thing::Entity(_)) => SymbolKind::CLASS,
        Some(Thing::Record(_)) => SymbolKind::STRUCT,
        Some(Thing::Field(..) | Thing::Member(_) | Thing::Parts(_)) => SymbolKind::FIELD,
        Some(Thing::Enum(_)) => SymbolKind::ENUM,
        Some(Thing::Label(..)) => SymbolKind::ENUM_MEMBER,
        Some(Thing::Event(_) | Thing::Error(_)) => SymbolKind::EVENT,
        Some(Thing::Parameter(..) | Thing::Binding(_)) => SymbolKind::VARIABLE,
        Some(
            Thing::Query(_)
            | Thing::Command(_)
            | Thing::Workflow(_)
            | Thing::Job(_)
            | Thing::Webhook(_)
            | Thing::Operation(..),
        ) => SymbolKind::FUNCTION,
        None => SymbolKind::OBJECT,
    }
}

/// Coloured pieces as LSP packs them: five numbers each, relative to the piece before.
pub(super) fn semantic_tokens(
    document: &Document,
    tokens: &[SemanticToken],
    encoding: Encoding,
) -> Vec<u32> {
    let (mut line, mut column) = (0, 0);
    let mut packed = Vec::with_capacity(tokens.len() * 5);
    for token in tokens {
        let range = document.range(token.span, encoding);
        let (start, end) = (range.start, range.end);
        let kind = SemanticKind::ALL.iter().position(|(kind, _)| *kind == token.kind);
        let from = if start.line == line { column } else { 0 };
        packed.extend([
            start.line - line,
            start.character - from,
            end.character.saturating_sub(start.character),
            kind.unwrap_or(0) as u32,
            u32::from(token.declares),
        ]);
        (line, column) = (start.line, start.character);
    }
    packed
}
