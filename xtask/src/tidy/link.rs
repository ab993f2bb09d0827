//! A link within the house leads somewhere.

use std::collections::HashSet;

use super::{File, Finding};

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut there: HashSet<&str> = HashSet::new();
    for file in files {
        let mut path = file.path.as_str();
        there.insert(path);
        while let Some((folder, _)) = path.rsplit_once('/') {
            there.insert(folder);
            path = folder;
        }
    }
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.has_extension(&["md"])) {
        let mut fenced = false;
        for (number, line) in file.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for target in targets(&without_code(line)) {
                let path = resolve(&file.path, target);
                // Pictures are no text, so they are not among the files.
                let picture =
                    [".png", ".gif", ".jpg", ".webp"].iter().any(|end| path.ends_with(end));
                if !picture && !path.is_empty() && !there.contains(path.as_str()) {
                    let message = format!("the link to `{target}` leads nowhere");
                    findings.push(Finding::new(&file.path, number, message));
                }
            }
        }
    }
    findings
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The relative targets of `[text](target)` in a line, without fragments.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let (path, _) = target.split_once('#').unwrap_or((target, ""));
        let foreign = path.contains("://") || path.starts_with("mailto:") || path.contains(' ');
        (!foreign && !path.is_empty()).then_some(path)
    })
}

/// A target as a path from the root.
fn resolve(from: &str, target: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::check;

    #[test]
    fn relative_links_are_followed() {
        let text = "[a](docs/adr) [b](docs/adr/1.md#why) [c](https://example.org/x) [d](#here)\n";
        let one = "[up](../../README.md) [gone](2.md)\n";
        let findings = found(check, &[("README.md", text), ("docs/adr/1.md", one)]);
        assert_eq!(findings, ["docs/adr/1.md:1: the link to `2.md` leads nowhere"]);
    }

    #[test]
    fn code_is_no_link() {
        assert!(
            found(check, &[("a.md", "```\n[x](nowhere)\n```\n`as B [y](1..50)`\n")]).is_empty()
        );
    }
}
