//! The meeting: each process connects to those before it, hears from those after it, and goes on once all have agreed.
//!
//! Timely's own way to connect tries for ever, and finds out about nothing. Here everything has an end: whoever is
//! missing, or does not belong here, is named, and what one process refuses it tells the others.

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::ClusterError;
use super::hello::{Answer, Hello, Purpose, hear};
use super::{Cluster, wire};

/// How long to wait before looking again, and how long somebody who has called may take to say who he is.
const PAUSE: Duration = Duration::from_millis(10);
const CALLER: Duration = Duration::from_secs(2);

/// How long a process that does not start stays, to say so to those that have not called yet.
const FAREWELL: Duration = Duration::from_secs(3);

/// The connections to another process.
pub(super) struct Pair {
    pub(super) control: TcpStream,
    pub(super) data: TcpStream,
}

/// What a process answers.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// This connection is as it should be.
    Welcome,
    /// So are all of this process's.
    Agreed,
    Refused(String),
}

#[derive(Default)]
struct Place {
    life: u64,
    control: Option<TcpStream>,
    data: Option<TcpStream>,
    agreed: bool,
    /// Whether it knows already that nobody starts.
    refused: bool,
}

struct Meeting<'a> {
    cluster: &'a Cluster,
    here: &'a Hello,
    deadline: Instant,
    listener: Option<TcpListener>,
    /// One for each process. Its own stays empty.
    places: Vec<Place>,
}

/// Meets the other processes. In their order; there is none for this one.
pub(super) fn meet(cluster: &Cluster, here: &Hello) -> Result<Vec<Option<Pair>>, ClusterError> {
    let places = cluster.addresses.iter().map(|_| Place::default()).collect();
    let deadline = Instant::now() + cluster.patience;
    let mut meeting = Meeting { cluster, here, deadline, listener: None, places };
    if let Err(error) = meeting.gather().and_then(|()| meeting.agree()) {
        let refused = Word::Refused(error.to_string());
        meeting.tell(&refused);
        if !matches!(error, ClusterError::Refused { .. }) {
            meeting.turn_away(&refused); // else that one does
        }
        return Err(error);
    }
    let pair = |place: Place| place.control.zip(place.data).map(|(control, data)| Pair { control, data });
    Ok(meeting.places.into_iter().map(pair).collect())
}

impl Meeting<'_> {
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn absent(&self, process: usize) -> ClusterError {
        let (address, waited) = (self.cluster.addresses[process].clone(), self.cluster.patience);
        ClusterError::Absent { process, address, waited }
    }

    fn gone(&self, process: usize) -> ClusterError {
        let (address, how) =
            (self.cluster.addresses[process].clone(), "it went away before the start".to_owned());
        ClusterError::Lost { process, address, how }
    }

    fn gather(&mut self) -> Result<(), ClusterError> {
        let own = self.cluster.process;
        let address = &self.cluster.addresses[own];
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true).map(|()| listener)
        };
        let listener =
            listen().map_err(|source| ClusterError::Listen { address: address.clone(), source })?;
        self.listener = Some(listener);
        for process in 0..own {
            for purpose in [Purpose::Control, Purpose::Data] {
                self.call(process, purpose)?;
            }
        }
        while let Some(missing) =
            (own + 1..self.places.len()).find(|&process| self.places[process].data.is_none())
        {
            match self.caller() {
                Some(stream) => self.welcome(stream, missing)?,
                None => {
                    self.listen_to_refusals()?;
                    if self.left().is_zero() {
                        return Err(self.absent(missing));
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
        Ok(())
    }

    /// Somebody who has called.
    fn caller(&self) -> Option<TcpStream> {
        self.listener.as_ref()?.accept().ok().map(|(stream, _)| stream)
    }

    /// Hears who a caller is. There is not much time for it.
    fn ask(&self, stream: &TcpStream) -> io::Result<Answer> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(self.left().clamp(PAUSE, CALLER)))?;
        stream.set_write_timeout(Some(CALLER))?;
        hear(&mut &*stream)
    }

    /// Nobody starts: tells those, too, that call within a short time.
    fn turn_away(&self, refused: &Word) {
        // Those before this one are called, and call nobody here.
        let callers = self.cluster.process + 1..self.places.len();
        let untold = |process: &usize| {
            let place = &self.places[*process];
            place.control.is_none() && !place.refused
        };
        let mut untold: Vec<_> = callers.filter(untold).collect();
        let end = Instant::now() + FAREWELL.min(self.left());
        while self.listener.is_some() && !untold.is_empty() && Instant::now() < end {
            let Some(stream) = self.caller() else {
                std::thread::sleep(PAUSE);
                continue;
            };
            if let Ok(Answer::Hello { hello, .. }) = self.ask(&stream)
                && self.here.say(Purpose::Control, &mut &stream).is_ok()
                && wire::send(refused, &mut &stream).is_ok()
            {
                untold.retain(|process| *process != hello.process);
            }
        }
    }

    /// Calls a process until it answers.
    fn call(&mut self, process: usize, purpose: Purpose) -> Result<(), ClusterError> {
        loop {
            if let Ok(stream) = self.reach(process)
                && let Ok((answer, word)) = self.greet(&stream, purpose)
            {
                let address = &self.cluster.addresses[process];
                let (_, hello) = self.here.judge(process, address, answer)?;
                match word {
                    Some(Word::Refused(reason)) => return Err(ClusterError::Refused { process, reason }),
                    Some(_) => {
                        self.seat(process, purpose, hello.life, stream);
                        return Ok(());
                    }
                    None => {}
                }
            }
            self.listen_to_refusals()?;
            if self.left().is_zero() {
                return Err(self.absent(process));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn reach(&self, process: usize) -> io::Result<TcpStream> {
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        for address in self.cluster.addresses[process].to_socket_addrs()? {
            let wait = self.left().clamp(PAUSE, CALLER);
            match TcpStream::connect_timeout(&address, wait) {
                // A port that nobody listens at can be connected to itself.
                Ok(stream) if stream.local_addr()? != stream.peer_addr()? => return Ok(stream),
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Says hello, and hears who is there and what he says to it.
    fn greet(&self, mut stream: &TcpStream, purpose: Purpose) -> io::Result<(Answer, Option<Word>)> {
        stream.set_read_timeout(Some(self.left().max(PAUSE)))?;
        stream.set_write_timeout(Some(CALLER))?;
        self.here.say(purpose, &mut stream)?;
        let answer = hear(&mut stream)?;
        let word = matches!(answer, Answer::Hello { .. }).then(|| wire::receive(&mut stream));
        Ok((answer, word.transpose().unwrap_or(None)))
    }

    /// Somebody calls. An error is one that nobody can start after.
    fn welcome(&mut self, stream: TcpStream, missing: usize) -> Result<(), ClusterError> {
        let from = stream.peer_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string());
        let answer = match self.ask(&stream) {
            Ok(Answer::Stranger) | Err(_) => {
                tracing::warn!(%from, "somebody called who is no process of this cluster");
                return Ok(());
            }
            Ok(answer) => answer,
        };
        let mut caller = &stream;
        let (process, life) = match &answer {
            Answer::Hello { hello, .. } => (hello.process, hello.life),
            _ => (missing, 0),
        };
        let expected =
            if process > self.cluster.process && process < self.places.len() { process } else { missing };
        let address = if expected == process { &self.cluster.addresses[process] } else { &from };
        // The caller judges as well, by what is said here; where it has left already, that changes nothing.
        let purpose = matches!(answer, Answer::Hello { purpose: Purpose::Data, .. });
        let purpose = if purpose { Purpose::Data } else { Purpose::Control };
        let said = self.here.say(purpose, &mut caller);
        let judged = self.here.judge(expected, address, answer);
        let place = &self.places[expected];
        let fits = match purpose {
            Purpose::Control => place.control.is_none(),
            Purpose::Data => place.control.is_some() && place.data.is_none() && place.life == life,
        };
        match judged {
            Err(error) => {
                let _ = wire::send(&Word::Refused(error.to_string()), &mut caller);
                self.places[expected].refused = true;
                Err(error)
            }
            Ok(_) if !fits => {
                let reason = format!("process {process} is here already");
                let _ = wire::send(&Word::Refused(reason), &mut caller);
                Ok(())
            }
            Ok(_) => {
                if said.is_ok() && wire::send(&Word::Welcome, &mut caller).is_ok() {
                    self.seat(process, purpose, life, stream);
                }
                Ok(())
            }
        }
    }

    fn seat(&mut self, process: usize, purpose: Purpose, life: u64, stream: TcpStream) {
        let place = &mut self.places[process];
        match purpose {
            Purpose::Control => (place.life, place.control) = (life, Some(stream)),
            Purpose::Data => place.data = Some(stream),
        }
    }

    /// Whether one of those that are here has refused meanwhile, or has left.
    fn listen_to_refusals(&mut self) -> Result<(), ClusterError> {
        for process in 0..self.places.len() {
            let place = &self.places[process];
            let Some(control) = place.control.as_ref().filter(|_| !place.agreed) else { continue };
            let _ = control.set_nonblocking(true);
            let waits = control.peek(&mut [0]);
            let _ = control.set_nonblocking(false);
            match waits {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => self.hear_of(process)?,
            }
        }
        Ok(())
    }

    fn hear_of(&mut self, process: usize) -> Result<(), ClusterError> {
        let place = &mut self.places[process];
        let Some(mut control) = place.control.as_ref() else { return Ok(()) };
        match wire::receive(&mut control) {
            Ok(Word::Refused(reason)) => Err(ClusterError::Refused { process, reason }),
            Ok(_) => {
                place.agreed = true;
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(self.absent(process))
            }
            Err(_) => Err(self.gone(process)),
        }
    }

    fn tell(&self, word: &Word) {
        for mut control in self.places.iter().filter_map(|place| place.control.as_ref()) {
            let _ = wire::send(word, &mut control); // who does not hear it finds the connection closed
        }
    }

    /// All connections are there. Waits until the others can say so too.
    fn agree(&mut self) -> Result<(), ClusterError> {
        self.tell(&Word::Agreed);
        for process in 0..self.places.len() {
            let place = &self.places[process];
            if let Some(control) = place.control.as_ref().filter(|_| !place.agreed) {
                let _ = control.set_read_timeout(Some(self.left().max(PAUSE)));
                self.hear_of(process)?;
            }
        }
        Ok(())
    }
}
