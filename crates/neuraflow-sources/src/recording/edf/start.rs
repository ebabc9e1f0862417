//! When a recording started, by its header.

use neuraflow_core::model::Timestamp;

use crate::recording::date::Date;
use crate::recording::{Warning, fields};

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// The start by the header's date (`dd.mm.yy`) and time (`hh.mm.ss`) fields, taken as UTC: EDF knows no time zone.
///
/// Two-digit years from 85 are 19yy, below 85 20yy, unless an EDF+ recording field (`Startdate dd-MMM-yyyy`) gives
/// all four digits. A date or time that is none puts the start at the Unix epoch, with a warning: times within the
/// recording stay right.
pub(super) fn start(date: &[u8], time: &[u8], recording: &str, warnings: &mut Vec<Warning>) -> Timestamp {
    let full = startdate(recording);
    let day = match (short_date(date), full) {
        (Some(short), Some(full)) if (short.month, short.day) == (full.month, full.day) => Some(full),
        (Some(short), Some(full)) => {
            warnings.push(Warning::new(
                "start date",
                format!("{} as in the recording field", shown(full)),
                shown(short),
                "the recording field's date is ignored",
            ));
            Some(short)
        }
        (short, full) => short.or(full),
    };
    let instant = day.zip(clock(time)).and_then(|(day, seconds)| {
        let seconds = day.days_since_epoch().checked_mul(86_400)?.checked_add(seconds)?;
        seconds.checked_mul(1_000_000_000)
    });
    if let Some(nanos) = instant {
        return Timestamp::from_nanos(nanos);
    }
    warnings.push(Warning::new(
        "start date and time",
        "dd.mm.yy and hh.mm.ss",
        format!("{} and {}", fields::shown(date), fields::shown(time)),
        "both are ignored: the recording starts at the Unix epoch",
    ));
    Timestamp::EPOCH
}

fn shown(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// `dd.mm.yy`; any separator is as good as a dot.
fn short_date(field: &[u8]) -> Option<Date> {
    let [day, month, year] = three_numbers(field)?;
    let year = i64::from(if year >= 85 { 1900 + year } else { 2000 + year });
    Date { year, month, day }.checked()
}

/// Seconds since midnight of `hh.mm.ss`.
fn clock(field: &[u8]) -> Option<i64> {
    let [hours, minutes, seconds] = three_numbers(field)?;
    let valid = hours < 24 && minutes < 60 && seconds < 60;
    valid.then(|| i64::from(hours * 3600 + minutes * 60 + seconds))
}

fn three_numbers(field: &[u8]) -> Option<[u32; 3]> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    let mut parts = text.split(['.', ':', '-', '/', ' ']);
    let mut next = || parts.next().filter(|part| part.len() <= 2)?.parse::<u32>().ok();
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

/// The date in an EDF+ recording field: `Startdate 12-AUG-2009 …`.
fn startdate(recording: &str) -> Option<Date> {
    let mut words = recording.split(' ');
    words.next().filter(|word| word.eq_ignore_ascii_case("startdate"))?;
    let mut parts = words.next()?.split('-');
    let day = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))? as u32 + 1;
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    Date { year, month, day }.checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(date: &str, time: &str, recording: &str) -> (i64, usize) {
        let mut warnings = Vec::new();
        let start = start(date.as_bytes(), time.as_bytes(), recording, &mut warnings);
        (start.as_nanos() / 1_000_000_000, warnings.len())
    }

    #[test]
    fn starts_are_utc() {
        assert_eq!(seconds("12.08.09", "16.15.00", "Startdate 12-AUG-2009 X X BCI2000"), (1_250_093_700, 0));
        assert_eq!(seconds("01.01.70", "00.00.00", ""), (3_155_760_000, 0)); // 2070
        assert_eq!(seconds("29.02.00", "23.59.59", "Startdate X X X X"), (951_868_799, 0));
        assert_eq!(seconds("02.01.85", "00.00.00", ""), (473_472_000, 0));
    }

    #[test]
    fn the_recording_field_has_all_four_digits_of_the_year() {
        assert_eq!(seconds("12.08.70", "00.00.00", "Startdate 12-AUG-1970 X X X").0, 223 * 86_400);
        assert_eq!(seconds("12.08.yy", "00.00.00", "Startdate 12-AUG-1970 X X X"), (223 * 86_400, 0));
        // Contradictory: the date field wins, and it is said.
        assert_eq!(seconds("02.01.85", "00.00.00", "Startdate 03-JAN-1985 X X X"), (473_472_000, 1));
    }

    #[test]
    fn no_date_is_the_epoch_with_a_warning() {
        for (date, time) in
            [("00.00.00", "00.00.00"), ("30.02.10", "10.00.00"), ("01.01.10", "24.00.00"), ("", "")]
        {
            assert_eq!(seconds(date, time, ""), (0, 1), "{date} {time}");
        }
    }
}
