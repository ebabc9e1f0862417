//! Days of the calendar.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: u32,
    pub(crate) day: u32,
}

impl Date {
    /// The same date, if there is such a day.
    pub(crate) fn checked(self) -> Option<Self> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&self.day).then_some(self)
    }

    /// Days from 1970-01-01 in the proleptic Gregorian calendar.
    pub(crate) fn days_since_epoch(self) -> i64 {
        // Years counted from March, so that the leap day comes last.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month = i64::from((self.month + 9) % 12);
        let before_month = (153 * month + 2) / 5;
        let before_year = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        before_year + before_month + i64::from(self.day) - 1 - 719_468
    }
}
