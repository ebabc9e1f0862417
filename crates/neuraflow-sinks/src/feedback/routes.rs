//! The routes of docs/reference/feedback.md as an axum router.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tokio::sync::watch;

use super::client::{Client, Close, Joined};
use super::encode::Protocol;
use super::guard::refusal;
use super::hub::{Feedback, Hub};
use super::life::State as Life;
use super::message::StreamBody;
use super::metrics;
use super::server::Connection;
use super::subscription::Subscription;
use super::vitals;

/// What every route needs.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) hub: Arc<Hub>,
    /// Becomes true when the server stops.
    pub(super) stopping: watch::Receiver<bool>,
}

impl Feedback {
    /// The server's routes, for a host that has an axum application of its own; see the example `dashboard`.
    ///
    /// Nest it below a path that ends in a slash (`.nest("/brain/", feedback.router())`): the page's links are relative.
    /// Limits on connections and on the time for a request's head are then the host's; all others are kept.
    pub fn router(&self) -> Router {
        router(Site { hub: Arc::clone(&self.hub), stopping: watch::channel(false).1 })
    }
}

/// The type of the page's scripts.
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(super) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(|| page("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route("/style.css", get(|| page("text/css; charset=utf-8", include_str!("page/style.css"))))
        .route("/icon.svg", get(|| page("image/svg+xml", include_str!("page/icon.svg"))))
        .route("/app.js", get(|| page(SCRIPT, include_str!("page/app.js"))))
        .route("/socket.js", get(|| page(SCRIPT, include_str!("page/socket.js"))))
        .route("/signals.js", get(|| page(SCRIPT, include_str!("page/signals.js"))))
        .route("/headmap.js", get(|| page(SCRIPT, include_str!("page/headmap.js"))))
        .route("/panels.js", get(|| page(SCRIPT, include_str!("page/panels.js"))))
        .route("/sessions", get(sessions))
        .route("/health", get(health))
        .route("/metrics", get(scrape))
        .route("/neural-stream/{session}", get(stream))
        .layer(middleware::from_fn_with_state(site.clone(), guard))
        .with_state(site)
}

async fn guard(State(site): State<Site>, request: Request, next: Next) -> Response {
    if let Some(why) = why_not(&site, &request) {
        site.hub.counters.refused();
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; connect-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}

fn why_not(site: &Site, request: &Request) -> Option<String> {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    // A request in absolute form says in its target which host it is for.
    let target = request.uri().authority().map(|authority| authority.as_str());
    let local = request.extensions().get::<Connection>().and_then(|connection| connection.local);
    let host = target.or_else(|| text(header::HOST));
    refusal(host, text(header::ORIGIN), &site.hub.config.hosts, local)
}

async fn page(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

#[derive(Serialize)]
struct SessionEntry {
    session: String,
    state: Life,
    streams: Vec<StreamBody>,
    seq: u64,
    clients: usize,
}

async fn sessions(State(site): State<Site>) -> Response {
    let entry = |channel: Arc<super::channel::Channel>| {
        let core = channel.lock();
        SessionEntry {
            session: channel.name.clone(),
            state: core.life.state(),
            streams: core.stream_bodies(),
            seq: core.ring.latest(),
            clients: channel.clients(),
        }
    };
    json(StatusCode::OK, &site.hub.channels().into_iter().map(entry).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct Health {
    healthy: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    why: Vec<String>,
}

async fn health(State(site): State<Site>) -> Response {
    let ill = |channel: &Arc<super::channel::Channel>| {
        let core = channel.lock();
        let (state, watch) = (core.life.state(), core.watch.clone());
        let why = core.life.why().unwrap_or("no reason given").to_owned();
        drop(core);
        // Of a session that is over the host has had the last word.
        let watch = watch.filter(|_| !state.is_final());
        let trouble = watch.and_then(|watch| vitals::trouble(&watch.health()));
        let ill = matches!(state, Life::Stale | Life::Failed);
        let why = trouble.or_else(|| ill.then(|| format!("is {}: {why}", state.name())));
        why.map(|why| format!("session {} {why}", channel.name))
    };
    let why: Vec<_> = site.hub.channels().iter().filter_map(ill).collect();
    let status = if why.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Health { healthy: why.is_empty(), why })
}

async fn scrape(State(site): State<Site>) -> Response {
    match metrics::text(&site.hub) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            (status, [(header::CONTENT_TYPE, "application/json")], Body::from(bytes)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn stream(
    State(site): State<Site>,
    Path(session): Path<String>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    connection: Option<Extension<Connection>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let Some(place) = Place::take(&site.hub) else {
        site.hub.counters.refused();
        let why = format!("too many clients: at most {}", site.hub.config.max_clients);
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let limit = site.hub.config.max_incoming;
    let upgrade = upgrade
        .protocols(Protocol::ALL.map(Protocol::name))
        .max_message_size(limit)
        .max_frame_size(limit)
        .write_buffer_size(0)
        .read_buffer_size(limit.min(4_096));
    let protocol = match upgrade.selected_protocol() {
        Some(name) if name == Protocol::MessagePack.name() => Protocol::MessagePack,
        _ => Protocol::Json,
    };
    // What is wrong with the request is told in the close frame: a page cannot read the status of a refused upgrade.
    let joined = match (site.hub.channel(&session), query) {
        (None, _) => Err(Close::unknown(&session)),
        (_, Err(rejection)) => Err(Close::policy(&rejection.to_string())),
        (Some(channel), Ok(Query(query))) => match Subscription::from_query(&query) {
            Ok(asked) => Ok(Joined::new(channel, asked, protocol)),
            Err(error) => Err(Close::policy(&error.to_string())),
        },
    };
    upgrade.on_upgrade(async move |socket| {
        Client::new(socket, protocol, site, place).run(joined).await;
        // The connection has a place of its own for as long as it is used.
        drop(connection);
    })
}

/// A client's place among those that are allowed at a time.
pub(super) struct Place(Arc<Hub>);

impl Place {
    fn take(hub: &Arc<Hub>) -> Option<Self> {
        let max = hub.config.max_clients;
        let more = |clients: usize| (clients < max).then_some(clients + 1);
        hub.clients.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Self(Arc::clone(hub)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::SeqCst);
    }
}
