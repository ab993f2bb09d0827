//! A model with all that is known from its check.

use rustc_hash::FxHashMap;
use syntax::{Diagnostic, Parse, Shift, Span};

use super::context::{Before, Context, Notes, Part, Said};
use super::names::{Declared, Names};
use crate::visit::Visit;
use crate::{ExternalId, Grantee, Model, RoleId, ServiceId, Uses};

/// Files that were checked as one model, with what it takes to check a part of them again.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The model; where it has faults, what is known of it.
    pub model: Model,
    /// Where each name is used.
    pub uses: Uses,
    /// In the order of the text.
    pub(super) faults: Vec<Fault>,
    pub(super) said: Vec<Said>,
    pub(super) befores: Vec<Before>,
    pub(super) types: Vec<Entry>,
    pub(super) verbs: Vec<Entry>,
}

/// A fault and the part of the check that found it.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) part: Part,
    pub(super) diagnostic: Diagnostic,
}

impl Fault {
    /// Whether it would rename something in all files.
    pub(super) fn offers_rename(&self) -> bool {
        self.diagnostic.code == "E0206" && !self.diagnostic.fixes.is_empty()
    }
}

/// A name of a service: what it stands for, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    service: ServiceId,
    declared: Declared,
    span: Span,
}

impl Checked {
    /// Checks files as one model. The parse at position `n` is that of the file `n`.
    #[must_use]
    pub fn of(parses: &[&Parse]) -> Self {
        let mut cx = Context::new(parses, Notes::Uses);
        super::run(&mut cx);
        let entries = |table: &FxHashMap<(ServiceId, &str), (Declared, Span)>| {
            let each = table.iter();
            each.map(|((service, _), (declared, span))| Entry {
                service: *service,
                declared: *declared,
                span: *span,
            })
            .collect()
        };
        let (types, verbs) = (entries(&cx.names.types), entries(&cx.names.verbs));
        let faults = sorted_faults(cx.diagnostics, &cx.parts);
        let mut uses = cx.uses;
        sort_uses(&mut uses);
        Self { model: cx.model, uses, faults, said: cx.said, befores: cx.befores, types, verbs }
    }

    /// What is wrong, in the order of the text. Faults of the syntax are in the parses and not repeated.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.faults.iter().map(|fault| &fault.diagnostic)
    }

    /// Moves all places to where they stand after an edit. What was written anew is not looked at.
    pub fn shift(&mut self, mut shift: Shift) {
        self.model.visit(&mut shift);
        for (used, declared) in &mut self.uses.names {
            shift.span(used);
            shift.span(declared);
        }
        self.uses.bindings.iter_mut().for_each(|binding| shift.span(&mut binding.span));
        self.faults.iter_mut().for_each(|fault| fault.diagnostic.shift(shift));
        let entries = self.types.iter_mut().chain(&mut self.verbs);
        entries.for_each(|entry| shift.span(&mut entry.span));
    }

    /// All names as they were declared.
    pub(super) fn names<'a>(&self, parses: &'a [&'a Parse]) -> Names<'a> {
        let text = |span: Span| {
            let parse = parses.get(span.file.0 as usize);
            parse.and_then(|parse| parse.text.get(span.range())).unwrap_or("")
        };
        let table = |entries: &[Entry]| {
            let each = entries.iter();
            each.map(|it| ((it.service, text(it.span)), (it.declared, it.span))).collect()
        };
        let services = self.model.services.iter().enumerate().skip(1);
        let services = services.map(|(at, it)| (text(it.span), ServiceId(at as u32)));
        let mut externals = FxHashMap::default();
        for (at, it) in
            self.model.externals.iter().enumerate().filter(|(_, it)| !it.name.is_empty())
        {
            externals.entry(text(it.span)).or_insert(ExternalId(at as u32));
        }
        let own = self.model.roles.iter().enumerate().skip(1);
        let own = own.map(|(at, it)| (text(it.span), Grantee::Role(RoleId(at as u32))));
        let built_in = [("system", Grantee::Role(RoleId::SYSTEM)), ("anyone", Grantee::Anyone)];
        Names {
            services: services.collect(),
            types: table(&self.types),
            verbs: table(&self.verbs),
            externals,
            roles: built_in.into_iter().chain(own).collect(),
        }
    }
}

/// Diagnostics with the parts that reported them.
pub(super) fn faults(diagnostics: Vec<Diagnostic>, parts: &[(usize, Part)]) -> Vec<Fault> {
    let mut parts = parts.iter().peekable();
    let mut part = Part::Declarations;
    let each = diagnostics.into_iter().enumerate();
    each.map(|(at, diagnostic)| {
        while let Some((_, next)) = parts.next_if(|(from, _)| *from <= at) {
            part = *next;
        }
        Fault { part, diagnostic }
    })
    .collect()
}

/// The same in their final order.
pub(super) fn sorted_faults(diagnostics: Vec<Diagnostic>, parts: &[(usize, Part)]) -> Vec<Fault> {
    let mut faults = faults(diagnostics, parts);
    sort(&mut faults);
    faults
}

/// In the order of the text; what stands at one place in the order of the parts.
pub(super) fn sort(faults: &mut [Fault]) {
    faults.sort_by_key(|fault| (fault.diagnostic.primary.span, fault.part));
}

/// What is typed twice is used once; the sort is stable, so that what a short form uses keeps its order.
pub(super) fn sort_uses(uses: &mut Uses) {
    in_order(&mut uses.names);
    uses.names.dedup();
}

/// Uses of names as they stand in the text.
pub(super) fn in_order(names: &mut [(Span, Span)]) {
    // As one number: three comparisons for each step are what the sort would cost.
    let place = |span: Span| {
        u128::from(span.file.0) << 64 | u128::from(span.start) << 32 | u128::from(span.end)
    };
    names.sort_by_key(|(used, _)| place(*used));
}
