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

/// What becomes of runs whose time has passed while nobody carried them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// One run makes up for all of them.
    #[default]
    Once,
    /// Each is made up for, the oldest first: the one that waits, and of those behind it the last hundred.
    All,
    /// What is late by more than a minute is left out.
    None,
}

impl CatchUp {
    /// The ways by their words.
    pub const ALL: [(&str, Self); 3] =
        [("once", Self::Once), ("all", Self::All), ("none", Self::None)];

    /// Whether a run that was due at `due` is left out where it comes to its turn at `now`.
    pub fn leaves_out(self, due: i64, now: i64) -> bool {
        self == Self::None && now.saturating_sub(due) > LATE
    }
}

/// What is late by no more than this has waited for its turn, and was not missed: a minute.
const LATE: i64 = 60 * 1_000_000;

/// How many runs are made up for at most, one by one.
const MADE_UP: i64 = 100;

impl Schedule {
    /// When a job is due after a run that was due at `due`, seen from `now`: in the past where runs are made up for one by one.
    pub fn after(&self, due: i64, now: i64, catch_up: CatchUp) -> Option<i64> {
        if catch_up != CatchUp::All || due >= now {
            return self.next(due, now);
        }
        match self {
            Self::Every(every) => {
                let every = (*every).max(1);
                let missed = (now - due) / every;
                let left_out = missed.saturating_sub(MADE_UP).max(0);
                Some(due.saturating_add(every.saturating_mul(left_out + 1)))
            }
            Self::Calendar { pattern, zone } => {
                // Backwards from now, so that it costs the same after a minute and after years.
                let zone = time_zone(zone.as_deref()).ok()?;
                let calendar = parse(pattern).ok()?;
                let mut oldest = None;
                let mut at = Timestamp::from_microsecond(now).ok()?.to_zoned(zone);
                for made_up in 0..MADE_UP {
                    let before = calendar.find_previous_occurrence(&at, made_up == 0);
                    match before {
                        Ok(before) if before.timestamp().as_microsecond() > due => {
                            oldest = Some(before.timestamp().as_microsecond());
                            at = before;
                        }
                        _ => break,
                    }
                }
                oldest.or_else(|| self.next(due, now))
            }
        }
    }

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
    fn what_was_missed_is_made_up_for_one_by_one() {
        let every = Schedule::Every(10);
        let after = |due, now| every.after(due, now, CatchUp::All);
        assert_eq!(after(100, 101), Some(110));
        assert_eq!(after(100, 135), Some(110));
        assert_eq!(after(130, 135), Some(140));
        assert_eq!(after(100, 99), Some(110));
        // Of more than a hundred those that are a hundred back are the first.
        assert_eq!(after(0, 1_000), Some(10));
        assert_eq!(after(0, 1_010), Some(20));
        assert_eq!(after(0, 100_005), Some(99_010));
        assert_eq!(every.after(100, 155, CatchUp::Once), Some(160));
        assert_eq!(every.after(100, 155, CatchUp::None), Some(160));
    }

    #[test]
    fn a_calendar_is_made_up_for_as_well() {
        let schedule = |pattern: &str| {
            let (pattern, zone) = (pattern.to_owned(), Some("Europe/Berlin".to_owned()));
            Schedule::Calendar { pattern, zone }
        };
        let after = |pattern: &str, due, now| {
            let next = schedule(pattern).after(moment(due), moment(now), CatchUp::All);
            Timestamp::from_microsecond(next.unwrap()).unwrap().to_string()
        };
        let daily = "0 3 * * *";
        assert_eq!(
            after(daily, "2026-01-10T02:00:00Z", "2026-01-13T12:00:00Z"),
            "2026-01-11T02:00:00Z"
        );
        assert_eq!(
            after(daily, "2026-01-13T02:00:00Z", "2026-01-13T12:00:00Z"),
            "2026-01-14T02:00:00Z"
        );
        // A moment that is now has come.
        assert_eq!(
            after(daily, "2026-01-12T02:00:00Z", "2026-01-13T02:00:00Z"),
            "2026-01-13T02:00:00Z"
        );
        assert_eq!(
            after("* * * * *", "2020-01-01T00:00:00Z", "2026-01-13T12:00:30Z"),
            "2026-01-13T10:21:00Z"
        );
        // A night without a half past two, and one with two of them.
        assert_eq!(
            after("30 2 * * *", "2026-10-24T00:30:00Z", "2026-10-26T12:00:00Z"),
            "2026-10-25T00:30:00Z"
        );
    }

    #[test]
    fn what_is_late_is_left_out_where_nothing_is_made_up_for() {
        let minute = 60_000_000;
        assert!(!CatchUp::None.leaves_out(0, minute));
        assert!(CatchUp::None.leaves_out(0, minute + 1));
        assert!(!CatchUp::Once.leaves_out(0, 100 * minute));
        assert!(!CatchUp::All.leaves_out(0, 100 * minute));
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
