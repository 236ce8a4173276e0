//! Numbers as a reader wants them.

use std::time::Duration;

use maud::{Markup, html};

use super::scores::Score;
use crate::clock;

/// `72.3`, and small behind it the interval.
pub(super) fn score(score: &Score) -> Markup {
    html! {
        (percent(score.value))
        @if let Some(interval) = score.interval {
            " " span.interval { (percent(Some(interval.low))) "–" (percent(Some(interval.high))) }
        }
    }
}

/// 0.7231 as `72.3`.
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{:.1}", 100.0 * value))
}

/// `12 345`, with thin spaces.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// Seconds as `87 ms`, `3.42 s` or `1:05:10`.
pub(super) fn time(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(_) if seconds < 1.0 => format!("{:.0} ms", 1000.0 * seconds),
        Ok(_) if seconds < 100.0 => format!("{seconds:.2} s"),
        Ok(time) => clock(time),
        Err(_) => "–".to_owned(),
    }
}

/// MiB as `812 MiB` or `3.2 GiB`.
pub(super) fn memory(mib: f64) -> String {
    if mib < 1000.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!((percent(Some(0.72345)), percent(None)), ("72.3".into(), "–".into()));
        assert_eq!([7, 1234, 1_234_567].map(grouped), ["7", "1\u{2009}234", "1\u{2009}234\u{2009}567"]);
        assert_eq!([0.0874, 3.4159, 3910.0, -1.0].map(time), ["87 ms", "3.42 s", "1:05:10", "–"]);
        assert_eq!([812.3, 3276.8].map(memory), ["812 MiB", "3.2 GiB"]);
    }
}
