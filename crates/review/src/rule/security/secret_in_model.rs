//! SEC016

use syntax::TokenKind;

use crate::Findings;
use crate::facts::Facts;

/// How credentials begin, what they are, and how long they are at least.
const KINDS: &[(&str, &str, usize)] = &[
    ("AKIA", "an access key of AWS", 20),
    ("ASIA", "an access key of AWS", 20),
    ("AIza", "a key of Google", 39),
    ("ghp_", "a token of GitHub", 40),
    ("gho_", "a token of GitHub", 40),
    ("github_pat_", "a token of GitHub", 40),
    ("glpat-", "a token of GitLab", 26),
    ("xoxb-", "a token of Slack", 24),
    ("xoxp-", "a token of Slack", 24),
    ("sk_live_", "a key of Stripe", 24),
    ("rk_live_", "a key of Stripe", 24),
    ("whsec_", "a secret of webhooks", 30),
    ("-----BEGIN", "a private key", 16),
    ("eyJ", "a JSON Web Token", 60),
];

pub(crate) fn check(facts: &Facts<'_>, findings: &mut Findings) {
    for parse in facts.source.parses() {
        for (at, token) in parse.tokens.iter().enumerate() {
            if token.kind != TokenKind::String {
                continue;
            }
            let span = parse.token_span(at as u32);
            let text = facts.source.text(span).trim_matches('"');
            let Some(what) = credential(text) else { continue };
            let finding = findings
                .at(span, format!("this looks like {what}"))
                .text("known to all who see the design")
                .note("the design is kept in version control and printed into documents: what was once in there is known")
                .help("take it from the environment, `env NAME` or `secret NAME`, and give out a new one");
            findings.add("design", finding);
        }
    }
}

/// What kind of credential a text is.
fn credential(text: &str) -> Option<&'static str> {
    let is_word = |text: &str| text.bytes().all(|it| it.is_ascii_graphic());
    let known = KINDS.iter().find(|(start, what, length)| {
        // A JSON Web Token has three parts.
        let shaped = *what != "a JSON Web Token" || text.matches('.').count() == 2;
        text.starts_with(start)
            && text.len() >= *length
            && shaped
            && (is_word(text) || *start == "-----BEGIN")
    });
    if let Some((_, what, _)) = known {
        return Some(what);
    }
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty() && !password.starts_with(['{', '$', '<']))
        .then_some("an address with a password in it")
}

#[cfg(test)]
mod tests {
    use super::credential;

    #[test]
    fn credentials_are_told_from_texts() {
        let fake = |start: &str, length: usize| format!("{start}{}", "x1".repeat(length));
        for secret in [fake("AKIA", 8), fake("ghp_", 18), fake("sk_live_", 12)] {
            assert!(credential(&secret).is_some(), "{secret}");
        }
        assert!(credential("postgres://shop:hunter22@db.example/shop").is_some());
        for text in [
            "AKIA is a prefix",
            "https://id.example/{tenant}",
            "postgres://shop@db.example/shop",
            "postgres://shop:${PASSWORD}@db.example/shop",
            "mailto:a@b.example",
            "eyJust a word",
        ] {
            assert_eq!(credential(text), None, "{text}");
        }
    }
}
