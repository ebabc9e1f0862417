//! A process for the storm; it is told what to do in its environment.

use neuraflow_chaos::{process, settings::Settings};

fn main() {
    process::run(&Settings::told(), std::env::args().nth(1).as_deref() == Some("bounded"));
}
