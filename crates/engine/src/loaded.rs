//! A model, ready to be asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use contract::Contract;
use model::{Model, Valid};
use operation::{Fault, Violation};
use plan::{Caller, Intent, Plan};
use schema::Schema;

use crate::identity::Rules;
use crate::run::microseconds_now;

/// A model with everything that was made of it. It never changes: an edit makes another one.
#[derive(Debug)]
pub struct Loaded {
    /// The model.
    pub model: Arc<Valid<Model>>,
    /// Its tables.
    pub schema: Arc<Schema>,
    /// Its executable form.
    pub plan: Arc<Plan>,
    /// A number that no other loaded model of this process has; later ones have greater numbers.
    pub generation: u64,
    rules: Rules,
    contract: OnceLock<Contract>,
}

impl Loaded {
    /// Compiles a model over its tables.
    pub fn new(model: Arc<Valid<Model>>, schema: Arc<Schema>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            plan: Arc::new(plan::compile(Arc::clone(&model), Arc::clone(&schema))),
            rules: Rules::of(&model),
            contract: OnceLock::new(),
            generation: NEXT.fetch_add(1, Ordering::Relaxed),
            model,
            schema,
        }
    }

    /// The same, with what is published going to a broker, too ([`Engine::exchange`](crate::Engine::exchange)).
    #[must_use]
    pub fn sending(self) -> Self {
        let plan = plan::compile(Arc::clone(&self.model), Arc::clone(&self.schema)).with_broker();
        Self { plan: Arc::new(plan), ..self }
    }

    /// Refuses an intent for what was found to be wrong with its request, and says with it all that is wrong besides. Who may
    /// not ask at all is told that alone.
    #[must_use]
    pub fn refuse(&self, intent: &Intent<'_>, caller: &Caller, mut found: Vec<Violation>) -> Fault {
        match self.plan.lower(intent, caller, microseconds_now()) {
            Err(Fault::Invalid(besides)) => found.extend(besides),
            Err(fault) => return fault,
            Ok(_) => {}
        }
        Fault::Invalid(found)
    }

    /// What of it is seen outside.
    pub(crate) fn contract(&self) -> &Contract {
        self.contract.get_or_init(|| contract::derive(&self.model))
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}
