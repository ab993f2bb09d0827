//! Where it runs, and why it is so: `environment`, `decision`.

use syntax::ast::{self, DecisionMember, EnvironmentMember, LiteralValue, Source, StoreOption};
use syntax::{Diagnostic, Span};

use super::context::{Context, KEEP_ONE, Style};
use super::declare::{name_or, text_of};
use super::entity::positive_duration;
use super::limit::positive;
use crate::{Bounds, Budget, Criterion, Decision, Deployment, Environment};

/// Known words of settings: what each may be.
pub(crate) const STORES: &[&str] = &["sqlite", "postgres"];
pub(crate) const CACHES: &[&str] = &["redis"];
pub(crate) const BROKERS: &[&str] = &["nats", "kafka", "rabbitmq", "redis"];
pub(crate) const CLOUDS: &[&str] = &["aws", "gcp", "azure", "hetzner", "digitalocean", "scaleway"];
const BUDGET_PERIODS: &[&str] = &["month", "year"];

/// Fills in environments.
pub(crate) fn environments(cx: &mut Context<'_>) {
    for view in cx.source.environments.clone() {
        environment(cx, view);
    }
}

fn environment<'a>(cx: &mut Context<'a>, view: ast::Environment<'a>) {
    let span = name_or(view.name(), view.span());
    if let Some(name) = view.name() {
        cx.case_style(name, Style::Snake);
        let first = cx.model.environments.iter().find(|known| known.name == name.text());
        if let Some(first) = first.map(|known| known.span) {
            cx.twice("the environment", name.text(), first, span);
        }
    }
    let mut environment = Environment {
        name: text_of(view.name()),
        span,
        store: None,
        replicas: None,
        keeping: false,
        cache: None,
        broker: None,
        cloud: None,
        budget: None,
        deployments: Vec::new(),
    };
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    for member in view.members() {
        let word = match member {
            EnvironmentMember::Store(_) => "store",
            EnvironmentMember::Cache(_) => "cache",
            EnvironmentMember::Broker(_) => "broker",
            EnvironmentMember::Cloud(_) => "cloud",
            EnvironmentMember::Budget(_) => "budget",
            EnvironmentMember::Deploy(_) => "deploy",
        };
        if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
            let help = match word {
                "deploy" => "write all in one: `deploy sales x 2..6, billing x 2`",
                _ => KEEP_ONE,
            };
            cx.said_again(&format!("`{word}`"), *first, member.span(), help);
            continue;
        }
        said.push((word, member.span()));
        match member {
            EnvironmentMember::Store(store) => {
                let of_replicas =
                    |option: &StoreOption<'_>| matches!(option, StoreOption::Replicas(_));
                environment.keeping = store.options().any(|option| !of_replicas(&option));
                environment.store = store_setting(cx, store);
                environment.replicas = store.options().find_map(|option| match option {
                    StoreOption::Replicas(replicas) => replicas.count()?.integer(),
                    _ => None,
                });
            }
            EnvironmentMember::Cache(cache) => {
                environment.cache = engine(cx, cache.engine(), CACHES, "cache")
                    .map(|engine| (engine, setting_text(cache.value())));
            }
            EnvironmentMember::Broker(broker) => {
                environment.broker = engine(cx, broker.engine(), BROKERS, "broker")
                    .map(|engine| (engine, setting_text(broker.value())));
            }
            EnvironmentMember::Cloud(cloud) => {
                let region = cloud.region().map(|region| region.text().to_owned());
                environment.cloud = engine(cx, cloud.provider(), CLOUDS, "cloud")
                    .map(|provider| (provider, region.unwrap_or_default()));
            }
            EnvironmentMember::Budget(budget) => environment.budget = budget_setting(cx, budget),
            EnvironmentMember::Deploy(deploy) => {
                environment.deployments = deployments(cx, deploy);
            }
        }
    }
    if !said.iter().any(|(word, _)| *word == "store")
        && let Some(name) = view.name()
    {
        cx.report(
            Diagnostic::error(
                "E0603",
                name.span(),
                format!("`{}` does not say where its data is", name.text()),
            )
            .help("add `store sqlite \"app.db\"`, or `store postgres env DATABASE_URL`"),
        );
    }
    cx.model.environments.push(environment);
}

/// A word out of a closed set.
fn engine(
    cx: &mut Context<'_>,
    name: Option<ast::Name<'_>>,
    known: &[&str],
    what: &str,
) -> Option<String> {
    let name = name?;
    if known.contains(&name.text()) {
        return Some(name.text().to_owned());
    }
    let message = format!("`{}` is no {what} that is known", name.text());
    let names: Vec<String> = known.iter().map(|known| (*known).to_owned()).collect();
    let near = syntax::nearest(name.text(), known.iter().copied()).map(str::to_owned);
    let diagnostic = Diagnostic::error("E0602", name.span(), message);
    cx.report(match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).suggest(
            format!("write `{near}`"),
            name.span(),
            near,
        ),
        None => diagnostic.help(format!("it may be {}", super::path::list(&names))),
    });
    None
}

/// The text of a setting, or the name of the variable or secret that holds it.
fn setting_text(setting: Option<ast::Setting<'_>>) -> Option<String> {
    match setting?.source()? {
        Source::Text(literal) => literal.string().map(std::borrow::Cow::into_owned),
        Source::Env(name) | Source::Secret(name) => Some(name.text().to_owned()),
    }
}

fn store_setting(
    cx: &mut Context<'_>,
    view: ast::EnvironmentStore<'_>,
) -> Option<(String, Option<String>)> {
    let engine = engine(cx, view.engine(), STORES, "store");
    let mut said: Vec<(&'static str, Span)> = Vec::new();
    for option in view.options() {
        let word = match option {
            StoreOption::Replicas(_) => "replicas",
            StoreOption::Backup(_) => "backup",
            StoreOption::Recover(_) => "recover",
        };
        if let Some((_, first)) = said.iter().find(|(known, _)| *known == word) {
            cx.said_twice(&format!("`{word}`"), *first, option.span());
            continue;
        }
        said.push((word, option.span()));
        match option {
            StoreOption::Replicas(replicas) => {
                replicas.count().and_then(|count| positive(cx, count));
                if engine.as_deref() == Some("sqlite") {
                    cx.report(
                        Diagnostic::error(
                            "E0602",
                            replicas.span(),
                            "SQLite is a file: it has no replicas",
                        )
                        .help("remove it, or use `store postgres`"),
                    );
                }
            }
            StoreOption::Backup(backup) => {
                let every = backup.every().and_then(|every| positive_duration(cx, every));
                let keep = backup.keep().and_then(|keep| positive_duration(cx, keep));
                if let (Some(every), Some(keep), Some(literal)) = (every, keep, backup.keep())
                    && keep < every
                {
                    cx.report(
                        Diagnostic::error(
                            "E0601",
                            literal.span(),
                            "a backup is thrown away before the next one is made",
                        )
                        .help("keep each at least until the next"),
                    );
                }
            }
            StoreOption::Recover(recover) => {
                recover.period().and_then(|period| positive_duration(cx, period));
            }
        }
    }
    if let (Some("sqlite"), Some(setting)) = (engine.as_deref(), view.value())
        && !matches!(setting.source(), Some(Source::Text(_)))
    {
        cx.report(
            Diagnostic::error("E0602", setting.span(), "the file of SQLite is written out here")
                .note("it lies beside the model, so that everybody who opens the project finds it")
                .help("write `store sqlite \"app.db\"`"),
        );
        return None;
    }
    engine.map(|engine| (engine, setting_text(view.value())))
}

fn budget_setting(cx: &mut Context<'_>, view: ast::EnvironmentBudget<'_>) -> Option<Budget> {
    let amount = match view.amount()?.value()? {
        LiteralValue::Integer(amount) => amount as f64,
        LiteralValue::Decimal(decimal) => decimal.digits as f64 / 10_f64.powi(decimal.scale as i32),
        _ => return None,
    };
    let currency_name = view.currency()?;
    let currency = crate::currency::currency(currency_name.text());
    if currency.is_none() {
        let text = currency_name.text();
        let message = format!("`{text}` is no currency of ISO 4217");
        cx.unknown("E0229", currency_name.span(), message, text, crate::currency::codes());
    }
    let per_year = match view.per() {
        Some(per) if !BUDGET_PERIODS.contains(&per.text()) => {
            let message = format!("a budget is not counted per `{}`", per.text());
            cx.unknown("E0602", per.span(), message, per.text(), BUDGET_PERIODS.iter().copied());
            return None;
        }
        Some(per) => per.text() == "year",
        None => false,
    };
    let monthly = if per_year { amount / 12.0 } else { amount };
    Some(Budget { monthly, currency: currency? })
}

fn deployments<'a>(cx: &mut Context<'a>, view: ast::EnvironmentDeploy<'a>) -> Vec<Deployment> {
    let mut deployments: Vec<Deployment> = Vec::new();
    for target in view.targets() {
        let Some(name) = target.service() else { continue };
        let Some(service) = cx.names.services.get(name.text()).copied() else {
            let mut known: Vec<&str> = cx.names.services.keys().copied().collect();
            known.sort_unstable();
            let message = format!("there is no service `{}`", name.text());
            cx.unknown("E0202", name.span(), message, name.text(), known);
            continue;
        };
        cx.used(name, cx.model.services[service.index()].span);
        if deployments.iter().any(|known| known.service == service) {
            cx.report(
                Diagnostic::error(
                    "E0201",
                    name.span(),
                    format!("`{}` is deployed already", name.text()),
                )
                .help("remove one of them"),
            );
            continue;
        }
        let bounds =
            target.count().map_or(Bounds::OPEN, |range| super::type_expr::counts(cx, range));
        let least = bounds.least.unwrap_or(1);
        let most = bounds.greatest.unwrap_or(least);
        if least == 0 || most == 0 {
            let span = target.count().map_or(name.span(), |range| range.span());
            cx.report(
                Diagnostic::error(
                    "E0601",
                    span,
                    format!("nothing answers while no `{}` runs", name.text()),
                )
                .help("run one at least: `x 1..4`"),
            );
            continue;
        }
        deployments.push(Deployment { service, least, most });
    }
    deployments
}

/// Fills in decisions.
pub(crate) fn decisions(cx: &mut Context<'_>) {
    for view in cx.source.decisions.clone() {
        decision(cx, view);
    }
}

fn decision<'a>(cx: &mut Context<'a>, view: ast::Decision<'a>) {
    let span = view.title().map_or(view.span(), |title| title.span());
    let title = view.title().and_then(|title| title.string()).unwrap_or_default().into_owned();
    if !title.is_empty() {
        let first = cx.model.decisions.iter().find(|known| known.title == title);
        if let Some(first) = first.map(|known| known.span) {
            cx.twice("the decision", &title, first, span);
        }
    }
    let mut criteria: Vec<(Criterion, Span)> = Vec::new();
    let mut criteria_span: Option<Span> = None;
    for member in view.members() {
        let DecisionMember::Criteria(weights) = member else { continue };
        if let Some(first) = criteria_span.replace(weights.span()) {
            cx.said_twice("`criteria`", first, weights.span());
            continue;
        }
        for weight in weights.weights() {
            let (Some(name), Some(number)) = (weight.name(), weight.number()) else { continue };
            if let Some((_, first)) = criteria.iter().find(|(known, _)| known.name == name.text()) {
                cx.twice("the criterion", name.text(), *first, name.span());
                continue;
            }
            let weight = positive(cx, number).unwrap_or(1) as f64;
            criteria.push((Criterion { name: name.text().to_owned(), weight }, name.span()));
        }
    }
    let mut options: Vec<(String, Vec<Option<f64>>)> = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    for member in view.members() {
        let DecisionMember::Option(option) = member else { continue };
        let Some(name) = option.name() else { continue };
        if let Some(at) = options.iter().position(|(known, _)| known == name.text()) {
            cx.twice("the option", name.text(), spans[at], name.span());
            continue;
        }
        spans.push(name.span());
        let marks = marks(cx, option, name, &criteria);
        options.push((name.text().to_owned(), marks));
    }
    let (chosen, because) = chosen(cx, view, &options, span);
    let criteria = criteria.into_iter().map(|(criterion, _)| criterion).collect();
    cx.model.decisions.push(Decision { title, span, criteria, options, chosen, because });
}

/// The marks of an option, one for each criterion.
fn marks<'a>(
    cx: &mut Context<'a>,
    option: ast::Alternative<'a>,
    option_name: ast::Name<'a>,
    criteria: &[(Criterion, Span)],
) -> Vec<Option<f64>> {
    let mut marks: Vec<Option<f64>> = vec![None; criteria.len()];
    for score in option.scores() {
        let Some(name) = score.name() else { continue };
        let Some(at) = criteria.iter().position(|(known, _)| known.name == name.text()) else {
            let message = format!("`{}` is no criterion of this decision", name.text());
            let known: Vec<&str> = criteria.iter().map(|(known, _)| known.name.as_str()).collect();
            cx.unknown("E0605", name.span(), message, name.text(), known);
            continue;
        };
        if marks[at].is_some() {
            let criterion = criteria[at].1;
            cx.said_twice(&format!("the mark for `{}`", name.text()), criterion, name.span());
            continue;
        }
        marks[at] = score.number().and_then(|number| number.integer()).map(|mark| mark as f64);
    }
    let missing: Vec<String> = criteria
        .iter()
        .zip(&marks)
        .filter(|(_, mark)| mark.is_none())
        .map(|((criterion, _), _)| criterion.name.clone())
        .collect();
    if !missing.is_empty() {
        let names = super::path::list(&missing);
        cx.report(
            Diagnostic::error(
                "E0605",
                option_name.span(),
                format!("`{}` has no mark for {names}", option_name.text()),
            )
            .note("a matrix with holes decides nothing")
            .help("give each option a mark for each criterion"),
        );
    }
    marks
}

fn chosen<'a>(
    cx: &mut Context<'a>,
    view: ast::Decision<'a>,
    options: &[(String, Vec<Option<f64>>)],
    span: Span,
) -> (Option<String>, Option<String>) {
    let mut all = view.members().filter_map(|member| match member {
        DecisionMember::Chosen(chosen) => Some(chosen),
        _ => None,
    });
    let Some(first) = all.next() else {
        cx.report(
            Diagnostic::error("E0603", span, "this decision chooses nothing")
                .help("say which: `chosen name because \"…\"`"),
        );
        return (None, None);
    };
    for again in all {
        cx.said_twice("`chosen`", first.span(), again.span());
    }
    let because =
        first.because().and_then(|because| because.string()).map(std::borrow::Cow::into_owned);
    let Some(name) = first.option() else { return (None, because) };
    if !options.iter().any(|(known, _)| known == name.text()) {
        let message = format!("`{}` is no option of this decision", name.text());
        let known: Vec<&str> = options.iter().map(|(known, _)| known.as_str()).collect();
        cx.unknown("E0605", name.span(), message, name.text(), known);
        return (None, because);
    }
    (Some(name.text().to_owned()), because)
}
