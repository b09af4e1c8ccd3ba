use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    command_line::{CommandLine, Effect},
    error::{Error, Result},
    step::{Action, Step, Summary},
    tool::version_in,
};

use super::{Connection, failure::read_answer};

/// A version of PostgreSQL, comparable; as a number it is `server_version_num`.
///
/// ```
/// use talia_pipeline::steps::backup::PgVersion;
///
/// let version = PgVersion::of_text("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)");
/// assert_eq!(version.map(|version| version.to_string()).as_deref(), Some("15.18"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PgVersion(u32);

impl PgVersion {
    /// By `server_version_num`: 150018 is 15.18, 90624 is 9.6.24.
    pub fn of_number(number: u32) -> Self {
        Self(number)
    }

    /// By what a program says of itself.
    pub fn of_text(text: &str) -> Option<Self> {
        let numbers = version_in(text)?;
        let part = |at: usize| numbers.get(at).copied().unwrap_or(0);
        let number = match part(0) {
            0 => return None,
            major @ 1..10 => major * 10_000 + part(1) * 100 + part(2),
            major => major * 10_000 + part(1),
        };
        u32::try_from(number).ok().map(Self)
    }

    /// What a plan goes on with: nobody has asked yet.
    pub fn unknown() -> Self {
        Self(0)
    }

    /// Whether somebody has asked.
    pub fn is_known(self) -> bool {
        self.0 != 0
    }

    /// What makes two versions' files differ: 15, or 906 for 9.6.
    pub fn major(self) -> u32 {
        if self.0 < 100_000 { self.0 / 100 } else { self.0 / 10_000 }
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = self;
        match number {
            0 => f.write_str("of unknown version"),
            1..100_000 => {
                write!(f, "{}.{}.{}", number / 10_000, number / 100 % 100, number % 100)
            }
            _ => write!(f, "{}.{}", number / 10_000, number % 10_000),
        }
    }
}

/// Observation: which version one of PostgreSQL's programs is.
///
/// - Command: `PROGRAM --version`. On Debian the programs are wrappers that choose
///   a version, so their path tells nothing.
/// - Exits: 0.
/// - Touches: nothing.
/// - Source: pg_dump(1), pg_wrapper(1).
///
/// ```
/// use talia_pipeline::{Step, steps::backup::ClientVersion};
///
/// assert_eq!(ClientVersion::new("pg_dump").label(), "version of pg_dump");
/// ```
#[derive(Debug, Clone)]
pub struct ClientVersion {
    program: String,
}

impl ClientVersion {
    /// Of this program: a name or a path.
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into() }
    }
}

impl Step for ClientVersion {
    type Output = PgVersion;

    fn label(&self) -> String {
        let name = self.program.rsplit('/').next().unwrap_or_default();
        format!("version of {name}")
    }

    fn action(&self) -> Action<'_, PgVersion> {
        let line = CommandLine::new(&self.program)
            .arg("--version")
            .effect(Effect::Read)
            .timeout(Duration::from_secs(20))
            .purpose("which version it is");
        Action::command(line, |answer| {
            let said = answer.stdout();
            // Only PostgreSQL's own words: another program may be of that name.
            let version = said.contains("(PostgreSQL)").then(|| PgVersion::of_text(&said));
            version.flatten().ok_or_else(|| answer.unreadable("a version of PostgreSQL"))
        })
    }

    fn assume(&self) -> PgVersion {
        PgVersion::unknown()
    }

    fn summary(&self, version: &PgVersion) -> Summary {
        Summary::line(version.to_string())
    }
}

/// What a server says of itself before a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Its version.
    pub version: PgVersion,
    /// How large the database is on its disk.
    pub database_bytes: u64,
    /// Whether its messages are in English, as those are read here.
    pub is_english: bool,
}

/// Whether a server of this `lc_messages` speaks English.
fn is_english(messages: &str) -> bool {
    // An empty one is that of a server without translations.
    ["", "C", "POSIX"].contains(&messages)
        || ["C.", "en", "English"].iter().any(|start| messages.starts_with(start))
}

/// Asks the server for its version, the size of the database and the language it speaks.
///
/// - Command: `psql --no-psqlrc … --command='SELECT current_setting(…), …'`, the
///   connection in `PG…` variables.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing. At most 30 seconds.
/// - Errors: no connection, a wrong password.
/// - Source: psql(1).
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{AskServer, Connection}};
///
/// let database = database_url::read("postgresql://talia@db.example/app")?;
/// let ask = AskServer::new(&Connection::new(&database));
/// assert_eq!(ask.label(), "version of the server");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AskServer {
    connection: Connection,
}

impl AskServer {
    /// Through this connection.
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Step for AskServer {
    type Output = Server;

    fn label(&self) -> String {
        "version of the server".into()
    }

    fn action(&self) -> Action<'_, Server> {
        let question = "SELECT current_setting('server_version_num'), \
                        pg_database_size(current_database()), current_setting('lc_messages')";
        let line = self
            .connection
            .psql()
            .option("--command", question)
            .effect(Effect::Read)
            .timeout(Duration::from_secs(30))
            .purpose("which version the server is, and how large the database");
        Action::command(line, |answer| {
            let said = read_answer(answer, "asking the server for its version")?;
            let mut parts = said.trim().splitn(3, '|');
            let mut part = || parts.next().unwrap_or_default();
            let (version, bytes, messages) = (part(), part(), parts.next());
            match (version.parse(), bytes.parse(), messages) {
                (Ok(version), Ok(database_bytes), Some(messages)) => Ok(Server {
                    version: PgVersion::of_number(version),
                    database_bytes,
                    is_english: is_english(messages),
                }),
                _ => Err(answer.unreadable("a version, a size and a language")),
            }
        })
    }

    fn assume(&self) -> Server {
        Server { version: PgVersion::unknown(), database_bytes: 0, is_english: true }
    }

    fn summary(&self, server: &Server) -> Summary {
        Summary::line(format!("{}, {} MB", server.version, server.database_bytes / 1_000_000))
    }
}

/// Refuses programs that cannot read what this server has, or what `pg_dump` writes.
///
/// # Errors
/// Refused, with both versions and the package that brings the right ones.
pub fn compatible(pg_dump: PgVersion, pg_restore: PgVersion, server: PgVersion) -> Result<()> {
    if !server.is_known() {
        return Ok(());
    }
    let major = server.major();
    let too_old = |program: &str, version: PgVersion, other: &str, theirs: PgVersion| {
        Err(Error::refused(format!("{program} is {version}, {other} is {theirs}: an older {program} cannot read it"))
            .hint(format!(
                "install the programs of the server's version: `apt-get install postgresql-client-{major}` \
                 (where Debian's archive has none, PostgreSQL's own has)"
            )))
    };
    if pg_dump.is_known() && pg_dump.major() < major {
        return too_old("pg_dump", pg_dump, "the server", server);
    }
    if pg_restore.is_known() && pg_restore.major() < pg_dump.major() {
        return too_old("pg_restore", pg_restore, "pg_dump", pg_dump);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::samples, testing::check};
    use crate::{Answer, ErrorKind};

    #[test]
    fn client_version_minimal() {
        check("client_version__minimal", &ClientVersion::new("pg_dump"));
    }
    #[test]
    fn client_version_hostile() {
        check("client_version__hostile", &ClientVersion::new("/opt/it's $x/-pg_dump"));
    }
    #[test]
    fn ask_server_minimal() {
        check("ask_server__minimal", &AskServer::new(&samples::minimal()));
    }
    #[test]
    fn ask_server_hostile() {
        check("ask_server__hostile", &AskServer::new(&samples::hostile()));
    }

    fn version(said: &str) -> Result<PgVersion> {
        let step = ClientVersion::new("pg_dump");
        let Action::Command { read, .. } = step.action() else { unreachable!("it is a command") };
        read(&Answer::new(0, said, ""))
    }

    #[test]
    fn versions_are_read_and_shown() {
        for (said, shown, major) in [
            ("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18", 15),
            ("psql (PostgreSQL) 9.6.24\n", "9.6.24", 906),
            ("pg_restore (PostgreSQL) 17beta1\n", "17.0", 17),
            ("pg_restore (PostgreSQL) 18devel\n", "18.0", 18),
        ] {
            let version = version(said).unwrap();
            assert_eq!((version.to_string().as_str(), version.major()), (shown, major), "{said}");
        }
        assert!(version("something 15.1\n").is_err());
        assert!(PgVersion::of_number(90624) < PgVersion::of_number(100_000));
    }

    #[test]
    fn a_server_that_is_newer_than_a_program_is_refused() {
        let v = PgVersion::of_number;
        let error = compatible(v(150_018), v(150_018), v(160_002)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        let all = format!("{error} {}", error.hint_text().unwrap());
        for part in ["15.18", "16.2", "postgresql-client-16"] {
            assert!(all.contains(part), "{all}");
        }
        let error = compatible(v(160_002), v(150_018), v(150_001)).unwrap_err();
        assert!(error.to_string().starts_with("pg_restore is 15.18, pg_dump is 16.2"), "{error}");
        compatible(v(160_002), v(170_000), v(150_018)).unwrap();
        compatible(v(150_001), v(150_001), v(150_018)).unwrap();
        compatible(v(150_018), v(150_018), PgVersion::unknown()).unwrap();
    }

    #[test]
    fn what_the_server_says_is_read() {
        let step = AskServer::new(&samples::minimal());
        let read = |exit, out: &str, err: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(exit, out, err))
        };
        let server = read(0, "150018|7654321|C.UTF-8\n", "").unwrap();
        assert_eq!(
            (server.version.to_string().as_str(), server.database_bytes, server.is_english),
            ("15.18", 7_654_321, true)
        );
        for (messages, is_english) in
            [("", true), ("en_US.UTF-8", true), ("de_DE.UTF-8", false), ("Czech", false)]
        {
            let said = format!("150018|1|{messages}\n");
            assert_eq!(read(0, &said, "").unwrap().is_english, is_english, "{messages}");
        }
        assert!(read(0, "", "").is_err());
        let refused = "psql: error: FATAL:  password authentication failed for user \"x\"\n";
        let error = read(2, "", refused).unwrap_err();
        assert!(error.hint_text().unwrap().contains("DATABASE_URL"), "{error}");
    }
}
