//! The clients, each a thread that does one kind of request over and over.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tungstenite::Message;

use super::{
    Target, Told,
    client::{Answer, Connection},
    told::Seen,
};

/// A way to be a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A connection for each request.
    Fresh,
    /// A connection that is kept busy until the server ends it.
    KeptAlive,
    /// A request that takes its time.
    Slow,
    /// A body that has to come back.
    Post,
    /// Words to and fro; one that is closed is opened again at once.
    Websocket,
}

/// How many clients of each kind, and for how long at most.
#[derive(Debug, Clone)]
pub(crate) struct Mix {
    clients: BTreeMap<Kind, usize>,
    limit: Duration,
    /// How many times longer than usual the pauses are but for fresh connections.
    pauses: u32,
}

impl Default for Mix {
    fn default() -> Self {
        let clients = BTreeMap::from([
            (Kind::Fresh, 2),
            (Kind::KeptAlive, 2),
            (Kind::Slow, 4),
            (Kind::Post, 1),
            (Kind::Websocket, 2),
        ]);
        Self { clients, limit: Duration::from_secs(180), pauses: 1 }
    }
}

impl Mix {
    /// Without any of this kind.
    pub(crate) fn without(mut self, kind: Kind) -> Self {
        self.clients.remove(&kind);
        self
    }

    /// For so long at most.
    pub(crate) fn lasting(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Few clients, none of them slow nor in a hurry: beside a test that takes long, whose own
    /// work they would slow down.
    pub(crate) fn light() -> Self {
        let clients =
            [(Kind::Fresh, 1), (Kind::KeptAlive, 1), (Kind::Post, 1), (Kind::Websocket, 1)];
        Self { clients: clients.into(), limit: Duration::from_secs(900), pauses: 2 }
    }
}

/// A load that runs. It ends when it is stopped or dropped, and at its limit.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    stops: AtomicBool,
    began: Instant,
    limit: Duration,
    pauses: u32,
    seen: Mutex<BTreeMap<Kind, Seen>>,
}

impl Load {
    pub(crate) fn start(target: &Target, mix: Mix) -> Self {
        let seen = mix.clients.keys().map(|kind| (*kind, Seen::default())).collect();
        let shared = Arc::new(Shared {
            stops: AtomicBool::new(false),
            began: Instant::now(),
            limit: mix.limit,
            pauses: mix.pauses,
            seen: Mutex::new(seen),
        });
        let clients = mix.clients.iter().flat_map(|(kind, count)| vec![*kind; *count]);
        let threads = clients.enumerate().map(|(at, kind)| {
            let (shared, target) = (Arc::clone(&shared), target.clone());
            thread::spawn(move || Client { shared, target, kind, at }.work())
        });
        Self { threads: threads.collect(), shared }
    }

    /// What was seen until now: requests, and failures.
    pub(crate) fn so_far(&self) -> (usize, usize) {
        let seen = self.shared.seen();
        let sum = |count: fn(&Seen) -> usize| seen.values().map(count).sum();
        (sum(|seen| seen.requests), sum(|seen| seen.failures))
    }

    /// Lets every request in flight end; gives what was seen.
    pub(crate) fn stop(mut self) -> Told {
        self.end();
        let lasted = self.shared.began.elapsed();
        Told { kinds: std::mem::take(&mut *self.shared.seen()), lasted }
    }

    fn end(&mut self) {
        self.shared.stops.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stops.load(Ordering::Relaxed) && self.began.elapsed() < self.limit
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, BTreeMap<Kind, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a good answer says: who gave it.
type Good = Option<String>;

struct Client {
    shared: Arc<Shared>,
    target: Target,
    kind: Kind,
    at: usize,
}

impl Client {
    fn work(&self) {
        match self.kind {
            Kind::Fresh => self.over_and_over(25, |_| self.fresh()),
            Kind::KeptAlive => {
                let mut kept = None;
                self.over_and_over(10, |_| self.kept_alive(&mut kept));
            }
            Kind::Slow => self.over_and_over(10, |n| self.slow(n)),
            Kind::Post => self.over_and_over(30, |n| self.post(n)),
            Kind::Websocket => self.websocket(),
        }
    }

    fn over_and_over(&self, pause_ms: u64, mut request: impl FnMut(usize) -> Result<Good, String>) {
        let mut n = self.at;
        while self.shared.goes_on() {
            let began = self.shared.began.elapsed();
            let result = request(n);
            self.tell(began, result);
            n += 1;
            thread::sleep(self.pause(pause_ms));
        }
    }

    fn pause(&self, usual_ms: u64) -> Duration {
        let times = if self.kind == Kind::Fresh { 1 } else { self.shared.pauses };
        Duration::from_millis(usual_ms) * times
    }

    fn tell(&self, began: Duration, result: Result<Good, String>) {
        let took = self.shared.began.elapsed().saturating_sub(began);
        let mut all = self.shared.seen();
        let seen = all.entry(self.kind).or_default();
        match result {
            Ok(revision) => seen.passed(began, took, revision),
            Err(reason) => seen.failed(began, reason),
        }
    }

    fn fresh(&self) -> Result<Good, String> {
        good(self.target.get("/api/health")).map(|answer| answer.revision)
    }

    fn kept_alive(&self, kept: &mut Option<Connection>) -> Result<Good, String> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.target.connect().map_err(|error| format!("connect: {error}"))?,
        };
        let answer = good(connection.request("GET", "/api/health", &[], &[]))?;
        if !answer.is_last {
            *kept = Some(connection);
        }
        Ok(answer.revision)
    }

    /// One, two and three seconds in turn.
    fn slow(&self, n: usize) -> Result<Good, String> {
        let path = format!("/api/slow?seconds={}", 1 + n % 3);
        good(self.target.get(&path)).map(|answer| answer.revision)
    }

    fn post(&self, n: usize) -> Result<Good, String> {
        let body: Vec<u8> = (0..=250).cycle().take(1 + n * 7919 % 200_000).collect();
        let mut connection = self.target.connect().map_err(|error| format!("connect: {error}"))?;
        let answer = good(connection.request("POST", "/api/echo", &[], &body))?;
        if answer.body != body {
            return Err(format!("{} bytes came back of {}", answer.body.len(), body.len()));
        }
        Ok(answer.revision)
    }

    fn websocket(&self) {
        while self.shared.goes_on() {
            let began = self.shared.began.elapsed();
            let mut socket = match self.target.websocket("/api/ws") {
                Ok(socket) => socket,
                Err(reason) => {
                    self.tell(began, Err(format!("connect: {reason}")));
                    thread::sleep(Duration::from_millis(50));
                    continue;
                }
            };
            // The first word tells who is there; a socket may be closed at any time.
            let Ok(first) = socket.read() else { continue };
            let revision = first.to_text().unwrap_or_default().to_owned();
            self.tell(began, Ok(Some(revision.clone())));
            while self.shared.goes_on() {
                let began = self.shared.began.elapsed();
                let word = format!("{began:?}");
                match socket.send(Message::text(word.clone())).and_then(|()| socket.read()) {
                    Ok(Message::Text(back)) if back.as_str() == word => {
                        self.tell(began, Ok(Some(revision.clone())));
                    }
                    Ok(Message::Text(back)) => {
                        self.tell(began, Err(format!("{back:?} came back for {word:?}")));
                    }
                    // Closed, or about to be.
                    _ => break,
                }
                thread::sleep(self.pause(50));
            }
            if self.shared.goes_on() {
                let mut all = self.shared.seen();
                all.entry(self.kind).or_default().reconnects += 1;
            }
        }
    }
}

/// An answer that a client is content with.
fn good(answer: io::Result<Answer>) -> Result<Answer, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status == 200 {
        return Ok(answer);
    }
    let body = String::from_utf8_lossy(&answer.body);
    Err(format!("status {}: {}", answer.status, body.lines().next().unwrap_or_default()))
}
