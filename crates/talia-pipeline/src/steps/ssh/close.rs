use std::time::Duration;

use crate::step::{Action, Pace, Step, Verdict};

use super::{connection::Connection, failure::OWN_FAILURE};

/// Closes the connection that requests share. For [`crate::Context::finally`].
///
/// - Command: `ssh -F none -o ControlPath=SOCKET -O exit -- HOST`, until no connection is
///   open: the process that has it open takes a moment to end.
/// - Exits: every one; 255 says that no connection is open.
/// - Touches: the connection and its socket. At most 5 seconds.
/// - Source: ssh(1).
///
/// ```
/// use talia_pipeline::{Step, steps::ssh::{Connection, SshClose}};
///
/// let server = Connection::new("deploy.example", "deploy", "/srv/known_hosts", "/run/x/c");
/// assert_eq!(SshClose::new(&server).label(), "close the connection to deploy@deploy.example");
/// ```
#[derive(Debug, Clone)]
pub struct SshClose {
    server: Connection,
}

impl SshClose {
    /// This connection.
    pub fn new(server: &Connection) -> Self {
        Self { server: server.clone() }
    }
}

impl Step for SshClose {
    type Output = ();

    fn label(&self) -> String {
        format!("close the connection to {}", self.server)
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .server
            .base()
            .args(["-O", "exit"])
            .operand(self.server.host())
            .timeout(Duration::from_secs(5))
            .purpose("close the connection");
        let pace = Pace { interval: Duration::from_millis(50), deadline: Duration::from_secs(3) };
        Action::poll(line, pace, |one| {
            Ok(match one.answer.exit() {
                OWN_FAILURE => Verdict::Done(()),
                _ if one.is_last => Verdict::Done(()),
                _ => Verdict::Again("it closes".to_owned()),
            })
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    #[test]
    fn ssh_close_minimal() {
        let server = Connection::new("deploy.example", "deploy", "/k", "/run/x/c");
        check("ssh_close__minimal", &SshClose::new(&server));
    }

    #[test]
    fn ssh_close_hostile() {
        let server = Connection::new("-O", "u", "/k", "/it's \"x\" %C\n").config("/a b");
        check("ssh_close__hostile", &SshClose::new(&server));
    }
}
