//! A small writer of EDF and BDF files, good and bad, for tests, and files that go when a test ends.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A signal: its header fields as text, and its samples in each record.
#[derive(Clone)]
pub struct Signal {
    pub label: Vec<u8>,
    pub unit: Vec<u8>,
    pub physical: (String, String),
    pub digital: (String, String),
    pub samples: usize,
    /// The header's number of samples, where it differs.
    pub claimed: Option<String>,
    pub records: Vec<Data>,
}

#[derive(Clone)]
pub enum Data {
    Counts(Vec<i32>),
    Bytes(Vec<u8>),
}

impl Signal {
    /// A signal in µV over the whole 16-bit range, one count a tenth of a microvolt.
    pub fn new(label: &str, samples: usize) -> Self {
        Self {
            label: label.as_bytes().to_vec(),
            unit: b"uV".to_vec(),
            physical: ("-3276.8".to_owned(), "3276.7".to_owned()),
            digital: ("-32768".to_owned(), "32767".to_owned()),
            samples,
            claimed: None,
            records: Vec::new(),
        }
    }

    /// Records filled with counts from a formula of the sample's number.
    pub fn filled(mut self, records: usize, count: impl Fn(usize) -> i32) -> Self {
        let samples = self.samples;
        let record = |r: usize| Data::Counts((r * samples..(r + 1) * samples).map(&count).collect());
        self.records = (0..records).map(record).collect();
        self
    }

    /// An annotation signal of `bytes` bytes a record (an even number, a multiple of 3 in BDF), holding these lists.
    pub fn annotations(label: &str, bytes: usize, bdf: bool, lists: &[&[u8]]) -> Self {
        let mut signal = Self::new(label, bytes / if bdf { 3 } else { 2 });
        signal.unit.clear();
        for list in lists {
            let mut data = list.to_vec();
            assert!(data.len() <= bytes);
            data.resize(bytes, 0);
            signal.records.push(Data::Bytes(data));
        }
        signal
    }
}

/// A file to be written.
#[derive(Clone)]
pub struct File {
    pub bdf: bool,
    pub reserved: String,
    pub recording: String,
    pub date: String,
    pub time: String,
    pub duration: String,
    pub header_bytes: Option<String>,
    pub record_count: Option<String>,
    pub signals: Vec<Signal>,
    pub tail: Vec<u8>,
}

impl File {
    pub fn new(reserved: &str, signals: Vec<Signal>) -> Self {
        Self {
            bdf: reserved.starts_with("BDF") || reserved == "24BIT",
            reserved: reserved.to_owned(),
            recording: "Startdate 02-JAN-1970 X X X".to_owned(),
            date: "02.01.70".to_owned(),
            time: "00.00.00".to_owned(),
            duration: "1".to_owned(),
            header_bytes: None,
            record_count: None,
            signals,
            tail: Vec::new(),
        }
    }

    pub fn records(&self) -> usize {
        self.signals.first().map_or(0, |signal| signal.records.len())
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut field = |text: &[u8], width: usize| {
            assert!(text.len() <= width, "{:?} in {width}", String::from_utf8_lossy(text));
            out.extend_from_slice(text);
            out.resize(out.len() + width - text.len(), b' ');
        };
        let count = self.signals.len();
        field(if self.bdf { b"\xffBIOSEMI" } else { b"0" }, 8);
        field(b"X X X X", 80);
        field(self.recording.as_bytes(), 80);
        field(self.date.as_bytes(), 8);
        field(self.time.as_bytes(), 8);
        field(self.header_bytes.clone().unwrap_or((256 * (count + 1)).to_string()).as_bytes(), 8);
        field(self.reserved.as_bytes(), 44);
        field(self.record_count.clone().unwrap_or(self.records().to_string()).as_bytes(), 8);
        field(self.duration.as_bytes(), 8);
        field(count.to_string().as_bytes(), 4);
        self.signals.iter().for_each(|s| field(&s.label, 16));
        self.signals.iter().for_each(|_| field(b"AgAgCl", 80));
        self.signals.iter().for_each(|s| field(&s.unit, 8));
        self.signals.iter().for_each(|s| field(s.physical.0.as_bytes(), 8));
        self.signals.iter().for_each(|s| field(s.physical.1.as_bytes(), 8));
        self.signals.iter().for_each(|s| field(s.digital.0.as_bytes(), 8));
        self.signals.iter().for_each(|s| field(s.digital.1.as_bytes(), 8));
        self.signals.iter().for_each(|_| field(b"HP:0.1Hz", 80));
        let claimed = |s: &Signal| s.claimed.clone().unwrap_or(s.samples.to_string());
        self.signals.iter().for_each(|s| field(claimed(s).as_bytes(), 8));
        self.signals.iter().for_each(|_| field(b"", 32));
        for record in 0..self.records() {
            for signal in &self.signals {
                match &signal.records[record] {
                    Data::Bytes(bytes) => out.extend_from_slice(bytes),
                    Data::Counts(counts) => {
                        let width = if self.bdf { 3 } else { 2 };
                        counts.iter().for_each(|count| out.extend_from_slice(&count.to_le_bytes()[..width]));
                    }
                }
            }
        }
        out.extend_from_slice(&self.tail);
        out
    }

    pub fn write(&self) -> Temporary {
        Temporary::with(&self.bytes())
    }
}

/// A file that is removed when the test ends.
pub struct Temporary(pub PathBuf);

impl Temporary {
    pub fn with(bytes: &[u8]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("neuraflow-{}-{number}.edf", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
