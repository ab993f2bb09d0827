//! Nothing tells on which machine it was written, nor from where that machine fetches its packages.

use super::{File, Finding};

/// Written in halves so that this file does not find itself.
const MACHINE: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
const REGISTRIES: [&str; 7] = [
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("py", "pi.org"),
    concat!("pythonhosted", ".org"),
    concat!("registry.npm", "js.org"),
    concat!("deb.deb", "ian.org"),
    concat!("proxy.gol", "ang.org"),
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !is_data(file)) {
        for (number, line) in file.lines() {
            for place in MACHINE.iter().filter(|place| starts_path(line, place)) {
                let message = format!("`{place}…` is a place on one machine");
                findings.push(Finding::new(&file.path, number, message));
            }
            for host in REGISTRIES.iter().filter(|host| line.contains(**host)) {
                let message = format!("`{host}` is a registry; the package manager knows its own");
                findings.push(Finding::new(&file.path, number, message));
            }
        }
    }
    findings
}

/// Rows of examples say what they say.
fn is_data(file: &File) -> bool {
    file.has_extension(&["csv", "jsonl"])
}

/// Whether an absolute path begins here, not the middle of a relative one or of a URL.
fn starts_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        !line[..at].ends_with(|before: char| {
            before.is_alphanumeric() || matches!(before, '_' | '-' | '.' | '}' | '*')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::{MACHINE, REGISTRIES, check};

    #[test]
    fn paths_and_hosts() {
        let text = format!("see {}x\ncrates{}x\nfrom {}\n", MACHINE[1], MACHINE[1], REGISTRIES[2]);
        let findings = found(check, &[("a.md", &text), ("b.csv", &text)]);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].starts_with("a.md:1: "));
        assert!(findings[1].starts_with("a.md:3: "));
    }
}
