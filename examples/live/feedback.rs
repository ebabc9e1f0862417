//! The live page of `live`: a session that the graph feeds, and the server that shows it.

use std::error::Error;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use neuraflow::dataflow::Running;
use neuraflow::operator::Latency;
use neuraflow::sinks::feedback::{Feedback, FeedbackConfig, FeedbackError, Server, Session};

use super::options::Options;
use super::shared::complain;

/// Where the page is unless told otherwise.
pub const DEFAULT: &str = "127.0.0.1:8787";

/// A session without a server yet: the server starts once everything else has been accepted.
pub fn session(options: &Options) -> Result<Option<(Feedback, Session)>, Box<dyn Error>> {
    if options.listen == "off" {
        return Ok(None);
    }
    let feedback = Feedback::new(FeedbackConfig::default())?;
    let stem = options.recording.as_ref().and_then(|file| file.file_stem());
    let name = stem.map_or(format!("synthetic-{}", options.seed), |stem| stem.to_string_lossy().into_owned());
    let session = feedback.session(name);
    Ok(Some((feedback, session)))
}

/// Serves the page. An address that was `asked` for must be free. Where nothing was asked for and the default is taken, by another
/// run say, it is any that is free; and where there can be none, this run goes on without a page.
pub fn serve(feedback: &Feedback, options: &Options, asked: bool) -> Result<Option<Server>, Box<dyn Error>> {
    let expected = || {
        let found = &options.listen;
        format!("--listen: expected an IP address and a port, such as {DEFAULT}, or off, found {found}")
    };
    let address: SocketAddr = options.listen.parse().map_err(|_| expected())?;
    let served = match feedback.serve(address) {
        Err(FeedbackError::Listen { source, .. }) if !asked && source.kind() == ErrorKind::AddrInUse => {
            complain(format!("{address} is taken by another program, so the page is elsewhere"));
            feedback.serve(SocketAddr::new(address.ip(), 0))
        }
        served => served,
    };
    match served {
        Ok(server) => {
            complain(format!("the live page is at {}", place(server.local_addr())));
            Ok(Some(server))
        }
        Err(error) if !asked => {
            complain(format!("no live page: {error}"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where a browser finds it: "every address of this machine" is none that can be asked for.
fn place(mut address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return format!("http://{address}/");
    }
    address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    format!("http://{address}/, for other machines at any address of this one, port {}", address.port())
}

/// Tells the session how the pipeline stands.
pub fn follow(session: &Session, running: &Running, contract: Latency) {
    session.watch(running.watch());
    session.group_delay(contract.group_delay);
}
