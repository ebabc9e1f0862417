//! When a recording started, by its header.

use neuraflow_core::model::Timestamp;

use crate::recording::date::Date;
use crate::recording::{Warning, fields};

const DAY_NANOS: i128 = 86_400_000_000_000;
/// Days from the year 0 to 1970-01-01, as the format counts them.
const EPOCH_DAYS: i128 = 719_529;

/// The start by version 1's text, `YYYYMMDDhhmmsscc` with hundredths of a second, taken as UTC.
///
/// A start that is none, as where nothing was filled in, is the Unix epoch, with a warning: times within the recording
/// stay right.
pub(super) fn by_text(field: &[u8], warnings: &mut Vec<Warning>) -> Timestamp {
    instant(field).unwrap_or_else(|| epoch("YYYYMMDDhhmmsscc", fields::shown(field), warnings))
}

/// The start by version 2's number: days since the year 0 in units of 2⁻³².
pub(super) fn by_days(days: u64, warnings: &mut Vec<Warning>) -> Timestamp {
    let nanos = ((i128::from(days) * DAY_NANOS) >> 32) - EPOCH_DAYS * DAY_NANOS;
    match i64::try_from(nanos) {
        Ok(nanos) if days > 0 => Timestamp::from_nanos(nanos),
        _ => epoch("days since the year 0", format!("{}", days as f64 / 2_f64.powi(32)), warnings),
    }
}

fn epoch(expected: &str, found: String, warnings: &mut Vec<Warning>) -> Timestamp {
    let action = "it is ignored: the recording starts at the Unix epoch";
    warnings.push(Warning::new("start date and time", expected, found, action));
    Timestamp::EPOCH
}

fn instant(field: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(field).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let part = |range| number(range)?.try_into().ok();
    let day = Date { year: number(0..4)?, month: part(4..6)?, day: part(6..8)? }.checked()?;
    let (hours, minutes, seconds, hundredths) =
        (number(8..10)?, number(10..12)?, number(12..14)?, number(14..16)?);
    if hours >= 24 || minutes >= 60 || seconds >= 60 {
        return None;
    }
    let seconds = day.days_since_epoch() * 86_400 + hours * 3600 + minutes * 60 + seconds;
    Some(Timestamp::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(hundredths * 10_000_000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_instant() {
        let mut warnings = Vec::new();
        let text = by_text(b"2009081216150025", &mut warnings);
        assert_eq!(text.as_nanos(), 1_250_093_700_250_000_000);
        // 2009-08-12 is day 733,997 of the format's calendar; 16:15:00.25 of it has passed.
        let passed = ((16.0 * 3600.0 + 15.0 * 60.0 + 0.25) / 86_400.0 * 2_f64.powi(32)) as u64;
        let days = by_days((733_997 << 32) + passed, &mut warnings);
        assert!((days.as_nanos() - text.as_nanos()).abs() < 20_000, "{days:?}");
        assert_eq!(by_days(719_529 << 32, &mut warnings), Timestamp::EPOCH);
        assert!(warnings.is_empty());
    }

    #[test]
    fn what_is_no_date_is_the_epoch_with_a_warning() {
        for field in [b"                ", b"2009023016150000", b"2009081224000000", b"20090812161500-1"] {
            let mut warnings = Vec::new();
            assert_eq!((by_text(field, &mut warnings), warnings.len()), (Timestamp::EPOCH, 1));
        }
        for days in [0, u64::MAX] {
            let mut warnings = Vec::new();
            assert_eq!((by_days(days, &mut warnings), warnings.len()), (Timestamp::EPOCH, 1));
        }
    }
}
