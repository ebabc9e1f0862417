//! The report of real and of faulty runs: written through a pipeline, read back, and compared with what went in.
#![allow(clippy::print_stdout, reason = "tells where the page is, for people to look at")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use neuraflow::ops::feature::Spectrum;
use neuraflow::prelude::*;
use neuraflow::sinks::report::HtmlReport;
use neuraflow::testing::data::recording;

type Means = Arc<Mutex<BTreeMap<(String, String), (f64, u32)>>>;

/// Runs the graph of `live` with a report; the page, and the mean of every settled number computed beside it.
fn run(name: &str, source: impl Source, workers: usize) -> (String, Report, Means, Means) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let page = HtmlReport::create(&path).unwrap().titled("Test run");
    page.settings([("bandpass", "1-40 Hz"), ("seed", "7")]);
    page.command_line(["live", "--report", "a b.html"].map(str::to_owned));
    let (power, spectrum) = (Means::default(), Means::default());
    let keep = |means: &Means| {
        let means = Arc::clone(means);
        Callback::new(move |item: &Features| {
            let mut means = means.lock().unwrap();
            for (row, values) in item.rows().filter(|_| !item.info.warm_up) {
                for (column, value) in item.spec.columns.iter().zip(values).filter(|(_, v)| v.is_finite()) {
                    let mean = means.entry((row.to_owned(), column.clone())).or_default();
                    (mean.0, mean.1) = (mean.0 + value, mean.1 + 1);
                }
            }
        })
    };
    let bands = || {
        BandPower::bands([
            ("delta", 1.0..4.0),
            ("theta", 4.0..8.0),
            ("alpha", 8.0..13.0),
            ("beta", 13.0..30.0),
        ])
    };
    let hop = Tumbling::millis(50);
    let pipeline = Pipeline::from(source)
        .markers(page.markers())
        .branch(|raw| {
            let windows = raw.window(hop).branch(|w| w.feature(SignalQuality::new).sink(page.quality()));
            windows.feature(ArtifactFlags::new).sink(page.flags())
        })
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(hop)
        .branch(|windows| {
            let spectrum_of = || Spectrum::new().over_millis(2_000).segment_millis(1_000).up_to_hz(45.0);
            let features = windows.feature(spectrum_of).branch(|f| f.sink(keep(&spectrum)));
            features.sink(page.spectrum())
        })
        .feature(bands)
        .branch(|f| f.sink(keep(&power)))
        .sink(page.band_power())
        .build()
        .unwrap();
    let report = pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
    page.write(&report).unwrap();
    println!("report: {}", path.display());
    (fs::read_to_string(path).unwrap(), report, power, spectrum)
}

/// The numbers of the first table of a class: row name and the values of its `<data>`.
fn table(html: &str, class: &str) -> BTreeMap<String, Vec<f64>> {
    let begin = html.find(&format!("<table class=\"{class}\"")).unwrap_or_else(|| panic!("no table {class}"));
    let table = &html[begin..begin + html[begin..].find("</table>").unwrap()];
    let rows = table.split("<tr>").filter_map(|row| {
        let (_, rest) = row.split_once("<th scope=\"row\">")?;
        let (name, cells) = rest.split_once("</th>")?;
        let values = cells.split("<data value=\"").skip(1);
        Some((name.to_owned(), values.map(|v| v.split('"').next().unwrap().parse().unwrap()).collect()))
    });
    rows.collect()
}

/// Every number of a table equals the mean computed beside the report, to the bit.
fn same(table: &BTreeMap<String, Vec<f64>>, means: &Means, columns: &[String]) {
    let means = means.lock().unwrap();
    assert_eq!(table.len() * columns.len(), means.len());
    for (row, values) in table {
        for (column, value) in columns.iter().zip(values) {
            let (sum, count) = means[&(row.clone(), column.clone())];
            assert_eq!(*value, sum / f64::from(count), "{row} {column}");
        }
    }
}

#[test]
fn a_recording_is_on_the_page_as_it_was_measured() {
    let Some(path) = recording("edf/S001R04.edf") else { return };
    let (html, report, power, spectrum) = run("S001R04.html", Replay::open(&path).unwrap(), 1);
    let bands = ["delta", "theta", "alpha", "beta"].map(str::to_owned);
    let powers = table(&html, "power");
    assert_eq!(powers.len(), 64);
    same(&powers, &power, &bands);
    let frequencies: Vec<String> = (0..=45).map(|hz| format!("{hz} Hz")).collect();
    same(&table(&html, "spectrum"), &spectrum, &frequencies);
    // What the recording says of itself: 125 s at 160 Hz in 2,500 windows, 30 annotations, zeros at its end.
    let accounts = table(&html, "accounting");
    let row = accounts.values().next().unwrap();
    assert_eq!((row[0], row[1], row[2]), (64.0, 20_000.0, 20_000.0));
    assert_eq!(row[10..13], [2_500.0, 2_500.0, 0.0]);
    assert_eq!(table(&html, "flags")["flat"][0], 10.0);
    assert_eq!(table(&html, "flags")["amplitude"][0], 519.0);
    assert_eq!(
        table(&html, "markers").values().map(|count| count[0]).sum::<f64>(),
        report.streams[0].markers as f64
    );
    assert_eq!(table(&html, "quality").len(), 64);
    for setting in ["live --report &#39;a b.html&#39;", "1-40 Hz", "bandpass"] {
        assert!(html.contains(setting), "{setting}");
    }
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
}

#[test]
fn faults_show_and_workers_do_not() {
    let source = || {
        let faults = "gap,duplicate,dropout,nan".parse().unwrap();
        let rate = SamplingRate::hz(250).unwrap();
        Synthetic::new(8, rate).streams(3).seed(7).faults(faults).until(Span::secs(60))
    };
    let (html, report, ..) = run("faults.html", source(), 1);
    let windows = report.windows();
    assert!(windows.gap > 0);
    let rows = table(&html, "accounting");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows.values().map(|row| row[12]).sum::<f64>(), windows.gap as f64);
    assert_eq!(html.matches("class=\"cell gap\"").count(), 6, "a strip and its legend for each stream");
    // The same run gives the same page, but for the wall time in the section on latency.
    let timeless = |html: &str| {
        let (before, rest) = html.split_once("<section id=\"latency\">").unwrap();
        before.to_owned() + rest.split_once("</section>").unwrap().1
    };
    assert_eq!(timeless(&html), timeless(&run("faults-2.html", source(), 2).0));
}
