//! What a client asks for: kinds, channels, a rate.

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::error::FeedbackError;
use super::message::Kind;

/// The part of a session's messages that a client wants. By default all of them.
///
/// ```
/// use neuraflow_sinks::feedback::{Kind, Subscription};
/// let decisions = Subscription::all().kinds([Kind::Decision]).rate(10.0);
/// assert!(decisions.wants(Kind::Decision) && !decisions.wants(Kind::Signal));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    #[serde(default, deserialize_with = "kinds")]
    kinds: Option<Vec<Kind>>,
    #[serde(default, deserialize_with = "names")]
    channels: Option<Vec<String>>,
    #[serde(default)]
    rate: Option<f64>,
    #[serde(default)]
    last_seq: Option<u64>,
}

/// What a client may send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    subscribe: Subscription,
}

impl Subscription {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only these kinds.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.kinds = Some(kinds.into_iter().collect());
        self
    }

    /// Only rows of these channels; a table or signal without any is left out.
    #[must_use]
    pub fn channels<S: Into<String>>(mut self, channels: impl IntoIterator<Item = S>) -> Self {
        self.channels = Some(channels.into_iter().map(Into::into).collect());
        self
    }

    /// At most so many messages a second of each kind, name and stream; the newest is sent.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The last number seen before a reconnect.
    #[must_use]
    pub fn last_seq(mut self, seq: u64) -> Self {
        self.last_seq = Some(seq);
        self
    }

    /// Whether messages of a kind are wanted.
    pub fn wants(&self, kind: Kind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    pub(super) fn wanted_channels(&self) -> Option<&[String]> {
        self.channels.as_deref()
    }

    pub(super) fn seen(&self) -> Option<u64> {
        self.last_seq
    }

    /// Nanoseconds between two messages of one kind, name and stream.
    pub(super) fn interval(&self) -> Option<u64> {
        // Saturates: one message in 500 years is as good as none.
        self.rate.map(|rate| (1e9 / rate) as u64)
    }

    pub(super) fn checked(self) -> Result<Self, FeedbackError> {
        match self.rate {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => Err(FeedbackError::Subscription {
                what: "rate",
                expected: "messages a second, more than 0".into(),
                found: rate.to_string(),
            }),
            _ => Ok(self),
        }
    }

    /// Reads the query of a request.
    pub(super) fn from_query(query: &[(String, String)]) -> Result<Self, FeedbackError> {
        let wrong = |what, expected: &str, found: &str| FeedbackError::Subscription {
            what,
            expected: expected.into(),
            found: shown(found),
        };
        let mut asked = Self::default();
        for (field, value) in query {
            match field.as_str() {
                "kinds" => {
                    let all = listed(value).map(|name| kind(name).ok_or_else(|| unknown_kind(name)));
                    asked.kinds = Some(all.collect::<Result<_, _>>()?);
                }
                "channels" => asked.channels = Some(listed(value).map(str::to_owned).collect()),
                "rate" => {
                    let rate = value.parse().map_err(|_| wrong("rate", "messages a second", value))?;
                    asked.rate = Some(rate);
                }
                "last_seq" => {
                    let seq = value.parse().map_err(|_| wrong("last_seq", "a whole number", value))?;
                    asked.last_seq = Some(seq);
                }
                other => return Err(wrong("query", "kinds, channels, rate or last_seq", other)),
            }
        }
        asked.checked()
    }

    /// Reads what a client sent.
    pub(super) fn from_message(text: &str) -> Result<Self, FeedbackError> {
        let request: Request = serde_json::from_str(text).map_err(|error| FeedbackError::Subscription {
            what: "message",
            expected: "{\"subscribe\": {..}}".into(),
            found: shown(&error.to_string()),
        })?;
        request.subscribe.checked()
    }
}

/// A stranger's text, short enough for a reason.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty())
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn unknown_kind(name: &str) -> FeedbackError {
    let expected = Kind::ALL.map(Kind::name).join(", ");
    FeedbackError::Subscription { what: "kinds", expected, found: shown(name) }
}

fn kinds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Kind>>, D::Error> {
    let Some(names) = names(deserializer)? else { return Ok(None) };
    let all = names.iter().map(|name| kind(name).ok_or_else(|| de::Error::custom(unknown_kind(name))));
    all.collect::<Result<_, _>>().map(Some)
}

/// An array of strings, or one string with commas, as in the query.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Option<Vec<String>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array of names, or names with commas between them")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_str<E>(self, list: &str) -> Result<Self::Value, E> {
            Ok(Some(listed(list).map(str::to_owned).collect()))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = seq.next_element()? {
                names.push(name);
            }
            Ok(Some(names))
        }
    }
    deserializer.deserialize_any(Names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Subscription, FeedbackError> {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Subscription::from_query(&pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn query_and_message_say_the_same() {
        let asked =
            Subscription::all().kinds([Kind::Features, Kind::Status]).channels(["C3", "Cz"]).rate(5.0);
        let asked = asked.last_seq(12);
        assert_eq!(query("kinds=features,status&channels=C3,Cz&rate=5&last_seq=12").unwrap(), asked);
        for text in [
            r#"{"subscribe": {"kinds": ["features", "status"], "channels": ["C3", "Cz"], "rate": 5, "last_seq": 12}}"#,
            r#"{"subscribe": {"kinds": "features, status", "channels": "C3,Cz", "rate": 5.0, "last_seq": 12}}"#,
        ] {
            assert_eq!(Subscription::from_message(text).unwrap(), asked);
        }
        let all = Subscription::from_message(r#"{"subscribe": {"kinds": null}}"#).unwrap();
        assert_eq!((all, query("").unwrap()), (Subscription::all(), Subscription::all()));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_what_would_be() {
        for (text, says) in [
            ("kinds=features,eeg", "kinds: expected signal, features"),
            ("rate=0", "rate: expected messages a second, more than 0, found 0"),
            ("rate=NaN", "found NaN"),
            ("last_seq=-1", "last_seq: expected a whole number, found -1"),
            ("speed=5", "query: expected kinds, channels, rate or last_seq, found speed"),
        ] {
            let error = query(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        for text in
            ["", "hello", "{}", r#"{"subscribe": {"kind": "status"}}"#, r#"{"subscribe": {"rate": -1}}"#]
        {
            assert!(Subscription::from_message(text).is_err(), "{text}");
        }
    }
}
