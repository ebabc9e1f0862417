//! What operators of a running stream are told: controls and markers, each by its event time.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::dataflow::{BuildError, ControlError, Pipeline, StreamControl, Tumbling, Workers};
use neuraflow_core::model::{
    Control, FeatureSpec, Features, Marker, Packet, PacketBody, Span, StreamHeader, Timestamp, Window,
};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::parts::{Keep, Script, header, packets};

/// Puts out the number that it was told last, and the markers it has heard of.
#[derive(Default)]
struct Told {
    told: u8,
    markers: u64,
    open: Option<StreamHeader>,
    slower: bool,
}

impl Operator for Told {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, _: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let columns = ["told".to_owned(), "markers".to_owned()].into();
        Ok(Arc::new(FeatureSpec { rows: ["all".to_owned()].into(), columns, unit: String::new() }))
    }

    fn open(&mut self, stream: &StreamHeader) -> Result<(), OperatorError> {
        self.open = Some(stream.clone());
        if self.slower && stream.rate.as_hz() > 100.0 {
            let (expected, found) = ("at most 100 Hz".to_owned(), stream.rate.to_string());
            return Err(OperatorError::Spec { what: "sampling rate", expected, found });
        }
        Ok(())
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        assert_eq!(self.open.as_ref(), Some(&*input.info.stream));
        out.values.copy_from_slice(&[f64::from(self.told), self.markers as f64]);
        Ok(())
    }

    fn reset(&mut self) {
        self.markers = 0;
    }

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn minds_markers(&self) -> bool {
        true
    }

    fn marker(&mut self, _: &Marker) {
        self.markers += 1;
    }

    fn listens_to(&self) -> Option<&str> {
        Some("told")
    }

    fn control(&mut self, payload: &[u8]) -> Result<(), OperatorError> {
        let &[told] = payload else {
            let (expected, found) = ("a byte".to_owned(), format!("{} bytes", payload.len()));
            return Err(OperatorError::Spec { what: "number", expected, found });
        };
        self.told = told;
        Ok(())
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&(self.told, self.markers));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        (self.told, self.markers) = reader.take()?;
        Ok(())
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::EPOCH + Span::millis(millis)
}

/// A second of a stream at 100 Hz, 50 ms a window, in packets of `size`, and something more that comes after so many samples.
fn script(size: u64, more: &[(u64, PacketBody)]) -> Script {
    let header = header("told", 100, 1);
    let mut all = packets(&header, 100, size);
    for (after, body) in more.iter().rev() {
        let packet = Packet { stream: header.key, body: body.clone() };
        all.insert(1 + (after / size) as usize, packet);
    }
    Script { streams: vec![header], packets: all }
}

fn control(at_millis: i64, target: &str, payload: &[u8]) -> PacketBody {
    PacketBody::Control(Control::new(at(at_millis), target, payload))
}

/// What was told and heard in each window, what became of the controls, and how much was refused.
fn run(script: Script, workers: usize) -> (Vec<(u8, u64)>, Vec<StreamControl>, u64) {
    let ((windows, seen), (outcomes, became)) = (Keep::<Features>::new(), Keep::<StreamControl>::new());
    let pipeline = Pipeline::from(script)
        .controls(outcomes)
        .window(Tumbling::millis(50))
        .feature(Told::default)
        .sink(windows)
        .build()
        .unwrap();
    let report = pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
    let seen: Vec<Features> = std::mem::take(&mut seen.lock().unwrap());
    let told = seen.iter().map(|f| (f.values[0] as u8, f.values[1] as u64)).collect();
    let became = std::mem::take(&mut *became.lock().unwrap());
    (told, became, report.streams[0].refused_inputs)
}

#[test]
fn it_holds_from_the_first_window_that_begins_at_or_after_its_time() {
    let cue = PacketBody::Marker(Marker::new(at(310), "cue"));
    let mut expected = [(0, 0); 20];
    // 201 ms lies in the window from 200 ms; 500 ms is where one begins; 310 ms lies in the one from 300 ms.
    expected[5..10].fill((7, 0));
    expected[10..].fill((9, 0));
    expected[7..].iter_mut().for_each(|(_, markers)| *markers = 1);
    for (size, workers) in [(1, 1), (5, 2), (10, 3)] {
        // In the wrong order, and ahead of their time.
        let more = [(0, control(500, "told", &[9])), (10, control(201, "told", &[7])), (10, cue.clone())];
        let (told, became, refused) = run(script(size, &more), workers);
        assert_eq!(told, expected, "{size} samples a packet, {workers} workers");
        let outcomes: Vec<_> = became.iter().map(|control| control.outcome.clone()).collect();
        assert_eq!((outcomes, refused), (vec![Ok(at(250)), Ok(at(500))], 0));
        assert_eq!(became[0].stage.as_deref(), Some("stage 1 (Told)"));
    }
}

#[test]
fn what_comes_late_holds_from_the_next_window_on() {
    // After 40 samples all windows up to 400 ms are closed.
    let more = [(40, control(100, "told", &[3])), (40, PacketBody::Marker(Marker::new(at(120), "cue")))];
    let (told, became, _) = run(script(5, &more), 1);
    let expected: Vec<(u8, u64)> = (0..20).map(|window| if window < 8 { (0, 0) } else { (3, 1) }).collect();
    assert_eq!((told, &became[0].outcome), (expected, &Ok(at(400))));
}

#[test]
fn what_is_refused_changes_nothing_and_says_why() {
    let more = [
        (0, control(0, "told", &[3])),
        (0, control(100, "told", &[1, 2])),
        (0, control(100, "somebody", &[1])),
        (0, control(2_000, "told", &[4])),
    ];
    let (told, became, refused) = run(script(5, &more), 2);
    assert_eq!(told, [(3, 0); 20]);
    let said: Vec<String> = became
        .iter()
        .map(|control| control.outcome.as_ref().map_or_else(ToString::to_string, |at| format!("{at:?}")))
        .collect();
    assert!(said[0].contains("behind a window listens to, found somebody"), "{said:?}");
    assert_eq!(said[1], format!("{:?}", at(0)));
    assert_eq!(said[2], "number: expected a byte, found 2 bytes");
    assert!(said[3].contains("found the end of the stream"), "{said:?}");
    assert_eq!((became.len(), refused), (4, 3));
    let many: Vec<(u64, PacketBody)> = (0..70).map(|n| (0, control(900, "told", &[n]))).collect();
    let (told, became, refused) = run(script(5, &many), 1);
    assert_eq!((told[17], told[18], refused), ((0, 0), (63, 0), 6));
    assert_eq!(became[0].outcome, Err(ControlError::TooMany { limit: 64 }));
}

#[test]
fn an_operator_refuses_a_stream_that_it_was_not_made_for() {
    let build = |hz| {
        let streams = [header("told", hz, 1)];
        Pipeline::from(Script::of(&streams, 100, 10))
            .window(Tumbling::millis(50))
            .feature(|| Told { slower: true, ..Told::default() })
            .sink(Keep::<Features>::new().0)
            .build()
    };
    assert!(build(100).is_ok());
    let error = build(250).map(drop).unwrap_err();
    assert!(matches!(error, BuildError::Stage { .. }), "{error}");
    assert!(error.to_string().contains("expected at most 100 Hz, found 250 Hz"), "{error}");
}

#[test]
fn there_is_one_sink_for_what_became_of_controls() {
    let streams = [header("told", 100, 1)];
    let twice = Pipeline::from(Script::of(&streams, 100, 10))
        .controls(Keep::<StreamControl>::new().0)
        .controls(Keep::<StreamControl>::new().0)
        .window(Tumbling::millis(50))
        .sink(Keep::<Window>::new().0)
        .build();
    assert!(twice.map(drop).unwrap_err().to_string().contains("found two"));
}
