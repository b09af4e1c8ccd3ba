//! A server for one drill, thrown away after it.

use std::{
    fs,
    io::{self, Write as _},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    command_line::{CommandLine, Leaves},
    error::{Error, Result},
    files::remove_if_there,
    parse::database_url::Database,
    step::{Action, Step},
};

use super::failure::read_answer;

/// The superuser of a thrown-away server. None of a dump's roles is called so.
const SUPERUSER: &str = "talia_drill";
/// The port names the socket; nothing listens on a network.
const PORT: u16 = 5432;
/// How long a socket's path may be on Linux, with its end.
const SOCKET_PATH: usize = 108;

/// A PostgreSQL server in a folder of its own, which is reached by a socket in that
/// folder and by nothing else.
///
/// ```
/// use talia_pipeline::steps::backup::Cluster;
///
/// let cluster = Cluster::new("/var/tmp/drill", "/usr/lib/postgresql/15/bin")?.run_as("postgres");
/// assert_eq!(cluster.database().host(), Some("/var/tmp/drill/s"));
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    folder: Utf8PathBuf,
    bin: Utf8PathBuf,
    user: Option<String>,
}

impl Cluster {
    /// In this folder, which is the drill's alone, by the programs of that one.
    ///
    /// # Errors
    /// Usage, where the folder's path is too long for a socket in it.
    pub fn new(folder: impl Into<Utf8PathBuf>, bin: impl Into<Utf8PathBuf>) -> Result<Self> {
        let folder = folder.into();
        if format!("{folder}/s/.s.PGSQL.{PORT}.lock").len() >= SOCKET_PATH {
            return Err(Error::usage(format!("{folder} is too long a path for a socket in it"))
                .hint("name a folder of a shorter path"));
        }
        Ok(Self { folder, bin: bin.into(), user: None })
    }

    /// As this user of the system: PostgreSQL refuses to run as root.
    #[must_use]
    pub fn run_as(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    /// How it is reached. Whoever may enter the folder may do everything.
    pub fn database(&self) -> Database {
        Database::new("postgres").at(self.socket().as_str(), PORT).user_name(SUPERUSER)
    }

    fn data(&self) -> Utf8PathBuf {
        self.folder.join("data")
    }

    fn socket(&self) -> Utf8PathBuf {
        self.folder.join("s")
    }

    /// One of the server's programs. Its folder is `/`: the user whom it runs as may
    /// not be able to enter the caller's.
    fn line(&self, program: &str) -> CommandLine {
        let program = self.bin.join(program);
        let line = match &self.user {
            Some(user) => CommandLine::new("setpriv")
                .option("--reuid", user)
                .option("--regid", user)
                .args(["--init-groups", "--"])
                .arg(program),
            None => CommandLine::new(program),
        };
        line.cwd("/").timeout(Duration::from_secs(120))
    }
}

/// Makes the folders of a thrown-away server, for its user alone.
///
/// - Command: `install --directory --mode=0700 [--owner=USER] -- FOLDER FOLDER/data
///   FOLDER/s`.
/// - Exits: 0.
/// - Touches: the folders.
/// - Source: install(1).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{Cluster, MakeClusterFolders}};
///
/// let cluster = Cluster::new("/var/tmp/drill", "/usr/lib/postgresql/15/bin")?;
/// assert_eq!(MakeClusterFolders::new(&cluster).label(), "make the drill's folders");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MakeClusterFolders {
    cluster: Cluster,
}

impl MakeClusterFolders {
    /// Of this server.
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone() }
    }
}

impl Step for MakeClusterFolders {
    type Output = ();

    fn label(&self) -> String {
        "make the drill's folders".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let cluster = &self.cluster;
        let mut line = CommandLine::new("install").args(["--directory", "--mode=0700"]);
        if let Some(user) = &cluster.user {
            line = line.option("--owner", user);
        }
        let line = line
            .operand(cluster.folder.as_str())
            .operand(cluster.data())
            .operand(cluster.socket())
            .purpose("make a place for a server to try the dump in");
        Action::command(line, |_| Ok(()))
    }

    fn assume(&self) {}
}

/// Makes an empty server.
///
/// - Command: `[setpriv --reuid=USER --regid=USER --init-groups --] initdb …`.
///   Everybody who can reach the socket is let in: its folder is for the server's
///   user, and root, alone.
/// - Exits: 0; others are read as errors.
/// - Touches: its folder. At most 120 seconds.
/// - Source: initdb(1), setpriv(1).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{Cluster, InitCluster}};
///
/// let cluster = Cluster::new("/var/tmp/drill", "/usr/lib/postgresql/15/bin")?;
/// assert_eq!(InitCluster::new(&cluster).label(), "make a server for the drill");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct InitCluster {
    cluster: Cluster,
}

impl InitCluster {
    /// This server.
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone() }
    }
}

impl Step for InitCluster {
    type Output = ();

    fn label(&self) -> String {
        "make a server for the drill".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .cluster
            .line("initdb")
            .option("--pgdata", self.cluster.data())
            .option("--username", SUPERUSER)
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .accept([0, 1])
            .purpose("make an empty server to try the dump in");
        Action::command(line, |answer| {
            read_answer(answer, "making a server for the drill").map(drop)
        })
    }

    fn assume(&self) {}
}

/// Sets a thrown-away server up: no network, nothing flushed to the disk.
///
/// - In this process: writes `data/postgresql.auto.conf`, which is read after all
///   other settings.
/// - Touches: that file.
/// - Source: *Server Configuration* in PostgreSQL's manual.
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{Cluster, TuneCluster}};
///
/// let cluster = Cluster::new("/var/tmp/drill", "/usr/lib/postgresql/15/bin")?;
/// assert_eq!(TuneCluster::new(&cluster).label(), "set the drill's server up");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TuneCluster {
    cluster: Cluster,
}

impl TuneCluster {
    /// This server.
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone() }
    }

    fn settings(&self) -> String {
        let socket = self.cluster.socket().as_str().replace('\'', "''");
        format!(
            "listen_addresses = ''\n\
             port = {PORT}\n\
             unix_socket_directories = '\"{}\"'\n\
             fsync = off\n\
             full_page_writes = off\n\
             synchronous_commit = off\n\
             autovacuum = off\n\
             wal_level = minimal\n\
             min_wal_size = 32MB\n\
             max_wal_size = 128MB\n\
             max_wal_senders = 0\n\
             max_locks_per_transaction = 512\n",
            // A list: in quotes of its own a comma or a blank is a part of a name.
            socket.replace('"', "\"\"")
        )
    }

    fn write(&self, path: &Utf8Path) -> io::Result<()> {
        // The folder belongs to another user: what is there is not followed.
        remove_if_there(path)?;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(self.settings().as_bytes())
    }
}

impl Step for TuneCluster {
    type Output = ();

    fn label(&self) -> String {
        "set the drill's server up".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let path = self.cluster.data().join("postgresql.auto.conf");
        Action::work(format!("write {path}"), move || {
            self.write(&path)
                .map_err(|cause| Error::step(format!("{path} cannot be written")).caused_by(cause))
        })
    }

    fn assume(&self) {}
}

/// Starts a thrown-away server and waits until it answers.
///
/// - Command: `[setpriv … --] pg_ctl start --pgdata=… --wait --timeout=60 --log=…`.
/// - Exits: 0; others are read as errors.
/// - Touches: its folder. The server runs until the flow ends at the latest; let
///   [`StopCluster`] be a `finally`.
/// - Source: pg_ctl(1).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{Cluster, StartCluster}};
///
/// let cluster = Cluster::new("/var/tmp/drill", "/usr/lib/postgresql/15/bin")?;
/// assert_eq!(StartCluster::new(&cluster).label(), "start the drill's server");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StartCluster {
    cluster: Cluster,
}

impl StartCluster {
    /// This server.
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone() }
    }
}

impl Step for StartCluster {
    type Output = ();

    fn label(&self) -> String {
        "start the drill's server".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .cluster
            .line("pg_ctl")
            .arg("start")
            .option("--pgdata", self.cluster.data())
            .args(["--wait", "--timeout=60"])
            .option("--log", self.cluster.data().join("log"))
            .leaves(Leaves::UntilFlowEnds)
            .accept([0, 1])
            .purpose("start a server to try the dump in");
        Action::command(line, |answer| {
            read_answer(answer, "starting the drill's server").map(drop).map_err(|error| {
                // What it says itself stands in its log.
                let log = fs::read_to_string(self.cluster.data().join("log")).unwrap_or_default();
                let lines: Vec<String> = log.lines().map(str::to_owned).collect();
                error.tail(lines[lines.len().saturating_sub(20)..].to_vec())
            })
        })
    }

    fn assume(&self) {}
}

/// Stops a thrown-away server at once; one that does not run is stopped already.
///
/// - Command: `[setpriv … --] pg_ctl stop --pgdata=… --mode=immediate --wait
///   --timeout=10`.
/// - Exits: 0; 1 where none runs.
/// - Touches: the server.
/// - Source: pg_ctl(1).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::{Cluster, StopCluster}};
///
/// let cluster = Cluster::new("/var/tmp/drill", "/usr/lib/postgresql/15/bin")?;
/// assert_eq!(StopCluster::new(&cluster).label(), "stop the drill's server");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StopCluster {
    cluster: Cluster,
}

impl StopCluster {
    /// This server.
    pub fn new(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone() }
    }
}

impl Step for StopCluster {
    type Output = ();

    fn label(&self) -> String {
        "stop the drill's server".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let line = self
            .cluster
            .line("pg_ctl")
            .arg("stop")
            .option("--pgdata", self.cluster.data())
            // Nothing of it is wanted any more.
            .args(["--mode=immediate", "--wait", "--timeout=10"])
            .accept([0, 1])
            .purpose("stop the server that the drill has started");
        Action::command(line, |answer| {
            let none = answer.exit() == 0
                || ["does not exist", "is not a database cluster", "PID file"]
                    .iter()
                    .any(|words| answer.stderr().contains(words));
            if none { Ok(()) } else { Err(answer.unreadable("that the server has stopped")) }
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::check;

    fn minimal() -> Cluster {
        Cluster::new("/var/tmp/drill", "/usr/lib/postgresql/15/bin").unwrap()
    }
    fn hostile() -> Cluster {
        Cluster::new("/var/it's $x", "/opt/p g/bin").unwrap().run_as("no body")
    }

    #[test]
    fn make_cluster_folders() {
        check("make_cluster_folders__minimal", &MakeClusterFolders::new(&minimal()));
        check("make_cluster_folders__hostile", &MakeClusterFolders::new(&hostile()));
    }
    #[test]
    fn init_cluster() {
        check("init_cluster__minimal", &InitCluster::new(&minimal()));
        check("init_cluster__hostile", &InitCluster::new(&hostile()));
    }
    #[test]
    fn tune_cluster() {
        check("tune_cluster__hostile", &TuneCluster::new(&hostile()));
        let settings = TuneCluster::new(&hostile()).settings();
        assert!(settings.contains("= '\"/var/it''s $x/s\"'\n"), "{settings}");
    }
    #[test]
    fn start_cluster() {
        check("start_cluster__minimal", &StartCluster::new(&minimal()));
        check("start_cluster__hostile", &StartCluster::new(&hostile()));
    }
    #[test]
    fn stop_cluster() {
        check("stop_cluster__minimal", &StopCluster::new(&minimal()));
        check("stop_cluster__hostile", &StopCluster::new(&hostile()));
    }

    #[test]
    fn a_path_that_no_socket_fits_in_is_refused() {
        assert!(Cluster::new("/".repeat(80), "/bin").is_ok());
        assert!(Cluster::new("/".repeat(90), "/bin").is_err());
    }
}
