use std::time::Duration;

use crate::{
    command_line::{CommandLine, Effect, Stdin},
    error::Result,
    step::{Action, Answer, Step},
};

use super::{
    connection::Connection,
    failure::{OWN_FAILURE, failure},
};

/// How long a question may take, unless it says otherwise.
const QUESTION: Duration = Duration::from_secs(60);
/// How much of a server's events is kept for the reader; the answer comes last.
const EVENTS_BYTES: usize = 16 << 20;

/// Sends one request to a server and gives its answer.
///
/// - Command: `ssh -F none -o … -- HOST REQUEST`, the request as one argument. The
///   options are those of [`Connection`].
/// - Exits: 0, or those that [`SshRequest::accept`] names; 255 is ssh's own and is
///   read for its reason.
/// - Touches: what the request does; the connection stays open until the flow ends.
/// - Errors: refused when the server's key is unknown or has changed (nothing was sent
///   then); preflight when it cannot be reached or does not accept the key; unknown
///   when the connection breaks.
/// - Source: ssh(1), *EXIT STATUS*.
///
/// A step with a typed answer keeps one of these and hands its reader to
/// [`SshRequest::action_with`].
///
/// ```
/// use talia_pipeline::{Effect, Step, steps::ssh::{Connection, SshRequest}};
///
/// let server = Connection::new("deploy.example", "deploy", "/srv/known_hosts", "/run/x/c");
/// let step = SshRequest::new(&server, "status", Effect::Read);
/// assert_eq!(step.label(), "status at deploy@deploy.example");
/// ```
#[derive(Debug, Clone)]
pub struct SshRequest {
    server: Connection,
    request: String,
    effect: Effect,
    stdin: Stdin,
    accepted: Vec<i32>,
    timeout: Option<Duration>,
    is_events: bool,
    purpose: String,
}

impl SshRequest {
    /// This request, which changes this. With [`Effect::Read`] it may be observed,
    /// and may take 60 seconds.
    pub fn new(server: &Connection, request: impl Into<String>, effect: Effect) -> Self {
        Self {
            server: server.clone(),
            request: request.into(),
            effect,
            stdin: Stdin::Empty,
            accepted: vec![0],
            timeout: (effect == Effect::Read).then_some(QUESTION),
            is_events: false,
            purpose: "ask the server".to_owned(),
        }
    }

    /// What the server reads beside the request; nothing unless set.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// The exits that its reader wants to see; 0 alone unless set.
    #[must_use]
    pub fn accept(mut self, exits: impl IntoIterator<Item = i32>) -> Self {
        self.accepted = exits.into_iter().collect();
        self
    }

    /// Ends the *client* after this time. What the server has begun goes on there.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Takes what the server says for [events](crate::Event), a line each, which are
    /// told as they come.
    #[must_use]
    pub fn events(mut self) -> Self {
        self.is_events = true;
        self
    }

    /// Says in a few words what it is for.
    #[must_use]
    pub fn purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = purpose.into();
        self
    }

    /// The first word of the request and whom it goes to.
    pub fn name(&self) -> String {
        let verb = self.request.split_whitespace().next().unwrap_or("request");
        format!("{verb} at {}", self.server)
    }

    /// The command line.
    pub fn line(&self) -> CommandLine {
        let line = self
            .server
            .line()
            .arg(&self.request)
            .effect(self.effect)
            .stdin(self.stdin.clone())
            .accept(self.accepted.iter().copied().chain([OWN_FAILURE]))
            .purpose(&self.purpose);
        let line = match self.is_events {
            true => line.stdout_is_events().capture_bytes(EVENTS_BYTES),
            false => line,
        };
        match self.timeout {
            Some(timeout) => line.timeout(timeout),
            None => line,
        }
    }

    /// The action of a step that makes something of the answer; `read` sees the
    /// accepted exits alone.
    pub fn action_with<'a, T>(
        &'a self,
        read: impl FnOnce(&Answer) -> Result<T> + Send + 'a,
    ) -> Action<'a, T> {
        Action::command(self.line(), |answer| match answer.exit() {
            OWN_FAILURE => Err(failure(&self.server, answer)),
            _ => read(answer),
        })
    }
}

impl Step for SshRequest {
    type Output = Answer;

    fn label(&self) -> String {
        self.name()
    }

    fn action(&self) -> Action<'_, Answer> {
        self.action_with(|answer| Ok(answer.clone()))
    }

    fn assume(&self) -> Answer {
        Answer::new(0, "", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn server() -> Connection {
        Connection::new("deploy.example", "deploy", "/srv/app/known_hosts", "/run/x/c")
    }

    #[test]
    fn ssh_request_minimal() {
        check("ssh_request__minimal", &SshRequest::new(&server(), "status", Effect::Read));
    }

    #[test]
    fn ssh_request_everything() {
        let server = server()
            .port(2222)
            .key_file("/run/x/key", "DEPLOY_KEY")
            .config("/srv/me/.ssh/config")
            .connect_timeout(Duration::from_secs(3));
        let step = SshRequest::new(&server, "env push", Effect::Remote)
            .stdin(Stdin::File("/srv/app/.env".into()))
            .accept([0, 1, 4])
            .timeout(Duration::from_secs(1800))
            .events()
            .purpose("put the environment on the server");
        check("ssh_request__everything", &step);
    }

    #[test]
    fn ssh_request_hostile() {
        let server = Connection::new("-oProxyCommand=x", "a b", "/it's %h \"x\"", "/s $(id)");
        let step = SshRequest::new(&server, "release; rm -rf /\n$HOME 'ä'", Effect::Remote);
        check("ssh_request__hostile", &step.stdin(Stdin::Text("$x\n".into())));
    }

    #[test]
    fn exit_255_never_reaches_the_reader() {
        let step = SshRequest::new(&server(), "status", Effect::Read).accept([0, 4]);
        let ended = |exit| {
            let Action::Command { read, .. } = step.action() else {
                unreachable!("it is a command")
            };
            read(&Answer::new(exit, "x", "")).map(|answer| answer.exit())
        };
        assert_eq!(ended(4).expect("it is accepted"), 4);
        assert_eq!(ended(255).expect_err("it is lost").kind(), crate::ErrorKind::Unknown);
    }
}
