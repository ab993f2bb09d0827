//! `mimar token`

use engine::identity;
use model::Model;

use crate::arguments::Token;
use crate::failure::Failure;
use crate::project::Project;
use crate::{random, screen};

pub(crate) fn run(arguments: &Token) -> Result<(), Failure> {
    let (project, model) = Project::read(&arguments.project)?.valid()?;
    let secret = match &arguments.secret {
        Some(secret) => secret.clone(),
        None => {
            let path = project.own_folder().join("secret");
            random::secret(&path).map_err(Failure::file("keep a secret in", &path))?
        }
    };
    identity::Key::secret(secret.as_bytes())
        .map_err(|source| Failure::Key { variable: "MIMAR_JWT_SECRET", source })?;
    let entity = role_entity(&model, &arguments.role)?;
    if let (Some(entity), Some(subject)) = (entity, &arguments.subject) {
        let key = &model[model[entity].key];
        if model.scalar(&key.ty).is_some_and(|scalar| scalar.parse(subject).is_err()) {
            return Err(Failure::Subject {
                subject: subject.clone(),
                entity: model[entity].name.clone(),
                role: arguments.role.clone(),
            });
        }
    }
    let subject = arguments.subject.as_deref();
    let token =
        identity::mint(&model, secret.as_bytes(), &arguments.role, subject, arguments.lifetime)?;
    screen::out(&format!("{token}\n"));
    if let (Some(entity), None) = (entity, subject) {
        screen::note(&format!(
            "note: callers of the role `{}` are rows of {}; without --subject this token is none of them",
            arguments.role, model[entity].name
        ));
    }
    Ok(())
}

/// The entity whose rows callers of a role are.
fn role_entity(model: &Model, name: &str) -> Result<Option<model::EntityId>, Failure> {
    let roles: Vec<&model::Role> = model.roles.iter().skip(1).collect();
    match roles.iter().find(|role| role.name == name) {
        Some(role) => Ok(role.entity),
        None => {
            let known: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(Failure::UnknownRole { role: name.to_owned(), known })
        }
    }
}
