//! The routes of the REST surface.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{Contract, Grant};

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Its path: `/v1/orders/{id}`.
    pub path: String,
    /// Who gets past the door: `anyone`, or roles. What their conditions say of rows comes on top.
    pub roles: Vec<String>,
    /// What may be asked for in its query string: filters, sorts and paths to include.
    pub filters: Vec<String>,
    /// Fields that may be sorted by.
    pub sorts: Vec<String>,
    /// Paths that may be included.
    pub includes: Vec<String>,
}

/// Every route of a contract, in the order of the model.
pub(super) fn routes(contract: &Contract) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut add = |method: &str, path: &str, grant: &Grant| {
        if !grant.is_empty() {
            routes.push(Route {
                method: method.to_owned(),
                path: path.to_owned(),
                roles: roles(grant),
                filters: Vec::new(),
                sorts: Vec::new(),
                includes: Vec::new(),
            });
        }
    };
    for resource in &contract.resources {
        add("GET", &resource.path, &resource.read);
        add("POST", &resource.path, &resource.create);
        add("GET", &resource.item_path, &resource.read);
        add("PUT", &resource.item_path, &resource.replace);
        add("PATCH", &resource.item_path, &resource.update);
        add("DELETE", &resource.item_path, &resource.delete);
    }
    for query in &contract.queries {
        add("GET", &query.path, &query.grant);
    }
    for command in &contract.commands {
        add("POST", &command.path, &command.grant);
    }
    add("GET", &contract.events_path(), &contract.events_grant());
    let replay = contract.replay_grant();
    add("POST", &contract.replay_path(), &replay);
    add("GET", &contract.dead_path(), &replay);
    add("DELETE", &contract.dead_item_path(), &replay);
    add("POST", &contract.retry_path(), &replay);
    let anyone = Grant { anyone: true, roles: Vec::new() };
    for webhook in contract.webhooks.iter().filter(|webhook| !webhook.receives.is_empty()) {
        // Its signature is what lets it in.
        add("POST", &webhook.path(), &anyone);
    }
    for resource in contract.resources.iter().filter(|resource| !resource.read.is_empty()) {
        let list = |route: &&mut Route| route.method == "GET" && route.path == resource.path;
        if let Some(route) = routes.iter_mut().find(list) {
            route.filters = resource.filters.iter().map(|filter| filter.field.clone()).collect();
            route.sorts.clone_from(&resource.sorts);
            route.includes.clone_from(&resource.includes);
        }
    }
    routes
}

fn roles(grant: &Grant) -> Vec<String> {
    if grant.anyone { vec!["anyone".to_owned()] } else { grant.roles.clone() }
}
