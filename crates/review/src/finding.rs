//! What a rule found.

use syntax::{Diagnostic, Span};

use crate::{Level, Rule};

/// One fault of the design.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that found it.
    pub rule: &'static Rule,
    /// The item it is about, by a path that outlasts edits elsewhere: `sales.Order.customer`.
    pub path: String,
    /// How much it counts.
    pub level: Level,
    /// What is shown.
    pub diagnostic: Diagnostic,
}

/// What a rule found so far.
pub(crate) struct Findings {
    rule: &'static Rule,
    found: Vec<Finding>,
}

impl Findings {
    pub(crate) fn new(rule: &'static Rule) -> Self {
        Self { rule, found: Vec::new() }
    }

    /// Begins a finding of the rule.
    pub(crate) fn at(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(self.rule.code.id, span, message)
    }

    /// Keeps a finding about an item.
    pub(crate) fn add(&mut self, path: impl Into<String>, diagnostic: Diagnostic) {
        let (rule, path) = (self.rule, path.into());
        self.found.push(Finding { rule, path, level: rule.level, diagnostic });
    }

    pub(crate) fn into_found(self) -> Vec<Finding> {
        self.found
    }
}
