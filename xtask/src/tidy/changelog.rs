//! The changelog speaks of the version that is being built.

use super::{File, Finding};

const PATH: &str = "CHANGELOG.md";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let Some(changelog) = files.iter().find(|file| file.path == PATH) else {
        return vec![Finding::new(
            PATH,
            0,
            "there is none; users read what changed for them there",
        )];
    };
    let version = files.iter().find(|file| file.path == "Cargo.toml").and_then(version);
    let headings: Vec<&str> =
        changelog.text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let speaks = headings.iter().any(|heading| {
        heading.starts_with("[Unreleased]")
            || version.is_some_and(|version| heading.starts_with(&format!("[{version}]")))
    });
    if speaks {
        return Vec::new();
    }
    let wanted = version.unwrap_or("Unreleased");
    vec![Finding::new(PATH, 0, format!("no heading `## [{wanted}]` and none `## [Unreleased]`"))]
}

/// `version` of the workspace's packages.
fn version(manifest: &File) -> Option<&str> {
    let (_, package) = manifest.text.split_once("[workspace.package]")?;
    package.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::check;

    const MANIFEST: (&str, &str) = ("Cargo.toml", "[workspace.package]\nversion = \"0.2.0\"\n");

    #[test]
    fn the_version_or_unreleased() {
        for good in ["## [0.2.0] - Unreleased\n", "# C\n\n## [Unreleased]\n\n## [0.1.0]\n"] {
            assert!(found(check, &[MANIFEST, ("CHANGELOG.md", good)]).is_empty(), "{good}");
        }
        let stale = found(check, &[MANIFEST, ("CHANGELOG.md", "## [0.1.0]\n")]);
        assert_eq!(stale, ["CHANGELOG.md: no heading `## [0.2.0]` and none `## [Unreleased]`"]);
        assert_eq!(found(check, &[MANIFEST]).len(), 1);
    }
}
