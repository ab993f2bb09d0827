//! Currencies in circulation (ISO 4217:2015, list one): code and digits of the minor unit.
//!
//! Left out are the codes that are no money one can be paid in: testing, precious metals, bond units, funds.

use crate::Currency;

/// Codes by the digits of their minor unit.
const CURRENCIES: &[(u8, &str)] = &[
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY \
         COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR \
         ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
         MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP \
         SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER \
         ZAR ZMW ZWG",
    ),
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
];

/// The currency of a code, if it is one.
pub(crate) fn currency(code: &str) -> Option<Currency> {
    let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
    CURRENCIES
        .iter()
        // Three letters and a space each.
        .find(|(_, codes)| codes.as_bytes().chunks(4).any(|known| known.starts_with(&letters)))
        .map(|(digits, _)| Currency { code: letters, digits: *digits })
}

/// All codes.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    CURRENCIES.iter().flat_map(|(_, codes)| codes.split_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::{codes, currency};

    #[test]
    fn digits_are_those_of_the_standard() {
        for (code, digits) in [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CHF", 2)] {
            assert_eq!(currency(code).map(|c| c.digits), Some(digits), "{code}");
        }
        assert!(
            currency("EURO").is_none() && currency("eur").is_none() && currency("XXX").is_none()
        );
        assert!(codes().all(|code| code.len() == 3 && currency(code).is_some()));
    }
}
