//! Axes: where a value lies between 0 and 1, and where the ticks are.

/// A tick of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// From 0 at the low end to 1 at the high end.
    pub(super) at: f64,
    pub(super) label: String,
}

/// A logarithmic axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Log {
    low: f64,
    high: f64,
}

/// Decades that a plot shows at most: below them a dead channel is at the bottom, and the living can be told apart.
const DECADES: f64 = 5.0;

impl Log {
    /// An axis for all positive values but the lowest hundredth; `None` if there is no value to show.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut positive: Vec<f64> = values.into_iter().filter(|v| v.is_finite() && *v > 0.0).collect();
        positive.sort_unstable_by(f64::total_cmp);
        let (low, high) = (*positive.get(positive.len() / 100)?, *positive.last()?);
        let (low, high) = (libm::log10(low), libm::log10(high));
        let low = low.max(high - DECADES);
        // A little room, and at least half a decade.
        let room = ((high - low) * 0.05).max(0.25 - (high - low) / 2.0).max(0.02);
        Some(Self { low: low - room, high: high + room })
    }

    /// From 0 to 1; beyond the ends at the ends, and nothing positive at the bottom.
    pub(super) fn place(&self, value: f64) -> f64 {
        if value > 0.0 {
            ((libm::log10(value) - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// Decades, and 2 and 5 between them where there are few.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let (first, last) = (libm::floor(self.low) as i32, libm::ceil(self.high) as i32);
        let steps: &[f64] = match self.high - self.low {
            ..1.1 => &[1.0, 2.0, 5.0],
            ..2.6 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let decades = (first..=last).flat_map(|decade| steps.iter().map(move |step| (decade, *step)));
        let inside = decades.filter_map(|(decade, step)| {
            let at = (f64::from(decade) + libm::log10(step) - self.low) / (self.high - self.low);
            let label = power_of_ten(step, decade);
            (0.0..=1.0).contains(&at).then_some(Tick { at, label })
        });
        inside.collect()
    }
}

/// `step · 10^decade`, written as people do.
fn power_of_ten(step: f64, decade: i32) -> String {
    match decade {
        0..=4 => format!("{}", step * libm::pow(10.0, f64::from(decade))),
        -3..=-1 => {
            format!("{:.*}", decade.unsigned_abs() as usize, step * libm::pow(10.0, f64::from(decade)))
        }
        _ => format!("{step}e{decade}"),
    }
}

/// Ticks at round numbers from 0 to `high`, about `most` of them.
pub(super) fn linear_ticks(high: f64, most: usize) -> Vec<Tick> {
    range_ticks(0.0, high, most)
}

/// Ticks at round numbers from `low` to `high`, about `most` of them, at 0 if that lies between them.
pub(super) fn range_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return Vec::new();
    }
    let decade = libm::pow(10.0, libm::floor(libm::log10(span / most as f64)));
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * decade).into_iter().find(|s| span / s <= most as f64);
    let step = step.unwrap_or(10.0 * decade);
    let first = libm::ceil(low / step - 1e-9);
    let ticks = (0..=libm::floor(high / step - first + 1e-9) as usize).map(|n| {
        // Adding 0 turns -0 into 0.
        let value = (first + n as f64) * step + 0.0;
        let label = format!("{value:.6}");
        let label = label.trim_end_matches('0').trim_end_matches('.').replace('-', "−");
        Tick { at: (value - low) / span, label }
    });
    ticks.collect()
}

/// Ticks at round times of a span of seconds, at most seven.
pub(super) fn time_ticks(seconds: f64) -> Vec<Tick> {
    const STEPS: [f64; 22] = [
        0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0,
        1_800.0, 3_600.0, 7_200.0, 14_400.0, 43_200.0,
    ];
    if !(seconds.is_finite() && seconds > 0.0) {
        return Vec::new();
    }
    // Beyond the table, whole days.
    let days = libm::ceil(seconds / 6.0 / 86_400.0) * 86_400.0;
    let step = STEPS.into_iter().find(|step| seconds / step <= 6.0).unwrap_or(days);
    let ticks = (0..=libm::floor(seconds / step + 1e-9) as usize).map(|n| {
        let at = n as f64 * step;
        Tick { at: at / seconds, label: duration(at, step) }
    });
    ticks.collect()
}

/// `2.5 s`, `1:05`, `2:00:00`, to the precision of `step` seconds.
pub(super) fn duration(seconds: f64, step: f64) -> String {
    if seconds < 60.0 && step < 1.0 {
        let text = format!("{seconds:.2}");
        return format!("{} s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    let whole = libm::round(seconds) as u64;
    match (whole / 3_600, whole / 60 % 60, whole % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A moment of event time as people write it: `2009-08-12 16:15:00 UTC`.
pub(super) fn date(nanos: i64) -> String {
    let (days, seconds) =
        (nanos.div_euclid(86_400_000_000_000), nanos.rem_euclid(86_400_000_000_000) / 1_000_000_000);
    // Days since 0000-03-01 in eras of 400 years (H. Hinnant, chrono-compatible date algorithms, 2013).
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted_month + 2) / 5 + 1, (shifted_month + 2) % 12 + 1);
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_at_round_numbers() {
        assert_eq!(labels(&linear_ticks(45.0, 6)), ["0", "10", "20", "30", "40"]);
        assert_eq!(labels(&linear_ticks(0.6, 6)), ["0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]);
        assert_eq!(labels(&range_ticks(-0.3, 0.5, 5)), ["−0.2", "0", "0.2", "0.4"]);
        assert_eq!(labels(&range_ticks(100.0, 500.0, 5)), ["100", "200", "300", "400", "500"]);
        assert_eq!(labels(&range_ticks(-100.0, 797.0, 6)), ["0", "200", "400", "600"]);
        assert_eq!(labels(&range_ticks(-3.2, 4.1, 6)), ["−2", "0", "2", "4"]);
        assert!((range_ticks(-3.0, 5.0, 6)[1].at - 3.0 / 8.0).abs() < 1e-12);
        assert_eq!(labels(&time_ticks(125.0)), ["0:00", "0:30", "1:00", "1:30", "2:00"]);
        assert_eq!(labels(&time_ticks(0.2)), ["0 s", "0.05 s", "0.1 s", "0.15 s", "0.2 s"]);
        assert_eq!(labels(&time_ticks(28_800.0)).last(), Some(&"8:00:00"));
        assert!(
            time_ticks(1e9).len() <= 7 && time_ticks(0.0).is_empty() && linear_ticks(f64::NAN, 5).is_empty()
        );
        let axis = Log::of([0.5, 50.0]).unwrap();
        assert_eq!(labels(&axis.ticks()), ["1", "3", "10", "30"]);
        assert!(axis.place(0.5) > 0.0 && axis.place(50.0) < 1.0 && axis.place(0.0) == 0.0);
    }

    #[test]
    fn a_dead_channel_does_not_stretch_the_axis() {
        let axis = Log::of([1e-20, 1e-18, 1.0, 2.0]).unwrap();
        assert!(axis.ticks().len() <= 7);
        assert_eq!(Log::of([0.0, f64::NAN, -1.0]), None);
        assert!(Log::of([3.0]).unwrap().place(3.0) > 0.4);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_250_093_700, "2009-08-12 16:15:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds * 1_000_000_000), shown);
        }
    }
}
