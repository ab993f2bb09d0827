//! What the typed views answer, construct by construct: one line for each thing they can see.

use std::fmt::Write;

use expect_test::expect_file;
use syntax::ast::*;
use syntax::{FileId, parse};

const SHOP: &str = include_str!("../../../examples/shop/shop.mimar");
const ALL: &str = include_str!("all.mimar");

#[test]
fn views_see_everything() {
    for (text, expected) in [(SHOP, expect_file!["shop.views"]), (ALL, expect_file!["all.views"])] {
        let parse = parse(FileId(0), text);
        assert!(parse.diagnostics.is_empty());
        let mut out = String::new();
        for item in parse.tree().items() {
            describe(item, &mut out);
        }
        expected.assert_eq(&out);
    }
}

fn name(name: Option<Name<'_>>) -> &str {
    name.map_or("?", Name::text)
}

fn names<'a>(names: impl Iterator<Item = Name<'a>>) -> String {
    names.map(Name::text).collect::<Vec<_>>().join(", ")
}

fn path(path: Option<Path<'_>>) -> String {
    path.map_or("?".to_owned(), |path| {
        let dot = if path.is_row() { "." } else { "" };
        format!("{dot}{}", path.segments().map(Name::text).collect::<Vec<_>>().join("."))
    })
}

fn value(literal: Option<Literal<'_>>) -> String {
    literal.and_then(Literal::value).map_or("-".to_owned(), |value| format!("{value:?}"))
}

fn range(range: Option<Range<'_>>) -> String {
    let bound = |bound: Option<Bound<'_>>| {
        bound.map_or(String::new(), |bound| {
            format!("{}{}", if bound.is_negative { "-" } else { "" }, bound.number.text())
        })
    };
    range.map_or("-".to_owned(), |range| {
        format!("{}..{}", bound(range.lower()), bound(range.upper()))
    })
}

fn roles(roles: Option<Roles<'_>>) -> String {
    roles.map_or("?".to_owned(), |roles| names(roles.names()))
}

fn setting(setting: Option<Setting<'_>>) -> String {
    match setting.and_then(Setting::source) {
        Some(Source::Text(text)) => value(Some(text)),
        Some(Source::Env(variable)) => format!("env {}", variable.text()),
        Some(Source::Secret(secret)) => format!("secret {}", secret.text()),
        None => "?".to_owned(),
    }
}

fn type_expr(found: Option<TypeExpr<'_>>) -> String {
    let Some(found) = found else { return "?".to_owned() };
    let inner = match found {
        TypeExpr::Named(named) => {
            let arguments: Vec<String> = named
                .arguments()
                .map(|argument| match argument {
                    TypeArgument::Range(bounds) => range(Some(bounds)),
                    TypeArgument::Number(number) => number.text().to_owned(),
                    TypeArgument::Word(word) => word.text().to_owned(),
                })
                .collect();
            format!("{}<{}>", path(named.path()), arguments.join(", "))
        }
        TypeExpr::List(list) => {
            format!("list of {} {}", type_expr(list.element()), range(list.bounds()))
        }
        TypeExpr::Enum(values) => {
            format!("enum {}", names(values.values().filter_map(EnumValue::name)))
        }
        TypeExpr::Record(record) => {
            format!("record {}", names(record.fields().filter_map(Field::name)))
        }
    };
    if found.is_optional() { format!("{inner}?") } else { inner }
}

fn expr(found: Option<Expr<'_>>) -> String {
    let Some(found) = found else { return "?".to_owned() };
    let all =
        |list: Views<'_, Expr<'_>>| list.map(|item| expr(Some(item))).collect::<Vec<_>>().join(" ");
    match found {
        Expr::Literal(literal) => literal.text().to_owned(),
        Expr::Path(found) => path(Some(found)),
        Expr::Binary(binary) => {
            let operator = binary.operator().map_or("?", BinaryOperator::text);
            format!("({operator} {} {})", expr(binary.left()), expr(binary.right()))
        }
        Expr::Unary(unary) => format!("({:?} {})", unary.operator(), expr(unary.operand())),
        Expr::Call(call) => format!("({}! {})", name(call.name()), all(call.arguments())),
        Expr::Paren(paren) => expr(paren.inner()),
        Expr::List(list) => format!("[{}]", all(list.elements())),
        Expr::If(found) => format!(
            "(if {} {} {})",
            expr(found.condition()),
            expr(found.then()),
            expr(found.otherwise())
        ),
    }
}

fn modifier(found: Modifier<'_>) -> String {
    match found {
        Modifier::Default(found) => format!("= {}", expr(found.value())),
        Modifier::Computed(found) => format!(":= {}", expr(found.value())),
        Modifier::Unique(_) => "unique".to_owned(),
        Modifier::Immutable(_) => "immutable".to_owned(),
        Modifier::Search(_) => "search".to_owned(),
        Modifier::Pii(found) => format!("pii sensitive={}", found.is_sensitive()),
        Modifier::Encrypted(_) => "encrypted".to_owned(),
        Modifier::Secret(_) => "secret".to_owned(),
        Modifier::Pattern(found) => format!("pattern {}", value(found.regex())),
        Modifier::Was(found) => format!("was {}", name(found.name())),
        Modifier::StoredAs(found) => format!("stored {}", value(found.name())),
        Modifier::OnDelete(found) => format!("on delete {}", name(found.action())),
        Modifier::Deprecated(found) => deprecated(found),
    }
}

fn deprecated(found: Deprecated<'_>) -> String {
    let [since, sunset, advice] = [found.since(), found.sunset(), found.advice()].map(value);
    format!("deprecated {since} {sunset} {advice}")
}

fn field(found: Field<'_>) -> String {
    let modifiers: Vec<String> = found.modifiers().map(modifier).collect();
    let key = if found.is_key() { "key " } else { "" };
    format!(
        "{key}{}: {} [{}]",
        name(found.name()),
        type_expr(found.type_expr()),
        modifiers.join("; ")
    )
}

fn fields<'a>(list: impl Iterator<Item = Field<'a>>) -> String {
    list.map(field).collect::<Vec<_>>().join(" | ")
}

fn member(found: Member<'_>) -> String {
    match found {
        Member::Field(found) => field(found),
        Member::Index(found) => {
            let keys: Vec<String> = found
                .keys()
                .map(|key| {
                    format!("{}{}", if key.is_descending() { "-" } else { "" }, name(key.field()))
                })
                .collect();
            format!("index {}", keys.join(", "))
        }
        Member::Unique(found) => format!("unique {}", names(found.fields())),
        Member::Check(found) => {
            format!("check {} {}", expr(found.condition()), value(found.message()))
        }
        Member::Flow(found) => {
            let rules: Vec<String> = found
                .rules()
                .map(|rule| format!("{} to {}", name(rule.from()), names(rule.to())))
                .collect();
            format!("flow {}: {}", name(found.field()), rules.join("; "))
        }
        Member::Allow(found) => {
            let actions: Vec<String> = found
                .actions()
                .map(|action| format!("{:?}({})", action.action(), names(action.fields())))
                .collect();
            format!(
                "allow {} to {} when {}",
                actions.join(" "),
                roles(found.roles()),
                expr(found.condition())
            )
        }
        Member::Cache(found) => format!("cache {}", value(found.period())),
        Member::Audit(_) => "audit".to_owned(),
        Member::Privacy(found) => {
            let rules: Vec<String> = found
                .rules()
                .map(|rule| match rule {
                    PrivacyRule::Subject(_) => "subject".to_owned(),
                    PrivacyRule::Retain(rule) => {
                        format!(
                            "retain {} after {} last={}",
                            value(rule.period()),
                            path(rule.after()),
                            rule.is_last()
                        )
                    }
                })
                .collect();
            format!("privacy {}", rules.join(", "))
        }
        Member::Deprecated(found) => deprecated(found),
    }
}

fn parameters(found: Option<Parameters<'_>>) -> String {
    let list = found.into_iter().flat_map(Parameters::list);
    list.map(|found| format!("{}: {}", name(found.name()), type_expr(found.type_expr())))
        .collect::<Vec<_>>()
        .join(", ")
}

fn initializers<'a>(list: impl Iterator<Item = Initializer<'a>>) -> String {
    let one = |found: Initializer<'a>| match found.is_short() {
        true => name(found.name()).to_owned(),
        false => format!("{}={}", name(found.name()), expr(found.value())),
    };
    list.map(one).collect::<Vec<_>>().join(" ")
}

fn arguments(found: Option<Arguments<'_>>) -> String {
    let list = found.into_iter().flat_map(Arguments::list);
    list.map(|found| expr(Some(found))).collect::<Vec<_>>().join(" ")
}

fn run(found: Option<Run<'_>>) -> String {
    found.map_or("-".to_owned(), |found| {
        format!(
            "run {}({}) later={}",
            path(found.command()),
            arguments(found.arguments()),
            found.is_later()
        )
    })
}

fn bound_value(found: Option<Value<'_>>) -> String {
    match found {
        Some(Value::Create(found)) => statement(Statement::Create(found)),
        Some(Value::Call(found)) => statement(Statement::Call(found)),
        Some(Value::Run(found)) => statement(Statement::Run(found)),
        Some(Value::Expr(found)) => expr(Some(found)),
        None => "?".to_owned(),
    }
}

fn block(found: Option<Block<'_>>) -> String {
    found.map_or("-".to_owned(), |found| {
        format!("{{{}}}", found.statements().map(statement).collect::<Vec<_>>().join("; "))
    })
}

fn statement(found: Statement<'_>) -> String {
    match found {
        Statement::Let(found) => {
            format!("let {} = {}", name(found.name()), bound_value(found.value()))
        }
        Statement::Require(found) => {
            let raise = found.otherwise().map_or("?".to_owned(), |raise| {
                format!("{} {{{}}}", path(raise.error()), initializers(raise.initializers()))
            });
            format!("require {} else {raise}", expr(found.condition()))
        }
        Statement::For(found) => format!(
            "for {} in {} where {} {}",
            name(found.name()),
            expr(found.source()),
            expr(found.filter().and_then(Where::condition)),
            block(found.body())
        ),
        Statement::If(found) => {
            let rest = match found.else_if() {
                Some(next) => statement(Statement::If(next)),
                None => block(found.otherwise()),
            };
            format!("if {} {} else {rest}", expr(found.condition()), block(found.then()))
        }
        Statement::Create(found) => {
            format!("create {} {{{}}}", path(found.entity()), initializers(found.initializers()))
        }
        Statement::Update(found) => {
            format!("update {} {{{}}}", path(found.target()), initializers(found.initializers()))
        }
        Statement::Delete(found) => format!("delete {}", path(found.target())),
        Statement::Emit(found) => {
            format!("emit {} {{{}}}", path(found.event()), initializers(found.initializers()))
        }
        Statement::Run(found) => run(Some(found)),
        Statement::Call(found) => {
            format!("call {}({})", path(found.operation()), arguments(found.arguments()))
        }
        Statement::Return(found) => format!("return {}", bound_value(found.value())),
    }
}

fn admit(found: Admit<'_>) -> String {
    format!("allow {} when {}", roles(found.roles()), expr(found.condition()))
}

fn limit(count: Option<Literal<'_>>, period: Option<Literal<'_>>, by: Option<Name<'_>>) -> String {
    format!("limit {} per {} by {}", value(count), value(period), name(by))
}

fn claim(found: Claim<'_>) -> String {
    match found {
        Claim::Issuer(found) => format!("issuer {}", setting(found.value())),
        Claim::Client(found) => format!("client {}", setting(found.value())),
        Claim::Audience(found) => format!("audience {}", setting(found.value())),
        Claim::Roles(found) => format!("roles {}", value(found.claim())),
    }
}

fn slo(found: Slo<'_>) -> String {
    format!(
        "slo {} {} under {}",
        path(found.target()),
        value(found.objective()),
        value(found.under())
    )
}

fn retry(found: Retry<'_>) -> String {
    format!("retry {} {} {}", value(found.times()), value(found.from()), value(found.to()))
}

/// One line for the item, and one for each thing inside.
fn describe(item: Item<'_>, out: &mut String) {
    let docs =
        item.docs().map_or(String::new(), |docs| format!("  -- {}", docs.replace('\n', " / ")));
    let head = match item {
        Item::Entity(found) => {
            let part = found.part_of().map_or(String::new(), |part| {
                format!(
                    " part of {} as {} {}",
                    path(part.root()),
                    name(part.name()),
                    range(part.bounds())
                )
            });
            let was = name(found.was().and_then(Was::name)).to_owned();
            format!("{part} was {was} stored {}", value(found.stored_as().and_then(StoredAs::name)))
        }
        Item::Fault(found) => format!(" {} {}", value(found.status()), value(found.message())),
        Item::Query(found) => {
            format!("({}) -> {}", parameters(found.parameters()), type_expr(found.result()))
        }
        Item::Command(found) => format!(
            "({}) -> {} code={}",
            parameters(found.parameters()),
            type_expr(found.result()),
            found.is_by_code()
        ),
        Item::Event(found) => {
            let from =
                found.from().map_or_else(String::new, |from| format!(" from {}", from.text()));
            format!("{from} by {}", name(found.by()))
        }
        Item::On(found) => format!(" {} {}", path(found.event()), run(found.run())),
        Item::Workflow(found) => {
            format!("({}) on {}", parameters(found.parameters()), path(found.on()))
        }
        Item::Job(found) => format!(" every {}", value(found.every())),
        Item::Limit(found) => format!(
            " {} {}",
            path(found.target()),
            limit(found.count(), found.period(), found.by())
        ),
        Item::Slo(found) => format!(" {}", slo(found)),
        Item::Decision(found) => format!(" {}", value(found.title())),
        _ => String::new(),
    };
    let _ = writeln!(out, "{} {}{head}{docs}", item.keyword(), name(item.name()));
    let inside: Vec<String> = match item {
        Item::App(found) => found
            .members()
            .map(|member| match member {
                AppMember::Version(found) => format!("version {}", value(found.number())),
                AppMember::Roles(found) => {
                    let list = found
                        .roles()
                        .map(|role| format!("{} {:?}", name(role.name()), role.docs()));
                    format!("roles {}", list.collect::<Vec<_>>().join(", "))
                }
                AppMember::Surface(found) => format!("surface {}", names(found.surfaces())),
            })
            .collect(),
        Item::Auth(found) => found
            .members()
            .map(|member| match member {
                AuthMember::Users(found) => {
                    format!(
                        "users {} by {} as {}",
                        path(found.entity()),
                        name(found.field()),
                        roles(found.roles())
                    )
                }
                AuthMember::Password(_) => "password".to_owned(),
                AuthMember::Oidc(found) => {
                    format!(
                        "oidc {} {}",
                        name(found.name()),
                        found.claims().map(claim).collect::<Vec<_>>().join(", ")
                    )
                }
                AuthMember::Token(found) => {
                    format!("token {}", found.claims().map(claim).collect::<Vec<_>>().join(", "))
                }
                AuthMember::Limit(found) => limit(found.count(), found.period(), found.by()),
            })
            .collect(),
        Item::Service(found) => {
            for item in found.items() {
                describe(item, out);
            }
            Vec::new()
        }
        Item::Entity(found) => found.members().map(member).collect(),
        Item::Record(found) => found.fields().map(field).collect(),
        Item::Enum(found) => found
            .values()
            .map(|value| {
                format!(
                    "{} was {} {:?}",
                    name(value.name()),
                    name(value.was().and_then(Was::name)),
                    value.docs()
                )
            })
            .collect(),
        Item::Fault(found) => found.fields().map(field).collect(),
        Item::Query(found) => found
            .members()
            .map(|member| match member {
                QueryMember::Where(found) => format!("where {}", expr(found.condition())),
                QueryMember::Sort(found) => {
                    let keys = found
                        .keys()
                        .map(|key| format!("{} down={}", path(key.path()), key.is_descending()));
                    format!("sort {}", keys.collect::<Vec<_>>().join(", "))
                }
                QueryMember::Page(found) => {
                    format!("page {} {}", value(found.size()), range(found.range()))
                }
                QueryMember::Allow(found) => admit(found),
            })
            .collect(),
        Item::Command(found) => {
            found.allows().map(admit).chain(found.statements().map(statement)).collect()
        }
        Item::Event(found) => {
            let policies = found.policies().map(|allow| member(Member::Allow(allow)));
            found.fields().map(field).chain(policies).collect()
        }
        Item::On(_) | Item::Limit(_) | Item::Slo(_) => Vec::new(),
        Item::Webhook(found) => found
            .members()
            .map(|member| match member {
                WebhookMember::Sends(found) => {
                    format!(
                        "sends {}",
                        found
                            .events()
                            .map(|event| path(Some(event)))
                            .collect::<Vec<_>>()
                            .join(", ")
                    )
                }
                WebhookMember::Receives(found) => {
                    let received = found
                        .events()
                        .map(|event| format!("{} as {}", path(event.event()), value(event.kind())));
                    format!("receives {}", received.collect::<Vec<_>>().join(", "))
                }
                WebhookMember::Sign(found) => format!("sign {}", name(found.scheme())),
                WebhookMember::Retry(found) => format!("retry {}", value(found.period())),
            })
            .collect(),
        Item::Workflow(found) => found
            .members()
            .map(|member| match member {
                WorkflowMember::Step(found) => {
                    let undo = found.undo().map_or("-".to_owned(), |undo| match undo.statement() {
                        Some(one) => statement(one),
                        None => block(undo.block()),
                    });
                    let statements: Vec<String> = found.statements().map(statement).collect();
                    format!("step {} {} undo {undo}", name(found.name()), statements.join("; "))
                }
                WorkflowMember::Retry(found) => retry(found),
                WorkflowMember::GiveUp(found) => {
                    format!("give up {} then {}", value(found.after()), run(found.run()))
                }
            })
            .collect(),
        Item::Job(found) => found.statements().map(statement).collect(),
        Item::External(found) => found
            .members()
            .map(|member| match member {
                ExternalMember::Url(found) => format!("url {}", setting(found.value())),
                ExternalMember::Bearer(found) => format!("bearer {}", setting(found.value())),
                ExternalMember::Timeout(found) => format!("timeout {}", value(found.period())),
                ExternalMember::Retry(found) => retry(found),
                ExternalMember::Breaker(found) => {
                    format!(
                        "breaker {} {} {}",
                        value(found.share()),
                        value(found.calls()),
                        value(found.period())
                    )
                }
                ExternalMember::Bulkhead(found) => format!("bulkhead {}", value(found.calls())),
                ExternalMember::Slo(found) => slo(found),
                ExternalMember::Operation(found) => format!(
                    "{} {} {} {} -> {}",
                    found.method().text(),
                    name(found.name()),
                    value(found.path()),
                    fields(found.fields()),
                    type_expr(found.result())
                ),
            })
            .collect(),
        Item::Load(found) => found
            .members()
            .map(|member| match member {
                LoadMember::Grows(found) => format!(
                    "grows {} per {} for {} {}",
                    value(found.rate()),
                    name(found.per()),
                    value(found.count()),
                    name(found.unit())
                ),
                LoadMember::Rows(found) => {
                    format!("{} rows {}", path(found.target()), value(found.rows()))
                }
                LoadMember::Rate(found) => {
                    format!(
                        "{} rate {} peak {}",
                        path(found.target()),
                        value(found.rate()),
                        value(found.peak())
                    )
                }
            })
            .collect(),
        Item::Environment(found) => found
            .members()
            .map(|member| match member {
                EnvironmentMember::Store(found) => {
                    let options = found.options().map(|option| match option {
                        StoreOption::Replicas(found) => {
                            format!("replicas {}", value(found.count()))
                        }
                        StoreOption::Backup(found) => {
                            format!("backup {} {}", value(found.every()), value(found.keep()))
                        }
                        StoreOption::Recover(found) => format!("recover {}", value(found.period())),
                    });
                    let options = options.collect::<Vec<_>>().join(", ");
                    format!("store {} {} {options}", name(found.engine()), setting(found.value()))
                }
                EnvironmentMember::Cache(found) => {
                    format!("cache {} {}", name(found.engine()), setting(found.value()))
                }
                EnvironmentMember::Broker(found) => {
                    format!("broker {} {}", name(found.engine()), setting(found.value()))
                }
                EnvironmentMember::Cloud(found) => {
                    format!(
                        "cloud {} {}",
                        name(found.provider()),
                        found.region().map_or("?", Region::text)
                    )
                }
                EnvironmentMember::Budget(found) => {
                    format!(
                        "budget {} {} per {}",
                        value(found.amount()),
                        name(found.currency()),
                        name(found.per())
                    )
                }
                EnvironmentMember::Deploy(found) => {
                    let targets = found.targets().map(|target| {
                        format!("{} {}", name(target.service()), range(target.count()))
                    });
                    format!("deploy {}", targets.collect::<Vec<_>>().join(", "))
                }
            })
            .collect(),
        Item::Decision(found) => found
            .members()
            .map(|member| {
                let weights = |list: Views<'_, Weight<'_>>| {
                    list.map(|weight| format!("{} {}", name(weight.name()), value(weight.number())))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                match member {
                    DecisionMember::Criteria(found) => {
                        format!("criteria {}", weights(found.weights()))
                    }
                    DecisionMember::Option(found) => {
                        format!("option {}: {}", name(found.name()), weights(found.scores()))
                    }
                    DecisionMember::Chosen(found) => {
                        format!("chosen {} {}", name(found.option()), value(found.because()))
                    }
                }
            })
            .collect(),
    };
    for line in inside {
        let _ = writeln!(out, "  {line}");
    }
}
