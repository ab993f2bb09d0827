//! DAT005

use model::{Model, Type};

use crate::Findings;
use crate::facts::Facts;

/// Words that say money, wherever in a name they stand.
const MONEY: &[&str] = &[
    "price",
    "prices",
    "cost",
    "costs",
    "fee",
    "fees",
    "balance",
    "salary",
    "wage",
    "revenue",
    "payment",
    "payout",
    "refund",
    "deposit",
    "commission",
    "subtotal",
    "vat",
    "turnover",
];

/// Words that say that it is a number about money, not money.
const OTHER: &[&str] =
    &["rate", "ratio", "percent", "percentage", "share", "factor", "score", "index", "count"];

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for (id, field_id, field) in facts.fields() {
        if !matches!(field.ty, Type::Float(_)) || !says_money(&field.name) {
            continue;
        }
        let better = better(facts.model);
        let message = format!("`{}` is money, kept in binary floating point", field.name);
        let finding = findings
            .at(field.type_span, message)
            .text("cannot hold 0.10")
            .note("sums drift by fractions of a cent, and nobody can say afterwards which of them is right")
            .suggest(format!("write `{better}`"), field.type_span, better);
        findings.add(facts.field_path(id, field_id), finding);
    }
}

fn says_money(name: &str) -> bool {
    name.split('_').any(|word| MONEY.contains(&word))
        && !name.split('_').any(|word| OTHER.contains(&word))
}

/// The currency of the design, if it has one.
fn better(model: &Model) -> String {
    let mut currencies: Vec<String> = model
        .fields
        .iter()
        .filter_map(|field| match field.ty {
            Type::Money(currency) => Some(format!("Money({})", currency.as_str())),
            _ => None,
        })
        .collect();
    currencies.sort_unstable();
    currencies.dedup();
    match currencies.as_slice() {
        [only] => only.clone(),
        _ => "Decimal(18, 4)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::says_money;

    #[test]
    fn rates_and_measures_are_no_money() {
        for money in ["price", "unit_price", "shipping_cost", "account_balance"] {
            assert!(says_money(money), "{money}");
        }
        for other in ["weight", "commission_rate", "price_index", "latitude", "feedback"] {
            assert!(!says_money(other), "{other}");
        }
    }
}
