//! Which broker is spoken with, and what is told of it.

use broker::{Address, Kind};
use engine::exchange::{Notice, Settings};
use model::Model;

use crate::failure::Failure;
use crate::screen;

/// What was said, or what an environment of the model says; `None` where neither names a broker.
pub(crate) fn address(
    said: Option<&Address>,
    environment: Option<&str>,
    model: &Model,
) -> Result<Option<Address>, Failure> {
    if let Some(said) = said {
        return Ok(Some(said.clone()));
    }
    let Some(name) = environment else { return Ok(None) };
    let found = model.environments.iter().find(|known| known.name == name);
    let Some((word, value)) = found.and_then(|found| found.broker.as_ref()) else {
        return Ok(None);
    };
    let kind = Kind::of_word(word);
    // A variable has no such name, so that this is the address itself.
    let text = match value {
        Some(text) if text.contains("://") => text.clone(),
        Some(variable) => std::env::var(variable).map_err(|_| Failure::NoBrokerAddress {
            environment: name.to_owned(),
            kind: kind.map_or_else(|| word.clone(), |kind| kind.to_string()),
            variable: variable.clone(),
        })?,
        None => return Ok(None),
    };
    let address: Address = text.parse()?;
    match kind {
        Some(kind) if kind != address.kind() => Err(Failure::OtherBroker {
            environment: name.to_owned(),
            kind: kind.to_string(),
            address: address.to_string(),
        }),
        _ => Ok(Some(address)),
    }
}

/// How it is spoken with, and what of it is told on the screen.
pub(crate) fn settings(address: Address) -> Settings {
    let (shown, kind) = (address.to_string(), address.kind());
    Settings::new(address, move |notice| match notice {
        Notice::Connected(remarks) => {
            screen::note(&format!("events go to {kind} at {shown}"));
            for remark in remarks {
                tracing::warn!("{remark}");
            }
        }
        Notice::Away(fault) => {
            tracing::warn!(
                "{kind} at {shown}: {fault}; events wait in the database, and it is tried again"
            );
        }
        Notice::NoPlace(fault) => {
            tracing::warn!("{kind} at {shown}: {fault}; it is looked for again");
        }
    })
}

/// Says that a broker of the model is not spoken with, because the rows are elsewhere.
pub(crate) fn elsewhere(model: &Model) {
    let production = model.environments.iter().find(|known| known.name == "production");
    if production.is_some_and(|production| production.broker.is_some()) {
        screen::note(
            "no events are sent: `environment production` names a broker, and --database another place; --broker names one",
        );
    }
}

/// Says what of the model waits for a broker where none is served.
pub(crate) fn without(model: &Model) {
    let foreign = model.events.iter().filter(|event| event.from.is_some()).count() as u64;
    if foreign > 0 {
        screen::note(&format!(
            "{} from a broker, and none is served: --broker names one",
            screen::count(foreign, "event of the model comes", "events of the model come")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(broker: &str) -> Model {
        let text = format!("environment here {{ store sqlite \"a.db\" {broker} }}");
        let parse = syntax::parse(syntax::FileId(0), text);
        model::check(&[&parse]).0
    }

    #[test]
    fn an_environment_names_its_broker() {
        let said: Address = "redis://a".parse().unwrap();
        let written = model("broker nats \"nats://b:4222\"");
        let found = |said: Option<&Address>, environment, model: &Model| {
            address(said, environment, model)
                .map(|address| address.map(|address| address.to_string()))
        };
        assert_eq!(
            found(Some(&said), Some("here"), &written).unwrap().as_deref(),
            Some("redis://a")
        );
        assert_eq!(found(None, Some("here"), &written).unwrap().as_deref(), Some("nats://b:4222"));
        assert_eq!(found(None, Some("there"), &written).unwrap(), None);
        assert_eq!(found(None, None, &written).unwrap(), None);
        assert_eq!(found(None, Some("here"), &model("")).unwrap(), None);
    }

    #[test]
    fn a_broker_that_cannot_be_is_refused() {
        for (broker, said) in [
            ("broker nats env MIMAR_TEST_NO_SUCH_VARIABLE", "MIMAR_TEST_NO_SUCH_VARIABLE"),
            ("broker nats \"amqp://u:s3cret@host\"", "amqp://host"),
            ("broker nats \"http://u:s3cret@host\"", "nats://"),
        ] {
            let fault = address(None, Some("here"), &model(broker)).unwrap_err().to_string();
            assert!(fault.contains(said) && !fault.contains("s3cret"), "{fault}");
        }
    }
}
