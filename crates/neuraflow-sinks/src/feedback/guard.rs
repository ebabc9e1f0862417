//! Who is let in: requests for our own names, from pages of our own names. Otherwise any web page that a browser on this
//! machine visits could read the stream (DNS rebinding, and WebSockets know no same-origin policy).

use std::net::IpAddr;

/// Why a request is refused, for people.
pub(super) fn refusal(
    host: Option<&str>,
    origin: Option<&str>,
    hosts: &[String],
    local: Option<IpAddr>,
) -> Option<String> {
    let known = |name: &str| {
        hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
            || local.is_some_and(|local| address(name) == Some(local.to_canonical()))
    };
    match host.map(name_of) {
        Some(name) if known(name) => {}
        found => {
            let found = found.unwrap_or("none");
            return Some(format!(
                "Host: expected one of {}, found {found}; allow it with FeedbackConfig::allow",
                hosts.join(", ")
            ));
        }
    }
    let origin = origin?;
    let name = origin.split_once("://").map(|(_, authority)| name_of(authority));
    match name {
        Some(name) if known(name) => None,
        _ => Some(format!(
            "Origin: expected one of {}, found {origin}; allow it with FeedbackConfig::allow",
            hosts.join(", ")
        )),
    }
}

/// The name in `name:port`.
fn name_of(authority: &str) -> &str {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']').map_or(authority.len(), |end| end + 2),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}

fn address(name: &str) -> Option<IpAddr> {
    name.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_let_in() {
        let hosts = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let lan: IpAddr = "192.168.1.5".parse().unwrap();
        let allowed = |host, origin, local| refusal(host, origin, &hosts, local).is_none();
        for (host, origin) in [
            ("localhost:8787", None),
            ("LOCALHOST", None),
            ("[::1]:8787", Some("http://[::1]:8787")),
            ("127.0.0.1:8787", Some("http://localhost:3000")),
        ] {
            assert!(allowed(Some(host), origin, None), "{host} {origin:?}");
        }
        for (host, origin) in [
            (None, None),
            (Some(""), None),
            (Some("evil.example:8787"), None),
            (Some("localhost.evil.example"), None),
            (Some("192.168.1.5:8787"), None),
            (Some("localhost"), Some("https://evil.example")),
            (Some("localhost"), Some("null")),
            (Some("localhost"), Some("http://evil.example:80/localhost")),
            (Some("[::1"), None),
            (Some("[]"), None),
        ] {
            assert!(!allowed(host, origin, None), "{host:?} {origin:?}");
        }
        // Somebody who came to this very address asked for it; a page of another name did not.
        assert!(allowed(Some("192.168.1.5:8787"), Some("http://192.168.1.5:8787"), Some(lan)));
        assert!(!allowed(Some("rebound.example:8787"), None, Some(lan)));
    }
}
