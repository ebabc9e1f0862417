//! Filters as stages: what they declare, what they refuse and in which words, and that arrays give the same
//! numbers.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use ndarray::{Array2, s};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Channel, Chunk, Recovery, SamplingRate, Span};
use neuraflow_core::operator::{Missing, Operator, OperatorError, SignalSpec};
use neuraflow_ops::filter::{Butterworth, Notch};
use neuraflow_ops::kernel::Precision;

fn spec(hz: u64, labels: &[&str]) -> SignalSpec {
    SignalSpec {
        channels: labels.iter().copied().map(Channel::new).collect(),
        rate: SamplingRate::hz(hz).unwrap(),
        missing: Missing::Restart,
    }
}

fn prepared<O: Operator<In = Chunk, Out = Chunk>>(mut filter: O, hz: u64, labels: &[&str]) -> O {
    let spec = spec(hz, labels);
    assert_eq!(filter.prepare(&spec).ok(), Some(spec));
    filter
}

fn run<O: Operator<In = Chunk, Out = Chunk>>(filter: &mut O, channels: usize, values: &[f32]) -> Vec<f32> {
    let (mut input, mut out) = (Chunk::new(0, channels), Chunk::new(0, channels));
    input.extend(values);
    filter.process(&input, &mut out).unwrap();
    out.values().to_vec()
}

/// Something like a signal: an offset and a few thousand different values.
fn values(number: usize) -> Vec<f32> {
    (0..number).map(|n| 30.0 + (n * 7919 % 2003) as f32 / 40.0).collect()
}

#[test]
fn declared_latencies() {
    let near = |span: Span, millis: f64| (span.as_millis_f64() - millis).abs() < 0.05;
    for (hz, delay, greatest, warm_up) in [(160, 19.13, 611.88, 2631.25), (250, 20.46, 615.74, 2644.0)] {
        let latency = prepared(Butterworth::bandpass(4, 1.0..40.0), hz, &["Cz"]).latency();
        assert!(near(latency.group_delay, delay), "{latency:?}");
        assert!(near(latency.group_delay_max, greatest), "{latency:?}");
        assert!(near(latency.warm_up, warm_up), "{latency:?}");
        assert_eq!((latency.look_ahead, latency.look_back), (Span::ZERO, Span::ZERO));
    }
    let notch = prepared(Notch::new(50.0, 30.0), 250, &["Cz"]).latency();
    assert!(near(notch.group_delay, 0.12) && near(notch.group_delay_max, 96.18), "{notch:?}");
}

/// What a start in the middle of a signal moves, after the warm-up, against the bound that it was chosen by.
#[test]
fn a_warm_up_is_long_enough_to_be_true() {
    for filter in
        [Butterworth::bandpass(4, 1.0..40.0), Butterworth::highpass(2, 0.5), Butterworth::lowpass(4, 40.0)]
    {
        let warm_up = prepared(filter.clone(), 250, &["Cz"]).latency().warm_up;
        let settled = SamplingRate::hz(250).unwrap().first_at_or_after(warm_up) as usize;
        let mut seed = 1_u64;
        let mut slow = 0.0;
        let signal = Array2::from_shape_fn((20_000, 1), |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let white = (seed >> 33) as f64 / f64::from(1 << 30) - 1.0;
            slow = 0.995 * slow + 5.0 * white;
            slow + 10.0 * white
        });
        let whole = filter.filter(&signal, 250.0).unwrap();
        let swing = whole.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        for start in (5000..15_000).step_by(331) {
            let late = filter.filter(&signal.slice(s![start.., ..]), 250.0).unwrap();
            let error = |at: usize| (late[(at, 0)] - whole[(start + at, 0)]).abs();
            let rest = (settled..2 * settled + 100).map(error).fold(0.0, f64::max);
            assert!(rest <= 2e-3 * swing, "{filter:?} from {start}: {rest} of {swing}");
        }
    }
}

#[test]
fn trigger_words_pass_and_move_nothing() {
    let labels = ["Fp1", "Status", "Cz"];
    let x = values(3 * 400);
    let y = run(&mut prepared(Butterworth::bandpass(4, 1.0..40.0), 250, &labels), 3, &x);
    let without: Vec<f32> = x.chunks_exact(3).flat_map(|sample| [sample[0], sample[2]]).collect();
    let alone = run(&mut prepared(Butterworth::bandpass(4, 1.0..40.0), 250, &["Fp1", "Cz"]), 2, &without);
    for ((y, x), alone) in y.chunks_exact(3).zip(x.chunks_exact(3)).zip(alone.chunks_exact(2)) {
        assert_eq!([y[0], y[1], y[2]], [alone[0], x[1], alone[1]]);
    }
}

#[test]
fn samples_are_appended_to_what_is_there() {
    let mut filter = prepared(Notch::new(50.0, 30.0), 250, &["Cz"]);
    let (mut input, mut out) = (Chunk::new(0, 1), Chunk::new(0, 1));
    input.extend(&[4.0; 3]);
    out.extend(&[1.0, 2.0]);
    filter.process(&input, &mut out).unwrap();
    assert_eq!((out.len(), &out.values()[..2]), (5, &[1.0, 2.0][..]));
}

#[test]
fn arrays_give_the_numbers_of_a_stream() {
    let x = values(2 * 500);
    for filter in [Butterworth::bandpass(4, 1.0..40.0), Butterworth::bandstop(2, 48.0..52.0)] {
        let streamed = run(&mut prepared(filter.clone(), 250, &["C3", "Cz"]), 2, &x);
        let array = Array2::from_shape_vec((500, 2), x.clone()).unwrap();
        assert_eq!(filter.filter(&array, 250.0).unwrap().into_raw_vec_and_offset().0, streamed);
        // A view of any strides: here stored channel by channel.
        let by_channel = array.t().as_standard_layout().into_owned();
        let transposed = filter.filter(&by_channel.t(), 250.0).unwrap();
        assert_eq!(transposed.iter().copied().collect::<Vec<_>>(), streamed);
    }
    let empty = Array2::<f64>::zeros((0, 3));
    assert_eq!(Notch::new(50.0, 30.0).filter(&empty, 250.0).unwrap().dim(), (0, 3));
    let no_channel = Array2::<f64>::zeros((5, 0));
    assert!(Notch::new(50.0, 30.0).filter(&no_channel, 250.0).is_err());
}

#[test]
fn refusals_name_the_setting_and_what_to_do() {
    let refused = |mut filter: Butterworth| match filter.prepare(&spec(160, &["Cz"])) {
        Err(OperatorError::Spec { what, expected, found }) => (what, expected, found),
        other => panic!("{filter:?}: {other:?}"),
    };
    let out_of_range = [
        (
            Butterworth::bandpass(4, 1.0..200.0),
            "upper edge of the pass band",
            "below Nyquist 80 Hz; ",
            "200 Hz",
        ),
        (
            Butterworth::bandpass(4, 0.0..40.0),
            "lower edge of the pass band",
            "above 0 Hz and below Nyquist",
            "0 Hz",
        ),
        (
            Butterworth::bandstop(4, 78.0..82.0),
            "upper edge of the stop band",
            "below Nyquist 80 Hz; ",
            "82 Hz",
        ),
        (Butterworth::lowpass(4, 80.0), "upper edge of the pass band", "below Nyquist 80 Hz; ", "80 Hz"),
        (
            Butterworth::highpass(4, -1.0),
            "lower edge of the pass band",
            "above 0 Hz and below Nyquist",
            "-1 Hz",
        ),
        (Butterworth::lowpass(4, f64::NAN), "upper edge of the pass band", "a finite frequency in Hz", "NaN"),
        (Butterworth::lowpass(0, 40.0), "filter order", "1 to 16", "0"),
        (Butterworth::bandpass(4, 40.0..1.0), "pass band", "a lower edge below the upper", "40 Hz to 1 Hz"),
        (Butterworth::bandstop(4, 50.0..50.0), "stop band", "a lower edge below the upper", "50 Hz to 50 Hz"),
        (Butterworth::lowpass(4, 1e-7), "filter", "poles inside the unit circle", "a pole that"),
        (
            Butterworth::highpass(1, 1e-6),
            "impulse response of the filter",
            "at most 2^24 samples, 104858 s at 160 Hz",
            "a longer",
        ),
    ];
    for (filter, setting, says, was) in out_of_range {
        let (what, expected, found) = refused(filter);
        assert_eq!(what, setting);
        assert!(expected.starts_with(says), "{what}: {expected}");
        assert!(found.starts_with(was), "{what}: {found}");
    }
    let refused = |hz, quality| Notch::new(hz, quality).prepare(&spec(160, &["Cz"])).unwrap_err().to_string();
    assert!(refused(80.0, 30.0).starts_with("frequency of the notch: expected below Nyquist 80 Hz; move it"));
    assert!(refused(50.0, 0.1).starts_with("quality of the notch: expected above 0.625 at this frequency"));
    let nothing = Notch::new(50.0, 30.0).prepare(&spec(160, &[])).unwrap_err();
    assert_eq!(nothing.to_string(), "channels: expected at least one, found none");
    assert_eq!(nothing.recovery(), Recovery::Stop);
}

#[test]
fn a_state_of_another_shape_is_refused_by_name() {
    let state = |filter: &Butterworth| {
        let mut writer = SnapshotWriter::default();
        filter.snapshot(&mut writer);
        writer.into_bytes().unwrap()
    };
    let two = prepared(Butterworth::bandpass(4, 1.0..40.0), 250, &["C3", "Cz"]);
    let bytes = state(&two);
    let restored = |mut filter: Butterworth| filter.restore(&mut SnapshotReader::new(&bytes));
    assert_eq!(
        restored(prepared(Butterworth::bandpass(4, 1.0..40.0), 250, &["Cz"])),
        Err(RestoreError::Shape { what: "channels", expected: 1, found: 2 })
    );
    assert_eq!(
        restored(prepared(Butterworth::bandpass(2, 1.0..40.0), 250, &["C3", "Cz"])),
        Err(RestoreError::Shape { what: "sections", expected: 2, found: 4 })
    );
    assert!(restored(Butterworth::bandpass(4, 1.0..40.0)).is_err());
    assert_eq!(restored(two), Ok(()));
}

#[test]
fn a_filter_that_was_not_prepared_says_so() {
    let mut filter = Butterworth::lowpass(2, 10.0);
    let error = filter.process(&Chunk::new(0, 1), &mut Chunk::new(0, 1)).unwrap_err();
    assert!(error.to_string().contains("prepared"), "{error}");
}

/// How far single precision is from double on 1–40 Hz, with an offset of 30 µV in the input.
#[test]
fn single_precision_is_close_where_it_is_stable_and_refused_where_it_is_not() {
    let values = values(8 * 1000);
    let band = || Butterworth::bandpass(4, 1.0..40.0);
    let labels = ["Fz", "Cz", "Pz", "Oz", "C3", "C4", "O1", "O2"];
    let double = run(&mut prepared(band(), 250, &labels), 8, &values);
    let single = run(&mut prepared(band().precision(Precision::Single), 250, &labels), 8, &values);
    let worst = double.iter().zip(&single).map(|(d, s)| (d - s).abs()).fold(0.0, f32::max);
    assert!(worst > 0.0 && worst < 0.01, "{worst} µV");

    let error = Butterworth::highpass(4, 0.5).precision(Precision::Single).prepare(&spec(30_000, &["Cz"]));
    let error = error.unwrap_err();
    assert!(matches!(error, OperatorError::Spec { what: "precision of the filter", .. }), "{error}");
    assert!(error.to_string().contains("Precision::Double"), "{error}");
}
