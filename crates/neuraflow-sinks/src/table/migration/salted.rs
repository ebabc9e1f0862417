//! The old layout: a row for each channel of each window, under a salt.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::model::{
    FeatureSpec, Features, Span, StreamHeader, Timestamp, WindowInfo, WindowStatus, stable_hash,
};

use super::super::row::{Batch, Cell, Families, Family, Row, Scan};
use super::super::stage::cell_time;
use super::super::{Table, TableError};

/// What times were subtracted from, so that the newest comes first.
const LAST: i64 = 9_999_999_999_999;
pub(super) const MILLI: i64 = 1_000_000;

/// A time as old rows know it: in whole milliseconds.
pub(super) fn floored(time: Timestamp) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().div_euclid(MILLI).saturating_mul(MILLI))
}

/// Rows `salt#session#(9999999999999 − time)#channel`: two digits of salt by the minute, the name of the session, the window's start in milliseconds since the Unix epoch
/// in 13 digits, the name of the channel. A cell for each number: family `f`, its name as the qualifier, the number as a 64-bit float,
/// big-endian.
#[derive(Clone, Debug)]
pub struct SaltedLayout {
    /// How many salts there are, 1 to 100. Which one a row has nobody knows: it came from a hash that differs in each process.
    pub salts: u8,
    /// The sessions, by the names that the old rows have.
    pub sessions: BTreeMap<String, SaltedSession>,
}

/// What old rows do not tell of a session.
#[derive(Clone, Debug)]
pub struct SaltedSession {
    /// The stream that its rows are of.
    pub stream: Arc<StreamHeader>,
    /// Channels and names of numbers, in the order in which they are to be.
    pub layout: Arc<FeatureSpec>,
    /// From one window to the next, whole milliseconds.
    pub hop: Span,
}

/// The key of an old row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaltedKey {
    /// Below 100.
    pub salt: u8,
    /// The name of the session.
    pub session: String,
    /// Milliseconds since the Unix epoch, 0 to 9999999999999.
    pub time: i64,
    /// The name of the channel.
    pub channel: String,
}

impl SaltedKey {
    /// As it stands in a table.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { salt, session, time, channel } = self;
        format!("{salt:02}#{session}#{:013}#{channel}", LAST - time).into_bytes()
    }

    /// Reads a key. Names with a `#` cannot be told apart from the rest, and are refused.
    ///
    /// # Errors
    /// The bytes are no key of the old layout.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let wrong = || TableError::Malformed {
            what: "row key",
            expected: "salt#session#time#channel",
            found: String::from_utf8_lossy(bytes).into_owned(),
        };
        let text = str::from_utf8(bytes).map_err(|_| wrong())?;
        let parts: Vec<&str> = text.split('#').collect();
        let [salt, session, time, channel] = parts[..] else { return Err(wrong()) };
        let digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(salt, 2) || !digits(time, 13) {
            return Err(wrong());
        }
        let time = LAST - time.parse::<i64>().map_err(|_| wrong())?;
        let salt = salt.parse().map_err(|_| wrong())?;
        Ok(Self { salt, session: session.to_owned(), time, channel: channel.to_owned() })
    }
}

/// A window as the old rows have it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SaltedWindow {
    pub(super) features: Features,
    /// That of its cells; the newest where they differ.
    pub(super) timestamp: i64,
}

impl SaltedLayout {
    /// The rows of a window.
    ///
    /// # Errors
    /// The old layout cannot hold it: its session is not known, or its time is out of reach.
    pub(super) fn rows(&self, features: &Features, batch: &mut Batch) -> Result<Vec<usize>, TableError> {
        let info = &features.info;
        let wrong = |what, expected, found| TableError::Setting { what, expected, found };
        let known = self.sessions.iter().find(|(_, session)| session.stream.key == info.stream.key);
        let (session, _) = known
            .ok_or_else(|| wrong("stream", "one of a session of the old layout", info.stream.name.clone()))?;
        let time = info.start.as_nanos().div_euclid(MILLI);
        if !(0..=LAST).contains(&time) {
            return Err(wrong("start", "1970 to 2286", info.start.to_string()));
        }
        let salt = (stable_hash(&(time / 60_000).to_le_bytes()) % u128::from(self.salts.max(1))) as u8;
        let mut rows = Vec::with_capacity(features.spec.rows.len());
        for (channel, values) in features.rows() {
            let key =
                SaltedKey { salt, session: session.clone(), time, channel: channel.to_owned() }.to_bytes();
            for (name, value) in features.spec.columns.iter().zip(values) {
                let cell = Cell {
                    family: Family::Features,
                    qualifier: name.clone().into_bytes(),
                    timestamp: cell_time(info.end),
                    value: value.to_be_bytes().to_vec(),
                };
                rows.push(batch.add_at(&key, cell)?);
            }
        }
        rows.dedup();
        Ok(rows)
    }

    /// When the newest window of a session before `until` begins, in milliseconds.
    pub(super) fn newest_before(
        &self,
        table: &impl Table,
        name: &str,
        until: i64,
    ) -> Result<Option<i64>, TableError> {
        let mut newest = None;
        if until <= 0 {
            return Ok(newest);
        }
        for salt in 0..self.salts {
            let start = format!("{salt:02}#{name}#{:013}", LAST - (until - 1).min(LAST)).into_bytes();
            let end = Some(format!("{salt:02}#{name}$").into_bytes());
            let scan = Scan { start, end, ..Scan::everything() };
            if let Some(row) = table.scan(&scan.first(1)).next().transpose()? {
                newest = newest.max(Some(SaltedKey::parse(&row.key)?.time));
            }
        }
        Ok(newest)
    }

    /// The windows of a session that begin within `[from, until)` milliseconds, the oldest first, gathered from under all salts.
    pub(super) fn windows(
        &self,
        table: &impl Table,
        name: &str,
        from: i64,
        until: i64,
    ) -> Result<Vec<SaltedWindow>, TableError> {
        let Some(session) = self.sessions.get(name) else { return Ok(Vec::new()) };
        let mut found: BTreeMap<i64, SaltedWindow> = BTreeMap::new();
        let (from, until) = (from.clamp(0, LAST), until.clamp(0, LAST + 1));
        if until <= from {
            return Ok(Vec::new());
        }
        for salt in 0..self.salts {
            let edge = |time: i64| format!("{salt:02}#{name}#{:013}", LAST - time).into_bytes();
            // The newest comes first: from the last millisecond asked for to the first, whose rows all lie before the one before it.
            let start = edge(until - 1);
            let end = if from > 0 { edge(from - 1) } else { format!("{salt:02}#{name}$").into_bytes() };
            let scan = Scan { start, end: Some(end), ..Scan::everything() };
            for row in table.scan(&scan.of(Families::only(Family::Features))) {
                session.take(row?, &mut found)?;
            }
        }
        Ok(found.into_values().collect())
    }
}

impl SaltedSession {
    /// Takes the numbers of an old row into its window.
    fn take(&self, row: Row, found: &mut BTreeMap<i64, SaltedWindow>) -> Result<(), TableError> {
        let key = SaltedKey::parse(&row.key)?;
        let window = found.entry(key.time).or_insert_with(|| self.blank(key.time));
        let Some(r) = self.layout.rows.iter().position(|name| *name == key.channel) else { return Ok(()) };
        for cell in row.cells {
            let column = self.layout.columns.iter().position(|name| name.as_bytes() == cell.qualifier);
            let (Some(c), Ok(value)) = (column, cell.value.as_slice().try_into()) else { continue };
            if let Some(slot) = window.features.values.get_mut(r * self.layout.columns.len() + c) {
                *slot = f64::from_be_bytes(value);
            }
            window.timestamp = window.timestamp.max(cell.timestamp);
        }
        Ok(())
    }

    /// A window that begins at `time`, all of whose samples count as received: the old rows do not tell.
    fn blank(&self, time: i64) -> SaltedWindow {
        let start = Timestamp::from_nanos(time.saturating_mul(MILLI));
        let end = start + self.hop;
        let samples = self.stream.first_at_or_after(end).saturating_sub(self.stream.first_at_or_after(start));
        let samples = u32::try_from(samples).unwrap_or(u32::MAX);
        let info = WindowInfo {
            stream: Arc::clone(&self.stream),
            index: start.as_nanos().div_euclid(self.hop.as_nanos().max(1)),
            start,
            end,
            expected: samples,
            received: samples,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        };
        let values = vec![f64::NAN; self.layout.len()];
        let features = Features { info, spec: Arc::clone(&self.layout), values };
        SaltedWindow { features, timestamp: 0 }
    }
}
