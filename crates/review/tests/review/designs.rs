//! Whole designs with faults, each of which is found by exactly the rules that its first line names.

use std::path::Path;

use crate::project::Project;

#[test]
fn whole_designs_are_found_by_exactly_the_rules_they_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/designs");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("app.mimar");
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        let wanted = first.strip_prefix("// finds: ").unwrap().replace("nothing", "");
        let project = Project::of(&[&text]);
        let report = project.report();
        let found = crate::project::codes(&report).into_iter().collect::<Vec<_>>().join(", ");
        if found != wanted {
            let drawn = project.drawn(&report);
            wrong.push(format!("{}:\nwanted {wanted}\nfound  {found}\n{drawn}", path.display()));
        }
        seen += 1;
    }
    assert!(seen >= 6, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
