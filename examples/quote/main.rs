//! A command that Rust does: `cargo run --example quote`
use mimar::{Fault, Server, Transaction};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Parcel {
    zone: String,
    grams: u32,
}

async fn quote(parcel: Parcel, transaction: &mut Transaction<'_>) -> Result<String, Fault> {
    let Parcel { zone, grams } = parcel;
    let terms: serde_json::Value = transaction.get("Zone", &zone).await?.ok_or(Fault::NotFound)?;
    if u64::from(grams) > terms["heaviest"].as_u64().unwrap_or(0) {
        let told = json!({ "zone": zone, "heaviest": terms["heaviest"] });
        return Err(transaction.refuse("TooHeavy", told));
    }
    let cents =
        |name: &str| terms[name].as_str().and_then(|euros| euros.replace('.', "").parse().ok());
    let begun = grams.div_ceil(1000) - 1;
    let price = cents("base").unwrap_or(0) + cents("each").unwrap_or(0) * begun;
    let price = format!("{}.{:02}", price / 100, price % 100);
    transaction.create("Quote", json!({ "zone": zone, "grams": grams, "price": price })).await
}

fn main() -> Result<(), mimar::Error> {
    Server::load("examples/quote")?.command("quote", quote).serve()
}
