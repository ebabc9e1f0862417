//! Toxiproxy, through its HTTP API: cuts, delays and stalls what goes through it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// A proxy between a process and a server.
#[derive(Debug)]
pub struct Proxy {
    api: String,
    /// Where it listens.
    pub address: String,
}

const NAME: &str = "table";

impl Proxy {
    /// Lets Toxiproxy listen on `address`, in front of `upstream`.
    pub fn new(api: String, address: String, upstream: &str) -> Self {
        let proxy = Self { api, address };
        let wanted = json!({ "name": NAME, "listen": proxy.address, "upstream": upstream, "enabled": true });
        proxy.ask("POST", "/proxies", Some(&wanted));
        proxy
    }

    /// Cuts all connections, and refuses new ones; or takes them again.
    pub fn enabled(&self, enabled: bool) {
        self.ask("POST", &format!("/proxies/{NAME}"), Some(&json!({ "enabled": enabled })));
    }

    /// Does something to all that passes, until [`clear`](Self::clear).
    pub fn toxic(&self, kind: &str, attributes: &Value) {
        for stream in ["upstream", "downstream"] {
            let name = format!("{kind}-{stream}");
            let toxic = json!({ "name": name, "type": kind, "stream": stream, "attributes": attributes });
            self.ask("POST", &format!("/proxies/{NAME}/toxics"), Some(&toxic));
        }
    }

    /// Takes all toxics away, and lets connections through again. Those that there are are cut then: a toxic may have swallowed a part
    /// of them. Not before: Toxiproxy waits for ever to take a delay away from a connection that is cut.
    pub fn clear(&self) {
        self.ask("POST", "/reset", None);
        self.enabled(false);
        self.enabled(true);
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) {
        let body = body.map_or_else(String::new, Value::to_string);
        let mut stream = TcpStream::connect(&self.api).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.api,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path} {body}: {answer}");
    }
}
