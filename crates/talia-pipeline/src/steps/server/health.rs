//! Whether a release is healthy, and is the one that was meant.

use std::{net::SocketAddr, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect},
    error::{Error, Result},
    parse::health::revision,
    protocol::RevisionId,
    server::Endpoint,
    settings::Health,
    step::{Action, Answer, Pace, Step, Summary, Try, Verdict},
};

use super::front::Front;

/// Behind the body, on a line of its own: what curl saw of the answer.
const STATUS: &str = "\n%{http_code}";

/// `curl … URL`, whose output is the body and the status.
fn curl(timeout: Duration) -> CommandLine {
    CommandLine::new("curl")
        // Counts only as the first word: the user's own ~/.curlrc could send the
        // question elsewhere.
        .args(["--disable", "--silent", "--show-error", "--globoff", "--noproxy", "*"])
        // curl takes a value as the next word alone.
        .args(["--max-time".to_owned(), format!("{:.3}", timeout.as_secs_f64())])
        // A health is short; an endless one is none.
        .args(["--max-filesize", "65536"])
        .args(["--write-out", STATUS])
        .effect(Effect::Read)
        .stdout_is_data()
        .timeout(timeout + Duration::from_secs(5))
}

/// The revision that an answer names, or why it is no good one.
fn judged(answer: &Answer) -> Result<String, String> {
    if answer.exit() != 0 {
        let said = answer.last_lines(1).pop().unwrap_or_default();
        return Err(format!("no answer: {}", said.trim_start_matches("curl: ")));
    }
    let stdout = answer.stdout();
    let (body, status) = stdout.rsplit_once('\n').unwrap_or(("", &stdout));
    if status != "200" {
        return Err(format!("status {status}"));
    }
    revision(body)
}

/// How a round of waiting ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// Enough right answers in a row.
    Healthy,
    /// Not yet.
    NotYet {
        /// The last reason.
        reason: String,
        /// How many right answers in a row there were at the end.
        in_a_row: u32,
    },
}

/// Counts right answers in a row.
#[derive(Debug, Clone)]
struct Count {
    expected: RevisionId,
    needed: u32,
    in_a_row: u32,
    /// Whether no answer only begins the count anew.
    forgives: bool,
    /// Whether another revision may answer before the right one does.
    may_change: bool,
}

impl Count {
    fn new(expected: &RevisionId, needed: u32) -> Self {
        let expected = expected.clone();
        Self { expected, needed, in_a_row: 0, forgives: true, may_change: false }
    }

    /// Judges the next answer.
    fn judge(&mut self, answer: &Answer) -> Result<Verdict<()>> {
        match judged(answer) {
            Ok(revision) if revision == self.expected.as_str() => {
                self.in_a_row += 1;
                if self.in_a_row >= self.needed {
                    return Ok(Verdict::Done(()));
                }
                let (now, all) = (self.in_a_row, self.needed);
                Ok(Verdict::Again(format!("{now} of {all} right answers")))
            }
            Ok(revision) if self.may_change => {
                self.in_a_row = 0;
                Ok(Verdict::Again(format!("{revision} answers")))
            }
            Ok(revision) => Err(Error::step(format!(
                "the wrong version answers: expected {}, it says {revision}",
                self.expected
            ))
            .hint("is REVISION passed to the image's build, and does the health name it?")),
            Err(reason) if self.forgives => {
                self.in_a_row = 0;
                Ok(Verdict::Again(reason))
            }
            Err(reason) => {
                Err(Error::step(format!("it was healthy and did not stay so: {reason}")))
            }
        }
    }
}

/// `curl --unix-socket SOCKET http://localhost/PATH` or `curl http://127.0.0.1:PORT/PATH`.
fn at(endpoint: &Endpoint, health: &Health) -> CommandLine {
    let (line, path) = (curl(health.timeout), &health.path);
    match endpoint {
        Endpoint::Socket(socket) => {
            line.args(["--unix-socket", socket.as_str()]).operand(format!("http://localhost{path}"))
        }
        Endpoint::Port(port) => line.operand(format!("http://127.0.0.1:{port}{path}")),
    }
}

/// `curl --unix-socket SOCKET http://localhost/PATH` or `curl http://127.0.0.1:PORT/PATH`,
/// again and again: waits until a slot answers rightly several times in a row, for one
/// round.
///
/// Every exit is judged; a round that is over without enough right answers is no
/// failure, because the container may have ended meanwhile and has to be looked at.
#[derive(Debug)]
pub struct SlotHealth {
    endpoint: Endpoint,
    health: Health,
    count: Count,
    round: Duration,
}

impl SlotHealth {
    /// Asks there, as `health` says, for `round`.
    pub fn new(
        endpoint: Endpoint,
        expected: &RevisionId,
        health: &Health,
        round: Duration,
    ) -> Self {
        let count = Count::new(expected, health.answers);
        Self { endpoint, health: health.clone(), count, round }
    }

    /// Goes on counting from so many right answers of the round before.
    #[must_use]
    pub fn after(mut self, in_a_row: u32) -> Self {
        self.count.in_a_row = in_a_row;
        self
    }
}

impl Step for SlotHealth {
    type Output = Waited;

    fn label(&self) -> String {
        "wait for health".into()
    }

    fn action(&self) -> Action<'_, Waited> {
        let line = at(&self.endpoint, &self.health)
            .purpose("whether the new release is healthy, and the one that was meant");
        let pace = Pace { interval: self.health.interval, deadline: self.round };
        let mut count = self.count.clone();
        Action::poll(line, pace, move |one: &Try<'_>| {
            Ok(match count.judge(one.answer)? {
                Verdict::Done(()) => Verdict::Done(Waited::Healthy),
                Verdict::Again(reason) if one.is_last => {
                    Verdict::Done(Waited::NotYet { reason, in_a_row: count.in_a_row })
                }
                Verdict::Again(reason) => Verdict::Again(reason),
            })
        })
    }

    fn assume(&self) -> Waited {
        Waited::Healthy
    }

    fn summary(&self, waited: &Waited) -> Summary {
        Summary::line(match waited {
            Waited::Healthy => format!("{} answers", self.count.expected.short()),
            Waited::NotYet { reason, .. } => format!("not yet: {reason}"),
        })
    }
}

/// As [`SlotHealth`], for the stability window: every answer must be right, from the
/// first to the last; one that is not fails at once.
#[derive(Debug)]
pub struct SlotStable {
    endpoint: Endpoint,
    health: Health,
    count: Count,
}

impl SlotStable {
    /// Asks there, as `health` says, for its `stability`.
    pub fn new(endpoint: Endpoint, expected: &RevisionId, health: &Health) -> Self {
        // So many intervals between the first question and the last.
        let intervals = health.stability.as_millis().div_ceil(health.interval.as_millis().max(1));
        let needed = u32::try_from(intervals).unwrap_or(u32::MAX).saturating_add(1);
        let count = Count { forgives: false, ..Count::new(expected, needed) };
        Self { endpoint, health: health.clone(), count }
    }
}

impl Step for SlotStable {
    type Output = ();

    fn label(&self) -> String {
        "wait whether it stays healthy".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line =
            at(&self.endpoint, &self.health).purpose("whether the new release stays healthy");
        // Slow answers are right ones: as long as they come.
        let deadline =
            (self.health.interval + self.health.timeout) * self.count.needed.saturating_add(1);
        let pace = Pace { interval: self.health.interval, deadline };
        let mut count = self.count.clone();
        Action::poll(line, pace, move |one| count.judge(one.answer))
    }

    fn assume(&self) {}
}

/// What clients get.
fn served(front: &Front, health: &Health) -> CommandLine {
    let line = front.lead(curl(health.timeout)).operand(front.url(&health.path));
    line.purpose("what clients get")
}

/// `curl --connect-to ::ADDRESS https://HOST/PATH`, again and again: waits until clients get the expected revision, through Nginx, TLS and the real host name.
#[derive(Debug)]
pub struct ServedHealth {
    front: Front,
    health: Health,
    count: Count,
    within: Duration,
}

impl ServedHealth {
    /// Asks for this host; `expected` has to answer within `within`.
    pub fn new(
        host: impl Into<String>,
        expected: &RevisionId,
        health: &Health,
        within: Duration,
    ) -> Self {
        let count = Count { may_change: true, ..Count::new(expected, health.answers) };
        Self { front: Front::new(host), health: health.clone(), count, within }
    }

    /// At this address, instead of this machine's own.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.front.address = address;
        self
    }

    /// Trusts the authority in this file instead of the system's.
    #[must_use]
    pub fn authority(mut self, pem: Option<Utf8PathBuf>) -> Self {
        self.front.authority = pem;
        self
    }
}

impl Step for ServedHealth {
    type Output = ();

    fn label(&self) -> String {
        "confirm behind nginx".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = served(&self.front, &self.health);
        let pace = Pace { interval: self.health.interval, deadline: self.within };
        let mut count = self.count.clone();
        Action::poll(line, pace, move |one| count.judge(one.answer))
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(format!("{} answers at {}", self.count.expected.short(), self.front.host))
    }
}

/// The revision that answers, or why there is none. Every exit of curl is an answer.
fn ask_now(line: CommandLine) -> Action<'static, Result<RevisionId, String>> {
    Action::command(line.accept(0..=125), |answer| {
        Ok(judged(answer).and_then(|revision| {
            revision.parse().map_err(|_| format!("the health names `{revision}`, no commit"))
        }))
    })
}

fn told(served: &Result<RevisionId, String>) -> Summary {
    Summary::line(match served {
        Ok(revision) => revision.short(),
        Err(reason) => reason,
    })
}

/// `curl --connect-to ::ADDRESS https://HOST/PATH`: what clients get now.
#[derive(Debug)]
pub struct ServedNow {
    front: Front,
    health: Health,
}

impl ServedNow {
    /// Asks for this host.
    pub fn new(host: impl Into<String>, health: &Health) -> Self {
        Self { front: Front::new(host), health: health.clone() }
    }

    /// At this address, instead of this machine's own.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.front.address = address;
        self
    }

    /// Trusts the authority in this file instead of the system's.
    #[must_use]
    pub fn authority(mut self, pem: Option<Utf8PathBuf>) -> Self {
        self.front.authority = pem;
        self
    }
}

impl Step for ServedNow {
    type Output = Result<RevisionId, String>;

    fn label(&self) -> String {
        format!("what {} serves", self.front.host)
    }

    fn action(&self) -> Action<'_, Self::Output> {
        ask_now(served(&self.front, &self.health))
    }

    fn assume(&self) -> Self::Output {
        Err("not asked".to_owned())
    }

    fn summary(&self, served: &Self::Output) -> Summary {
        told(served)
    }
}

/// `curl --unix-socket SOCKET http://localhost/PATH` or `curl http://127.0.0.1:PORT/PATH`:
/// what a slot answers now.
#[derive(Debug)]
pub struct SlotNow {
    endpoint: Endpoint,
    health: Health,
}

impl SlotNow {
    /// Asks there.
    pub fn new(endpoint: Endpoint, health: &Health) -> Self {
        Self { endpoint, health: health.clone() }
    }
}

impl Step for SlotNow {
    type Output = Result<RevisionId, String>;

    fn label(&self) -> String {
        "what the live slot answers".into()
    }

    fn action(&self) -> Action<'_, Self::Output> {
        ask_now(at(&self.endpoint, &self.health).purpose("whether the release is well"))
    }

    fn assume(&self) -> Self::Output {
        Err("not asked".to_owned())
    }

    fn summary(&self, served: &Self::Output) -> Summary {
        told(served)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn sha() -> RevisionId {
        SHA.parse().unwrap()
    }

    fn health() -> Health {
        Health::default()
    }

    fn socket(path: &str) -> Endpoint {
        Endpoint::Socket(path.into())
    }

    #[test]
    fn slot_health_minimal() {
        let round = Duration::from_secs(5);
        check(
            "slot_health__minimal",
            &SlotHealth::new(socket("/s/api.sock"), &sha(), &health(), round),
        );
    }

    #[test]
    fn slot_health_everything() {
        let health = Health {
            path: "/health".into(),
            interval: Duration::from_millis(200),
            timeout: Duration::from_millis(1500),
            ..health()
        };
        let round = Duration::from_secs(90);
        check(
            "slot_health__everything",
            &SlotHealth::new(socket("/s/api.sock"), &sha(), &health, round),
        );
    }

    #[test]
    fn slot_health_hostile() {
        let step = SlotHealth::new(socket("/a b/$(id)"), &sha(), &health(), Duration::ZERO);
        check("slot_health__hostile", &step);
    }

    #[test]
    fn slot_health_at_a_port() {
        let step = SlotHealth::new(Endpoint::Port(8001), &sha(), &health(), Duration::ZERO);
        check("slot_health__at_a_port", &step);
    }

    #[test]
    fn slot_stable_minimal() {
        check("slot_stable__minimal", &SlotStable::new(socket("/s/api.sock"), &sha(), &health()));
    }

    #[test]
    fn slot_stable_everything() {
        let health = Health { stability: Duration::from_secs(2), ..health() };
        check(
            "slot_stable__everything",
            &SlotStable::new(socket("/s/green.sock"), &sha(), &health),
        );
    }

    #[test]
    fn slot_stable_hostile() {
        check("slot_stable__hostile", &SlotStable::new(socket("-x\n"), &sha(), &health()));
    }

    #[test]
    fn slot_stable_at_a_port() {
        check("slot_stable__at_a_port", &SlotStable::new(Endpoint::Port(65535), &sha(), &health()));
    }

    #[test]
    fn served_health_minimal() {
        let within = Duration::from_secs(10);
        check(
            "served_health__minimal",
            &ServedHealth::new("talia.example", &sha(), &health(), within),
        );
    }

    #[test]
    fn served_health_everything() {
        let step = ServedHealth::new("talia.example", &sha(), &health(), Duration::from_secs(10))
            .at("203.0.113.5:8443".parse().unwrap())
            .authority(Some("/etc/talia/staging/tls/ca.pem".into()));
        check("served_health__everything", &step);
    }

    #[test]
    fn served_health_hostile() {
        let step = ServedHealth::new("-x$(id)", &sha(), &health(), Duration::from_secs(10))
            .authority(Some("--insecure".into()));
        check("served_health__hostile", &step);
    }

    #[test]
    fn served_now_minimal() {
        check("served_now__minimal", &ServedNow::new("talia.example", &health()));
    }

    #[test]
    fn served_now_everything() {
        let step = ServedNow::new("talia.example", &health()).authority(Some("/ca.pem".into()));
        check("served_now__everything", &step);
    }

    #[test]
    fn served_now_hostile() {
        check("served_now__hostile", &ServedNow::new("a b", &health()));
    }

    #[test]
    fn slot_now_minimal() {
        check("slot_now__minimal", &SlotNow::new(socket("/s/api.sock"), &health()));
    }

    #[test]
    fn slot_now_everything() {
        let health = Health { path: "/health".into(), ..health() };
        check("slot_now__everything", &SlotNow::new(socket("/a b/green/api.sock"), &health));
    }

    #[test]
    fn slot_now_at_a_port() {
        check("slot_now__at_a_port", &SlotNow::new(Endpoint::Port(8002), &health()));
    }

    #[test]
    fn slot_now_hostile() {
        check("slot_now__hostile", &SlotNow::new(socket("--insecure"), &health()));
    }

    fn says(revision: &str) -> Answer {
        Answer::new(0, format!("{{\"revision\":\"{revision}\"}}\n200"), "")
    }

    fn down() -> Answer {
        Answer::new(7, "\n000", "curl: (7) Couldn't connect to server\n")
    }

    #[test]
    fn right_answers_must_come_in_a_row() {
        let mut count = Count::new(&sha(), 3);
        for answer in [says(SHA), says(SHA), down(), says(SHA), says(SHA)] {
            assert!(matches!(count.judge(&answer).unwrap(), Verdict::Again(_)));
        }
        assert_eq!(count.judge(&says(SHA)).unwrap(), Verdict::Done(()));
    }

    #[test]
    fn one_that_was_healthy_and_falls_fails_at_once() {
        let mut count = SlotStable::new(socket("/s"), &sha(), &health()).count;
        assert_eq!(count.needed, 21, "10 s, two a second");
        assert!(matches!(count.judge(&says(SHA)).unwrap(), Verdict::Again(_)));
        let error = count.judge(&down()).unwrap_err();
        assert!(error.to_string().contains("did not stay so: no answer: (7)"), "{error}");
    }

    #[test]
    fn another_revision_fails_whenever_it_answers() {
        let error = Count::new(&sha(), 1).judge(&says("unknown")).unwrap_err();
        assert!(error.to_string().contains("it says unknown"), "{error}");
    }

    #[test]
    fn behind_nginx_another_revision_may_answer_for_a_while() {
        let mut count = ServedHealth::new("h", &sha(), &health(), Duration::ZERO).count;
        let other = "f".repeat(40);
        for answer in [says(SHA), says(&other), says(SHA), says(SHA)] {
            assert!(matches!(count.judge(&answer).unwrap(), Verdict::Again(_)));
        }
        assert_eq!(count.judge(&says(SHA)).unwrap(), Verdict::Done(()));
    }

    #[test]
    fn a_status_and_a_body_are_both_looked_at() {
        let told = |stdout: &str| judged(&Answer::new(0, stdout, ""));
        assert_eq!(told("{}\n503"), Err("status 503".into()));
        assert_eq!(told("<html>\n200"), Err("the health is no JSON object".into()));
        assert_eq!(told("{\"revision\":\"a\"}\n\n200"), Ok("a".into()));
    }
}
