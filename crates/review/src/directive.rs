//! Levels that the text itself sets: `// mimar: allow DAT001 because "…"`.
//!
//! A directive stands on a line above an item or a member, or behind a member on its line, and holds for what stands
//! in it. Above `app` it holds for the whole design, above `service` for all that is in the service.

use syntax::{Edit, Parse, Span, TokenKind};

use crate::facts::Facts;
use crate::level::Selector;
use crate::rule::{MALFORMED, UNUSED};
use crate::{Finding, Level, edit};

/// One line of the text that sets a level.
#[derive(Debug, Clone)]
pub(crate) struct Directive {
    selector: Selector,
    level: Level,
    /// What it holds for; `None`: the whole design.
    scope: Option<Span>,
    /// Where the comment stands.
    span: Span,
    /// The edit that takes it away.
    removal: Edit,
    used: bool,
}

/// All directives of the text, and what is wrong with those that say nothing.
pub(crate) fn read(facts: &Facts<'_>) -> (Vec<Directive>, Vec<Finding>) {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for parse in facts.source.parses() {
        for (at, token) in parse.tokens.iter().enumerate() {
            if token.kind != TokenKind::Comment {
                continue;
            }
            let at = at as u32;
            let text = parse.token_text(at).trim_start_matches('/').trim();
            let Some(rest) = text.strip_prefix("mimar:") else { continue };
            match parsed(rest.trim()) {
                Ok((level, selectors)) => {
                    let scope = scope(parse, at);
                    for selector in selectors {
                        found.push(Directive {
                            selector,
                            level,
                            scope: scope.unwrap_or(None),
                            span: parse.token_span(at),
                            removal: edit::remove_comment(parse, at),
                            used: false,
                        });
                    }
                    if scope.is_none() {
                        faults.push(fault(parse, at, "nothing follows that it could hold for"));
                    }
                }
                Err(why) => faults.push(fault(parse, at, &why)),
            }
        }
    }
    (found, faults)
}

/// The level that the text sets for a finding: of two directives the one of the smaller item.
pub(crate) fn level(directives: &mut [Directive], finding: &Finding) -> Option<Level> {
    let place = finding.diagnostic.primary.span;
    let size = |directive: &Directive| directive.scope.map_or(u32::MAX, |it| it.end - it.start);
    let chosen = directives
        .iter_mut()
        .filter(|directive| {
            let holds = directive.scope.is_none_or(|scope| {
                scope.file == place.file && scope.start <= place.start && place.end <= scope.end
            });
            holds && directive.selector.selects(finding.rule.code.id)
        })
        .min_by_key(|directive| size(directive))?;
    chosen.used = true;
    Some(chosen.level)
}

impl Directive {
    /// That nothing was found where it holds.
    pub(crate) fn unused(&self, all: &[Self], compared: bool) -> Option<Finding> {
        // What raises a level waits for what may come; what lowers one hides what comes later for another reason.
        if self.used || self.level == Level::Deny {
            return None;
        }
        // What it is about was not looked for.
        if !compared && self.selector.compares() {
            return None;
        }
        let message = format!("this comment sets the level of no {}", self.selector.text());
        let mut diagnostic = syntax::Diagnostic::warning(UNUSED.code.id, self.span, message)
            .text("no finding of it stands here")
            .note("what it was written for is gone; what it hides next was never looked at");
        // The comment may name other rules, which need it.
        let needed = all.iter().any(|other| other.span == self.span && other.used);
        diagnostic = if needed {
            diagnostic.help(format!("take {} out of it", self.selector.text()))
        } else {
            let edits = vec![self.removal.clone()];
            diagnostic.fix_all("remove the comment", edits, syntax::Applicability::Safe)
        };
        Some(Finding { rule: &UNUSED, path: "design".into(), level: UNUSED.level, diagnostic })
    }
}

/// `allow DAT001, DAT002 because "…"`
fn parsed(text: &str) -> Result<(Level, Vec<Selector>), String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let Some(level) = Level::of(word) else {
        return Err(format!("`{word}` is no level: write `allow`, `note`, `warn` or `deny`"));
    };
    let (codes, because) = match rest.split_once("because") {
        Some((codes, because)) => (codes, Some(because.trim())),
        None => (rest, None),
    };
    let mut selectors = Vec::new();
    for code in codes.split([',', ' ']).filter(|code| !code.is_empty()) {
        let Some(selector) = Selector::of(code) else {
            if model::CODES.iter().chain(syntax::CODES).any(|it| it.id.eq_ignore_ascii_case(code)) {
                return Err(format!(
                    "`{code}` is a code of the language: an error is mended, and a note tells what this version does not carry out; only findings of the review can be allowed"
                ));
            }
            let known = crate::rules().map(|rule| rule.code.id);
            let near = syntax::nearest(&code.to_uppercase(), known);
            let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            return Err(format!("`{code}` is no rule{near}"));
        };
        selectors.push(selector);
    }
    if selectors.is_empty() {
        return Err("it names no rule: write its code, such as `DAT001`".into());
    }
    let reason = because.and_then(|it| it.strip_prefix('"')?.strip_suffix('"'));
    if level < Level::Warn && reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Err(format!("`{word}` needs a reason: `{word} {} because \"…\"`", codes.trim()));
    }
    Ok((level, selectors))
}

/// What a comment speaks of: `Some(None)` for the whole design, `None` for nothing.
fn scope(parse: &Parse, comment: u32) -> Option<Option<Span>> {
    let own_line = line_start(parse, comment);
    let first = match own_line {
        // Behind something on its line: what begins that line.
        Some(token) => token,
        None => {
            let mut next = comment + 1;
            while parse.token_kind(next).is_trivia() {
                next += 1;
            }
            next
        }
    };
    if parse.token_kind(first) == TokenKind::End {
        return None;
    }
    let offset = parse.token_span(first).start;
    let nodes = parse.nodes_at(offset);
    // The outermost that begins there; the root begins with the file and is not meant.
    let node = nodes.into_iter().skip(1).find(|node| node.tokens().start == first)?;
    if node.kind() == syntax::NodeKind::App {
        return Some(None);
    }
    Some(Some(node.span()))
}

/// The first token of the line that a comment ends, if it stands behind something.
fn line_start(parse: &Parse, comment: u32) -> Option<u32> {
    let mut first = None;
    let mut at = comment;
    while at > 0 {
        at -= 1;
        let kind = parse.token_kind(at);
        if kind == TokenKind::Whitespace && parse.token_text(at).contains('\n') {
            break;
        }
        if !kind.is_trivia() {
            first = Some(at);
        }
        if matches!(kind, TokenKind::Comment | TokenKind::DocComment) {
            break;
        }
    }
    first
}

fn fault(parse: &Parse, comment: u32, why: &str) -> Finding {
    let message = format!("this comment sets no level: {why}");
    let diagnostic = syntax::Diagnostic::warning(
        MALFORMED.code.id,
        parse.token_span(comment),
        message,
    )
    .text("not understood")
    .note("a comment that begins with `mimar:` speaks to the review, and would be obeyed by nobody")
    .help("write `// mimar: allow DAT001 because \"why\"`");
    Finding { rule: &MALFORMED, path: "design".into(), level: MALFORMED.level, diagnostic }
}
