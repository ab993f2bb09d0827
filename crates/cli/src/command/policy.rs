//! `mimar policy`

use std::fmt::Write as _;

use contract::{Access, AccessGrant, May, PolicyMatrix, Thing};

use crate::arguments::{Policy, PolicyFormat};
use crate::failure::Failure;
use crate::project::Project;
use crate::screen::{self, BOLD, CYAN, DIM, styled};

pub(crate) fn run(arguments: &Policy) -> Result<(), Failure> {
    let (_, model) = Project::read(&arguments.path)?.valid()?;
    let role = arguments.role.as_deref();
    let matrix = select(contract::policy(&model), role, arguments.entity.as_deref())?;
    screen::out(&match arguments.format {
        PolicyFormat::Text => text(&matrix),
        PolicyFormat::Json => {
            format!("{:#}\n", serde_json::to_value(&matrix).map_err(Failure::Json)?)
        }
        PolicyFormat::Markdown => markdown(&matrix),
    });
    Ok(())
}

/// What of a matrix is about one role and one thing, where they are named.
pub(crate) fn select(
    mut matrix: PolicyMatrix,
    role: Option<&str>,
    thing: Option<&str>,
) -> Result<PolicyMatrix, Failure> {
    if let Some(role) = role {
        if !matrix.roles.iter().any(|known| known == role) {
            let known = matrix.roles.join(", ");
            return Err(Failure::UnknownRole { role: role.to_owned(), known });
        }
        matrix.access.retain(|access| access.role == role);
        matrix.roles.retain(|known| known == role);
    }
    if let Some(thing) = thing {
        let known: Vec<String> = matrix.access.iter().map(|access| access.item.clone()).collect();
        matrix.access.retain(|access| is_meant(&access.item, thing));
        matrix.fixed.retain(|fixed| is_meant(&fixed.item, thing));
        if matrix.access.is_empty() && matrix.fixed.is_empty() {
            let short = |item: &String| item.rsplit('.').next().unwrap_or(item).to_owned();
            let names: Vec<String> = known.iter().map(short).chain(known.clone()).collect();
            let nearest = syntax::nearest(thing, names.iter().map(String::as_str));
            let nearest = nearest.map(str::to_owned);
            return Err(Failure::UnknownThing { name: thing.to_owned(), nearest });
        }
    }
    Ok(matrix)
}

/// `Order` and `sales.Order` mean `sales.Order` and its parts.
fn is_meant(item: &str, thing: &str) -> bool {
    let below = |item: &str| {
        item.strip_prefix(thing).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    below(item) || item.split_once('.').is_some_and(|(_, rest)| below(rest))
}

/// Things in the order of the matrix, each with its cells.
fn things(matrix: &PolicyMatrix) -> impl Iterator<Item = &[Access]> {
    matrix.access.chunk_by(|a, b| a.item == b.item && a.thing == b.thing)
}

/// What is granted, verb by verb; what is not said is refused.
fn text(matrix: &PolicyMatrix) -> String {
    let mut page = String::new();
    let single = matrix.roles.len() == 1;
    for cells in things(matrix) {
        let Some(first) = cells.first() else { continue };
        let _ = writeln!(page, "{} {}", styled(BOLD, &first.item), styled(DIM, noun(first.thing)));
        let mut verbs = Vec::new();
        for cell in cells {
            if !verbs.contains(&cell.verb) {
                verbs.push(cell.verb);
            }
        }
        for verb in verbs {
            let of_verb: Vec<&Access> = cells.iter().filter(|it| it.verb == verb).collect();
            let anyone = of_verb.iter().find(|it| it.role == "anyone").map(|it| &it.grants);
            // What a role has only because anyone has it is said once.
            let own = of_verb.iter().filter(|it| {
                single
                    || (it.may != May::Never && (it.role == "anyone" || anyone != Some(&it.grants)))
            });
            let own: Vec<&&Access> = own.collect();
            if own.is_empty() {
                let _ = writeln!(page, "  {:<7} {}", verb.word(), styled(DIM, "nobody"));
            }
            for (at, cell) in own.iter().enumerate() {
                let verb = if at == 0 { verb.word() } else { "" };
                let grants = told(cell).join("; or ");
                let _ = writeln!(
                    page,
                    "  {verb:<7} {} {grants}",
                    styled(CYAN, format!("{:<12}", cell.role))
                );
            }
        }
        for fixed in matrix.fixed.iter().filter(|fixed| fixed.item == first.item) {
            for (what, fields) in
                [("never read", &fixed.never_read), ("never updated", &fixed.never_updated)]
            {
                if !fields.is_empty() {
                    let _ = writeln!(
                        page,
                        "  {}",
                        styled(DIM, format!("{what}: {}", fields.join(", ")))
                    );
                }
            }
        }
        page.push('\n');
    }
    page
}

/// A table for each thing, with every role and every verb.
pub(crate) fn markdown(matrix: &PolicyMatrix) -> String {
    let mut page = String::from("# Who may do what\n");
    for cells in things(matrix) {
        let Some(first) = cells.first() else { continue };
        let _ = write!(page, "\n## {} ({})\n\n| role |", first.item, noun(first.thing));
        let verbs = cells.iter().filter(|it| it.role == first.role).map(|it| it.verb);
        let verbs: Vec<_> = verbs.collect();
        for verb in &verbs {
            let _ = write!(page, " {} |", verb.word());
        }
        let _ = writeln!(page, "\n|---|{}", "---|".repeat(verbs.len()));
        for role in cells.chunk_by(|a, b| a.role == b.role) {
            let Some(cell) = role.first() else { continue };
            let _ = write!(page, "| {} |", cell.role);
            for cell in role {
                let grants = told(cell).join("; or ").replace('|', "\\|");
                let _ = write!(page, " {grants} |");
            }
            page.push('\n');
        }
        if let Some(rows) = &first.rows_of {
            let _ = writeln!(page, "\nOnly rows of {rows} that the role may read.");
        }
        for fixed in matrix.fixed.iter().filter(|fixed| fixed.item == first.item) {
            for (what, fields) in
                [("Never read", &fixed.never_read), ("Never updated", &fixed.never_updated)]
            {
                if !fields.is_empty() {
                    let _ = writeln!(page, "\n{what}: {}.", fields.join(", "));
                }
            }
        }
    }
    page
}

fn noun(thing: Thing) -> &'static str {
    match thing {
        Thing::Entity => "entity",
        Thing::Part => "part",
        Thing::Query => "query",
        Thing::Command => "command",
        Thing::Event => "event",
    }
}

/// The grants of a cell, or that there is none.
fn told(access: &Access) -> Vec<String> {
    if access.may == May::Never {
        return vec!["never".to_owned()];
    }
    let one = |AccessGrant { fields, when }: &AccessGrant| {
        let fields = fields.as_ref().map(|fields| fields.join(", "));
        match (fields, when) {
            (None, None) => "always".to_owned(),
            (None, Some(when)) => format!("when {when}"),
            (Some(fields), None) => format!("only {fields}"),
            (Some(fields), Some(when)) => format!("only {fields} when {when}"),
        }
    };
    access.grants.iter().map(one).collect()
}
