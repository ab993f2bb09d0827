//! Which replicas are read from, and what is told of them.

use model::{Environment, Model};
use store::Store;

use crate::failure::Failure;
use crate::screen;

/// What the variable with the addresses of replicas is called: as that of the primary, and this.
const SUFFIX: &str = "_REPLICAS";

/// The replicas that were named.
pub(crate) struct Replicas {
    /// Their addresses.
    pub(crate) addresses: Vec<String>,
    /// Where they are to be named.
    place: String,
    /// How many the model says there are, and of which environment.
    written: Option<(String, i64)>,
}

impl Replicas {
    /// Those that were said (`--replicas`), or those in the variable that belongs to an environment's store.
    pub(crate) fn of(
        said: Option<&str>,
        environment: Option<&str>,
        model: &Model,
    ) -> Result<Self, Failure> {
        let found = environment.and_then(|name| {
            let environment = model.environments.iter().find(|known| known.name == name)?;
            Some((environment, variable(environment)?))
        });
        let (place, text, written) = match found {
            Some((environment, place)) => {
                let text = match std::env::var(&place) {
                    Ok(text) => text,
                    Err(std::env::VarError::NotPresent) => String::new(),
                    // Not text, and so no addresses.
                    Err(std::env::VarError::NotUnicode(_)) => {
                        return Err(Failure::NoReplicas { place, number: 1 });
                    }
                };
                let written = environment.replicas.map(|count| (environment.name.clone(), count));
                (place, text, written)
            }
            None => ("--replicas".to_owned(), said.unwrap_or_default().to_owned(), None),
        };
        let addresses = match listed(&text) {
            Ok(addresses) => addresses,
            Err(number) => return Err(Failure::NoReplicas { place, number }),
        };
        Ok(Self { addresses, place, written })
    }

    /// Says what becomes of them.
    pub(crate) fn tell(&self, store: &Store) {
        let named = self.addresses.len();
        if let Some((environment, count)) = &self.written
            && i64::try_from(named).is_ok_and(|named| named != *count)
        {
            let has = if named == 0 { "none".to_owned() } else { named.to_string() };
            let then = if named == 0 { ": all reads go to the primary" } else { "" };
            screen::note(&format!(
                "`environment {environment}` has `replicas {count}`, and {} names {has}{then}",
                self.place
            ));
        }
        for (name, unused) in store.replicas() {
            match unused {
                None => screen::note(&format!("reads go to the replica {name} as well")),
                Some(reason) => {
                    tracing::warn!(
                        "the replica {name} is not read from: {reason}; it is tried again"
                    );
                }
            }
        }
    }
}

/// Says that `mimar dev` leaves the replicas of its environment alone.
pub(crate) fn left_alone(model: &Model) {
    let dev = model.environments.iter().find(|known| known.name == "dev");
    if dev.is_some_and(|dev| dev.replicas.is_some()) {
        screen::note(
            "`mimar dev` reads from the primary alone; `mimar serve` reads from replicas as well",
        );
    }
}

fn variable(environment: &Environment) -> Option<String> {
    match environment.store.as_ref()? {
        (engine, Some(variable)) if engine == "postgres" => Some(format!("{variable}{SUFFIX}")),
        _ => None,
    }
}

/// Addresses between white space or commas; or the number of the first that is none. One address may name several hosts, with
/// commas.
fn listed(text: &str) -> Result<Vec<String>, usize> {
    let mut addresses: Vec<String> = Vec::new();
    for words in text.split_whitespace() {
        for (at, word) in words.split(',').enumerate() {
            let begins =
                ["postgres://", "postgresql://"].iter().any(|begin| word.starts_with(begin));
            if begins {
                addresses.push(word.to_owned());
            } else if word.is_empty() {
                // Between a comma and white space.
            } else if let Some(last) = addresses.last_mut().filter(|_| at > 0) {
                last.push(',');
                last.push_str(word);
            } else {
                return Err(addresses.len() + 1);
            }
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (text, expected) in [
            ("", Ok(vec![])),
            (" \n", Ok(vec![])),
            ("postgres://a/b", Ok(vec!["postgres://a/b"])),
            (
                "postgres://a/b,postgresql://c/b\tpostgres://d/b, postgres://e/b",
                Ok(vec!["postgres://a/b", "postgresql://c/b", "postgres://d/b", "postgres://e/b"]),
            ),
            (
                "postgres://a:1,b:2/c,postgres://d/c",
                Ok(vec!["postgres://a:1,b:2/c", "postgres://d/c"]),
            ),
            ("db.example", Err(1)),
            ("postgres://a/b db.example", Err(2)),
            (",db.example", Err(1)),
        ] {
            let expected =
                expected.map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(listed(text), expected, "{text}");
        }
    }
}
