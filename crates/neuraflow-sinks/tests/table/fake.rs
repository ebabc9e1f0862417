//! A Bigtable server that answers as it is told: some entries fail, some are not answered, rows come in pieces.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bigtable_rs::google::bigtable::v2::mutate_rows_response::Entry;
use bigtable_rs::google::bigtable::v2::{
    MutateRowsRequest, MutateRowsResponse, ReadRowsRequest, ReadRowsResponse,
};
use futures_util::stream::{self, Stream};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;

/// What becomes of one entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Taken,
    Fails(Code),
    Unanswered,
}

type Judge = dyn FnMut(usize, &[u8]) -> Fate + Send;

#[derive(Default)]
struct Inside {
    judge: Option<Box<Judge>>,
    /// The keys of the entries of each call.
    calls: Vec<Vec<Vec<u8>>>,
    /// Messages of the reads to come, each ending as it says.
    reads: VecDeque<(Vec<ReadRowsResponse>, Option<Status>)>,
    asked: Vec<ReadRowsRequest>,
}

/// The server, until it is dropped.
pub struct Fake {
    pub address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Fake {
    /// `judge` is told the number of the call, from 0, and the key of each entry.
    pub fn start(judge: impl FnMut(usize, &[u8]) -> Fate + Send + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inside = Arc::new(Mutex::new(Inside { judge: Some(Box::new(judge)), ..Inside::default() }));
        let service = Answers(Arc::clone(&inside));
        let (listener, address) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            (listener, address)
        });
        let connections = stream::unfold(listener, |listener| async {
            let accepted = listener.accept().await.map(|(stream, _)| stream);
            Some((accepted, listener))
        });
        runtime
            .spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(connections));
        Self { address, inside, runtime: Some(runtime) }
    }

    /// The keys of the entries of each call so far.
    pub fn calls(&self) -> Vec<Vec<Vec<u8>>> {
        self.inside.lock().unwrap().calls.clone()
    }

    /// What the next read is answered.
    pub fn will_read(&self, messages: Vec<ReadRowsResponse>, end: Option<Status>) {
        self.inside.lock().unwrap().reads.push_back((messages, end));
    }

    pub fn asked(&self) -> Vec<ReadRowsRequest> {
        self.inside.lock().unwrap().asked.clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone)]
struct Answers(Arc<Mutex<Inside>>);

type Messages<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl NamedService for Answers {
    const NAME: &'static str = "google.bigtable.v2.Bigtable";
}

impl Service<http::Request<Body>> for Answers {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answers = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path().rsplit('/').next() {
                Some("MutateRows") => {
                    let codec = ProstCodec::<MutateRowsResponse, MutateRowsRequest>::default();
                    Grpc::new(codec).server_streaming(answers, request).await
                }
                Some("ReadRows") => {
                    let codec = ProstCodec::<ReadRowsResponse, ReadRowsRequest>::default();
                    Grpc::new(codec).server_streaming(answers, request).await
                }
                other => panic!("the fake does not know {other:?}"),
            })
        })
    }
}

impl ServerStreamingService<MutateRowsRequest> for Answers {
    type Response = MutateRowsResponse;
    type ResponseStream = Messages<MutateRowsResponse>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<MutateRowsRequest>) -> Self::Future {
        let mut inside = self.0.lock().unwrap();
        let number = inside.calls.len();
        let keys: Vec<Vec<u8>> =
            request.into_inner().entries.into_iter().map(|entry| entry.row_key).collect();
        let judge = inside.judge.as_mut().unwrap();
        let fates: Vec<Fate> = keys.iter().map(|key| judge(number, key)).collect();
        inside.calls.push(keys);
        let entries = fates.iter().enumerate().filter_map(|(index, fate)| {
            let mut entry = Entry { index: index as i64, status: Some(Default::default()) };
            let status = entry.status.as_mut()?;
            match fate {
                Fate::Taken => {}
                Fate::Fails(code) => (status.code, status.message) = (*code as i32, "as told".into()),
                Fate::Unanswered => return None,
            }
            Some(entry)
        });
        // In two messages, and not in order.
        let mut entries: Vec<Entry> = entries.collect();
        entries.reverse();
        let second = entries.split_off(entries.len() / 2);
        let message = |entries| Ok(MutateRowsResponse { entries, ..MutateRowsResponse::default() });
        let messages: Messages<_> = Box::pin(stream::iter([message(entries), message(second)]));
        Box::pin(async { Ok(Response::new(messages)) })
    }
}

impl ServerStreamingService<ReadRowsRequest> for Answers {
    type Response = ReadRowsResponse;
    type ResponseStream = Messages<ReadRowsResponse>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<ReadRowsRequest>) -> Self::Future {
        let mut inside = self.0.lock().unwrap();
        inside.asked.push(request.into_inner());
        let (messages, end) = inside.reads.pop_front().unwrap_or_default();
        let end = end.map(Err);
        let messages: Messages<_> = Box::pin(stream::iter(messages.into_iter().map(Ok).chain(end)));
        Box::pin(async { Ok(Response::new(messages)) })
    }
}
