//! What goes wrong, as HTTP says it: the one place that knows a status.

use bytes::Bytes;
use contract::{Contract, ErrorType};
use http::StatusCode;
use operation::{Fault, FaultCode, Violation};
use serde_json::{Map, Value, json};

/// The most faults that one document names: an answer is not much longer than what it answers.
const MOST_ERRORS: usize = 100;

/// Why a request is not answered as it wished.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// The engine's, or a door's in the engine's words.
    Fault(Fault),
    /// A problem of the model's own.
    Raised(Box<Raised>),
    /// Nothing is served under this path.
    NoRoute,
    /// The path takes other methods.
    Method {
        /// The value of `Allow`.
        allow: http::HeaderValue,
    },
    /// The caller takes nothing that could be given.
    NotAcceptable,
    /// The body is of another type.
    MediaType {
        /// What would be right.
        wanted: &'static str,
    },
    /// The body is larger than this many bytes.
    TooLarge {
        /// The bound.
        most: usize,
    },
    /// The address is longer than this many bytes.
    UriTooLong {
        /// The bound.
        most: usize,
    },
    /// The header is larger than it may be.
    HeadersTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body broke off.
    BodyBroken,
    /// A header cannot be read, or asks for what is not done.
    Header {
        /// Which.
        name: &'static str,
        /// What would be right.
        detail: String,
    },
    /// What was sent is whole and known, and not what the model says.
    Content(Vec<Violation>),
    /// `If-None-Match: *` on a row that is there, or a precondition that nothing meets.
    Precondition(String),
    /// The handler panicked.
    Panicked,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a command of the model refused with.
#[derive(Debug, Clone)]
pub(crate) struct Raised {
    status: u16,
    code: String,
    title: String,
    detail: String,
    /// What it carries besides (RFC 9457 §3.2).
    members: Map<String, Value>,
}

impl Raised {
    fn new(error: &ErrorType, values: &[operation::Value]) -> Self {
        let mut members = Map::new();
        for (member, value) in error.members.iter().zip(values) {
            let mut json = Vec::new();
            member.scalar.write_json(value, &mut json);
            let json = serde_json::from_slice(&json).unwrap_or_default();
            members.insert(member.name.clone(), json);
        }
        Self {
            status: error.status,
            code: error.code.clone(),
            title: error.title.clone(),
            detail: error.says(values),
            members,
        }
    }
}

/// What is said of a refusal: status, stable code, title, detail.
struct Said<'a> {
    status: u16,
    code: &'a str,
    title: &'a str,
    detail: String,
}

fn said(
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: impl Into<String>,
) -> Said<'static> {
    Said { status, code, title, detail: detail.into() }
}

impl Refusal {
    /// The engine's fault, said in the words of the contract where it is a problem of the model.
    pub(crate) fn of(fault: Fault, contract: &Contract) -> Self {
        match &fault {
            Fault::Raised { error, members } => match contract.errors.get(*error) {
                Some(error) => Self::Raised(Box::new(Raised::new(error, members))),
                None => Self::Fault(Fault::Internal(fault.to_string())),
            },
            _ => Self::Fault(fault),
        }
    }

    fn said(&self) -> Said<'_> {
        match self {
            Self::Fault(fault) => of_fault(fault),
            Self::Raised(raised) => Said {
                status: raised.status,
                code: &raised.code,
                title: &raised.title,
                detail: raised.detail.clone(),
            },
            Self::Content(violations) => {
                said(422, "unprocessable", "A rule forbids it", together(violations))
            }
            Self::NoRoute => said(
                404,
                "no_route",
                "Not found",
                "nothing is served under this path; /docs lists what is",
            ),
            Self::Method { allow } => said(
                405,
                "method_not_allowed",
                "Method not allowed",
                format!("this path takes {}", allow.to_str().unwrap_or_default()),
            ),
            Self::NotAcceptable => said(
                406,
                "not_acceptable",
                "Not acceptable",
                "answers are application/json; let `Accept` allow it",
            ),
            Self::MediaType { wanted } => said(
                415,
                "unsupported_media_type",
                "Unsupported media type",
                format!("the body's Content-Type must be {wanted}"),
            ),
            Self::TooLarge { most } => said(
                413,
                "content_too_large",
                "Content too large",
                format!("a body may have at most {most} bytes"),
            ),
            Self::UriTooLong { most } => said(
                414,
                "uri_too_long",
                "URI too long",
                format!("path and query may have at most {most} bytes together"),
            ),
            Self::HeadersTooLarge => said(
                431,
                "headers_too_large",
                "Request header fields too large",
                "the header has too many fields, or too long ones",
            ),
            Self::BodyTimeout => {
                said(408, "body_timeout", "Request timeout", "the body took too long to arrive")
            }
            Self::BodyBroken => {
                said(400, "body_broken", "Bad request", "the body broke off before its end")
            }
            Self::Header { name, detail } => {
                said(400, "malformed_header", "Bad request", format!("{name}: {detail}"))
            }
            Self::Precondition(detail) => {
                said(412, "precondition_failed", "Precondition failed", detail.as_str())
            }
            Self::Panicked => said(500, "internal", "Internal error", ""),
        }
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.said().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Seconds after which to try again.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Fault(
                Fault::Overloaded { retry_after }
                | Fault::Unavailable { retry_after, .. }
                | Fault::OutcomeUnknown { retry_after, .. },
            ) => Some((*retry_after).max(1)),
            _ => None,
        }
    }

    /// What only the log may know.
    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Self::Fault(
                Fault::Internal(text)
                | Fault::Unavailable { reason: text, .. }
                | Fault::OutcomeUnknown { reason: text, .. },
            ) => Some(text),
            Self::Panicked => Some("a handler panicked"),
            _ => None,
        }
    }

    /// The document (RFC 9457).
    pub(crate) fn document(&self, trace_id: &str) -> Bytes {
        let said = self.said();
        let mut problem = json!({
            "type": format!("/docs#problem-{}", said.code),
            "title": said.title,
            "status": said.status,
            "code": said.code,
        });
        if let Value::Object(members) = &mut problem {
            if !said.detail.is_empty() {
                members.insert("detail".to_owned(), Value::String(said.detail));
            }
            members.insert("trace_id".to_owned(), Value::String(trace_id.to_owned()));
            if let Self::Fault(Fault::Invalid(violations) | Fault::Conflict(violations))
            | Self::Content(violations) = self
            {
                let errors = violations.iter().take(MOST_ERRORS).map(error).collect();
                members.insert("errors".to_owned(), Value::Array(errors));
            }
            if let Self::Raised(raised) = self {
                members.extend(raised.members.clone());
            }
        }
        serde_json::to_vec(&problem).map_or_else(|_| Bytes::new(), Bytes::from)
    }
}

fn error(violation: &Violation) -> Value {
    match &violation.parameter {
        Some(parameter) => json!({
            "code": violation.code.as_str(), "parameter": parameter, "detail": violation.detail
        }),
        None => json!({
            "code": violation.code.as_str(), "pointer": violation.pointer, "detail": violation.detail
        }),
    }
}

/// What is wrong, in one sentence.
fn together(violations: &[Violation]) -> String {
    let count = violations.len();
    match violations {
        [one] => one.detail.clone(),
        _ if count > MOST_ERRORS => {
            format!("{count} things are wrong; `errors` names the first {MOST_ERRORS}")
        }
        _ => format!("{count} things are wrong; `errors` names them"),
    }
}

fn of_fault(fault: &Fault) -> Said<'static> {
    match fault {
        Fault::NotFound => {
            said(404, "not_found", "Not found", "there is no such thing, or none that you may see")
        }
        Fault::Forbidden(detail) => said(403, "forbidden", "Forbidden", detail.as_str()),
        Fault::Unauthenticated(detail) => {
            said(401, "unauthenticated", "Unauthenticated", detail.as_str())
        }
        // Versions are counted from 1.
        Fault::VersionMismatch { current: 0 } => said(
            412,
            "precondition_failed",
            "Precondition failed",
            "rows of this kind count no versions (their entity tags are weak), so that no change can be tied to one; send it without If-Match",
        ),
        Fault::VersionMismatch { .. } => said(
            412,
            "precondition_failed",
            "Precondition failed",
            "the row has changed since this version; read it again, then repeat your change",
        ),
        Fault::Invalid(violations) => {
            let detail = together(violations);
            if violations.iter().all(|violation| violation.code == FaultCode::FieldForbidden) {
                said(403, "forbidden", "Forbidden", detail)
            } else if violations.iter().all(|violation| is_a_rule(violation.code)) {
                said(422, "unprocessable", "A rule forbids it", detail)
            } else {
                said(400, "invalid", "The request is not valid", detail)
            }
        }
        Fault::Conflict(violations) => said(
            409,
            "conflict",
            "Conflict",
            violations.first().map_or_else(String::new, |violation| violation.detail.clone()),
        ),
        Fault::KeyReused => said(
            422,
            "idempotency_key_reused",
            "The key names another request",
            "this `Idempotency-Key` was used for another request within the last day; take a new one for each request",
        ),
        Fault::InFlight => said(
            409,
            "request_in_flight",
            "The request is being carried out",
            "another request under this `Idempotency-Key` is being carried out; ask again when it has ended",
        ),
        // What the contract has no words for; see `Refusal::of`.
        Fault::Raised { .. } => said(500, "internal", "Internal error", ""),
        Fault::Overloaded { .. } => {
            said(503, "overloaded", "Overloaded", "too much is asked at once; try again shortly")
        }
        Fault::Unavailable { .. } => {
            said(503, "unavailable", "Unavailable", "the store does not answer; try again shortly")
        }
        Fault::OutcomeUnknown { .. } => said(
            503,
            "outcome_unknown",
            "The outcome is unknown",
            "the store was lost while it wrote, so that this may have been done or not. Sent with an `Idempotency-Key`: send the \
             same again, it is done once. Without one: look first whether it has been done",
        ),
        Fault::Internal(_) => said(500, "internal", "Internal error", ""),
    }
}

/// Whether a request can be all that the contract describes and still fail so: by a rule over stored data. Such are
/// 422; what breaks the contract itself is 400.
fn is_a_rule(code: FaultCode) -> bool {
    match code {
        FaultCode::UnknownReference
        | FaultCode::CheckFailed
        | FaultCode::IllegalTransition
        | FaultCode::Immutable
        | FaultCode::Overflow
        | FaultCode::DivisionByZero
        | FaultCode::FieldForbidden
        | FaultCode::NotUnique
        | FaultCode::StillReferenced
        | FaultCode::InvalidCursor => true,
        FaultCode::MalformedBody
        | FaultCode::DuplicateMember
        | FaultCode::UnknownField
        | FaultCode::UnknownParameter
        | FaultCode::Required
        | FaultCode::WrongType
        | FaultCode::OutOfBounds
        | FaultCode::WrongFormat
        | FaultCode::ReadOnly
        | FaultCode::NotFilterable
        | FaultCode::NotSortable
        | FaultCode::NotIncludable => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_all_and_hides_what_is_ours() {
        let fault = Fault::Invalid(vec![
            Violation::at(FaultCode::Required, "/name", "`name` is required"),
            Violation::parameter(FaultCode::OutOfBounds, "limit", "must be 1 to 100"),
        ]);
        let refusal = Refusal::from(fault);
        assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
        let text = String::from_utf8(refusal.document("0af7").to_vec()).unwrap();
        assert_eq!(
            text,
            r#"{"type":"/docs#problem-invalid","title":"The request is not valid","status":400,"code":"invalid","detail":"2 things are wrong; `errors` names them","trace_id":"0af7","errors":[{"code":"required","pointer":"/name","detail":"`name` is required"},{"code":"out_of_bounds","parameter":"limit","detail":"must be 1 to 100"}]}"#
        );
        let refusal = Refusal::from(Fault::Internal("a secret".into()));
        let text = String::from_utf8(refusal.document("0af7").to_vec()).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn rules_are_422_and_only_if_nothing_else_is_wrong() {
        let rule = Violation::at(FaultCode::CheckFailed, "", "no");
        let form = Violation::at(FaultCode::WrongType, "/a", "no");
        let denied = Violation::at(FaultCode::FieldForbidden, "/a", "no");
        for (violations, status) in [
            (vec![rule.clone()], 422),
            (vec![rule.clone(), form], 400),
            (vec![denied.clone()], 403),
            (vec![denied, rule], 422),
        ] {
            assert_eq!(Refusal::from(Fault::Invalid(violations)).status(), status);
        }
    }

    /// What is said where the first of these errors is raised.
    fn raised(errors: &str, members: Vec<operation::Value>) -> (Refusal, String) {
        let source = format!("app Shop {{ version 1  surface rest }}\n{errors}");
        let parse = syntax::parse(syntax::FileId(0), source);
        let (model, diagnostics) = model::check(&[&parse]);
        let model = model::Valid::new(model, &diagnostics).unwrap();
        let fault = Fault::Raised { error: 0, members };
        let refusal = Refusal::of(fault, &contract::derive(&model));
        let document = String::from_utf8(refusal.document("0af7").to_vec()).unwrap();
        (refusal, document)
    }

    #[test]
    fn an_error_of_the_model_is_said_in_its_words() {
        let (refusal, document) = raised(
            r#"error OutOfStock 409 "Only {left} of {sku} at {price} {until} {open" {
                 sku: String  left: Int  price: Money(EUR)  until: Date?
               }"#,
            vec![
                operation::Value::text("a\"{left}"),
                operation::Value::Int(3),
                operation::Value::Int(950),
                operation::Value::Null,
            ],
        );
        assert_eq!(refusal.status(), StatusCode::CONFLICT);
        assert_eq!(
            document,
            r#"{"type":"/docs#problem-out_of_stock","title":"Out of stock","status":409,"code":"out_of_stock","detail":"Only 3 of a\"{left} at 9.50 null {open","trace_id":"0af7","sku":"a\"{left}","left":3,"price":"9.50","until":null}"#
        );
    }

    #[test]
    fn an_error_that_no_contract_has_is_ours() {
        let (refusal, _) = raised("", vec![]);
        assert_eq!(refusal.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(refusal.secret().is_some());
    }
}
