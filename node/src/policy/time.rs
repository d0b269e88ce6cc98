//! Points in time as people write them: RFC 3339, or seconds since 1970.
//! Invariant: a text that is accepted is one exact point; nothing is guessed.
//! Not here: the clock.

use toml::value::{Datetime, Offset};

/// The form, for messages.
pub const FORM: &str = "time such as 2026-05-01T12:00:00Z, or seconds since 1970";

/// Unix time in ms.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1_000);
    }
    let Datetime { date: Some(date), time: Some(time), offset: Some(offset) } =
        text.parse().ok()?
    else {
        return None;
    };
    let days = days(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let of_day = i64::from(time.hour) * 3_600
        + i64::from(time.minute) * 60
        + i64::from(time.second.unwrap_or_default());
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let millis = i64::from(time.nanosecond.unwrap_or_default() / 1_000_000);
    let seconds = days * 86_400 + of_day - minutes * 60;
    u64::try_from(seconds * 1_000 + millis).ok()
}

/// The same the other way round, in UTC and whole seconds.
#[must_use]
pub fn text(unix_ms: u64) -> String {
    let seconds = unix_ms / 1_000;
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that the
/// day that is added every four years is a year's last one.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let before = (153 * month_from_march + 2) / 5;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + before + day
        - 1
        - 719_468
}

/// The date of a day after 1970-01-01.
fn date(day: u64) -> (i64, i64, i64) {
    let day = i64::try_from(day).unwrap_or_default();
    // A year off at most, which the comparison mends.
    let mut year = 1970 + day / 366;
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= day).unwrap_or(1);
    (year, month, day - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time() {
        assert_eq!(parse("0"), Some(0));
        assert_eq!(parse("1700000000"), Some(1_700_000_000_000));
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2023-11-14T22:13:20Z"), Some(1_700_000_000_000));
        assert_eq!(parse("2023-11-14T23:13:20.250+01:00"), Some(1_700_000_000_250));
        assert_eq!(parse("2024-02-29T12:00:00Z"), Some(1_709_208_000_000));
        for no in ["", "now", "2023-11-14", "2023-11-14T22:13:20", "1969-12-31T23:59:59Z", "-1"] {
            assert_eq!(parse(no), None, "{no}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for day in (0..60_000_u64).step_by(7).chain(11_000..12_500) {
            let ms = day * 86_400_000 + 3_723_000;
            assert_eq!(parse(&text(ms)), Some(ms), "{}", text(ms));
        }
    }
}
