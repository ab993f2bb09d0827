//! Faults by which something is there, and wrong.

use model::Action;
use syntax::ast::{DecisionMember, ExternalMember, Item, Member, Modifier, TypeExpr};

use super::{Clean, Mutation};

pub(crate) fn mutations(clean: &Clean) -> Vec<Mutation> {
    let mut found = Vec::new();
    for item in clean.items() {
        match item {
            Item::Entity(view) => of_entity(clean, view, &mut found),
            Item::External(external) => {
                for member in external.members() {
                    let range = member.span().range();
                    let (kind, text, wanted): (_, _, &[_]) = match member {
                        ExternalMember::Url(_) => {
                            ("plain HTTP", "url \"http://partner.example\"".to_owned(), &["SEC010"])
                        }
                        ExternalMember::Bearer(_) => {
                            // In two halves, so that nobody takes it for a real one.
                            let token = format!("{}{}", "sk_live_", "0123456789abcdefghij");
                            ("a credential", format!("bearer \"{token}\""), &["SEC016"])
                        }
                        ExternalMember::Timeout(_) => {
                            ("an endless timeout", "timeout 3h".to_owned(), &["REL006"])
                        }
                        ExternalMember::Retry(_) => {
                            let text = "retry 90 times from 100ms to 2s".to_owned();
                            ("retries without measure", text, &["REL005"])
                        }
                        _ => continue,
                    };
                    found.push(Mutation { kind, edit: (range, text), wanted });
                }
            }
            Item::Decision(decision) => {
                let chosen = decision.members().find_map(|member| match member {
                    DecisionMember::Chosen(chosen) => chosen.option(),
                    _ => None,
                });
                let options = decision.members().filter_map(|member| match member {
                    DecisionMember::Option(option) => option.name(),
                    _ => None,
                });
                let chosen = chosen.unwrap();
                for other in options.filter(|other| other.text() != chosen.text()) {
                    found.push(Mutation {
                        kind: "a choice against its marks",
                        edit: (chosen.span().range(), other.text().to_owned()),
                        wanted: &["OPS005"],
                    });
                }
            }
            _ => {}
        }
    }
    found
}

fn of_entity(clean: &Clean, view: syntax::ast::Entity<'_>, found: &mut Vec<Mutation>) {
    let name = view.name().unwrap();
    let id = clean.model.entity_ids().find(|id| clean.model[*id].span == name.span()).unwrap();
    let entity = &clean.model[id];
    let owned = entity.policies.iter().any(|policy| {
        let condition = policy.condition.as_ref();
        condition.is_some_and(|it| clean.text()[it.span.range()].contains("caller"))
    });
    let personal = entity.fields.iter().any(|field| clean.model[*field].pii);
    for member in view.members() {
        match member {
            Member::Field(field) => {
                if let (true, true, Some(TypeExpr::Named(ty))) =
                    (field.is_key(), owned, field.type_expr())
                    && ty.node().text() == "Uuid"
                {
                    found.push(Mutation {
                        kind: "a counted key",
                        edit: (ty.span().range(), "Int = auto".into()),
                        wanted: &["API005"],
                    });
                }
                let unique =
                    field.modifiers().find(|modifier| matches!(modifier, Modifier::Unique(_)));
                if let (Some(unique), "slug" | "sku") = (unique, field.name().unwrap().text()) {
                    found.push(Mutation {
                        kind: "an identity that is not unique",
                        edit: (unique.span().range(), String::new()),
                        wanted: &["DAT015"],
                    });
                }
            }
            Member::Allow(allow) => {
                let whole = allow.actions().any(|action| {
                    action.action() == Some(Action::Read) && action.fields().next().is_none()
                });
                let roles = allow.roles().unwrap();
                if whole && personal && allow.condition().is_none() && allow.actions().count() == 1
                {
                    found.push(Mutation {
                        kind: "personal data for anyone",
                        edit: (roles.node().span().range(), "anyone".into()),
                        wanted: &["PRI006"],
                    });
                }
            }
            Member::Index(index) => {
                let keys: Vec<_> = index.keys().filter_map(|key| key.field()).collect();
                if keys.len() > 1 && !index.node().text().contains('-') {
                    let end = index.span().range().end;
                    found.push(Mutation {
                        kind: "the beginning of an index once more",
                        edit: (end..end, format!("  index ({})", keys[0].text())),
                        wanted: &["DAT002"],
                    });
                }
            }
            _ => {}
        }
    }
}
