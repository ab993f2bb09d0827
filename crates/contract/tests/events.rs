//! Events as those outside meet them: the envelope, the schema of each, and the document of all.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it cannot go on")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use contract::{CloudEvent, Contract};
use expect_test::{Expect, expect};
use model::Valid;
use operation::{Published, Value};

const SHOP: &str = r#"
/// A shop.
app WebShop { version 2  roles customer  surface rest }

service sales {
  entity Order {
    key id: Uuid
    state:  enum { open, paid } = open
    allow read to customer
  }

  /// One line of it.
  record Line { sku: String(3..40)  state: Order.state }

  /// An order exists.
  event OrderPlaced by order {
    order: Order
    /// What it costs.
    total: Money(EUR)
    lines: [Line](1..50)
    /// How it stands.
    state: Order.state
    others: [Order]
    note:  String(0..20)? pii
  }

  event Closed { }

  /// For partners.
  webhook order_events { sends OrderPlaced, Closed }
}

service field_work {
  event Closed by at { at: Timestamp }
}
"#;

fn contract_of(source: &str) -> Contract {
    let parse = syntax::parse(syntax::FileId(0), source);
    assert!(parse.diagnostics.is_empty(), "{:?}", parse.diagnostics);
    let (model, diagnostics) = model::check(&[&parse]);
    let Some(model) = Valid::new(model, &diagnostics) else { panic!("{diagnostics:?}") };
    contract::derive(&model)
}

fn check(actual: &str, expected: &Expect) {
    expected.assert_eq(actual);
}

fn placed() -> Published {
    Published {
        id: *b"\x01\x98\xc0\xff\xee\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x07",
        name: "sales.OrderPlaced".into(),
        key: Value::text("Zürich 7%"),
        made: 1_790_000_000_123_456,
        data: r#"{"order":"7","total":"9.50"}"#.into(),
    }
}

#[test]
fn an_event_has_a_type_and_a_source() {
    let contract = contract_of(SHOP);
    let told = contract.events.iter().map(|event| {
        format!("{} {} {} {} {:?}\n", event.name, event.stored, event.kind, event.source, event.key)
    });
    check(
        &told.collect::<String>(),
        &expect![[r#"
            OrderPlaced sales.OrderPlaced web-shop.sales.OrderPlaced.v2 /web-shop/sales Some(0)
            Closed sales.Closed web-shop.sales.Closed.v2 /web-shop/sales None
            FieldWorkClosed field_work.Closed web-shop.field-work.Closed.v2 /web-shop/field-work Some(0)
        "#]],
    );
}

#[test]
fn an_event_goes_in_an_envelope() {
    let contract = contract_of(SHOP);
    let event = placed();
    let envelope = CloudEvent::of(&contract, Some("https://shop.example"), &event);
    check(
        &envelope.structured(),
        &expect![[
            r#"{"specversion":"1.0","id":"0198c0ff-ee00-7000-8000-000000000007","source":"/web-shop/sales","type":"web-shop.sales.OrderPlaced.v2","subject":"Zürich 7%","time":"2026-09-21T14:13:20.123456Z","dataschema":"https://shop.example/schemas/OrderPlaced","datacontenttype":"application/json","data":{"order":"7","total":"9.50"}}"#
        ]],
    );
    let headers = envelope.headers().into_iter().map(|(name, value)| format!("{name}: {value}\n"));
    check(
        &headers.collect::<String>(),
        &expect![[r#"
            content-type: application/json
            ce-specversion: 1.0
            ce-id: 0198c0ff-ee00-7000-8000-000000000007
            ce-source: /web-shop/sales
            ce-type: web-shop.sales.OrderPlaced.v2
            ce-subject: Z%C3%BCrich%207%25
            ce-time: 2026-09-21T14:13:20.123456Z
            ce-dataschema: https://shop.example/schemas/OrderPlaced
        "#]],
    );
    // What the model has no more, what has no key, and a key that cannot stand there.
    let gone = Published { name: "sales.Gone".into(), key: Value::Null, ..placed() };
    let gone = CloudEvent::of(&contract, Some("https://shop.example"), &gone).structured();
    check(
        &gone,
        &expect![[
            r#"{"specversion":"1.0","id":"0198c0ff-ee00-7000-8000-000000000007","source":"/","type":"sales.Gone","time":"2026-09-21T14:13:20.123456Z","datacontenttype":"application/json","data":{"order":"7","total":"9.50"}}"#
        ]],
    );
    let odd = Published { key: Value::text("a\nb"), ..placed() };
    assert_eq!(CloudEvent::of(&contract, None, &odd).subject, None);
}

#[test]
fn each_event_has_a_schema_of_its_own() {
    let contract = contract_of(SHOP);
    let schema = contract::event_schema(&contract, &contract.events[0]);
    check(
        &format!("{schema:#}\n"),
        &expect![[r##"
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "OrderPlaced",
          "type": "object",
          "properties": {
            "order": {
              "type": "string",
              "format": "uuid",
              "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
            },
            "total": {
              "type": "string",
              "format": "decimal",
              "pattern": "^-?[0-9]{1,19}\\.[0-9]{2}$",
              "description": "What it costs."
            },
            "lines": {
              "type": "array",
              "items": {
                "$ref": "#/$defs/Line"
              },
              "minItems": 1,
              "maxItems": 50
            },
            "state": {
              "allOf": [
                {
                  "$ref": "#/$defs/OrderState"
                }
              ],
              "description": "How it stands."
            },
            "others": {
              "type": "array",
              "items": {
                "type": "string",
                "format": "uuid",
                "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
              }
            },
            "note": {
              "type": [
                "string",
                "null"
              ],
              "maxLength": 20,
              "x-personal-data": true
            }
          },
          "additionalProperties": false,
          "required": [
            "order",
            "total",
            "lines",
            "state",
            "others",
            "note"
          ],
          "description": "An order exists.",
          "$defs": {
            "OrderState": {
              "type": "string",
              "enum": [
                "open",
                "paid"
              ]
            },
            "Line": {
              "type": "object",
              "properties": {
                "sku": {
                  "type": "string",
                  "pattern": "^[^\\u0000]*$",
                  "minLength": 3,
                  "maxLength": 40
                },
                "state": {
                  "$ref": "#/$defs/OrderState"
                }
              },
              "additionalProperties": false,
              "required": [
                "sku",
                "state"
              ],
              "description": "One line of it."
            }
          }
        }
    "##]],
    );
}

#[test]
fn all_events_are_in_one_document() {
    let document = contract::asyncapi(&contract_of(SHOP));
    let messages = document["components"]["messages"].clone();
    let shown = serde_json::json!({
        "channels": document["channels"],
        "operations": document["operations"],
        "message": messages["OrderPlaced"],
        "binary": messages["OrderPlacedBinary"],
    });
    check(
        &format!("{shown:#}\n"),
        &expect![[r##"
        {
          "channels": {
            "OrderPlaced": {
              "address": "web-shop.sales.OrderPlaced.v2",
              "messages": {
                "OrderPlaced": {
                  "$ref": "#/components/messages/OrderPlaced"
                },
                "OrderPlacedBinary": {
                  "$ref": "#/components/messages/OrderPlacedBinary"
                }
              },
              "description": "An order exists."
            },
            "Closed": {
              "address": "web-shop.sales.Closed.v2",
              "messages": {
                "Closed": {
                  "$ref": "#/components/messages/Closed"
                },
                "ClosedBinary": {
                  "$ref": "#/components/messages/ClosedBinary"
                }
              }
            },
            "FieldWorkClosed": {
              "address": "web-shop.field-work.Closed.v2",
              "messages": {
                "FieldWorkClosed": {
                  "$ref": "#/components/messages/FieldWorkClosed"
                },
                "FieldWorkClosedBinary": {
                  "$ref": "#/components/messages/FieldWorkClosedBinary"
                }
              }
            },
            "order_events": {
              "address": null,
              "messages": {
                "OrderPlaced": {
                  "$ref": "#/components/messages/OrderPlaced"
                },
                "OrderPlacedBinary": {
                  "$ref": "#/components/messages/OrderPlacedBinary"
                },
                "Closed": {
                  "$ref": "#/components/messages/Closed"
                },
                "ClosedBinary": {
                  "$ref": "#/components/messages/ClosedBinary"
                }
              },
              "description": "For partners."
            }
          },
          "operations": {
            "send_OrderPlaced": {
              "action": "send",
              "channel": {
                "$ref": "#/channels/OrderPlaced"
              },
              "messages": [
                {
                  "$ref": "#/channels/OrderPlaced/messages/OrderPlaced"
                },
                {
                  "$ref": "#/channels/OrderPlaced/messages/OrderPlacedBinary"
                }
              ]
            },
            "send_Closed": {
              "action": "send",
              "channel": {
                "$ref": "#/channels/Closed"
              },
              "messages": [
                {
                  "$ref": "#/channels/Closed/messages/Closed"
                },
                {
                  "$ref": "#/channels/Closed/messages/ClosedBinary"
                }
              ]
            },
            "send_FieldWorkClosed": {
              "action": "send",
              "channel": {
                "$ref": "#/channels/FieldWorkClosed"
              },
              "messages": [
                {
                  "$ref": "#/channels/FieldWorkClosed/messages/FieldWorkClosed"
                },
                {
                  "$ref": "#/channels/FieldWorkClosed/messages/FieldWorkClosedBinary"
                }
              ]
            },
            "send_order_events": {
              "action": "send",
              "channel": {
                "$ref": "#/channels/order_events"
              },
              "messages": [
                {
                  "$ref": "#/channels/order_events/messages/OrderPlaced"
                },
                {
                  "$ref": "#/channels/order_events/messages/OrderPlacedBinary"
                },
                {
                  "$ref": "#/channels/order_events/messages/Closed"
                },
                {
                  "$ref": "#/channels/order_events/messages/ClosedBinary"
                }
              ],
              "bindings": {
                "http": {
                  "method": "POST",
                  "bindingVersion": "0.3.0"
                }
              }
            }
          },
          "message": {
            "payload": {
              "type": "object",
              "properties": {
                "specversion": {
                  "const": "1.0"
                },
                "id": {
                  "type": "string",
                  "format": "uuid",
                  "description": "Names the event: one that is delivered again has the same."
                },
                "source": {
                  "const": "/web-shop/sales"
                },
                "type": {
                  "const": "web-shop.sales.OrderPlaced.v2"
                },
                "time": {
                  "type": "string",
                  "format": "date-time"
                },
                "dataschema": {
                  "type": "string",
                  "format": "uri",
                  "description": "Where the schema of the data is, if whoever sends it knows."
                },
                "subject": {
                  "type": "string",
                  "minLength": 1,
                  "description": "`order`, by which the order is kept."
                },
                "datacontenttype": {
                  "const": "application/json"
                },
                "data": {
                  "$ref": "#/components/schemas/OrderPlaced"
                }
              },
              "required": [
                "specversion",
                "id",
                "source",
                "type",
                "time",
                "datacontenttype",
                "data"
              ]
            },
            "name": "OrderPlaced",
            "title": "web-shop.sales.OrderPlaced.v2",
            "contentType": "application/cloudevents+json",
            "description": "An order exists."
          },
          "binary": {
            "headers": {
              "type": "object",
              "properties": {
                "ce-specversion": {
                  "const": "1.0"
                },
                "ce-id": {
                  "type": "string",
                  "format": "uuid",
                  "description": "Names the event: one that is delivered again has the same."
                },
                "ce-source": {
                  "const": "/web-shop/sales"
                },
                "ce-type": {
                  "const": "web-shop.sales.OrderPlaced.v2"
                },
                "ce-time": {
                  "type": "string",
                  "format": "date-time"
                },
                "ce-dataschema": {
                  "type": "string",
                  "format": "uri",
                  "description": "Where the schema of the data is, if whoever sends it knows."
                },
                "ce-subject": {
                  "type": "string",
                  "minLength": 1,
                  "description": "`order`, by which the order is kept."
                }
              },
              "required": [
                "ce-specversion",
                "ce-id",
                "ce-source",
                "ce-type",
                "ce-time"
              ]
            },
            "payload": {
              "$ref": "#/components/schemas/OrderPlaced"
            },
            "name": "OrderPlacedBinary",
            "title": "web-shop.sales.OrderPlaced.v2",
            "contentType": "application/json",
            "description": "An order exists."
          }
        }
    "##]],
    );
}

/// Without events it is a document all the same.
#[test]
fn an_event_of_another_system_is_received() {
    let text =
        "app A { version 1  roles user }\nevent Paid from \"payments.paid\" { payment: Uuid }";
    let document = contract::asyncapi(&contract_of(text));
    assert_eq!(document["channels"]["Paid"]["address"], "payments.paid");
    assert_eq!(document["operations"]["receive_Paid"]["action"], "receive");
    assert_eq!(document["operations"].as_object().unwrap().len(), 1);
    let attributes = &document["components"]["messages"]["Paid"]["payload"]["properties"];
    assert_eq!(attributes["source"], serde_json::json!({"type": "string", "minLength": 1}));
}

const HOOK: &str = r#"
app A { version 1  roles user }
event Paid by payment { payment: Uuid  amount: Int(0..9) }
event Failed { payment: Uuid }
/// The bank.
webhook bank { receives Paid as "charge.paid", Failed }
"#;

#[test]
fn what_a_webhook_takes_in_is_told() {
    let document = contract::asyncapi(&contract_of(HOOK));
    assert_eq!(document["channels"]["bank"]["address"], "/hooks/bank");
    let operation = &document["operations"]["receive_bank"];
    assert_eq!(operation["action"], "receive");
    assert_eq!(operation["messages"].as_array().unwrap().len(), 2);
    let message = &document["components"]["messages"]["bank_Paid"];
    assert_eq!(message["payload"]["properties"]["type"]["const"], "charge.paid");
    assert_eq!(message["headers"]["required"][0], "webhook-id");
    let other = &document["components"]["messages"]["bank_Failed"];
    assert_eq!(other["payload"]["properties"]["type"]["const"], "Failed");
}

#[test]
fn a_model_may_have_no_events() {
    let document = contract::asyncapi(&contract_of("app Bare { version 1  roles user }"));
    assert_eq!(document["channels"], serde_json::json!({}));
}

/// What others make of a text.
fn read(kind: &str, text: &str) -> String {
    let mut command = Command::new("node");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers.mjs")).arg(kind);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("node: {error}"));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{told}");
    told
}

#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn the_parser_of_asyncapi_reads_the_document() {
    let bare = contract::asyncapi(&contract_of("app Bare { version 1  roles user }"));
    assert_eq!(read("asyncapi", &bare.to_string()), "\n");
    let foreign =
        "app A { version 1  roles user }\nevent Paid from \"payments.paid\" { payment: Uuid }";
    let foreign = contract::asyncapi(&contract_of(foreign));
    assert_eq!(read("asyncapi", &foreign.to_string()).lines().count(), 1);
    let hook = contract::asyncapi(&contract_of(HOOK));
    let told = read("asyncapi", &hook.to_string());
    assert!(told.contains("receive bank_Paid bank_Failed"), "{told}");
    let document = contract::asyncapi(&contract_of(SHOP));
    check(
        &read("asyncapi", &document.to_string()),
        &expect![[r#"
            send OrderPlaced OrderPlacedBinary
            send Closed ClosedBinary
            send FieldWorkClosed FieldWorkClosedBinary
            send OrderPlaced OrderPlacedBinary Closed ClosedBinary
        "#]],
    );
}

#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn the_library_of_cloudevents_reads_both_forms() {
    let (contract, event) = (contract_of(SHOP), placed());
    let envelope = CloudEvent::of(&contract, Some("https://shop.example"), &event);
    let headers = envelope.headers().into_iter().map(|(name, value)| (name, value.into()));
    let headers: serde_json::Map<String, serde_json::Value> = headers.collect();
    let structured = serde_json::json!({
        "headers": {"content-type": CloudEvent::MEDIA_TYPE}, "body": envelope.structured()
    });
    let binary = serde_json::json!({"headers": headers, "body": envelope.data});
    let wanted: serde_json::Value = serde_json::from_str(&envelope.structured()).unwrap();
    for form in [structured, binary] {
        let mut read: serde_json::Value =
            serde_json::from_str(&read("cloudevents", &form.to_string())).unwrap();
        // The library keeps milliseconds.
        assert_eq!(read["time"], "2026-09-21T14:13:20.123Z");
        read["time"] = wanted["time"].clone();
        // And takes headers as they are, although the binding (1.0.2, section 3.1.3.2) has them decoded.
        if read["subject"] == "Z%C3%BCrich%207%25" {
            read["subject"] = wanted["subject"].clone();
        }
        assert_eq!(read, wanted, "{form}");
    }
}

/// Each schema is one of its draft; what an event carries holds against it, and what it cannot carry does not.
#[test]
#[ignore = "needs the libraries that `cargo xtask test` installs"]
fn a_validator_of_json_schema_takes_the_schema_of_each_event() {
    let contract = contract_of(SHOP);
    let held = |at: usize, data: &serde_json::Value| {
        let schema = contract::event_schema(&contract, &contract.events[at]);
        read("schema", &serde_json::json!({"schema": schema, "data": data}).to_string())
    };
    let order = "0198c0ff-ee00-7000-8000-000000000007";
    let mut placed = serde_json::json!({
        "order": order, "total": "9.50", "state": "open", "others": [order], "note": null,
        "lines": [{"sku": "A-1", "state": "paid"}],
    });
    assert_eq!(held(0, &placed), "\n");
    assert_eq!(held(1, &serde_json::json!({})), "\n");
    assert_eq!(held(2, &serde_json::json!({"at": "2026-11-21T17:30:00Z"})), "\n");
    placed["lines"] = serde_json::json!([{"sku": "A", "state": "lost"}]);
    placed["total"] = serde_json::json!(9.5);
    let wrong = held(0, &placed);
    for place in ["/total ", "/lines/0/sku ", "/lines/0/state "] {
        assert!(wrong.contains(place), "{wrong}");
    }
    assert!(held(2, &serde_json::json!({})).contains("required property 'at'"));
}
