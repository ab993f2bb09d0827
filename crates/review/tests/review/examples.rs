//! The examples of the repository are clean.

use crate::project::Project;
use syntax::Severity;

#[test]
fn the_examples_are_clean() {
    let shop = include_str!("../../../../examples/shop/shop.mimar");
    let chinook = include_str!("../../../../examples/chinook/chinook.mimar");
    let quote = include_str!("../../../../examples/quote/quote.mimar");
    let template = include_str!("../../../cli/template/app.mimar").replace("{{App}}", "Notes");
    let mut wrong = String::new();
    for text in [shop, chinook, quote, &template] {
        let project = Project::of(&[text]);
        let mut report = project.report();
        // A template of forty lines is no whole design; what it lacks is noted, and nothing more.
        if text == template {
            report.findings.retain(|finding| finding.diagnostic.severity != Severity::Note);
        }
        wrong += &project.drawn(&report);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Whatever the language accepts can be reviewed: the examples of its pages have every construct in many forms.
#[test]
fn every_good_example_of_the_language_can_be_reviewed() {
    let mut reviewed = 0;
    for code in syntax::CODES.iter().chain(model::CODES) {
        for (good, text) in code.examples() {
            let parse = syntax::parse(syntax::FileId(0), crate::project::with_app(&text));
            if !good || parse.has_errors() {
                continue;
            }
            let project = Project { parses: vec![parse] };
            let reports = project.review(&review::Levels::default(), None);
            reviewed += usize::from(reports.is_ok());
        }
    }
    assert!(reviewed > 100, "{reviewed}");
}

/// Whatever goes from an example, the review goes on, and names places that are there.
#[test]
fn no_part_that_goes_brings_the_review_down() {
    let shop = include_str!("../../../../examples/shop/shop.mimar");
    let chinook = include_str!("../../../../examples/chinook/chinook.mimar");
    let mut reviewed = 0;
    for text in [shop, chinook] {
        let parse = syntax::parse(syntax::FileId(0), text);
        let mut open = vec![parse.root()];
        while let Some(node) = open.pop() {
            open.extend(node.children());
            let mut mutant = text.to_owned();
            mutant.replace_range(node.span().range(), "");
            let parse = syntax::parse(syntax::FileId(0), mutant.as_str());
            if parse.has_errors() {
                continue;
            }
            let project = Project { parses: vec![parse] };
            if let Ok(report) = project.review(&review::Levels::default(), None) {
                reviewed += 1;
                let size = mutant.len() as u32;
                for diagnostic in report.diagnostics() {
                    let labels = diagnostic.labels.iter().chain([&diagnostic.primary]);
                    let edits = diagnostic.fixes.iter().flat_map(|fix| &fix.edits);
                    let spans = labels.map(|it| it.span).chain(edits.map(|it| it.span));
                    for span in spans {
                        assert!(span.start <= span.end && span.end <= size, "{diagnostic:?}");
                    }
                }
            }
        }
    }
    assert!(reviewed > 300, "{reviewed}");
}
