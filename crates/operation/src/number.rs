//! Exact arithmetic, shared by the evaluator and by the SQL functions that stores register, so that both
//! readings of an expression overflow, round and fail alike.

use crate::{Arithmetic, EvaluationFault};

/// `a + b`. Errors: overflow.
pub fn add(a: i64, b: i64) -> Result<i64, EvaluationFault> {
    a.checked_add(b).ok_or(EvaluationFault::Overflow)
}

/// `a - b`. Errors: overflow.
pub fn subtract(a: i64, b: i64) -> Result<i64, EvaluationFault> {
    a.checked_sub(b).ok_or(EvaluationFault::Overflow)
}

/// `a * b`. Errors: overflow.
pub fn multiply(a: i64, b: i64) -> Result<i64, EvaluationFault> {
    a.checked_mul(b).ok_or(EvaluationFault::Overflow)
}

/// `-a`. Errors: overflow.
pub fn negate(a: i64) -> Result<i64, EvaluationFault> {
    a.checked_neg().ok_or(EvaluationFault::Overflow)
}

/// Whole-number division, towards zero. Errors: division by zero, overflow.
pub fn divide(a: i64, b: i64) -> Result<i64, EvaluationFault> {
    if b == 0 {
        return Err(EvaluationFault::DivisionByZero);
    }
    a.checked_div(b).ok_or(EvaluationFault::Overflow)
}

/// A decimal of `from` fraction digits as one of `to`, rounded half to even (IEEE 754 §4.3.1), as banks do.
/// Errors: overflow.
pub fn rescale(n: i64, from: u8, to: u8) -> Result<i64, EvaluationFault> {
    narrow(if to >= from {
        i128::from(n) * power_of_ten(to - from)?
    } else {
        divide_half_even(i128::from(n), power_of_ten(from - to)?)
    })
}

/// `a / b` of decimals with `left` and `right` fraction digits, as a decimal with `scale`, rounded half to even.
/// Errors: division by zero, overflow.
pub fn divide_decimal(
    a: i64,
    left: u8,
    b: i64,
    right: u8,
    scale: u8,
) -> Result<i64, EvaluationFault> {
    if b == 0 {
        return Err(EvaluationFault::DivisionByZero);
    }
    // a·10^-left / (b·10^-right) in units of 10^-scale is a·10^(right+scale-left) / b.
    let shift = i32::from(right) + i32::from(scale) - i32::from(left);
    let (mut over, mut under) = (i128::from(a), i128::from(b));
    let factor =
        power_of_ten(u8::try_from(shift.unsigned_abs()).map_err(|_| EvaluationFault::Overflow)?)?;
    if shift >= 0 {
        over = over.checked_mul(factor).ok_or(EvaluationFault::Overflow)?;
    } else {
        under = under.checked_mul(factor).ok_or(EvaluationFault::Overflow)?;
    }
    narrow(divide_half_even(over, under))
}

/// The number without the sign of a zero: SQLite stores none, so that none is kept anywhere.
pub fn unsigned_zero(f: f64) -> f64 {
    if f == 0.0 { 0.0 } else { f }
}

/// Floating-point arithmetic that never leaves the finite numbers, nor loses a product or quotient by rounding it to
/// zero. Errors: overflow (underflow is one), division by zero.
pub fn float(operation: Arithmetic, a: f64, b: f64) -> Result<f64, EvaluationFault> {
    let outcome = match operation {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide if b == 0.0 => return Err(EvaluationFault::DivisionByZero),
        Arithmetic::Divide => a / b,
    };
    let vanished = outcome == 0.0
        && match operation {
            Arithmetic::Multiply => a != 0.0 && b != 0.0,
            Arithmetic::Divide => a != 0.0,
            Arithmetic::Add | Arithmetic::Subtract => false,
        };
    if outcome.is_finite() && !vanished {
        Ok(unsigned_zero(outcome))
    } else {
        Err(EvaluationFault::Overflow)
    }
}

fn narrow(n: i128) -> Result<i64, EvaluationFault> {
    i64::try_from(n).map_err(|_| EvaluationFault::Overflow)
}

fn power_of_ten(exponent: u8) -> Result<i128, EvaluationFault> {
    // 10^19 times any 64-bit number still fits 128 bits with room.
    if exponent > 19 {
        Err(EvaluationFault::Overflow)
    } else {
        Ok(10_i128.pow(u32::from(exponent)))
    }
}

fn divide_half_even(over: i128, under: i128) -> i128 {
    let (quotient, remainder) = (over / under, over % under);
    let twice = remainder.unsigned_abs() * 2;
    let away = match twice.cmp(&under.unsigned_abs()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    match (away, (over < 0) == (under < 0)) {
        (false, _) => quotient,
        (true, true) => quotient + 1,
        (true, false) => quotient - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour() {
        for (n, rounded) in
            [(125, 12), (135, 14), (-125, -12), (-135, -14), (126, 13), (-126, -13), (124, 12)]
        {
            assert_eq!(rescale(n, 1, 0), Ok(rounded), "{n}");
        }
        assert_eq!(divide_decimal(100, 2, 3, 0, 2), Ok(33));
        assert_eq!(divide_decimal(200, 2, -300, 2, 2), Ok(-67));
        assert_eq!(divide_decimal(1, 0, 0, 0, 2), Err(EvaluationFault::DivisionByZero));
        assert_eq!(rescale(i64::MAX, 0, 1), Err(EvaluationFault::Overflow));
    }
}
