use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::command_line::{CommandLine, Leaves};

/// What the client proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// The keys of the ssh-agent.
    Agent,
    /// A private key in a file.
    File {
        /// The file.
        path: Utf8PathBuf,
        /// What the key is called in messages: the name of its secret, or its path.
        name: String,
    },
}

impl Key {
    /// Its name in messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Agent => "the keys of the ssh-agent",
            Self::File { name, .. } => name,
        }
    }
}

/// One user on one server, reached over one connection that all requests share.
///
/// The first request opens it and leaves it open for those that follow, for 30
/// seconds after the last one; see [`super::SshClose`]. The options on its command
/// line, each before anything that a configuration file could say:
///
/// - `-F none`: no configuration file, the system's neither. With
///   [`Connection::config`] that file is read, for what people need to reach a server
///   at all (`ProxyJump`, `HostName`). ssh takes the first value that it meets, so
///   the options here win over the file. What a file adds to lists stays: further
///   `IdentityFile`s are tried after ours, and what `SendEnv` names is sent. A jump
///   host's own key is checked as the file says. The server's is checked as follows,
///   whatever the file says.
/// - `StrictHostKeyChecking=yes`, the pinned file as `UserKnownHostsFile`, no global
///   one, no keys by DNS, no exception for the local host, no `UpdateHostKeys`: a
///   server's key stands in the pinned file or nothing is sent.
/// - `BatchMode=yes`, `PreferredAuthentications=publickey`: nothing is asked.
///   `IdentitiesOnly=yes` and `IdentityAgent=none` where a key file is named.
/// - `ControlMaster`, `ControlPath`, `ControlPersist`: one connection.
/// - `ConnectTimeout`, `ServerAliveInterval=10`, `ServerAliveCountMax=3`: a server
///   that has gone is noticed after half a minute.
/// - no agent, port or X11 forwarding, no terminal, no local commands.
/// - `LogLevel=ERROR`: what is said is why it failed, or nothing.
///
/// Source: ssh(1), ssh_config(5), OpenSSH 9.2.
///
/// ```
/// use talia_pipeline::steps::ssh::Connection;
///
/// let server = Connection::new("deploy.example", "deploy", "/srv/known_hosts", "/run/x/c")
///     .port(2222)
///     .key_file("/run/x/key", "DEPLOY_KEY");
/// assert_eq!(server.to_string(), "deploy@deploy.example:2222");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    host: String,
    user: String,
    port: u16,
    key: Key,
    known_hosts: Utf8PathBuf,
    socket: Utf8PathBuf,
    config: Option<Utf8PathBuf>,
    connect_timeout: Duration,
}

impl Connection {
    /// This user on this host, whose key stands in `known_hosts`; the connection's
    /// socket is `socket`, see [`crate::private::PrivateFolder::socket`].
    pub fn new(
        host: impl Into<String>,
        user: impl Into<String>,
        known_hosts: impl Into<Utf8PathBuf>,
        socket: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self {
            host: host.into(),
            user: user.into(),
            port: 22,
            key: Key::Agent,
            known_hosts: known_hosts.into(),
            socket: socket.into(),
            config: None,
            connect_timeout: Duration::from_secs(10),
        }
    }

    /// At this port; 22 unless set.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// With the private key in this file, called `name` in messages; with the
    /// ssh-agent unless set.
    #[must_use]
    pub fn key_file(mut self, path: impl Into<Utf8PathBuf>, name: impl Into<String>) -> Self {
        self.key = Key::File { path: path.into(), name: name.into() };
        self
    }

    /// Reads this ssh configuration file as well. OpenSSH 8.5 or later; for
    /// `ProxyJump` the path must have no blanks, ssh does not quote it.
    #[must_use]
    pub fn config(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.config = Some(path.into());
        self
    }

    /// How long connecting may take, whole seconds; 10 unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }
    /// The port.
    pub fn port_number(&self) -> u16 {
        self.port
    }
    /// What the client proves itself with.
    pub fn key(&self) -> &Key {
        &self.key
    }
    /// The file with the server's key.
    pub fn known_hosts(&self) -> &Utf8Path {
        &self.known_hosts
    }

    /// The name that the server has in a known-hosts file.
    pub(super) fn known_name(&self) -> String {
        match self.port {
            22 => self.host.clone(),
            port => format!("[{}]:{port}", self.host),
        }
    }

    /// `ssh` with what it needs to find the connection that is open.
    pub(super) fn base(&self) -> CommandLine {
        let config = self.config.as_ref().map_or("none", |path| path.as_str());
        let line = CommandLine::new("ssh").args(["-F", config]);
        option(line, "ControlPath", &path(&self.socket))
    }

    /// `ssh` as far as the host, which the request follows.
    pub(super) fn line(&self) -> CommandLine {
        self.without_host().leaves(Leaves::UntilFlowEnds).operand(&self.host)
    }

    /// The same up to the host, as rsync's `--rsh` takes it: it adds the host and the
    /// request itself. Its words are split at blanks, and quoted by doubled quotes.
    ///
    /// Source: rsync(1), *--rsh*.
    pub(crate) fn rsh(&self) -> String {
        let line = self.without_host();
        let words = std::iter::once(line.program())
            .chain(line.arguments().iter().map(String::as_str))
            .map(rsh_word);
        words.collect::<Vec<_>>().join(" ")
    }

    /// A path or module there, as rsync names it after the host's own name.
    pub(crate) fn remote_place(&self, place: &str) -> String {
        let host = &self.host;
        if host.contains(':') { format!("[{host}]:{place}") } else { format!("{host}:{place}") }
    }

    fn without_host(&self) -> CommandLine {
        let mut line = self.base();
        let mut set = |name: &str, value: &str| {
            let taken = std::mem::replace(&mut line, CommandLine::new(""));
            line = option(taken, name, value);
        };
        set("User", &self.user);
        set("Port", &self.port.to_string());
        set("BatchMode", "yes");
        set("PreferredAuthentications", "publickey");
        if let Key::File { path: file, .. } = &self.key {
            set("IdentityFile", &path(file));
            set("IdentitiesOnly", "yes");
            set("IdentityAgent", "none");
        }
        set("StrictHostKeyChecking", "yes");
        set("UserKnownHostsFile", &path(&self.known_hosts));
        set("GlobalKnownHostsFile", "/dev/null");
        set("VerifyHostKeyDNS", "no");
        set("NoHostAuthenticationForLocalhost", "no");
        set("UpdateHostKeys", "no");
        if self.config.is_some() {
            // These do harm only where a file sets them, and older clients do not
            // know them all.
            set("KnownHostsCommand", "none");
            set("RemoteCommand", "none");
            set("Tunnel", "no");
            set("AddKeysToAgent", "no");
            set("ForwardX11", "no");
        }
        set("ControlMaster", "auto");
        set("ControlPersist", "30");
        set("ConnectTimeout", &self.connect_timeout.as_secs().max(1).to_string());
        set("ServerAliveInterval", "10");
        set("ServerAliveCountMax", "3");
        set("ForwardAgent", "no");
        set("ClearAllForwardings", "yes");
        set("PermitLocalCommand", "no");
        set("RequestTTY", "no");
        set("LogLevel", "ERROR");
        line
    }
}

impl std::fmt::Display for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.host)?;
        if self.port == 22 { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

fn option(line: CommandLine, name: &str, value: &str) -> CommandLine {
    line.arg("-o").arg(format!("{name}={value}"))
}

/// A word for rsync's `--rsh`, which knows quotes and no backslashes.
fn rsh_word(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\'', '"']) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "''"))
}

/// A path as ssh's configuration reads it: blanks end a word outside quotes, and a
/// percent sign begins a token.
fn path(path: &Utf8Path) -> String {
    let escaped = path.as_str().replace('%', "%%").replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_sshs_own_reading() {
        assert_eq!(path("/a b/%C".into()), "\"/a b/%%C\"");
        assert_eq!(path("/a\"b\\c".into()), "\"/a\\\"b\\\\c\"");
    }

    #[test]
    fn a_port_stands_in_the_servers_name() {
        let server = Connection::new("h", "u", "/k", "/s");
        assert_eq!((server.to_string(), server.known_name()), ("u@h".into(), "h".into()));
        let server = server.port(2222);
        assert_eq!(
            (server.to_string(), server.known_name()),
            ("u@h:2222".into(), "[h]:2222".into())
        );
    }
}
