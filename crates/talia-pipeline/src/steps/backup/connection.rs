use camino::{Utf8Path, Utf8PathBuf};

use crate::{command_line::CommandLine, parse::database_url::Database};

/// Variables of libpq that choose another server, or change what it answers. What
/// a connection does not set itself is taken away from the caller's environment.
/// `PGCLUSTER` is that of Debian's wrappers.
const CLEARED: &[&str] =
    &["PGCLUSTER", "PGHOST", "PGHOSTADDR", "PGOPTIONS", "PGPASSWORD", "PGSERVICE", "PGUSER"];

/// How long one try to connect may last.
const CONNECT_SECONDS: &str = "10";

/// Where PostgreSQL's own programs are.
///
/// ```
/// use talia_pipeline::steps::backup::Clients;
///
/// assert_eq!(Clients::on_path().pg_dump(), "pg_dump");
/// assert_eq!(Clients::in_folder("/opt/pg/bin").psql(), "/opt/pg/bin/psql");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clients {
    folder: Option<Utf8PathBuf>,
}

impl Clients {
    /// Along `PATH`.
    pub fn on_path() -> Self {
        Self::default()
    }

    /// In this folder.
    pub fn in_folder(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: Some(folder.into()) }
    }

    fn program(&self, name: &str) -> String {
        self.folder.as_ref().map_or_else(|| name.to_owned(), |folder| folder.join(name).into())
    }

    /// `psql`.
    pub fn psql(&self) -> String {
        self.program("psql")
    }
    /// `pg_dump`.
    pub fn pg_dump(&self) -> String {
        self.program("pg_dump")
    }
    /// `pg_restore`.
    pub fn pg_restore(&self) -> String {
        self.program("pg_restore")
    }
}

/// How a step reaches a database: by variables and a file, never by arguments,
/// which everybody on the machine can read.
///
/// `PGHOST`, `PGPORT`, `PGUSER`, `PGDATABASE`, `PGPASSFILE`, `PGSSLMODE` and others
/// that the URL names, `PGCONNECT_TIMEOUT`, `PGAPPNAME=talia-backup`.
///
/// Source: *Environment Variables* and *The Password File* in libpq's manual.
///
/// ```
/// use talia_pipeline::{parse::database_url, steps::backup::Connection};
///
/// let database = database_url::read("postgresql://talia:s3cr3t-word@db.example/app")?;
/// let connection = Connection::new(&database).pass_file("/run/talia/pgpass");
/// assert!(!format!("{connection:?}").contains("s3cr3t"));
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Connection {
    database: Database,
    pass_file: Option<Utf8PathBuf>,
    clients: Clients,
}

impl Connection {
    /// To this database.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), pass_file: None, clients: Clients::on_path() }
    }

    /// With the password in this file; see [`PassFile`](super::PassFile).
    #[must_use]
    pub fn pass_file(mut self, path: impl Into<Utf8PathBuf>) -> Self {
        self.pass_file = Some(path.into());
        self
    }

    /// By these programs.
    #[must_use]
    pub fn clients(mut self, clients: &Clients) -> Self {
        self.clients = clients.clone();
        self
    }

    /// The same server's database of another name.
    #[must_use]
    pub fn to(&self, name: impl Into<String>) -> Self {
        Self { database: self.database.named(name), ..self.clone() }
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }
    /// The programs.
    pub fn programs(&self) -> &Clients {
        &self.clients
    }
    /// The file with the password.
    pub fn password_path(&self) -> Option<&Utf8Path> {
        self.pass_file.as_deref()
    }

    /// A command that reaches this database by its environment.
    pub(super) fn line(&self, program: String) -> CommandLine {
        let mut line = CommandLine::new(program);
        for name in CLEARED {
            line = line.env_remove(*name);
        }
        line = line
            .env("PGAPPNAME", "talia-backup")
            .env("PGCONNECT_TIMEOUT", CONNECT_SECONDS)
            .env("PGDATABASE", self.database.name())
            .env("PGPORT", self.database.port().to_string());
        if let Some(host) = self.database.host() {
            line = line.env("PGHOST", host);
        }
        if let Some(user) = self.database.user() {
            line = line.env("PGUSER", user);
        }
        if let Some(path) = &self.pass_file {
            line = line.env("PGPASSFILE", path.as_str());
        }
        for (name, value) in self.database.settings() {
            line = line.env(name, value);
        }
        line
    }

    /// `psql` for a script or a command: nothing but the rows on standard output,
    /// and an end at the first error.
    pub(super) fn psql(&self) -> CommandLine {
        self.line(self.clients.psql())
            .args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"])
            .option("--set", "ON_ERROR_STOP=1")
            // 1: it failed itself; 2: no connection; 3: an error in the script. The
            // reader tells them with the way out.
            .accept([0, 1, 2, 3])
            .stdout_is_data()
    }

    /// `--dbname` for a program that has to be told a database by an argument. It
    /// reads a connection string there, so the name is quoted as a part of one.
    pub(super) fn dbname(&self) -> String {
        let name = self.database.name().replace('\\', "\\\\").replace('\'', "\\'");
        format!("dbname='{name}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_connection_string() {
        let database = Database::new("it's host=evil\\");
        assert_eq!(Connection::new(&database).dbname(), "dbname='it\\'s host=evil\\\\'");
    }
}
