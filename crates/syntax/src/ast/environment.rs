//! Where it runs.

use super::{Literal, Name, Range, Setting, choice, views};

views! {
    /// `environment name { … }`
    Environment = Environment {
        /// Its name.
        name: the declared;
        /// What stands inside.
        members: children EnvironmentMember;
    }

    /// `store sqlite "shop.db"`, `store postgres env URL { … }`
    EnvironmentStore = EnvironmentStore {
        /// `sqlite` or `postgres`.
        engine: the used;
        /// The file or the address.
        value: child Setting;
        /// What stands in braces.
        options: children StoreOption;
    }

    /// `replicas 2`
    StoreReplicas = StoreReplicas {
        /// How many, an integer.
        count: child Literal;
    }

    /// `backup every 1d keep 30d`
    StoreBackup = StoreBackup {
        /// How often, a duration.
        every: literal 0;
        /// How long each is kept, a duration.
        keep: literal 1;
    }

    /// `recover to any point in 7d`
    StoreRecover = StoreRecover {
        /// How far back, a duration.
        period: child Literal;
    }

    /// `cache redis env URL`
    EnvironmentCache = EnvironmentCache {
        /// `redis`
        engine: the used;
        /// Its address.
        value: child Setting;
    }

    /// `broker nats env URL`
    EnvironmentBroker = EnvironmentBroker {
        /// `nats`, `kafka`, `rabbitmq`
        engine: the used;
        /// Its address.
        value: child Setting;
    }

    /// `cloud aws eu-central-1`
    EnvironmentCloud = EnvironmentCloud {
        /// `aws`, `gcp`, `azure`, …
        provider: the used;
        /// The region.
        region: child Region;
    }

    /// `eu-central-1`
    Region = Region {}

    /// `budget 900 USD per month`
    EnvironmentBudget = EnvironmentBudget {
        /// How much, a number.
        amount: child Literal;
        /// Of what: an ISO 4217 code.
        currency: the used;
    }

    /// `deploy sales x 2..20, shipping x 1..5`
    EnvironmentDeploy = EnvironmentDeploy {
        /// Each service that runs on its own.
        targets: children DeployTarget;
    }

    /// `sales x 2..20`, or `sales x 3`
    DeployTarget = DeployTarget {
        /// The service.
        service: the used;
        /// How many of it; one number alone is a range of both.
        count: child Range;
    }
}

choice! {
    /// What may stand in an environment.
    EnvironmentMember {
        /// `store`
        Store(EnvironmentStore),
        /// `cache`
        Cache(EnvironmentCache),
        /// `broker`
        Broker(EnvironmentBroker),
        /// `cloud`
        Cloud(EnvironmentCloud),
        /// `budget`
        Budget(EnvironmentBudget),
        /// `deploy`
        Deploy(EnvironmentDeploy),
    }
}

choice! {
    /// What may stand in the braces of a store.
    StoreOption {
        /// `replicas`
        Replicas(StoreReplicas),
        /// `backup`
        Backup(StoreBackup),
        /// `recover`
        Recover(StoreRecover),
    }
}

impl<'a> Region<'a> {
    /// The region as written: `eu-central-1`.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.node().text()
    }
}

impl<'a> EnvironmentBudget<'a> {
    /// The word behind `per`: `month`, `year`.
    #[must_use]
    pub fn per(self) -> Option<Name<'a>> {
        let parse = self.node().parse();
        self.node()
            .own_tokens()
            .skip_while(|token| parse.token_text(*token) != "per")
            .nth(1)
            .map(|token| Name::new(parse, token))
    }
}
