use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::Stdin,
    error::Error,
    step::{Action, Step, Summary},
};

use super::{Connection, Contents, failure::failed};

/// One transaction: `pg_dump` reads the snapshot that it exports, and its rows are
/// counted in the same.
const SCRIPT: &str = concat!(
    include_str!("sql/session.sql"),
    include_str!("sql/dump.sql"),
    include_str!("sql/count.sql"),
    include_str!("sql/foreign.sql"),
    "COMMIT;\n",
);

/// A database with very many tables says a line for each.
pub(super) const CAPTURE_BYTES: usize = 64 << 20;

/// Dumps a database, everything and the schema alone, and counts what is in the
/// dumps, all three in one snapshot: nothing that is written meanwhile makes them
/// differ.
///
/// - Command: `psql … < SCRIPT`, in which `pg_dump --format=custom --snapshot=…` and
///   `pg_dump --format=plain --schema-only --snapshot=…` run while psql's own
///   transaction keeps the snapshot. Paths and schemas go to it by variables, so
///   the script is always the same.
/// - Exits: 0; others are read as errors.
/// - Touches: the two files, made for their owner alone. The time limit is the
///   run's own unless [`Dump::timeout`] says otherwise; a lock is waited for one
///   minute.
/// - The dumps hold everything, owners and grants too: what a restore leaves out is
///   decided there.
/// - Errors: no connection, a table that may not be read, a full disk.
/// - Source: pg_dump(1); *Snapshot Synchronization Functions* in PostgreSQL's manual.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, Dump}};
///
/// let database = database_url::read("postgresql://talia@db.example/app")?;
/// let dump = Dump::new(&Connection::new(&database), "/srv/7.dump.partial", "/srv/7.sql.partial");
/// assert_eq!(dump.label(), "dump app");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dump {
    connection: Connection,
    full: Utf8PathBuf,
    schema: Utf8PathBuf,
    excluded: Vec<String>,
    timeout: Option<Duration>,
}

impl Dump {
    /// Everything into one file, the schema into another.
    pub fn new(
        connection: &Connection,
        full: impl Into<Utf8PathBuf>,
        schema: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self {
            connection: connection.clone(),
            full: full.into(),
            schema: schema.into(),
            excluded: Vec::new(),
            timeout: None,
        }
    }

    /// Without these schemas, by their names: such as those that a provider keeps
    /// for itself.
    #[must_use]
    pub fn without_schemas<I: IntoIterator<Item = impl Into<String>>>(mut self, names: I) -> Self {
        self.excluded = names.into_iter().map(Into::into).collect();
        self
    }

    /// At most this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// What the scripts read as schemas to pass over.
pub(super) fn excluded(names: &[String]) -> String {
    // Serialising a list of strings cannot fail.
    format!("excluded={}", serde_json::to_string(names).unwrap_or_default())
}

/// A name as `pg_dump` reads patterns: in quotes it stands for itself alone.
fn pattern(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Step for Dump {
    type Output = Contents;

    fn label(&self) -> String {
        format!("dump {}", self.connection.database().name())
    }

    fn action(&self) -> Action<'_, Contents> {
        let variable = |at: usize| format!("TALIA_EXCLUDED_{at}");
        let options = (0..self.excluded.len())
            .map(|at| format!(" --exclude-schema=\"${}\"", variable(at)))
            .collect::<String>();
        let mut line = self
            .connection
            .psql()
            .option("--set", excluded(&self.excluded))
            .env("TALIA_PG_DUMP", self.connection.programs().pg_dump())
            .env("TALIA_FULL", self.full.as_str())
            .env("TALIA_SCHEMA", self.schema.as_str())
            .stdin(Stdin::Text(SCRIPT.replace("@EXCLUDED@", &options)))
            .capture_bytes(CAPTURE_BYTES)
            .requires(self.connection.programs().pg_dump())
            .purpose("dump the database and count its rows in one snapshot");
        for (at, name) in self.excluded.iter().enumerate() {
            line = line.env(variable(at), pattern(name));
        }
        if let Some(timeout) = self.timeout {
            line = line.timeout(timeout);
        }
        Action::command(line, |answer| {
            if answer.exit() != 0 {
                return Err(failed(answer, "the dump"));
            }
            if answer.is_truncated() {
                return Err(Error::step("the database has more tables than can be counted"));
            }
            Contents::read(&answer.stdout())
                .ok_or_else(|| answer.unreadable("counts as JSON lines"))
        })
    }

    fn assume(&self) -> Contents {
        Contents::unknown()
    }

    fn summary(&self, contents: &Contents) -> Summary {
        Summary::line(contents.amount())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;
    use crate::steps::{backup::samples, testing::check};

    #[test]
    fn minimal() {
        check("dump__minimal", &Dump::new(&samples::minimal(), "/srv/7.dump", "/srv/7.sql"));
    }
    #[test]
    fn everything() {
        let step = Dump::new(&samples::full(), "/srv/7.dump.partial", "/srv/7.sql.partial")
            .without_schemas(["vault", "auth"])
            .timeout(Duration::from_secs(600));
        check("dump__everything", &step);
    }
    #[test]
    fn hostile() {
        let step = Dump::new(&samples::hostile(), "/srv/it's $(x)\n/7.dump", "-7.sql")
            .without_schemas(["it's \"$x\" `y`*"]);
        check("dump__hostile", &step);
    }

    #[test]
    fn half_an_answer_is_none() {
        let step = Dump::new(&samples::minimal(), "/a", "/b");
        let read = |exit, out: &str, err: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(exit, out, err))
        };
        assert!(read(0, "{\"kind\":\"role\",\"name\":\"a\",\"named\":true}\n", "").is_err());
        let error =
            read(3, "", "pg_dump: error: No space left on device\nERROR:  x\n").unwrap_err();
        assert!(error.to_string().contains("pg_dump: error: No space"), "{error}");
    }
}
