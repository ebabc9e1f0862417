//! The links: what processes tell each other while they run.
//!
//! | what | why |
//! |---|---|
//! | signs of life, with the time | one that is stopped is noticed, and arrival times mean the same everywhere |
//! | credits, holds | flow control goes beyond a process: what others have not worked off, or their sinks hold back, counts too |
//! | stop, failure | one that stops or fails takes the others along |
//! | checkpoints | what becomes of them, from process 0; their parts, to process 0 |
//! | good-bye | an end is told from a loss |
//!
//! Each link has a thread that writes and one that reads. No worker waits for either.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::select;
use serde::{Deserialize, Serialize};

use super::super::cut::Part;
use super::super::error::PipelineError;
use super::super::shared::Shared;
use super::error::ClusterError;
use super::line::await_explanation;
use super::peers::{Order, Orders, Peers};
use super::pieces::{Gathered, Piece};
use super::wire;

/// How long a write may take before the other end counts as lost.
pub(super) const WRITE: Duration = Duration::from_secs(5);

/// What one process tells another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// A sign of life, at this time of the sender's clock.
    Ping {
        sent: u64,
    },
    /// The answer, and the time at which it was given.
    Pong {
        sent: u64,
        at: u64,
    },
    /// Of what the receiver has sent, so much has been worked off.
    Credit {
        weight: u64,
    },
    /// Whether sinks here hold back so much that no more may come.
    Hold {
        holds: bool,
    },
    /// All here know of the cut with this number.
    Known {
        number: u64,
    },
    /// Of what becomes of a checkpoint, or of one of its parts.
    Piece(Piece),
    Stop,
    Failed {
        reason: String,
    },
    /// All workers here are done.
    Bye,
}

/// The threads of a run's links.
pub(in super::super) struct Links {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Links {
    /// Starts them, one link for each control connection, and waits until each has heard something.
    pub(super) fn start(
        shared: &Arc<Shared>,
        ends: Vec<(usize, TcpStream, Orders)>,
    ) -> Result<Self, PipelineError> {
        let mut links = Self { shared: Arc::clone(shared), threads: Vec::new() };
        let Some(peers) = &shared.peers else { return Ok(links) };
        for (process, control, orders) in ends {
            let lost = |error| PipelineError::Cluster(peers.lost(process, error));
            let heard = control.try_clone().map_err(lost)?;
            heard.set_read_timeout(Some(peers.patience)).map_err(lost)?;
            control.set_write_timeout(Some(WRITE)).map_err(lost)?;
            control.set_nodelay(true).map_err(lost)?;
            let link = Link { shared: Arc::clone(shared), process };
            links.thread(format!("link to {process}"), move || link.write(&control, &orders))?;
            let link = Link { shared: Arc::clone(shared), process };
            links.thread(format!("link from {process}"), move || link.read(heard))?;
        }
        let deadline = Instant::now() + peers.patience;
        while !peers.know_clocks() && !shared.aborted() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(links)
    }

    fn thread(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), PipelineError> {
        let thread = std::thread::Builder::new().name(name).spawn(run);
        let thread =
            thread.map_err(|error| PipelineError::Spawn { workers: 1, reason: error.to_string() })?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Links {
    /// Waits until the others have said good-bye too, so that nothing said to them is lost; for those that do not, not for long.
    fn drop(&mut self) {
        let Some(peers) = &self.shared.peers else { return };
        peers.fail("it was given up before it had started"); // unless it has parted, which is the rule
        let deadline = Instant::now() + peers.patience;
        while peers.hearing.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        peers.all().for_each(|process| peers.cut_control(process));
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // it has nothing to say
        }
    }
}

/// One thread's end of a link.
struct Link {
    shared: Arc<Shared>,
    process: usize,
}

impl Link {
    fn peers(&self) -> Option<&Peers> {
        self.shared.peers.as_deref()
    }

    fn lose(&self, how: impl ToString) {
        if let Some(peers) = self.peers().filter(|peers| !peers.has_parted()) {
            self.shared.fail(PipelineError::Cluster(peers.lost(self.process, how)));
        }
    }

    fn write(&self, mut control: &TcpStream, from: &Orders) {
        let Some(patience) = self.peers().map(|peers| peers.patience) else { return };
        let beat = (patience / 5).min(Duration::from_secs(1));
        let (mut held, mut due) = (false, Instant::now());
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let (mut first, mut piece) = (None, None);
            select! {
                recv(from.orders) -> order => match order {
                    Ok(order) => first = Some(order),
                    Err(_) => return,
                },
                recv(from.pieces) -> cut => piece = cut.ok(),
                default(due.saturating_duration_since(Instant::now())) => {}
            }
            let (mut credit, mut last) = (0, None);
            let mut say = |message: &Message| {
                // Only a reason can be too long, and is not.
                let _ = wire::put(message, &mut bytes);
            };
            for order in first.into_iter().chain(from.orders.try_iter()) {
                match order {
                    Order::Say(message) => say(&message),
                    Order::Credit(weight) => credit += weight as u64,
                    Order::Look => {}
                    Order::Last(message) => last = Some(message),
                }
            }
            if credit > 0 {
                say(&Message::Credit { weight: credit });
            }
            let holds = self.shared.pressure.holds();
            if std::mem::replace(&mut held, holds) != holds {
                say(&Message::Hold { holds });
            }
            if Instant::now() >= due {
                say(&Message::Ping { sent: self.shared.clock.now() });
                due = Instant::now() + beat;
            }
            // One at a time, and after all else: credits and signs of life do not wait for what is long.
            let piece = piece.or_else(|| from.pieces.try_recv().ok());
            piece.map(Message::Piece).iter().for_each(&mut say);
            last.iter().for_each(say);
            let written = control.write_all(&bytes);
            match last {
                Some(Message::Failed { .. }) => {
                    self.peers().into_iter().for_each(|peers| {
                        peers.cut_data(self.process);
                        peers.cut_control(self.process);
                    });
                    return;
                }
                Some(_) => return,
                None => {}
            }
            if let Err(error) = written {
                await_explanation(&self.shared); // it may lie in what is still to be read
                self.lose(error); // which brings the last order
            }
        }
    }

    fn read(&self, control: TcpStream) {
        let mut control = std::io::BufReader::new(control);
        let (mut over, mut gathered) = (false, Gathered::default());
        while !over {
            match wire::receive(&mut control).and_then(|message| self.take(message, &mut gathered)) {
                Ok(nothing_follows) => over = nothing_follows,
                Err(error) => {
                    match error.kind() {
                        ErrorKind::UnexpectedEof => self.lose("it closed the connection"),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut => self.lose("it gave no sign of life"),
                        _ => self.lose(error),
                    }
                    over = true;
                }
            }
        }
        self.peers().into_iter().for_each(|peers| {
            peers.hearing.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Whether nothing follows.
    fn take(&self, message: Message, gathered: &mut Gathered) -> io::Result<bool> {
        let Some(peers) = self.peers() else { return Ok(true) };
        let (shared, process) = (&self.shared, self.process);
        match message {
            Message::Ping { sent } => peers.say(process, Message::Pong { sent, at: shared.clock.now() }),
            Message::Pong { sent, at } => peers.learn(process, sent, at, shared.clock.now()),
            Message::Credit { weight } => shared.pressure.leave(weight as usize),
            Message::Hold { holds: true } => shared.pressure.hold_elsewhere(),
            Message::Hold { holds: false } => shared.pressure.release_elsewhere(),
            Message::Known { number } => shared.tell(|| Part::Known { number, process }),
            Message::Piece(piece) if peers.keeps_checkpoints() => {
                gathered.add(&piece)?.into_iter().for_each(|part| shared.tell(|| part));
            }
            Message::Piece(piece) => gathered.add(&piece)?.into_iter().for_each(|news| shared.hear(news)),
            Message::Stop => shared.request_stop(),
            Message::Failed { reason } => {
                shared.fail(PipelineError::Cluster(ClusterError::Failed { process, reason }));
                return Ok(true);
            }
            Message::Bye => return Ok(true),
        }
        Ok(false)
    }
}
