//! Events and what follows from them: reactions, webhooks, workflows, jobs.

use super::{Allow, Block, Field, Literal, Parameters, Path, Run, Statement, choice, views};

views! {
    /// `event Name from "address" by key { fields }`
    Event = Event {
        /// Its name.
        name: the declared;
        /// Where it comes from, if another system publishes it.
        from: child Literal;
        /// The field by which events stay in order.
        by: the used;
        /// What it carries.
        fields: children Field;
        /// Who may read it.
        policies: children Allow;
    }

    /// `on Event run command(arguments)`; the event's fields are in scope.
    On = On {
        /// The event.
        event: child Path;
        /// What is run.
        run: child Run;
    }

    /// `webhook name { sends … sign … retry for … }`
    Webhook = Webhook {
        /// Its name.
        name: the declared;
        /// What stands inside.
        members: children WebhookMember;
    }

    /// `sends EventA, EventB`
    WebhookSends = WebhookSends {
        /// The events.
        events: children Path;
    }

    /// `receives A as "a.b", B`
    WebhookReceives = WebhookReceives {
        /// The events.
        events: children WebhookReceived;
    }

    /// `A as "a.b"`
    WebhookReceived = WebhookReceived {
        /// The event.
        event: child Path;
        /// What its type is called by who sends it.
        kind: child Literal;
    }

    /// `sign standard`
    WebhookSign = WebhookSign {
        /// How it is signed: `standard`, as in Standard Webhooks.
        scheme: the used;
    }

    /// `retry for 3d`
    WebhookRetry = WebhookRetry {
        /// How long, a duration.
        period: child Literal;
    }

    /// `workflow name(parameters) on Event { steps, retry, give up }`
    Workflow = Workflow {
        /// Its name.
        name: the declared;
        /// What it takes.
        parameters: child Parameters;
        /// The event that starts it, if one does.
        on: child Path;
        /// What stands inside.
        members: children WorkflowMember;
    }

    /// `step name { statements undo STATEMENT }`
    Step = Step {
        /// Its name.
        name: the declared;
        /// What it does, in order.
        statements: children Statement;
        /// What takes it back.
        undo: child Undo;
    }

    /// `undo STATEMENT`, or `undo { statements }`
    Undo = Undo {
        /// The statement, where it is one.
        statement: child Statement;
        /// The block, where it is one.
        block: child Block;
    }

    /// `retry 8 times from 200ms to 1m`
    Retry = Retry {
        /// How many times, an integer.
        times: literal 0;
        /// The first pause, a duration.
        from: literal 1;
        /// The longest pause, a duration.
        to: literal 2;
    }

    /// `give up after 30m, then run command(arguments)`; the second half is optional.
    GiveUp = GiveUp {
        /// After how long, a duration.
        after: child Literal;
        /// What is run then.
        run: child Run;
    }

    /// `at "0 3 * * *" in "Europe/Berlin"`
    JobAt = JobAt {
        /// Minute, hour, day of month, month, day of week.
        pattern: literal 0;
        /// The time zone; UTC if none is said.
        zone: literal 1;
    }

    /// `jitter 30s`
    JobJitter = JobJitter {
        /// The most, a duration.
        most: child Literal;
    }

    /// `catch up all`
    JobCatchUp = JobCatchUp {
        /// How runs are made up for: `once`, `all` or `none`.
        how: the used;
    }

    /// `job name every 10m { statements }`, or `job name at "0 3 * * *" { statements }`
    Job = Job {
        /// Its name.
        name: the declared;
        /// How often, a duration.
        every: child Literal;
        /// At which times of the calendar, instead.
        at: child JobAt;
        /// By how much its beginning is moved at random.
        jitter: child JobJitter;
        /// What becomes of runs that were missed.
        catch_up: child JobCatchUp;
        /// What it does, in order.
        statements: children Statement;
    }
}

choice! {
    /// What may stand in a webhook.
    WebhookMember {
        /// `sends`
        Sends(WebhookSends),
        /// `receives`
        Receives(WebhookReceives),
        /// `sign`
        Sign(WebhookSign),
        /// `retry for`
        Retry(WebhookRetry),
    }
}

choice! {
    /// What may stand in a workflow.
    WorkflowMember {
        /// `step`
        Step(Step),
        /// `retry`
        Retry(Retry),
        /// `give up`
        GiveUp(GiveUp),
    }
}
