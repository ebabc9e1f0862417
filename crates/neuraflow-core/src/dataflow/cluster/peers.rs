//! The other processes, as the parts of a run see them: whom to credit, what time it is there, how to take them along.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde::Serialize;

use super::Cluster;
use super::error::ClusterError;
use super::links::Message;
use super::meet::Pair;
use super::pieces::{self, Piece};
use crate::ingest::Slab;

/// What the writer of a link is told.
#[derive(Debug)]
pub(super) enum Order {
    Say(Message),
    Credit(usize),
    /// What sinks hold back may have changed.
    Look,
    /// The same as `Say`, and nothing after it.
    Last(Message),
}

/// What the writer of a link gets its orders from.
pub(super) struct Orders {
    pub(super) orders: Receiver<Order>,
    /// Of what can be long. Whoever sends it waits, and all else goes before it.
    pub(super) pieces: Receiver<Piece>,
}

/// How the clock of another process goes.
#[derive(Debug, Default)]
struct Offset {
    /// What it shows, less what ours does.
    nanos: i64,
    /// How long question and answer took, and when that was. Unknown at first.
    trip: Option<(u64, u64)>,
}

impl Offset {
    /// The other clock showed `at` between `sent` and `now` of ours. What took long tells little; but clocks drift, and so
    /// it is trusted all the same after a while.
    fn learn(&mut self, sent: u64, at: u64, now: u64) {
        let trip = now.saturating_sub(sent);
        let aged = |(trip, then): (u64, u64)| trip.saturating_add(now.saturating_sub(then) / 1_000);
        if self.trip.map(aged).is_none_or(|trusted| trip <= trusted) {
            self.nanos = at.wrapping_sub(sent.saturating_add(trip / 2)).cast_signed();
            self.trip = Some((trip, now));
        }
    }

    fn here(&self, there: u64) -> u64 {
        there.saturating_add_signed(self.nanos.saturating_neg())
    }

    fn there(&self, here: u64) -> u64 {
        here.saturating_add_signed(self.nanos)
    }
}

#[derive(Debug)]
struct Peer {
    address: String,
    orders: Sender<Order>,
    pieces: Sender<Piece>,
    offset: Mutex<Offset>,
    /// Both connections, to be cut when the cluster has failed.
    control: TcpStream,
    data: TcpStream,
}

/// The other processes.
#[derive(Debug)]
pub(in super::super) struct Peers {
    process: usize,
    /// Workers of each process.
    workers: usize,
    pub(super) patience: Duration,
    /// In their order; there is none for this process.
    peers: Vec<Option<Peer>>,
    /// Whether the last word has been said.
    parted: AtomicBool,
    stopped: AtomicBool,
    /// Links that still hear something.
    pub(super) hearing: AtomicUsize,
}

impl Peers {
    /// The processes that have been met, and what the writers of their links get their orders from.
    pub(super) fn new(cluster: &Cluster, met: &[Option<Pair>]) -> io::Result<(Self, Vec<Orders>)> {
        let (mut inboxes, mut peers) = (Vec::new(), Vec::new());
        for (process, pair) in met.iter().enumerate() {
            let ((orders, ordered), (pieces, cut)) = (unbounded(), bounded(1));
            inboxes.push(Orders { orders: ordered, pieces: cut });
            let peer = pair.as_ref().map(|pair| -> io::Result<Peer> {
                let (address, offset) = (cluster.addresses[process].clone(), Mutex::default());
                let (control, data) = (pair.control.try_clone()?, pair.data.try_clone()?);
                Ok(Peer { address, orders, pieces, offset, control, data })
            });
            peers.push(peer.transpose()?);
        }
        let hearing = AtomicUsize::new(peers.iter().flatten().count());
        let (process, workers, patience) = (cluster.process, cluster.workers.count(), cluster.patience);
        let (parted, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok((Self { process, workers, patience, peers, parted, stopped, hearing }, inboxes))
    }

    fn order(&self, process: usize, order: Order) {
        if let Some(Some(peer)) = self.peers.get(process) {
            let _ = peer.orders.send(order); // a link that is over takes none
        }
    }

    fn order_all(&self, order: impl Fn() -> Order) {
        (0..self.peers.len()).for_each(|process| self.order(process, order()));
    }

    pub(in super::super) fn all(&self) -> impl Iterator<Item = usize> {
        self.peers.iter().enumerate().filter_map(|(process, peer)| peer.as_ref().map(|_| process))
    }

    /// The process that a slab has come from, if it is another one. Its readers' numbers tell.
    pub(in super::super) fn origin(&self, slab: &Slab) -> Option<usize> {
        let reader = slab.entries.first()?.stream.reader as usize;
        let process = reader % (self.workers * self.peers.len()) / self.workers;
        (process != self.process).then_some(process)
    }

    /// What has come from another process has arrived by that one's clock.
    pub(in super::super) fn translate(&self, process: usize, slab: &mut Slab) {
        if let Some(Some(peer)) = self.peers.get(process) {
            let offset = peer.offset.lock().unwrap_or_else(PoisonError::into_inner);
            slab.entries.iter_mut().for_each(|entry| entry.arrival = offset.here(entry.arrival));
        }
    }

    /// What has come from another process has been worked off here.
    pub(in super::super) fn credit(&self, process: usize, weight: usize) {
        self.order(process, Order::Credit(weight));
    }

    /// What sinks hold back here may have changed.
    pub(in super::super) fn look(&self) {
        self.order_all(|| Order::Look);
    }

    /// Takes the others along to a stop.
    pub(in super::super) fn stop(&self) {
        if !self.stopped.swap(true, Ordering::SeqCst) {
            self.order_all(|| Order::Say(Message::Stop));
        }
    }

    /// Takes the others along in a failure.
    pub(in super::super) fn fail(&self, reason: &str) {
        if !self.parted.swap(true, Ordering::SeqCst) {
            self.order_all(|| Order::Last(Message::Failed { reason: reason.to_owned() }));
        }
    }

    /// All workers here are done.
    pub(in super::super) fn part(&self) {
        if !self.parted.swap(true, Ordering::SeqCst) {
            self.order_all(|| Order::Last(Message::Bye));
        }
    }

    /// What the clock of process 0 shows now: the time that all processes count ticks in.
    pub(in super::super) fn common(&self, now: u64) -> u64 {
        let Some(Some(first)) = self.peers.first() else { return now };
        first.offset.lock().unwrap_or_else(PoisonError::into_inner).there(now)
    }

    /// Whether this process keeps the cluster's checkpoints.
    pub(super) fn keeps_checkpoints(&self) -> bool {
        self.process == 0
    }

    /// Tells process 0 that all here know of a cut.
    pub(in super::super) fn know(&self, number: u64) {
        self.say(0, Message::Known { number });
    }

    /// Tells all others what becomes of a checkpoint.
    pub(in super::super) fn announce(&self, news: &impl Serialize) {
        match pieces::cut(news) {
            Ok(pieces) => self.all().for_each(|process| {
                pieces.iter().cloned().for_each(|piece| self.say(process, Message::Piece(piece)));
            }),
            // The checkpoint gets no answers, and is given up.
            Err(error) => tracing::error!(%error, "the other processes could not be told of a checkpoint"),
        }
    }

    /// Tells process 0 a part of a checkpoint. Waits while the link is busy.
    pub(in super::super) fn pass_on(&self, part: &impl Serialize) {
        let Some(Some(first)) = self.peers.first() else { return };
        match pieces::cut(part) {
            // A link that is over takes none.
            Ok(pieces) => pieces.into_iter().for_each(|piece| _ = first.pieces.send(piece)),
            Err(error) => tracing::error!(%error, "a part of a checkpoint could not be passed on"),
        }
    }

    pub(super) fn has_parted(&self) -> bool {
        self.parted.load(Ordering::SeqCst)
    }

    pub(super) fn say(&self, process: usize, message: Message) {
        self.order(process, Order::Say(message));
    }

    pub(super) fn learn(&self, process: usize, sent: u64, at: u64, now: u64) {
        if let Some(Some(peer)) = self.peers.get(process) {
            peer.offset.lock().unwrap_or_else(PoisonError::into_inner).learn(sent, at, now);
        }
    }

    /// Whether the clocks of all others are known.
    pub(super) fn know_clocks(&self) -> bool {
        let known = |peer: &Peer| peer.offset.lock().unwrap_or_else(PoisonError::into_inner).trip.is_some();
        self.peers.iter().flatten().all(known)
    }

    /// Ends Timely's connection to a process: whoever reads or writes it does not wait any longer.
    pub(super) fn cut_data(&self, process: usize) {
        if let Some(Some(peer)) = self.peers.get(process) {
            let _ = peer.data.shutdown(Shutdown::Both);
        }
    }

    /// Ends the link to a process.
    pub(super) fn cut_control(&self, process: usize) {
        if let Some(Some(peer)) = self.peers.get(process) {
            let _ = peer.control.shutdown(Shutdown::Both);
        }
    }

    /// A process is lost.
    pub(super) fn lost(&self, process: usize, how: impl ToString) -> ClusterError {
        let address = self.peers.get(process).and_then(Option::as_ref).map(|peer| peer.address.clone());
        ClusterError::Lost { process, address: address.unwrap_or_default(), how: how.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickest_answer_tells_the_time() {
        let mut offset = Offset::default();
        offset.learn(1_000, 501_500, 2_000);
        assert_eq!(offset.here(501_500), 1_500);
        offset.learn(10_000, 590_000, 50_000);
        assert_eq!(offset.here(501_500), 1_500, "that took 40 times as long");
        offset.learn(1_000_010_000, 1_000_560_000, 1_000_050_000);
        assert_eq!(offset.here(1_000_560_000), 1_000_030_000, "a second later it is better than nothing new");
    }

    #[test]
    fn a_clock_that_began_earlier_or_later_is_no_trouble() {
        let mut offset = Offset::default();
        offset.learn(100, 5, 100);
        assert_eq!(offset.here(5), 100);
        let mut offset = Offset::default();
        offset.learn(5, 100, 5);
        assert_eq!((offset.here(100), offset.here(50)), (5, 0));
        assert_eq!((offset.there(5), offset.there(0)), (100, 95));
    }
}
