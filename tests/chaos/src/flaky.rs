//! A Bigtable server that takes half of what it is asked to write: it hands the other entries on to a real one, and says of the
//! rest that they failed.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bigtable_rs::google::bigtable::v2::bigtable_client::BigtableClient;
use bigtable_rs::google::bigtable::v2::mutate_rows_response::Entry;
use bigtable_rs::google::bigtable::v2::{MutateRowsRequest, MutateRowsResponse};
use futures_util::stream::{self, Stream};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

/// The server, until it is dropped.
#[derive(Debug)]
pub struct Flaky {
    /// Where it listens.
    pub address: String,
    failing: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
}

impl Flaky {
    /// In front of the server at `upstream`. Nothing fails until told.
    pub fn start(upstream: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (failing, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let half = {
            let _inside = runtime.enter();
            let endpoint = Endpoint::from_shared(format!("http://{upstream}")).unwrap();
            let client = BigtableClient::new(endpoint.connect_lazy());
            Half { client, failing: Arc::clone(&failing), failed: Arc::clone(&failed) }
        };
        let connections = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        runtime.spawn(Server::builder().add_service(half).serve_with_incoming(connections));
        Self { address, failing, failed, _runtime: runtime }
    }

    /// Whether every other entry fails.
    pub fn failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// Entries that failed so far.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Half {
    client: BigtableClient<Channel>,
    failing: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

type Messages = std::pin::Pin<Box<dyn Stream<Item = Result<MutateRowsResponse, Status>> + Send>>;

impl Half {
    async fn mutate(mut self, mut request: MutateRowsRequest) -> Result<Response<Messages>, Status> {
        let failing = self.failing.load(Ordering::SeqCst);
        let entries = std::mem::take(&mut request.entries);
        let taken = |index: usize| !failing || index % 2 == 1;
        let numbers: Vec<usize> = (0..entries.len()).filter(|index| taken(*index)).collect();
        request.entries = entries
            .iter()
            .enumerate()
            .filter(|(index, _)| taken(*index))
            .map(|(_, entry)| entry.clone())
            .collect();
        let mut answered = Vec::new();
        if !request.entries.is_empty() {
            let mut messages = self.client.mutate_rows(request).await?.into_inner();
            while let Some(message) = messages.message().await? {
                let own = |mut entry: Entry| {
                    entry.index = numbers[usize::try_from(entry.index).unwrap_or_default()] as i64;
                    entry
                };
                answered.extend(message.entries.into_iter().map(own));
            }
        }
        for index in (0..entries.len()).filter(|index| !taken(*index)) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            let mut entry = Entry { index: index as i64, status: Some(Default::default()) };
            if let Some(status) = &mut entry.status {
                (status.code, status.message) = (Code::Unavailable as i32, "every other one fails".into());
            }
            answered.push(entry);
        }
        let message = MutateRowsResponse { entries: answered, ..MutateRowsResponse::default() };
        Ok(Response::new(Box::pin(stream::iter([Ok(message)]))))
    }
}

impl NamedService for Half {
    const NAME: &'static str = "google.bigtable.v2.Bigtable";
}

impl Service<http::Request<Body>> for Half {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let half = self.clone();
        Box::pin(async move {
            let writes = request.uri().path().ends_with("/MutateRows");
            assert!(writes, "a sink only writes: {}", request.uri());
            let codec = ProstCodec::<MutateRowsResponse, MutateRowsRequest>::default();
            Ok(Grpc::new(codec).server_streaming(half, request).await)
        })
    }
}

impl ServerStreamingService<MutateRowsRequest> for Half {
    type Response = MutateRowsResponse;
    type ResponseStream = Messages;
    type Future = BoxFuture<Response<Messages>, Status>;

    fn call(&mut self, request: Request<MutateRowsRequest>) -> Self::Future {
        Box::pin(self.clone().mutate(request.into_inner()))
    }
}
