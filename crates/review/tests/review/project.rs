//! A review of texts.

use std::collections::BTreeSet;

use model::{Model, Valid};
use review::{Baseline, Before, Design, Levels, Report};
use syntax::{FileId, Parse};

/// 2026-11-26
pub(crate) const TODAY: i64 = 20_783;

/// Texts that were parsed, without faults.
pub(crate) struct Project {
    pub(crate) parses: Vec<Parse>,
}

impl Project {
    #[track_caller]
    pub(crate) fn of(texts: &[&str]) -> Self {
        let parse = |(at, text): (usize, &&str)| syntax::parse(FileId(at as u32), *text);
        let parses: Vec<Parse> = texts.iter().enumerate().map(parse).collect();
        for parse in &parses {
            assert_eq!(parse.diagnostics, [], "{}", parse.text);
        }
        Self { parses }
    }

    /// The review, or the faults of the language where there are some.
    pub(crate) fn review(
        &self,
        levels: &Levels,
        baseline: Option<&Baseline>,
    ) -> Result<Report, String> {
        self.reviewed(levels, baseline, None)
    }

    /// The review beside what was before.
    pub(crate) fn review_against(&self, before: &Self) -> Result<Report, String> {
        self.reviewed(&Levels::default(), None, Some(&before.model()?))
    }

    fn model(&self) -> Result<Valid<Model>, String> {
        let parses: Vec<&Parse> = self.parses.iter().collect();
        let (model, found) = model::check(&parses);
        Valid::new(model, &found).ok_or_else(|| {
            let faults = found.iter().map(|it| format!("{}: {}", it.code, it.message));
            faults.collect::<Vec<_>>().join("\n")
        })
    }

    fn reviewed(
        &self,
        levels: &Levels,
        baseline: Option<&Baseline>,
        before: Option<&Valid<Model>>,
    ) -> Result<Report, String> {
        let model = self.model()?;
        let parses: Vec<&Parse> = self.parses.iter().collect();
        let schema = schema::derive(&model, schema::Dialect::Sqlite);
        let contract = contract::derive(&model);
        let changes = before.map(|before| contract::diff(before, &model, TODAY));
        let design = Design {
            model: &model,
            parses: &parses,
            schema: &schema,
            contract: &contract,
            today: TODAY,
            before: changes.as_ref().map(|changes| Before { changes, model: before }),
        };
        Ok(review::review(&design, levels, baseline))
    }

    /// The review by the rules' own levels.
    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        match self.review(&Levels::default(), None) {
            Ok(report) => report,
            Err(faults) => panic!("{faults}\n{}", self.text()),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.parses.iter().map(|parse| &*parse.text).collect::<Vec<_>>().join("\n")
    }

    /// The report as people see it.
    pub(crate) fn drawn(&self, report: &Report) -> String {
        let diagnostics: Vec<_> = report.diagnostics().cloned().collect();
        let source = |id: FileId| {
            let parse = self.parses.get(id.0 as usize)?;
            Some(syntax::Source { path: "app.mimar", text: &parse.text })
        };
        syntax::render(&diagnostics, source, syntax::Look::default())
    }
}

/// The codes of a report.
pub(crate) fn codes(report: &Report) -> BTreeSet<&'static str> {
    report.findings.iter().map(|finding| finding.rule.code.id).collect()
}

/// What an example needs around it.
pub(crate) fn with_app(text: &str) -> String {
    if text.lines().any(|line| line.starts_with("app ")) {
        return text.to_owned();
    }
    format!("app Example {{\n  version 1\n  roles customer, clerk\n}}\n\n{text}")
}
