//! A dashboard: the feedback server inside an axum application that the host has already, beside the host's own routes.
//!
//! The host keeps its listener, its runtime, its way of stopping and its middleware. NeuraFlow is two things in it: a
//! pipeline on threads of its own, and a router below `/brain/`, with the live page, the WebSockets and the metrics.
//!
//! Run it with `cargo run --release --example dashboard`, open <http://127.0.0.1:8080/>, end it with Ctrl-C. Another
//! address may be given: `-- 127.0.0.1:9000`.

#[path = "shared/program.rs"]
mod program;

use std::error::Error;
use std::process::ExitCode;

use axum::extract::State;
use axum::response::{Html, Redirect};
use axum::routing::get;
use axum::{Json, Router};
use neuraflow::prelude::*;
use neuraflow::sinks::feedback::{Body, Feedback, FeedbackConfig, Kind, Subscriber, Subscription};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

const ADDRESS: &str = "127.0.0.1:8080";
const ALPHA: &str = "alpha at O1";

#[tokio::main]
async fn main() -> ExitCode {
    program::end(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    // The neural part: a headset, a graph, and a session that shows what the graph computes.
    let feedback = Feedback::new(FeedbackConfig::default())?;
    let session = feedback.session("P01");
    let headset = Synthetic::new(8, SamplingRate::hz(250)?).seed(7).speed(Speed::RealTime);
    let filtered = Pipeline::from(headset)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .stage(CommonAverage::new)
        .window(Tumbling::millis(50));
    let pipeline = filtered
        .branch(|windows| windows.sink(session.signal("filtered", 8)))
        .feature(|| BandPower::bands([("alpha", 8.0..13.0), ("beta", 13.0..30.0)]).over_millis(1_000))
        .sink(session.features("band power"))
        .build()?;
    let subscriber =
        feedback.subscribe("P01", Subscription::all().kinds([Kind::Features]).channels(["O1"]))?;
    let running = pipeline.spawn(Workers::new(1))?;
    session.watch(running.watch());

    // The host's part. What it shows itself comes from a subscriber in this process, without a socket.
    let (newest, shown) = watch::channel(Value::Null);
    let reader = std::thread::spawn(move || follow(subscriber, &newest));
    let application = Router::new()
        .route("/", get(home))
        .route("/alpha", get(alpha))
        .with_state(shown)
        .route("/brain", get(|| async { Redirect::permanent("/brain/") }))
        .nest("/brain/", feedback.router());
    let address = std::env::args().nth(1).unwrap_or_else(|| ADDRESS.to_owned());
    let listener = TcpListener::bind(&address).await;
    let listener =
        listener.map_err(|error| format!("cannot listen on {address}: {error}; choose another address"))?;
    let address = listener.local_addr()?;
    println!("http://{address}/ is the host's page, http://{address}/brain/ the live page; Ctrl-C ends both");
    let interrupted = async { drop(tokio::signal::ctrl_c().await) };
    // Open WebSockets would hold a graceful shutdown up, so the host does not wait for them.
    tokio::select! {
        served = axum::serve(listener, application).into_future() => served?,
        () = interrupted => {}
    }

    running.stop();
    let report = running.join()?;
    session.ended();
    reader.join().map_err(|_| "the reader panicked")?;
    println!("{} windows; every sample accounted for: {}", report.windows().total(), report.balances());
    Ok(())
}

/// Keeps the newest value, until the session has ended.
fn follow(subscriber: Subscriber, newest: &watch::Sender<Value>) {
    for message in subscriber {
        if let Body::Features(table) = &message.body {
            let power = table.values.row(0).first();
            newest.send_replace(json!({ ALPHA: power, "unit": table.unit, "time_ns": table.window.time_ns }));
        }
    }
}

async fn home() -> Html<&'static str> {
    Html(
        "<!doctype html><meta charset=utf-8><title>Lab</title><h1>The host's own page</h1>\
         <p><a href=/alpha>the newest alpha power</a> and <a href=/brain/>the live page</a></p>",
    )
}

async fn alpha(State(shown): State<watch::Receiver<Value>>) -> Json<Value> {
    Json(shown.borrow().clone())
}
