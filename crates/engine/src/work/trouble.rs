//! What goes wrong again and again, for the log: each trouble once in a while, and how often it came meanwhile.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long nothing more is told of one trouble.
const QUIET: Duration = Duration::from_secs(10);

/// So many troubles are known at once. Their names are those of the model, and of endpoints, of which there may be any number.
const KNOWN: usize = 1_000;

/// Troubles that were told, by what they are of.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<HashMap<String, Told>>);

#[derive(Debug)]
struct Told {
    when: Instant,
    /// How often it has come since.
    more: u64,
}

impl Troubles {
    /// Whether a trouble is to be told now: `Some` with how often it has come since it was last told, and was not.
    pub fn comes(&self, of: &str) -> Option<u64> {
        let now = Instant::now();
        let mut known = self.0.lock();
        if let Some(told) = known.get_mut(of) {
            if now.duration_since(told.when) < QUIET {
                told.more += 1;
                return None;
            }
            told.when = now;
            return Some(std::mem::take(&mut told.more));
        }
        if known.len() >= KNOWN {
            known.retain(|_, told| now.duration_since(told.when) < QUIET);
        }
        // Of more than that in so short a time nothing is kept, and everything is told.
        if known.len() < KNOWN {
            known.insert(of.to_owned(), Told { when: now, more: 0 });
        }
        Some(0)
    }

    /// Whether there was such a trouble, which has ended.
    pub fn ends(&self, of: &str) -> bool {
        self.0.lock().remove(of).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_in_a_while_and_its_end_once() {
        let troubles = Troubles::default();
        assert_eq!(troubles.comes("bank"), Some(0));
        assert_eq!(troubles.comes("bank"), None);
        assert_eq!(troubles.comes("mail"), Some(0));
        if let Some(told) = troubles.0.lock().get_mut("bank") {
            told.when -= QUIET;
        }
        assert_eq!(troubles.comes("bank"), Some(1));
        assert!(troubles.ends("bank"));
        assert!(!troubles.ends("bank"));
    }

    #[test]
    fn many_troubles_take_a_bounded_room() {
        let troubles = Troubles::default();
        for at in 0..2 * KNOWN {
            assert_eq!(troubles.comes(&at.to_string()), Some(0));
        }
        assert_eq!(troubles.0.lock().len(), KNOWN);
    }
}
