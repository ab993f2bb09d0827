//! What `mimar webhook` takes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use operation::{Scalar, Value};

use super::{DataPlace, lifetime};

/// Look after the partners that hear of events: their endpoints, and what is delivered to them.
///
/// The model says what a webhook sends, and the database who hears it. A running server notices within a second. Every delivery
/// is signed as Standard Webhooks has it; `add` and `rotate` show a secret once, and never again.
#[derive(Debug, Subcommand)]
pub(crate) enum Webhook {
    Add(WebhookAdd),
    /// List all endpoints.
    #[command(after_help = "Example:\n  mimar webhook list --project shop")]
    List(WebhookList),
    /// Remove an endpoint, with everything that waits for it.
    #[command(after_help = "Example:\n  mimar webhook remove 3")]
    Remove(WebhookOne),
    /// Send to an endpoint again: what waits for it goes out at once.
    #[command(after_help = "Example:\n  mimar webhook enable 3")]
    Enable(WebhookOne),
    /// Send nothing to an endpoint any more; events that happen meanwhile are not kept for it, and `replay` makes up for them.
    #[command(after_help = "Example:\n  mimar webhook disable 3")]
    Disable(WebhookOne),
    Rotate(WebhookRotate),
    #[command(after_help = "Example:\n  mimar webhook deliveries 3")]
    Deliveries(WebhookDeliveries),
    Replay(WebhookReplay),
}

/// Add an endpoint, or a sender to a webhook that receives, and show the secret that is signed with.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar webhook add order_events https://partner.example/hooks --project shop\n  mimar webhook add payments_in --project shop"
)]
pub(crate) struct WebhookAdd {
    /// A webhook of the model.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Where it is: https://…; http:// and private networks only for `mimar dev` and `mimar serve --webhooks-to-private`. None
    /// where the webhook receives: who sends there is known by the secret alone.
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The secret that a sender has given out (`whsec_…`), where it is not one of ours.
    #[arg(long, env = "MIMAR_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) form: WebhookForm,
}

/// What `list` takes.
#[derive(Debug, Args)]
pub(crate) struct WebhookList {
    #[command(flatten)]
    pub(crate) form: WebhookForm,
}

/// Which endpoint.
#[derive(Debug, Args)]
pub(crate) struct WebhookOne {
    /// Its number, as `list` tells it.
    #[arg(value_name = "ID")]
    pub(crate) id: i64,
    #[command(flatten)]
    pub(crate) form: WebhookForm,
}

/// Sign with a new secret; the one before holds beside it for a while, so that the partner can follow.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mimar webhook rotate 3 --overlap 7d")]
pub(crate) struct WebhookRotate {
    /// Its number, as `list` tells it.
    #[arg(value_name = "ID")]
    pub(crate) id: i64,
    /// How long the secret before holds beside the new one, such as 30m, 24h or 7d.
    #[arg(long, default_value = "24h", value_parser = lifetime, value_name = "TIME")]
    pub(crate) overlap: Duration,
    /// The secret that a sender has given out (`whsec_…`), where it is not one of ours.
    #[arg(long, env = "MIMAR_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) form: WebhookForm,
}

/// Show the newest deliveries, and what became of them.
#[derive(Debug, Args)]
pub(crate) struct WebhookDeliveries {
    /// Only those to this endpoint.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<i64>,
    /// The most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=10_000))]
    pub(crate) limit: i64,
    #[command(flatten)]
    pub(crate) form: WebhookForm,
}

/// Send again what has happened since; events are kept for a week, or as long as `mimar serve --keep-events` says.
///
/// What was delivered is delivered once more, with the same `webhook-id`; what waits already is not sent twice.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mimar webhook replay 3 --since 6h\n  mimar webhook replay 3 --since 2026-11-21T09:00:00Z"
)]
pub(crate) struct WebhookReplay {
    /// Its number, as `list` tells it.
    #[arg(value_name = "ID")]
    pub(crate) id: i64,
    /// A moment (RFC 3339), or how long ago, such as 30m, 6h or 2d.
    #[arg(long, value_parser = since, value_name = "TIME")]
    pub(crate) since: Since,
    #[command(flatten)]
    pub(crate) form: WebhookForm,
}

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) i64);

/// Where the endpoints are, and how an answer is printed.
#[derive(Debug, Args)]
pub(crate) struct WebhookForm {
    #[command(flatten)]
    pub(crate) place: DataPlace,
    /// Print JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(Value::Int(moment)) = Scalar::Timestamp.parse(text) {
        return Ok(Since(moment));
    }
    let ago = lifetime(text).map_err(|_| {
        "must be a moment such as 2026-11-21T09:00:00Z, or how long ago, such as 6h".to_owned()
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Since(i64::try_from(now.saturating_sub(ago).as_micros()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_or_counted_back() {
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(Since(1_000_000)));
        let (hour, day) = (since("1h").unwrap(), since("1d").unwrap());
        assert!(day.0 < hour.0);
        for wrong in ["", "yesterday", "1", "2026-13-01T00:00:00Z"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
