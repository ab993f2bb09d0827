//! PRI002

use model::{Entity, EntityId, Field, Type};

use crate::facts::Facts;
use crate::{Findings, edit};

/// Names that speak of a person wherever they stand.
const ALWAYS: &[&str] = &[
    "first_name",
    "last_name",
    "given_name",
    "family_name",
    "middle_name",
    "maiden_name",
    "surname",
    "birth_date",
    "date_of_birth",
    "birthday",
    "ssn",
    "social_security_number",
    "passport_number",
    "tax_id_of_person",
    "mother_name",
];

/// Names that speak of a person where the row is one, or has personal data besides.
const OF_PERSONS: &[&str] = &[
    "email",
    "phone",
    "mobile",
    "telephone",
    "fax",
    "address",
    "street",
    "city",
    "postal_code",
    "postcode",
    "zip",
    "iban",
    "ip_address",
    "full_name",
    "nickname",
];

/// What may stand before such a name.
const PREFIXES: &[&str] =
    &["billing_", "shipping_", "delivery_", "home_", "work_", "private_", "contact_", "customer_"];

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, field_id, field) in facts.fields() {
        let entity = &facts.model[id];
        if field.pii
            || field.secret
            || field.computed.is_some()
            || !is_personal(facts, id, entity, field)
        {
            continue;
        }
        let message = format!("`{}` is personal, and not classed so", field.name);
        let mut finding = findings
            .at(field.span, message)
            .text("is not `pii`")
            .note("what is not classed is neither masked, nor exported, nor erased");
        if let Some(view) = facts.source.field(entity.span, field.span) {
            let edits = vec![edit::append(view.node(), " pii")];
            finding = finding.fix_all("class it as `pii`", edits, syntax::Applicability::Safe);
        }
        findings.add(facts.field_path(id, field_id), finding);
    }
}

fn is_personal(facts: &Facts<'_>, id: EntityId, entity: &Entity, field: &Field) -> bool {
    let holds = matches!(field.ty, Type::String(_) | Type::Date | Type::Timestamp | Type::Email);
    if !holds {
        return false;
    }
    let name = field.name.as_str();
    let bare = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    if ALWAYS.contains(&bare) || matches!(field.ty, Type::Email) {
        return true;
    }
    if !OF_PERSONS.contains(&bare) && name != "name" {
        return false;
    }
    if name == "name" {
        return is_known_person(facts, id, entity);
    }
    // Whose address is it, where the row is none? `billing_address` of an order is that of the person it refers to.
    let of_another = bare.len() < name.len()
        && entity.fields.iter().any(|other| {
            let target = facts.model[*other].ty.as_entity();
            target.is_some_and(|target| is_person(facts, target, &facts.model[target]))
        });
    of_another
        || is_person(facts, id, entity)
        || entity.fields.iter().any(|other| facts.model[*other].pii)
}

/// Whether the rows of an entity are people, as far as the design says.
fn is_known_person(facts: &Facts<'_>, id: EntityId, entity: &Entity) -> bool {
    facts.model.auth.users.iter().any(|user| user.entity == id)
        || entity.privacy.as_ref().is_some_and(|privacy| privacy.subject)
}

/// Whether they are, by the names of their fields as well.
fn is_person(facts: &Facts<'_>, id: EntityId, entity: &Entity) -> bool {
    is_known_person(facts, id, entity)
        || entity.fields.iter().any(|it| ALWAYS.contains(&facts.model[*it].name.as_str()))
}
