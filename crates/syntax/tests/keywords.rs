//! Keywords are contextual: each may also be the name of a field, a parameter, a value, a role.

use syntax::{FileId, Look, Source, format, parse, render};

const WORDS: &str = "app auth service entity record enum error query command event on webhook workflow job limit slo \
    external load environment decision key index unique check flow allow cache audit privacy deprecated let require \
    for create update delete emit run call return where sort page step undo retry give sends sign url bearer timeout \
    breaker bulkhead get post put patch store broker cloud budget deploy criteria option chosen version roles surface \
    users oidc grows part of as was stored immutable search pii sensitive encrypted secret pattern to by read up after \
    times from every per rows peak env claim issuer client audience token password subject retain last until x code \
    later replicas backup recover keep any point opens at calls under because";

#[test]
fn every_keyword_may_be_a_name() {
    for word in WORDS.split_whitespace() {
        let text = format!(
            "entity Thing {{
  key {word}: Uuid
  other: Int = 0
  {word}2: Int := .{word} + 1
  state: enum {{ {word}, b }} = {word}

  index ({word}, -other)
  unique (other, {word})
  check .{word} > 0 and other.{word} == sum(lines, .{word})
  flow state {{ {word} -> b  b -> {word} }}
  allow read {word} to {word}
}}

record Each {{
  first: Int
  {word}: Int
  last: Bool
}}

enum Lines {{
  a
  {word}
  b
}}

query find({word}: Thing, b: Thing) -> Thing {{
  where .{word} == {word} or .b == b
  sort .{word}
  allow {word}
}}

command go({word}: Thing, other: Int) {{
  let done = {word}
  create Thing {{ {word}, other: {word}.{word} }}
  update {word} {{
    {word}: 1,
    other
  }}
  run go(
    {word},
    other
  )
  return {word}
}}
"
        );
        let parse = parse(FileId(0), text.as_str());
        let source = |_| Some(Source { path: "words.mimar", text: &text });
        assert_eq!(render(&parse.diagnostics, source, Look::default()), "", "as {word}");
        let once = format(&parse).unwrap();
        let again = syntax::parse(FileId(0), once.as_str());
        assert_eq!(format(&again).as_deref(), Ok(once.as_str()), "as {word}");
    }
}
