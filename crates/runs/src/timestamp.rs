//! The moment of a run as a folder name, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// `YYYY-MM-DD_HH-MM-SS` in UTC: names sort as the moments do. Moments before 1970 count as 1970.
pub(crate) fn timestamp(moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}_{hour:02}-{minute:02}-{second:02}")
}

/// Days since 1970-01-01 as (year, month 1..=12, day 1..=31) of the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is a year's last one, in periods of 400 years, after which the calendar
/// repeats. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (period, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March to July and August to December have 153 days each.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 400 * period + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn known_moments() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01_00-00-00");
        assert_eq!(at(951_827_696), "2000-02-29_12-34-56");
        assert_eq!(at(1_234_567_890), "2009-02-13_23-31-30");
        assert_eq!(at(4_107_542_399), "2100-02-28_23-59-59");
        assert_eq!(at(4_107_542_400), "2100-03-01_00-00-00");
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01_00-00-00");
    }

    #[test]
    fn every_day_of_600_years_follows_the_calendar() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..600 * 365 {
            assert_eq!(date(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
