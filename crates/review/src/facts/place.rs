//! Where the design runs.

use model::{Environment, Model};
use syntax::Span;
use syntax::ast::{EnvironmentMember, Item, StoreOption};

use super::Source;

/// An environment with its settings.
pub(crate) struct Place<'a> {
    /// As the model has it.
    pub(crate) environment: &'a Environment,
    /// Where `store` stands.
    pub(crate) store: Option<Span>,
    /// How the store is kept.
    pub(crate) keeping: Keeping,
    /// Where `broker` stands.
    pub(crate) broker: Option<Span>,
    /// Where `deploy` stands.
    pub(crate) deploy: Option<Span>,
}

/// What stands in the braces of a store.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keeping {
    /// Copies that can take over.
    pub(crate) replicas: Option<i64>,
    /// Where `backup` stands.
    pub(crate) backup: Option<Span>,
    /// Where `recover` stands, and how far back.
    pub(crate) recover: Option<(Span, i64)>,
    /// How long backups are kept, in microseconds.
    pub(crate) keep: Option<i64>,
}

impl Place<'_> {
    /// Whether users rely on it.
    pub(crate) fn is_production(&self) -> bool {
        matches!(self.environment.name.as_str(), "production" | "prod" | "live")
    }

    /// The engine of its store.
    pub(crate) fn engine(&self) -> &str {
        self.environment.store.as_ref().map_or("", |(engine, _)| engine.as_str())
    }

    /// How many processes run at most.
    pub(crate) fn most_processes(&self) -> u32 {
        let deployments = self.environment.deployments.iter();
        deployments.map(|deployment| deployment.most).sum::<u32>().max(1)
    }
}

pub(crate) fn places<'a>(model: &'a Model, source: &Source<'a>) -> Vec<Place<'a>> {
    model
        .environments
        .iter()
        .map(|environment| {
            let mut place = Place {
                environment,
                store: None,
                keeping: Keeping::default(),
                broker: None,
                deploy: None,
            };
            if let Some(Item::Environment(view)) = source.item(environment.span) {
                view.members().for_each(|member| read(&mut place, member));
            }
            place
        })
        .collect()
}

fn read(place: &mut Place<'_>, member: EnvironmentMember<'_>) {
    match member {
        EnvironmentMember::Store(store) => {
            place.store = Some(store.span());
            for option in store.options() {
                match option {
                    StoreOption::Replicas(replicas) => {
                        place.keeping.replicas = replicas.count().and_then(|it| it.integer());
                    }
                    StoreOption::Backup(backup) => {
                        place.keeping.backup = Some(backup.span());
                        let keep = backup.keep().and_then(|it| it.duration());
                        place.keeping.keep = keep.and_then(|it| it.microseconds());
                    }
                    StoreOption::Recover(recover) => {
                        let period = recover.period().and_then(|it| it.duration());
                        let period = period.and_then(|it| it.microseconds()).unwrap_or(0);
                        place.keeping.recover = Some((recover.span(), period));
                    }
                }
            }
        }
        EnvironmentMember::Broker(broker) => place.broker = Some(broker.span()),
        EnvironmentMember::Deploy(deploy) => place.deploy = Some(deploy.span()),
        EnvironmentMember::Cache(_)
        | EnvironmentMember::Cloud(_)
        | EnvironmentMember::Budget(_) => {}
    }
}
