//! The server: a thread with an event loop of its own, and an accept loop that keeps limits that frameworks do not.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::error::FeedbackError;
use super::hub::{Feedback, Hub};
use super::pulse::NEVER;
use super::routes::{Site, router};

/// Bytes that the system may hold for a client that reads slowly: what it holds nobody can take back or replace.
const SEND_BUFFER: u32 = 64 * 1024;
/// How long a connection may ask for pages and numbers before it has to connect anew.
const CONNECTION: Duration = Duration::from_secs(60);
/// How long clients may take to part when the server stops.
const PARTING: Duration = Duration::from_secs(1);

/// A connection as the routes see it.
#[derive(Clone)]
pub(super) struct Connection {
    /// The address of this machine that the client connected to.
    pub(super) local: Option<IpAddr>,
    /// Its place among those that are allowed at a time; kept by whoever still uses the connection.
    pub(super) _permit: Arc<OwnedSemaphorePermit>,
}

/// A running server. Dropping it stops it.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Feedback {
    /// Serves the live page, the WebSockets and the numbers at `address`, on a thread of its own. Port 0 takes any free one.
    pub fn serve(&self, address: SocketAddr) -> Result<Server, FeedbackError> {
        let start = |source| FeedbackError::Start { what: "the server's event loop", source };
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(start)?;
        let listener = {
            let _inside = runtime.enter();
            listen(address).map_err(|source| FeedbackError::Listen { address, source })?
        };
        let address = listener.local_addr().map_err(|source| FeedbackError::Listen { address, source })?;
        let (stop, stopping) = watch::channel(false);
        let site = Site { hub: Arc::clone(&self.hub), stopping };
        let thread = std::thread::Builder::new()
            .name("feedback server".into())
            .spawn(move || run(&runtime, listener, site))
            .map_err(|source| FeedbackError::Start { what: "the server's thread", source })?;
        Ok(Server { address, stop, thread: Some(thread) })
    }
}

impl Server {
    /// The address it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Tells every client that it stops, and waits for them to part, a second at most.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It has no panic of ours to tell about.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish()
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(128)
}

fn run(runtime: &Runtime, listener: TcpListener, site: Site) {
    runtime.block_on(async {
        let most = site.hub.config.max_connections.min(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(most));
        accept(listener, &site, &places).await;
        let all = u32::try_from(most).unwrap_or(u32::MAX);
        let _ = timeout(PARTING, places.acquire_many(all)).await;
    });
}

async fn accept(listener: TcpListener, site: &Site, places: &Arc<Semaphore>) {
    let routes = router(site.clone());
    let mut stopping = site.stopping.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, _)) => match Arc::clone(places).try_acquire_owned() {
                Ok(permit) => {
                    let local = stream.local_addr().ok().map(|address| address.ip());
                    let connection = Connection { local, _permit: Arc::new(permit) };
                    tokio::spawn(serve(stream, connection, routes.clone(), Arc::clone(&site.hub)));
                }
                Err(_) => refuse(stream, &site.hub),
            },
            // Usually too many open files: others will be closed.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Too many connections: says so as far as the socket takes it at once.
fn refuse(stream: TcpStream, hub: &Hub) {
    hub.counters.refused();
    let answer = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(answer);
    }
}

/// One connection, until it is closed or becomes a WebSocket.
async fn serve(stream: TcpStream, connection: Connection, routes: Router, hub: Arc<Hub>) {
    // Messages are small and due now.
    let _ = stream.set_nodelay(true);
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        routes.call(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hub.config.handshake.min(NEVER))
        .max_buf_size(hub.config.max_incoming.max(8_192))
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A client that breaks HTTP has been answered by hyper; there is nobody else to tell.
    let _ = timeout(CONNECTION, serving).await;
}
