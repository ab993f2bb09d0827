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
