//! The examples of the repository are clean.

use crate::project::Project;
use syntax::Severity;

#[test]
fn the_examples_are_clean() {
    let shop = include_str!("../../../../examples/shop/shop.mimar");
    let chinook = include_str!("../../../../examples/chinook/chinook.mimar");
    let template = include_str!("../../../cli/template/app.mimar").replace("{{App}}", "Notes");
    let mut wrong = String::new();
    for text in [shop, chinook, &template] {
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
