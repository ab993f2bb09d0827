//! When a delivery that has failed is tried again.

use std::time::Duration;

/// The waits after the first failure, the second, and so on; the last of them after all others.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3_600),
    Duration::from_secs(2 * 3_600),
];

/// The longest that an endpoint can ask us to wait.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// The shortest, so that nobody is asked without a pause.
const SHORTEST: Duration = Duration::from_secs(1);

/// What has failed. Moments and times are in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    /// How often it has failed before.
    pub before: i64,
    /// When it was to be sent first.
    pub made: i64,
    /// Now.
    pub now: i64,
    /// For how long it is tried.
    pub retry: i64,
    /// How long the endpoint asked us to wait, if it did.
    pub asked: Option<Duration>,
    /// From 0 to 511: deliveries that have failed together do not come again together.
    pub jitter: u16,
    /// By what waits are divided: 1, except in tests.
    pub haste: u32,
}

/// When it is tried again; `None` if its time is over. What an endpoint has asked for is never cut short; the schedule's last
/// wait is, so that there is one more attempt at the end.
pub(super) fn next(failure: Failure) -> Option<i64> {
    let Failure { before, made, now, retry, asked, jitter, haste } = failure;
    let end = made.saturating_add(retry);
    if now >= end {
        return None;
    }
    let jitter = i64::from(jitter);
    if let Some(asked) = asked {
        let wait = microseconds(asked.clamp(SHORTEST, LONGEST));
        let due = now.saturating_add(wait + wait.min(60_000_000) * jitter / 8_192);
        return (due <= end).then_some(due);
    }
    let at = usize::try_from(before).unwrap_or(0).min(WAITS.len() - 1);
    let wait = WAITS.get(at).copied().map_or(0, microseconds) / i64::from(haste.max(1));
    Some(now.saturating_add(wait + wait * jitter / 2_048).min(end))
}

/// How long a header `Retry-After` asks to wait (RFC 9110 §10.2.3): seconds, or a date. `now` is in microseconds.
pub(super) fn retry_after(header: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = header.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(header.trim()).ok()?;
    let date = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = Duration::from_micros(u64::try_from(now).ok()?);
    Some(date.saturating_sub(now))
}

fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND;

    fn failure(before: i64, now: i64) -> Failure {
        let (retry, asked) = (72 * HOUR, None);
        Failure { before, made: 0, now, retry, asked, jitter: 0, haste: 1 }
    }

    #[test]
    fn waits_grow_and_end() {
        let seconds: Vec<i64> =
            (0..9).filter_map(|before| next(failure(before, 0))).map(|due| due / SECOND).collect();
        assert_eq!(seconds, [5, 30, 120, 600, 1_800, 3_600, 7_200, 7_200, 7_200]);
        // One more attempt at the end, and then none.
        assert_eq!(next(failure(40, 71 * HOUR)), Some(72 * HOUR));
        assert_eq!(next(failure(41, 72 * HOUR)), None);
    }

    #[test]
    fn jitter_adds_a_quarter_at_most() {
        let due = next(Failure { jitter: 511, ..failure(1, 0) }).unwrap();
        assert!((37 * SECOND..=38 * SECOND).contains(&due), "{due}");
        let all: Vec<Option<i64>> =
            (0..3).map(|jitter| next(Failure { jitter, ..failure(0, 0) })).collect();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
    }

    #[test]
    fn what_an_endpoint_asks_for_is_kept() {
        let asked = |seconds, now| {
            let asked = Some(Duration::from_secs(seconds));
            next(Failure { asked, jitter: 511, ..failure(0, now) })
        };
        for seconds in [1, 90, 3_600] {
            let due = asked(seconds, 0).unwrap();
            let wanted = i64::try_from(seconds).unwrap() * SECOND;
            assert!(due >= wanted && due <= wanted + 4 * SECOND, "{seconds}: {due}");
        }
        // Bounded on both sides, and never cut short.
        assert!(asked(0, 0).unwrap() >= SECOND);
        assert!(asked(1_000_000, 0).unwrap() < 25 * HOUR);
        assert_eq!(asked(2 * 3_600, 71 * HOUR), None);
    }

    #[test]
    fn both_forms_of_the_header_are_read() {
        let now = 784_111_777 * SECOND;
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        let date = "Sun, 06 Nov 1994 08:50:37 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after(date, now + 90 * SECOND), Some(Duration::ZERO));
        for wrong in ["", "-1", "soon", "1.5"] {
            assert_eq!(retry_after(wrong, now), None, "{wrong}");
        }
    }
}
