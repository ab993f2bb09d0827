//! The functions that lowered expressions call: the same Rust code that [`operation::evaluate`] runs.

use operation::{Arithmetic, EvaluationFault, Function, Value};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Error, Result};

use crate::lower::function_name;
use crate::{kept, others};

/// How a fault travels through SQLite, which carries nothing but a message.
pub(crate) const OVERFLOW: &str = "mimar: overflow";
/// The same, of a division by zero.
pub(crate) const DIVISION_BY_ZERO: &str = "mimar: division by zero";

/// Makes the functions known to a connection.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    use operation::{add, divide, divide_decimal, multiply, negate, rescale, subtract};
    type Integers = fn(i64, i64) -> std::result::Result<i64, EvaluationFault>;
    let integers: [(&str, Integers); 4] = [
        ("mimar_add", add),
        ("mimar_subtract", subtract),
        ("mimar_multiply", multiply),
        ("mimar_divide", divide),
    ];
    for (name, apply) in integers {
        scalar(connection, name, 2, move |context| {
            match (integer(context, 0)?, integer(context, 1)?) {
                (Some(a), Some(b)) => apply(a, b).map(Stored::Integer).map_err(fault),
                _ => Ok(Stored::Null),
            }
        })?;
    }
    let floats = [
        ("mimar_add_float", Arithmetic::Add),
        ("mimar_subtract_float", Arithmetic::Subtract),
        ("mimar_multiply_float", Arithmetic::Multiply),
        ("mimar_divide_float", Arithmetic::Divide),
    ];
    for (name, operation) in floats {
        scalar(connection, name, 2, move |context| {
            match (float(context, 0)?, float(context, 1)?) {
                (Some(a), Some(b)) => {
                    operation::float(operation, a, b).map(Stored::Real).map_err(fault)
                }
                _ => Ok(Stored::Null),
            }
        })?;
    }
    scalar(connection, "mimar_negate", 1, |context| match integer(context, 0)? {
        Some(n) => negate(n).map(Stored::Integer).map_err(fault),
        None => Ok(Stored::Null),
    })?;
    scalar(connection, "mimar_rescale", 3, |context| match integer(context, 0)? {
        Some(n) => {
            rescale(n, scale(context, 1)?, scale(context, 2)?).map(Stored::Integer).map_err(fault)
        }
        None => Ok(Stored::Null),
    })?;
    scalar(connection, "mimar_divide_decimal", 5, |context| {
        match (integer(context, 0)?, integer(context, 1)?) {
            (Some(a), Some(b)) => {
                let (left, right) = (scale(context, 2)?, scale(context, 3)?);
                divide_decimal(a, left, b, right, scale(context, 4)?)
                    .map(Stored::Integer)
                    .map_err(fault)
            }
            _ => Ok(Stored::Null),
        }
    })?;
    scalar(connection, "mimar_to_float", 2, |context| match integer(context, 0)? {
        Some(n) => {
            let scale = i32::from(scale(context, 1)?);
            Ok(Stored::Real(n as f64 / 10_f64.powi(scale)))
        }
        None => Ok(Stored::Null),
    })?;
    scalar(connection, "mimar_compare", 2, |context| {
        Ok(order(context.get_raw(0), context.get_raw(1))
            .map_or(Stored::Null, |order| Stored::Integer(order as i64)))
    })?;
    scalar(connection, "mimar_read", 2, |context| {
        let Some(scalar) = integer(context, 1)?.and_then(kept::scalar_of) else {
            return Err(fault(EvaluationFault::IllTyped));
        };
        let meant = kept::read(scalar, others::value(context.get_raw(0)));
        meant.map(output).map_err(|reason| {
            Error::UserFunctionError(format!("others have put there {reason}").into())
        })
    })?;
    scalar(connection, "mimar_kept", 3, |context| {
        let scalar = integer(context, 1)?.and_then(kept::scalar_of);
        let Some((scalar, form)) = scalar.zip(integer(context, 2)?.and_then(kept::form_of)) else {
            return Err(fault(EvaluationFault::IllTyped));
        };
        kept::write(scalar, form, argument(context.get_raw(0))).map(output).map_err(fault)
    })?;
    for (function, _) in Function::ALL {
        let function = *function;
        scalar(connection, function_name(function), -1, move |context| {
            let arguments: Vec<Value> =
                (0..context.len()).map(|at| argument(context.get_raw(at))).collect();
            function.apply(&arguments).map(output).map_err(fault)
        })?;
    }
    connection.create_aggregate_function("mimar_sum", 1, FLAGS, Sum)?;
    connection.create_aggregate_function("mimar_sum_float", 1, FLAGS, SumFloat)
}

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_INNOCUOUS);

fn scalar(
    connection: &Connection,
    name: &str,
    arguments: i32,
    apply: impl Fn(&Context<'_>) -> Result<Stored> + Send + 'static,
) -> Result<()> {
    connection.create_scalar_function(name, arguments, FLAGS, apply)
}

/// The checked sum of integers.
struct Sum;

impl Aggregate<i64, i64> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<i64> {
        Ok(0)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut i64) -> Result<()> {
        if let Some(n) = integer(context, 0)? {
            *sum = operation::add(*sum, n).map_err(fault)?;
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<i64>) -> Result<i64> {
        Ok(sum.unwrap_or(0))
    }
}

/// The sum of floating-point numbers; it stays finite.
struct SumFloat;

impl Aggregate<f64, f64> for SumFloat {
    fn init(&self, _: &mut Context<'_>) -> Result<f64> {
        Ok(0.0)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut f64) -> Result<()> {
        if let Some(f) = float(context, 0)? {
            *sum = operation::float(Arithmetic::Add, *sum, f).map_err(fault)?;
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<f64>) -> Result<f64> {
        Ok(sum.unwrap_or(0.0))
    }
}

/// The order of two values of one kind; none if either is null.
fn order(a: ValueRef<'_>, b: ValueRef<'_>) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (ValueRef::Integer(a), ValueRef::Integer(b)) => Some(a.cmp(&b)),
        (ValueRef::Real(a), ValueRef::Real(b)) => a.partial_cmp(&b),
        (ValueRef::Integer(a), ValueRef::Real(b)) => (a as f64).partial_cmp(&b),
        (ValueRef::Real(a), ValueRef::Integer(b)) => a.partial_cmp(&(b as f64)),
        (ValueRef::Text(a), ValueRef::Text(b)) | (ValueRef::Blob(a), ValueRef::Blob(b)) => {
            Some(a.cmp(b))
        }
        _ => None,
    }
}

fn integer(context: &Context<'_>, at: usize) -> Result<Option<i64>> {
    match context.get_raw(at) {
        ValueRef::Integer(n) => Ok(Some(n)),
        ValueRef::Null => Ok(None),
        _ => Err(fault(EvaluationFault::IllTyped)),
    }
}

fn float(context: &Context<'_>, at: usize) -> Result<Option<f64>> {
    match context.get_raw(at) {
        ValueRef::Real(f) => Ok(Some(f)),
        // A REAL column may hold a whole number as an integer.
        ValueRef::Integer(n) => Ok(Some(n as f64)),
        ValueRef::Null => Ok(None),
        _ => Err(fault(EvaluationFault::IllTyped)),
    }
}

fn scale(context: &Context<'_>, at: usize) -> Result<u8> {
    integer(context, at)?
        .and_then(|n| u8::try_from(n).ok())
        .ok_or_else(|| fault(EvaluationFault::IllTyped))
}

fn argument(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(f) => Value::Float(f),
        ValueRef::Text(text) => Value::text(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.into()),
    }
}

fn output(value: Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Bool(b) => Stored::Integer(i64::from(b)),
        Value::Int(n) => Stored::Integer(n),
        Value::Float(f) => Stored::Real(f),
        Value::Text(text) => Stored::Text(text.into()),
        Value::Uuid(bytes) => Stored::Blob(bytes.to_vec()),
        Value::Bytes(bytes) => Stored::Blob(bytes.into_vec()),
    }
}

fn fault(fault: EvaluationFault) -> Error {
    Error::UserFunctionError(match fault {
        EvaluationFault::Overflow => OVERFLOW.into(),
        EvaluationFault::DivisionByZero => DIVISION_BY_ZERO.into(),
        EvaluationFault::NotLocal | EvaluationFault::IllTyped => fault.to_string().into(),
    })
}
