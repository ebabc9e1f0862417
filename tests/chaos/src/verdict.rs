//! What became of a storm.

use hdrhistogram::Histogram;

use crate::journal::Note;

/// What becomes of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outage {
    /// Connections are cut, and refused.
    Cut,
    /// Nobody answers.
    BlackHole,
    /// Everything takes two seconds more, each way.
    Slow,
    /// Connections are reset.
    Reset,
    /// Every other entry fails.
    HalfFails,
}

/// What became of it all.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Cells that have to be there.
    pub cells: usize,
    /// Of them, those that are not.
    pub missing: usize,
    /// Cells that should not be there.
    pub extra: usize,
    /// Cells with another timestamp or value.
    pub mismatch: usize,
    /// Cells with more than one version.
    pub multi_version: usize,
    /// Malformed records that were written.
    pub malformed: u64,
    /// Of them, those among the dead letters.
    pub dead_letters: usize,
    /// Dead letters that were not malformed.
    pub misplaced: usize,
    /// How often the process was killed.
    pub process_kills: usize,
    /// How often the broker was.
    pub broker_kills: usize,
    /// How often it was frozen.
    pub freezes: usize,
    /// Milliseconds, after each outage.
    pub drained: Vec<u64>,
    /// Milliseconds, and failures until the breaker opened.
    pub opened: Vec<(Outage, u64, u64)>,
    /// The 99th percentile of the feedback's latency in calm, in microseconds.
    pub calm_us: f64,
    /// The same while the table was away, in all outages together.
    pub away_us: f64,
}

impl Verdict {
    /// By how much feedback is later while the table is away.
    pub fn shift_us(&self) -> f64 {
        self.away_us - self.calm_us
    }

    /// Says it, and panics unless all is as it should be.
    pub fn judge(&self) {
        for (outage, ms, failures) in &self.opened {
            println!("{outage:?}: the breaker opened after {ms} ms and {failures} failures");
        }
        println!("drained after {:?} ms", self.drained);
        println!(
            "missing={} extra={} mismatch={} multi_version={} cells={} malformed={} dead_letters={} misplaced={} broker_kills={} \
             freezes={} process_kills={} drained_ms_max={} feedback_p99_us={:.0} while_away_us={:.0} shift_us={:.0}",
            self.missing,
            self.extra,
            self.mismatch,
            self.multi_version,
            self.cells,
            self.malformed,
            self.dead_letters,
            self.misplaced,
            self.broker_kills,
            self.freezes,
            self.process_kills,
            self.drained.iter().max().unwrap_or(&0),
            self.calm_us,
            self.away_us,
            self.shift_us(),
        );
        assert_eq!((self.missing, self.extra, self.mismatch, self.multi_version), (0, 0, 0, 0));
        assert_eq!((self.dead_letters as u64, self.misplaced), (self.malformed, 0));
        assert!(self.malformed > 0 && self.cells > 0);
        for (outage, ms, failures) in &self.opened {
            assert!(
                *ms <= 3_000 || *failures <= 5,
                "{outage:?}: the breaker opened after {ms} ms and {failures} failures"
            );
        }
    }
}

/// The 99th percentile of the feedback's latency in all these times together, in microseconds.
pub fn feedback_p99(notes: &[Note], times: &[(u64, u64)]) -> f64 {
    let mut latencies = Histogram::<u64>::new(3).unwrap();
    let within = |note: &&Note| times.iter().any(|(from, until)| (*from..*until).contains(&note.at));
    for note in notes.iter().filter(within) {
        note.feedback.iter().for_each(|latency| latencies.record(*latency).unwrap());
    }
    assert!(latencies.len() > 100, "{} windows", latencies.len());
    latencies.value_at_quantile(0.99) as f64 / 1e3
}
