use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::Stdin,
    step::{Action, Answer, Step, Summary},
};

use super::{
    Archive, Connection,
    failure::{failed, is_outside},
};

/// How a restore has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// All of it is there.
    Whole,
    /// What it replaces is needed by what the dump does not have, as the server names it:
    /// `view public.newer depends on table public.a`. Only where it replaces.
    Blocked(Vec<String>),
    /// The server, or `pg_restore`, does not take what is in the dump: this, and why.
    Broken(String),
}

/// Restores a dump, or a part of it, into a database, up to the first error. Objects
/// then belong to the user who connects.
///
/// - Command: `pg_restore --dbname=… --no-owner --exit-on-error --no-password …
///   -- FILE`; `--clean --if-exists --single-transaction` where it replaces what is
///   there; `--use-list=/dev/stdin` with a part's list on standard input.
/// - Exits: 0, and 1 where the dump itself is to blame; another 1 is read as an error.
/// - Touches: the database. The time limit is the run's own unless
///   [`PgRestore::timeout`] says otherwise.
/// - Errors: no connection, a full disk, no rights.
/// - Source: pg_restore(1).
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, PgRestore}};
///
/// let database = database_url::read("postgresql://talia@db.example/app")?;
/// let step = PgRestore::new(&Connection::new(&database), "/srv/7.dump");
/// assert_eq!(step.label(), "restore into app");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PgRestore {
    connection: Connection,
    dump: Utf8PathBuf,
    part: Option<String>,
    replacing: bool,
    elsewhere: bool,
    timeout: Option<Duration>,
}

impl PgRestore {
    /// Into this database, this dump.
    pub fn new(connection: &Connection, dump: impl Into<Utf8PathBuf>) -> Self {
        Self {
            connection: connection.clone(),
            dump: dump.into(),
            part: None,
            replacing: false,
            elsewhere: false,
            timeout: None,
        }
    }

    /// Only these entries.
    #[must_use]
    pub fn part(mut self, archive: &Archive) -> Self {
        self.part = Some(archive.to_list());
        self
    }

    /// Drops what is there under the same names first, all in one transaction: it is
    /// as it was, or as it was dumped.
    #[must_use]
    pub fn replacing(mut self) -> Self {
        self.replacing = true;
        self
    }

    /// On another server than the one that was dumped: without its tablespaces,
    /// security labels and subscriptions.
    #[must_use]
    pub fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    /// At most this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// What keeps something from being dropped, if it is that.
fn in_the_way(said: &str) -> Option<Vec<String>> {
    let (_, rest) = said.split_once("because other objects depend on it\nDETAIL:")?;
    let lines = rest.lines().map(str::trim).take_while(|line| line.contains(" depends on "));
    Some(lines.map(str::to_owned).collect())
}

/// What the dump is to blame for, if it is.
fn reason(answer: &Answer) -> Option<String> {
    let said = answer.stderr();
    if is_outside(&said) {
        return None;
    }
    let line = said.lines().find(|line| line.contains("error: "))?;
    let line = line.split_once("error: ").map_or(line, |(_, message)| message);
    let entry = said.lines().find_map(|line| line.split_once("from TOC entry "));
    Some(match entry {
        Some((_, entry)) => format!("{line} (entry {entry})"),
        None => line.to_owned(),
    })
}

impl Step for PgRestore {
    type Output = Restored;

    fn label(&self) -> String {
        format!("restore into {}", self.connection.database().name())
    }

    fn action(&self) -> Action<'_, Restored> {
        let mut line = self
            .connection
            .line(self.connection.programs().pg_restore())
            .option("--dbname", self.connection.dbname())
            .args(["--no-owner", "--exit-on-error", "--no-password"])
            .accept([0, 1])
            .purpose("restore the dump");
        if self.replacing {
            line = line.args(["--clean", "--if-exists", "--single-transaction"]);
        }
        if self.elsewhere {
            line = line.args(["--no-tablespaces", "--no-security-labels", "--no-subscriptions"]);
        }
        if let Some(part) = &self.part {
            line = line.option("--use-list", "/dev/stdin").stdin(Stdin::Text(part.clone()));
        }
        if let Some(timeout) = self.timeout {
            line = line.timeout(timeout);
        }
        Action::command(line.operand(self.dump.as_str()), |answer| match answer.exit() {
            0 => Ok(Restored::Whole),
            _ => match (in_the_way(&answer.stderr()), reason(answer)) {
                (Some(what), _) => Ok(Restored::Blocked(what)),
                (None, Some(reason)) => Ok(Restored::Broken(reason)),
                (None, None) => Err(failed(answer, "the restore")),
            },
        })
    }

    fn assume(&self) -> Restored {
        Restored::Whole
    }

    fn summary(&self, restored: &Restored) -> Summary {
        Summary::line(match restored {
            Restored::Whole => "restored".to_owned(),
            Restored::Blocked(what) => format!("in the way: {}", what.join("; ")),
            Restored::Broken(reason) => format!("it does not restore: {reason}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{backup::samples, testing::check};

    #[test]
    fn minimal() {
        check("pg_restore__minimal", &PgRestore::new(&samples::minimal(), "/srv/7.dump"));
    }
    #[test]
    fn everything() {
        let step = PgRestore::new(&samples::full(), "/srv/7.dump")
            .part(&Archive::default())
            .replacing()
            .elsewhere()
            .timeout(Duration::from_secs(600));
        check("pg_restore__everything", &step);
    }
    #[test]
    fn hostile() {
        check("pg_restore__hostile", &PgRestore::new(&samples::hostile(), "-7 $x\n.dump"));
    }

    #[test]
    fn a_broken_dump_is_told_from_a_broken_surrounding() {
        let step = PgRestore::new(&samples::minimal(), "/srv/7.dump");
        let read = |stderr: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(1, "", stderr))
        };
        let said = "pg_restore: while PROCESSING TOC:\n\
                    pg_restore: from TOC entry 3306; 0 16390 TABLE DATA public t talia\n\
                    pg_restore: error: COPY failed for table \"t\": ERROR:  relation \"x\" does not exist\n";
        assert_eq!(
            read(said).unwrap(),
            Restored::Broken(
                "COPY failed for table \"t\": ERROR:  relation \"x\" does not exist \
                 (entry 3306; 0 16390 TABLE DATA public t talia)"
                    .into()
            )
        );
        let needed = "pg_restore: error: could not execute query: ERROR:  cannot drop table a because other objects depend on it\n\
                      DETAIL:  view v depends on table a\nconstraint c on table n depends on table a\nHINT:  Use DROP ... CASCADE\n";
        assert_eq!(
            read(needed).unwrap(),
            Restored::Blocked(vec![
                "view v depends on table a".into(),
                "constraint c on table n depends on table a".into(),
            ])
        );
        let cut = "pg_restore: error: could not read from input file: end of file\n";
        assert!(matches!(read(cut).unwrap(), Restored::Broken(_)));
        for outside in [
            "pg_restore: error: connection to server at \"x\" failed: Connection refused\n",
            "pg_restore: error: could not execute query: ERROR:  could not extend file: No space left on device\n",
            "pg_restore: error: could not execute query: FATAL:  terminating connection due to administrator command\n",
            "pg_restore: error: could not execute query: ERROR:  permission denied for schema x\n",
            "pg_restore: error: could not execute query: ERROR:  role \"x\" does not exist\n",
            "pg_restore: error: could not execute query: ERROR:  collation \"pg_catalog.de_DE\" for encoding \"UTF8\" does not exist\n",
            "Killed\n",
        ] {
            read(outside).unwrap_err();
        }
    }
}
