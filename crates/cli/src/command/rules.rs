//! `mimar rules`

use std::fmt::Write as _;

use crate::arguments::{Rules, RulesFormat};
use crate::screen::{self, BOLD, CYAN, DIM, styled};

pub(crate) fn run(arguments: &Rules) {
    match arguments.format {
        RulesFormat::Md => screen::out(&review::catalogue()),
        RulesFormat::Json => screen::out(&format!("{:#}\n", review::catalogue_json())),
        RulesFormat::Schema => screen::out(&format!("{:#}\n", review::catalogue_schema())),
        RulesFormat::Text => screen::out(&text()),
    }
}

fn text() -> String {
    let mut text = String::new();
    for group in review::GROUPS {
        let _ = writeln!(text, "{}", styled(BOLD, format!("{}: {}", group.prefix, group.title)));
        for rule in group.rules {
            let _ = writeln!(
                text,
                "  {}  {}  {}",
                styled(CYAN, rule.code.id),
                styled(DIM, format!("{:<5}", rule.level.word())),
                rule.code.title
            );
        }
    }
    text
}
