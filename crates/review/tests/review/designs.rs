//! Whole designs with faults, and small ones with one fault each: each is found by exactly the rules that its first line names.

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

/// One folder for each rule, `DAT001-missing-index`: a design with its fault, and what was before it where the rule compares. What
/// it lacks because it is no whole design does not count. `UPDATE_EXPECT=1` writes the first lines anew.
#[test]
fn each_fault_has_a_folder_and_is_found_by_exactly_the_rules_it_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let mut wrong = Vec::new();
    for rule in review::rules() {
        let place = folder.join(format!("{}-{}", rule.code.id, rule.name()));
        let path = place.join("app.mimar");
        let text = std::fs::read_to_string(&path).unwrap();
        let project = Project::of(&[&text]);
        let report = match std::fs::read_to_string(place.join("before.mimar")) {
            Ok(before) => project.review_against(&Project::of(&[&before])).unwrap(),
            Err(_) => project.report(),
        };
        let mut codes = crate::project::codes(&report);
        codes.retain(|code| {
            *code == rule.code.id || !review::rule(code).is_some_and(|other| other.of_whole)
        });
        assert!(codes.contains(rule.code.id), "{} is not found in its own folder", rule.code.id);
        let found = format!("// finds: {}", codes.into_iter().collect::<Vec<_>>().join(", "));
        let (first, rest) = text.split_once('\n').unwrap();
        if first == found {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, format!("{found}\n{rest}")).unwrap();
        }
        wrong.push(format!("{}: {found}, not {first}", path.display()));
    }
    let folders = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(folders, review::rules().count(), "a folder has no rule");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
