use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use model::RoleId;
use operation::Fault;
use plan::{Caller, Roles};
use serde_json::{Value, json};

use super::{Key, KeyFault, Rules, Verifier, seconds_now};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER: &[u8] = b"fedcba9876543210fedcba9876543210";
const RSA: &str = include_str!("tests_keys/rsa.pem");
const RSA_PUBLIC: &str = include_str!("tests_keys/rsa.pub.pem");
const P256: &str = include_str!("tests_keys/p256.pem");
const P256_PUBLIC: &str = include_str!("tests_keys/p256.pub.pem");
const ED25519: &str = include_str!("tests_keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("tests_keys/ed25519.pub.pem");

const CUSTOMER: RoleId = RoleId(1);

fn rules() -> Rules {
    Rules {
        issuer: None,
        audience: None,
        roles_claim: None,
        roles: vec![("customer".into(), CUSTOMER), ("clerk".into(), RoleId(2))],
    }
}

fn hs256(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn good() -> Value {
    json!({ "sub": "7", "roles": ["customer"], "exp": seconds_now() + 60 })
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = good();
    claims[claim] = value;
    claims
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |g, b| (g << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

fn verifier() -> Verifier {
    Verifier::new(vec![Key::secret(SECRET).unwrap()])
}

fn ask(verifier: &Verifier, rules: &Rules, header: &str) -> Result<Caller, Fault> {
    verifier.verify(Some(header), rules, 1)
}

#[track_caller]
fn accepted(rules: &Rules, token: &str) -> Caller {
    ask(&verifier(), rules, &format!("Bearer {token}")).unwrap()
}

#[track_caller]
fn refused(verifier: &Verifier, rules: &Rules, header: &str, why: &str) {
    match ask(verifier, rules, header) {
        Err(Fault::Unauthenticated(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("{header}: {other:?}"),
    }
}

#[test]
fn a_token_says_who_asks() {
    let caller = accepted(&rules(), &hs256(&good()));
    assert_eq!(caller.subject.as_deref(), Some("7"));
    assert_eq!(caller.roles, Roles::NONE.with(CUSTOMER));
    assert!(caller.authenticated);
    assert_eq!(verifier().verify(None, &rules(), 1), Ok(Caller::anonymous()));
}

#[test]
fn roles_come_from_the_claim_and_only_known_ones_count() {
    let both = Roles::NONE.with(CUSTOMER).with(RoleId(2));
    let claim = |name: &str| Rules { roles_claim: Some(name.into()), ..rules() };
    let cases: Vec<(Rules, Value, Roles)> = vec![
        (rules(), json!(["customer", "clerk", "root", "system", "anyone"]), both),
        (rules(), json!("customer clerk"), both),
        (rules(), json!([]), Roles::NONE),
        (rules(), Value::Null, Roles::NONE),
        (claim("groups"), json!(["customer"]), Roles::NONE),
    ];
    for (rules, roles, wanted) in cases {
        assert_eq!(
            accepted(&rules, &hs256(&with("roles", roles.clone()))).roles,
            wanted,
            "{roles}"
        );
    }
    let nested = json!({ "realm": { "roles": ["clerk"] }, "exp": seconds_now() + 60 });
    let caller = accepted(&claim("realm.roles"), &hs256(&nested));
    assert_eq!(caller.roles, Roles::NONE.with(RoleId(2)));
    let single = json!({ "role": "clerk", "exp": seconds_now() + 60 });
    assert_eq!(accepted(&rules(), &hs256(&single)).roles, Roles::NONE.with(RoleId(2)));
}

#[test]
fn claims_that_do_not_hold_are_refused() {
    let issuer = Rules { issuer: Some("https://id.example".into()), ..rules() };
    let audience = Rules { audience: Some("shop".into()), ..rules() };
    let mut eternal = good();
    eternal.as_object_mut().unwrap().remove("exp");
    let cases: Vec<(Rules, Value, &str)> = vec![
        (rules(), with("exp", json!(seconds_now() - 60)), "expired"),
        (rules(), with("exp", json!("tomorrow")), "exp"),
        (rules(), with("exp", json!(-1)), "exp"),
        (rules(), eternal, "exp"),
        (rules(), with("nbf", json!(seconds_now() + 600)), "not valid yet"),
        (rules(), with("sub", json!(7)), "sub"),
        (rules(), with("roles", json!({ "customer": true })), "roles"),
        (rules(), with("roles", json!([1])), "roles"),
        (rules(), with("aud", json!("another")), "audience"),
        (issuer, good(), "iss"),
        (audience, good(), "aud"),
    ];
    for (rules, claims, why) in &cases {
        refused(&verifier(), rules, &format!("Bearer {}", hs256(claims)), why);
    }
    let issuer = &cases[9].0;
    refused(
        &verifier(),
        issuer,
        &format!("Bearer {}", hs256(&with("iss", json!("https://evil.example")))),
        "another issuer",
    );
    let list = json!(["https://id.example", "https://evil.example"]);
    refused(&verifier(), issuer, &format!("Bearer {}", hs256(&with("iss", list))), "iss");
    accepted(issuer, &hs256(&with("iss", json!("https://id.example"))));
    accepted(&cases[10].0, &hs256(&with("aud", json!(["other", "shop"]))));
}

#[test]
fn the_algorithm_is_the_keys_and_never_the_tokens() {
    let claims = good();
    let payload = base64url(claims.to_string().as_bytes());
    let rsa = Verifier::new(Key::public(RSA_PUBLIC).unwrap());
    let signed = |algorithm, key: &EncodingKey| {
        format!("Bearer {}", encode(&Header::new(algorithm), &claims, key).unwrap())
    };
    assert!(
        ask(
            &rsa,
            &rules(),
            &signed(Algorithm::RS256, &EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap())
        )
        .is_ok()
    );

    // The public key as HMAC secret, as it stands in the file and with white space around it.
    for secret in [RSA_PUBLIC.to_owned(), RSA_PUBLIC.trim().into(), format!("\n {RSA_PUBLIC}")] {
        let header = signed(Algorithm::HS256, &EncodingKey::from_secret(secret.as_bytes()));
        refused(&rsa, &rules(), &header, "signature");
        assert!(Key::secret(secret.as_bytes()).is_err());
    }
    // The right family, another algorithm.
    let header = signed(Algorithm::HS512, &EncodingKey::from_secret(SECRET));
    refused(&verifier(), &rules(), &header, "signature");
    let header = signed(Algorithm::PS256, &EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap());
    refused(&rsa, &rules(), &header, "signature");
    // `none` in any case, with and without a signature.
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let head = base64url(format!(r#"{{"alg":"{none}","typ":"JWT"}}"#).as_bytes());
        for signature in ["", "AA"] {
            let header = format!("Bearer {head}.{payload}.{signature}");
            refused(&verifier(), &rules(), &header, "signature");
            refused(&rsa, &rules(), &header, "signature");
        }
    }
}

#[test]
fn signatures_are_whole() {
    let token = hs256(&good());
    let (body, signature) = token.rsplit_once('.').unwrap();
    let cases = [
        format!("Bearer {body}."),
        format!("Bearer {body}.{}", &signature[..20]),
        format!("Bearer {body}.{signature}AAAA"),
        format!("Bearer {}.{signature}", body.replace('e', "f")),
    ];
    for header in cases {
        refused(&verifier(), &rules(), &header, "signature");
    }
    let other = encode(&Header::default(), &good(), &EncodingKey::from_secret(OTHER)).unwrap();
    refused(&verifier(), &rules(), &format!("Bearer {other}"), "signature");
    refused(&Verifier::new(Vec::new()), &rules(), &format!("Bearer {token}"), "signature");
}

#[test]
fn the_header_has_one_form() {
    let token = hs256(&good());
    for header in [
        format!("Bearer  {token}"),
        format!("Bearer {token} "),
        format!("Bearer\t{token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token}="),
        format!(" Bearer {token}"),
        token.clone(),
        "Bearer ".into(),
        "Bearer".into(),
        "Basic dXNlcjpwYXNz".into(),
        format!("Bearer a.{}.c", "b".repeat(9000)),
        "Bearer a.b".into(),
        "Bearer a.b.c.d".into(),
        String::new(),
    ] {
        assert!(
            matches!(ask(&verifier(), &rules(), &header), Err(Fault::Unauthenticated(_))),
            "{header}"
        );
    }
    assert!(ask(&verifier(), &rules(), &format!("bearer {token}")).is_ok());
}

#[test]
fn a_remembered_token_falls_with_its_key_and_its_model() {
    let verifier = verifier();
    let header = format!("Bearer {}", hs256(&good()));
    for _ in 0..2 {
        assert!(ask(&verifier, &rules(), &header).is_ok());
    }
    let none = Rules { roles: Vec::new(), ..rules() };
    assert_eq!(verifier.verify(Some(&header), &none, 2).unwrap().roles, Roles::NONE);
    verifier.replace(vec![Key::secret(OTHER).unwrap()]);
    refused(&verifier, &rules(), &header, "signature");
    verifier.replace(vec![Key::secret(OTHER).unwrap(), Key::secret(SECRET).unwrap()]);
    assert!(ask(&verifier, &rules(), &header).is_ok());
}

#[test]
fn a_remembered_token_expires() {
    let verifier = verifier();
    // Within the leeway now, outside it in two seconds.
    let claims = with("exp", json!(seconds_now() - super::LEEWAY + 2));
    let header = format!("Bearer {}", hs256(&claims));
    assert!(ask(&verifier, &rules(), &header).is_ok());
    std::thread::sleep(std::time::Duration::from_millis(3200));
    refused(&verifier, &rules(), &header, "expired");
}

#[test]
fn every_kind_of_public_key_verifies() {
    for (public, key, algorithm) in [
        (RSA_PUBLIC, EncodingKey::from_rsa_pem(RSA.as_bytes()), Algorithm::RS256),
        (P256_PUBLIC, EncodingKey::from_ec_pem(P256.as_bytes()), Algorithm::ES256),
        (ED25519_PUBLIC, EncodingKey::from_ed_pem(ED25519.as_bytes()), Algorithm::EdDSA),
    ] {
        let verifier = Verifier::new(Key::public(public).unwrap());
        let token = encode(&Header::new(algorithm), &good(), &key.unwrap()).unwrap();
        assert!(ask(&verifier, &rules(), &format!("Bearer {token}")).is_ok(), "{algorithm:?}");
    }
    let both = Key::public(&format!("{RSA_PUBLIC}\n{ED25519_PUBLIC}")).unwrap();
    assert_eq!(both.len(), 2);
}

#[test]
fn what_is_no_key_is_refused() {
    let weak = include_str!("tests_keys/rsa1024.pub.pem");
    assert_eq!(Key::secret(b"short").unwrap_err(), KeyFault::Short(5));
    assert_eq!(Key::secret(&[b' '; 40]).unwrap_err(), KeyFault::Short(0));
    assert_eq!(Key::public("hello").unwrap_err(), KeyFault::NotPem);
    assert_eq!(Key::public("").unwrap_err(), KeyFault::NotPem);
    assert_eq!(Key::public(RSA).unwrap_err(), KeyFault::Private);
    assert_eq!(Key::public(weak).unwrap_err(), KeyFault::UnknownKind);
    let text = format!("{:?}", Key::secret(SECRET).unwrap());
    assert!(!text.contains("0123"), "{text}");
}
