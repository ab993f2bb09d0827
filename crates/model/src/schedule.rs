//! When jobs run. Moments are in microseconds since 1970-01-01T00:00:00Z.

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Again and again after so many microseconds.
    Every(i64),
    /// When the clock of a time zone says so.
    Calendar {
        /// Minute, hour, day of month, month, day of week (POSIX crontab; names of months and days too).
        pattern: String,
        /// The zone by its IANA name; UTC if none is said.
        zone: Option<String>,
    },
}

impl Schedule {
    /// When a job is due that was due at `due`, seen from `now`: in the future, always. What was missed meanwhile is made up
    /// for by one run, not by one for each time.
    ///
    /// Where a clock leaves an hour out, what falls into it runs when the hour has passed; where it repeats one, once.
    pub fn next(&self, due: i64, now: i64) -> Option<i64> {
        match self {
            Self::Every(every) => {
                let every = (*every).max(1);
                let missed = now.saturating_sub(due).max(0) / every;
                Some(due.saturating_add(every.saturating_mul(missed + 1)))
            }
            Self::Calendar { pattern, zone } => {
                let zone = time_zone(zone.as_deref()).ok()?;
                let after = Timestamp::from_microsecond(now).ok()?.to_zoned(zone);
                let next = parse(pattern).ok()?.find_next_occurrence(&after, false).ok()?;
                Some(next.timestamp().as_microsecond())
            }
        }
    }

    /// When a job is due for the first time.
    pub fn first(&self, now: i64) -> Option<i64> {
        self.next(now, now)
    }
}

/// Reads a calendar.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(pattern: &str) -> Result<croner::Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    parser.parse(pattern).map_err(|error| error.to_string())
}

/// Finds a time zone.
///
/// # Errors
/// Why there is none of this name.
pub(crate) fn time_zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        None => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[track_caller]
    fn check(pattern: &str, zone: &str, now: &str, wanted: &str) {
        let zone = Some(zone.to_owned());
        let schedule = Schedule::Calendar { pattern: pattern.to_owned(), zone };
        let next = schedule.first(moment(now)).unwrap();
        assert_eq!(Timestamp::from_microsecond(next).unwrap().to_string(), wanted);
    }

    #[test]
    fn what_was_missed_is_made_up_for_once() {
        let every = Schedule::Every(10);
        assert_eq!(every.next(100, 101), Some(110));
        assert_eq!(every.next(100, 110), Some(120));
        assert_eq!(every.next(100, 155), Some(160));
        assert_eq!(every.next(100, 99), Some(110));
    }

    #[test]
    fn a_calendar_is_that_of_its_zone() {
        check("0 3 * * *", "Europe/Berlin", "2026-01-10T12:00:00Z", "2026-01-11T02:00:00Z");
        check("0 3 * * *", "Europe/Berlin", "2026-07-10T12:00:00Z", "2026-07-11T01:00:00Z");
        check(
            "30 9 * * MON-FRI",
            "America/New_York",
            "2026-11-27T15:00:00Z",
            "2026-11-30T14:30:00Z",
        );
        check("0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z");
    }

    #[test]
    fn clocks_that_change_lose_and_double_nothing() {
        // In 2026 Berlin leaves 02:00 to 03:00 out on 29 March, and repeats it on 25 October.
        check("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
        check("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
        check("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
    }
}
