//! The report's page, fed by hand: what went in stands in it, and nothing that a file names becomes markup.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's helpers fail by panicking")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use neuraflow_core::dataflow::{Report, StreamMarker};
use neuraflow_core::model::{
    Channel, FeatureSpec, Features, Marker, SamplingRate, Span, StreamHeader, StreamKey, Timestamp,
    WindowInfo, WindowStatus,
};
use neuraflow_core::operator::Item;
use neuraflow_core::sink::{Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_sinks::report::{HtmlReport, Response};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn header(name: &str, channels: usize) -> Arc<StreamHeader> {
    let channels = (0..channels).map(|n| Channel::new(format!("E{n}"))).collect();
    let key = StreamKey::of_names("session", name);
    Arc::new(StreamHeader::new(key, name, SamplingRate::hz(200).unwrap(), channels))
}

fn spec(rows: &[&str], columns: &[&str], unit: &str) -> Arc<FeatureSpec> {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Arc::new(FeatureSpec { rows: names(rows), columns: names(columns), unit: unit.to_owned() })
}

/// Features of the 50 ms window number `index`.
fn features(
    stream: &Arc<StreamHeader>,
    spec: &Arc<FeatureSpec>,
    index: i64,
    status: WindowStatus,
    values: Vec<f64>,
) -> Features {
    let start = Timestamp::from_nanos(index * 50_000_000);
    let info = WindowInfo {
        stream: Arc::clone(stream),
        index,
        start,
        end: start + Span::millis(50),
        expected: 10,
        received: 10,
        imputed: 0,
        status,
        warm_up: false,
        arrival: 0,
        marker: None,
    };
    Features { info, spec: Arc::clone(spec), values }
}

fn put<T: Item, S: Sink<Item = T>>(sink: S, mut items: Vec<T>) -> Result<(), SinkError> {
    assert_eq!(sink.placement(), Placement::Inline);
    let written = sink.open(&SinkContext::default())?.write(&mut items);
    assert!(items.is_empty());
    written
}

/// Writes the report and reads the page back, which leaves nothing beside it.
fn page(report: &HtmlReport, name: &str) -> String {
    report.write(&Report::default()).unwrap();
    let path = path(name);
    assert!(!path.with_file_name(format!("{name}.partial")).exists());
    let html = fs::read_to_string(path).unwrap();
    balanced(&html);
    html
}

/// Every tag is closed, in order, and there is no script and nothing to fetch.
fn balanced(html: &str) {
    const VOID: [&str; 2] = ["meta", "!doctype"];
    let mut open = Vec::new();
    for tag in html.split('<').skip(1) {
        let tag = tag.split_once('>').unwrap().0;
        let name = tag.split(' ').next().unwrap();
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if VOID.contains(&name) || tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for never in ["<script", "http://", "https://", "src=", "url(", "javascript:"] {
        assert!(!html.contains(never), "{never}");
    }
}

#[test]
fn numbers_stand_in_the_page_with_all_their_digits() {
    let report = HtmlReport::create(path("numbers.html")).unwrap();
    let (stream, power) = (header("headset", 2), spec(&["C3", "C4"], &["alpha", "beta"], "µV²"));
    let mut items: Vec<Features> = (0..40)
        .map(|n| {
            let n64 = n as f64;
            features(&stream, &power, n, WindowStatus::Complete, vec![n64 / 3.0, 1.0, f64::NAN, 0.1 + n64])
        })
        .collect();
    items[7].info.warm_up = true;
    let mean =
        |of: &dyn Fn(&Features) -> f64| items.iter().filter(|f| !f.info.warm_up).map(of).sum::<f64>() / 39.0;
    let expected = [mean(&|f| f.values[0]), 1.0, mean(&|f| f.values[3])];
    put(report.band_power(), items.clone()).unwrap();
    let html = page(&report, "numbers.html");
    for value in expected {
        assert!(html.contains(&format!("<data value=\"{value:?}\">")), "{value}");
    }
    assert!(html.contains("39 windows; 1 more in warm-up"));
    // A number that never came is said to be none.
    assert!(html.contains("<th scope=\"row\">C4</th><td>–"));
}

#[test]
fn nothing_that_a_file_names_becomes_markup() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=\"alert(1)\">'&\u{0}";
    let report = HtmlReport::create(path("evil.html")).unwrap().titled(evil);
    report.settings([(evil, evil)]);
    report.command_line([evil.to_owned(), "javascript-free".to_owned()]);
    let stream = header(evil, 1);
    let layout = spec(&[evil], &[evil], evil);
    let items = |value| vec![features(&stream, &layout, 0, WindowStatus::Gap, vec![value])];
    put(report.band_power(), items(1.0)).unwrap();
    put(report.quality(), items(0.5)).unwrap();
    put(report.flags(), items(1.0)).unwrap();
    let hertz = spec(&[evil], &["10 Hz", evil], evil);
    put(report.spectrum(), vec![features(&stream, &hertz, 0, WindowStatus::Gap, vec![1.0, 2.0])]).unwrap();
    let marker = Arc::new(Marker::new(Timestamp::EPOCH, evil));
    put(report.markers(), vec![StreamMarker { stream: Arc::clone(&stream), marker }]).unwrap();
    report.write(&Report::default()).unwrap();
    let html = fs::read_to_string(path("evil.html")).unwrap();
    // All `<` of the page are of tags that it knows; the text is there, escaped.
    for never in ["<script", "<img", "onerror=\"", "\u{0}"] {
        assert!(!html.contains(never), "{never:?}");
    }
    assert!(html.matches("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;\u{fffd}").count() > 15);
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_run_without_windows_is_a_page_too() {
    let report = HtmlReport::create(path("empty.html")).unwrap();
    let html = page(&report, "empty.html");
    assert!(html.contains("No window reached the report") && html.contains("0 samples came in"));
    let again = report.write(&Report::default()).unwrap_err();
    assert!(again.to_string().contains("create another report"), "{again}");
}

#[test]
fn one_channel_and_139_and_dead_ones_are_drawn() {
    for channels in [1, 139] {
        let name = format!("channels-{channels}.html");
        let report = HtmlReport::create(path(&name)).unwrap();
        let stream = header("wide", channels);
        let rows: Vec<String> = (0..channels).map(|n| format!("E{n}")).collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let (power, score) = (spec(&rows, &["a", "b", "c", "d"], "µV²"), spec(&rows, &["score"], ""));
        let hertz: Vec<String> = (0..=100).map(|hz| format!("{} Hz", f64::from(hz) / 2.0)).collect();
        let density = spec(&rows, &hertz.iter().map(String::as_str).collect::<Vec<_>>(), "µV²/Hz");
        let many = |layout: &Arc<FeatureSpec>, scale: f64| -> Vec<Features> {
            // The second channel is dead; a third of the windows is missing in the middle.
            let value = |n: i64, place: usize| match place / layout.columns.len() {
                1 => 0.0,
                row => scale * (1.0 + ((n as usize * 7 + row * 3) % 11) as f64 / 11.0) / 2.0,
            };
            (0..900)
                .filter(|n| !(300..600).contains(n))
                .map(|n| {
                    let status = if n == 299 { WindowStatus::Gap } else { WindowStatus::Complete };
                    let values = (0..layout.len()).map(|place| value(n, place)).collect();
                    features(&stream, layout, n, status, values)
                })
                .collect()
        };
        put(report.band_power(), many(&power, 40.0)).unwrap();
        put(report.quality(), many(&score, 1.0)).unwrap();
        put(report.spectrum(), many(&density, 3.0)).unwrap();
        let html = page(&report, &name);
        println!("{channels} channels: {} bytes", html.len());
        assert!(html.len() < 4_000_000, "{} bytes", html.len());
        assert!(html.contains("600 windows over time: 599 complete, 1 with a gap, 0 partial"));
        assert!(!html.contains("NaN"), "a number that is none must not get into a path");
        // The missing third breaks every curve in two.
        let mean = html.split("class=\"line mean\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(mean.matches('M').count(), 2);
        let tiles = html.matches("class=\"frame tile\"").count();
        assert_eq!(tiles, if channels == 1 { 0 } else { channels });
    }
}

#[test]
fn a_place_that_cannot_be_written_is_known_at_once() {
    let error = |path: PathBuf| HtmlReport::create(path).unwrap_err().to_string();
    assert!(error(path("no/such/folder/report.html")).contains("cannot create"));
    assert!(error(PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).contains("it is a directory"));
    assert!(error(PathBuf::from("/")).contains("cannot create"));
    // What was there stays until the new page is whole, and a report that is not written leaves nothing.
    fs::write(path("kept.html"), "before").unwrap();
    drop(HtmlReport::create(path("kept.html")).unwrap());
    assert_eq!(fs::read_to_string(path("kept.html")).unwrap(), "before");
    assert!(!path("kept.html.partial").exists());
    let report = HtmlReport::create(path("kept.html")).unwrap();
    assert!(page(&report, "kept.html").starts_with("<!doctype html>"));
}

#[test]
fn another_layout_is_refused_and_the_rest_is_kept() {
    let report = HtmlReport::create(path("layout.html")).unwrap();
    let (stream, one) = (header("headset", 1), spec(&["Cz"], &["alpha"], "µV²"));
    let other = spec(&["Cz"], &["beta"], "µV²");
    let item = |layout, n| features(&stream, layout, n, WindowStatus::Complete, vec![2.0]);
    let refused = put(report.band_power(), vec![item(&one, 0), item(&other, 1), item(&one, 2)]).unwrap_err();
    assert!(refused.to_string().contains("connect one operator"), "{refused}");
    assert!(page(&report, "layout.html").contains("in 2 windows"));
}

#[test]
fn of_many_streams_the_first_by_name_are_plotted_in_whatever_order_they_come() {
    let write = |name: &str, order: &mut dyn Iterator<Item = usize>| {
        let report = HtmlReport::create(path(name)).unwrap();
        let layout = spec(&["Cz"], &["alpha"], "µV²");
        let items = order.map(|n| {
            features(
                &header(&format!("s{n:02}"), 1),
                &layout,
                0,
                WindowStatus::Complete,
                vec![1.0 + n as f64],
            )
        });
        put(report.band_power(), items.collect()).unwrap();
        page(&report, name)
    };
    let there = write("streams-1.html", &mut (0..20));
    assert_eq!(there, write("streams-2.html", &mut (0..20).rev()));
    assert_eq!(there.matches("<section class=\"stream\"").count(), 8);
    assert!(there.contains("<h2>s07</h2>") && !there.contains("<h2>s08</h2>"));
}

#[test]
fn an_input_is_known_by_its_digest() {
    fs::write(path("abc.edf"), "abc").unwrap();
    let report = HtmlReport::create(path("input.html")).unwrap();
    report.input_file(path("abc.edf")).unwrap();
    assert!(report.input_file(path("absent.edf")).unwrap_err().to_string().contains("cannot open"));
    let html = page(&report, "input.html");
    // FIPS 180-4, the digest of "abc".
    assert!(html.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert!(html.contains("3 bytes") && html.contains("abc.edf"));
}

#[test]
fn results_and_maps_of_the_head_stand_on_the_page() {
    let path = path("findings.html");
    let report = HtmlReport::create(&path).unwrap();
    report.results([("correct", "14 of 15 <b>")]);
    let channels = ["C3", "Cz", "C4", "Pz", "<i>"];
    let maps =
        [("pattern 1".to_owned(), vec![2.0, 0.5, -1.0, 0.25, 9.0]), ("none".to_owned(), vec![f64::NAN; 5])];
    report.topographies("Spatial patterns", "Signs are arbitrary.", channels, maps);
    report.write(&Report::default()).unwrap();
    let html = fs::read_to_string(path).unwrap();
    assert!(html.contains("<td class=\"words\">14 of 15 &lt;b&gt;</td>") && !html.contains("<i>"));
    assert_eq!(html.matches("<svg viewBox=\"-1.15").count(), 2);
    assert!(html.contains("aria-label=\"none: no number\"") && html.contains("strongest at &lt;i&gt;, 9.00"));
    assert!(html.contains("1 channels have no 10-20 name"));
    // Four electrodes on the first head, none on the second; the strongest is as red as can be.
    assert_eq!(html.matches("class=\"site\"").count(), 4);
    assert!(html.contains("#b2182b") && html.contains("cx=\"-0.400\""));
    for number in ["2.0", "0.5", "-1.0", "0.25", "9.0"] {
        assert!(html.contains(&format!("<data value=\"{number}\">")), "{number}");
    }
}

#[test]
fn evoked_responses_are_drawn_with_their_intervals() {
    let path = path("responses.html");
    let report = HtmlReport::create(&path).unwrap();
    let response = |name: &str, mean: Vec<f64>| Response {
        name: name.into(),
        low: mean.iter().map(|value| value - 1.0).collect(),
        high: mean.iter().map(|value| value + 1.0).collect(),
        mean,
    };
    let both = vec![
        response("target <9>", vec![0.0, 1.5, 3.0, f64::NAN]),
        response("other", vec![0.0, -1.0, -2.0, -1.0]),
    ];
    report.responses("Evoked", "95 %.", [-100.0, 0.0, 100.0, 200.0], [("Pz".to_owned(), both)]);
    report.responses("Nothing", "", [], [("Pz".to_owned(), vec![Response::default()])]);
    report.write(&Report::default()).unwrap();
    let html = fs::read_to_string(path).unwrap();
    assert!(html.contains("target &lt;9&gt; strongest after 100 ms, 3.00 µV") && !html.contains("<9>"));
    // From −3 to 4 µV: the middle of the second sample lies at 4.5 of 7, a third along.
    assert!(html.contains("<path class=\"line a\" d=\"M0.0 57.1L333.3 35.7L666.7 14.3\""), "{html}");
    assert_eq!(html.matches("<path class=\"area ").count(), 2);
    assert!(html.contains("<path class=\"marker\" d=\"M333.3 100.0L333.3 0.0\""));
    assert!(html.contains("No response to draw") && html.contains("<data value=\"-2.0\">"));
}
