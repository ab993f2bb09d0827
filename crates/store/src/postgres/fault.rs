//! What PostgreSQL's errors mean for the request that met them.

use operation::{EvaluationFault, Fault};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::value::OutOfRange;
use crate::StoreFault;
use crate::write::{Failure, evaluation};

/// What an error means for a request.
pub(crate) fn fault_of(error: &Error) -> Fault {
    if is_out_of_range(error) {
        return evaluation(EvaluationFault::Overflow, "");
    }
    let Some(database) = error.as_db_error() else {
        return gone(&told(error));
    };
    let code = database.code();
    let class = code.code().get(..2).unwrap_or("");
    match code {
        &SqlState::NUMERIC_VALUE_OUT_OF_RANGE
        | &SqlState::DATETIME_FIELD_OVERFLOW
        | &SqlState::INTERVAL_FIELD_OVERFLOW => evaluation(EvaluationFault::Overflow, ""),
        &SqlState::DIVISION_BY_ZERO => evaluation(EvaluationFault::DivisionByZero, ""),
        // Somebody else was first once too often.
        _ if is_conflict(error) => gone(&told(error)),
        &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE => {
            Fault::Unavailable { reason: "the database took too long".to_owned(), retry_after: 1 }
        }
        &SqlState::READ_ONLY_SQL_TRANSACTION => Fault::Unavailable {
            reason: "the database takes no writes: it is a replica, or read-only".to_owned(),
            retry_after: 1,
        },
        // Operators intervened, resources are used up, or the connection failed.
        _ if matches!(class, "57" | "53" | "08" | "58" | "40") => gone(&told(error)),
        _ => Fault::Internal(told(error)),
    }
}

/// Why a statement of a write failed.
pub(crate) fn failure_of(error: &Error) -> Failure {
    match error.code() {
        Some(code) if code.code().starts_with("23") => Failure::Constraint(told(error)),
        _ => Failure::Fault(fault_of(error)),
    }
}

/// Whether another transaction stood in the way, so that the same may go through when tried again.
pub(crate) fn is_conflict(error: &Error) -> bool {
    match error.code() {
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => true,
        // What was not waited for; of what was waited for too long this says the routine that ends statements.
        Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            error.as_db_error().and_then(DbError::routine) != Some("ProcessInterrupts")
        }
        _ => false,
    }
}

/// Whether a prepared statement no longer fits the tables, or the connection does not know it.
pub(crate) fn is_stale(error: &Error) -> bool {
    match error.code() {
        Some(&SqlState::INVALID_SQL_STATEMENT_NAME) => true,
        // "cached plan must not change result type"
        Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
            error.as_db_error().is_some_and(|error| error.message().contains("cached plan"))
        }
        _ => false,
    }
}

fn is_out_of_range(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<OutOfRange>())
}

/// The database does not answer.
pub(crate) fn gone(reason: &str) -> Fault {
    Fault::Unavailable { reason: reason.to_owned(), retry_after: 1 }
}

/// An error in words, with what stands behind it.
pub(crate) fn told(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return match error.detail() {
            Some(detail) => format!("{} ({detail})", error.message()),
            None => error.message().to_owned(),
        };
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl From<Error> for StoreFault {
    fn from(error: Error) -> Self {
        Self::Database { reason: told(&error) }
    }
}
