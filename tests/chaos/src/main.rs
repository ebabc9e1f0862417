//! A process for the storm; it is told what to do in its environment and its arguments.

use neuraflow_chaos::{process, settings::Settings};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => process::run(&Settings::told(), false),
        ["bounded"] => process::run(&Settings::told(), true),
        ["ingest", count, seconds] => {
            process::ingest(&Settings::told(), count.parse().unwrap(), seconds.parse().unwrap())
        }
        _ => panic!("expected nothing, `bounded` or `ingest COUNT SECONDS`, found {arguments:?}"),
    }
}
