//! A restore that drops whatever depends on what it replaces, in one transaction.

use std::time::Duration;

use camino::Utf8PathBuf;

use crate::{
    command_line::{CommandLine, Effect, Stdin},
    error::Error,
    step::{Action, Step, Summary},
};

use super::{
    Archive, Connection, Restored,
    dump::CAPTURE_BYTES,
    failure::{failed, is_outside, read_answer},
};

/// `pg_restore` that writes what it would say to a server.
fn as_script(connection: &Connection, part: &Archive, to: &str) -> CommandLine {
    CommandLine::new(connection.programs().pg_restore())
        .args(["--single-transaction", "--no-owner"])
        .option("--use-list", "/dev/stdin")
        .stdin(Stdin::Text(part.to_list()))
        .option("--file", to)
}

/// Lists the statements by which a dump's restore drops what is there, with all that
/// depends on it. One of a `pg_restore` that cannot keep psql from taking a name for a
/// command of its own (CVE-2025-8714) is refused.
///
/// - Command: `pg_restore --clean --if-exists --section=pre-data --section=post-data …
///   --file=- -- FILE`, with the part's list on standard input.
/// - Exits: 0; others are read as errors.
/// - Touches: nothing.
/// - Source: pg_restore(1).
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Archive, Connection, ListDrops}};
///
/// let database = Connection::new(&database_url::read("postgresql://talia@db.example/app")?);
/// let step = ListDrops::new(&database, "/srv/7.dump", &Archive::default());
/// assert_eq!(step.label(), "see what the restore drops");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ListDrops {
    connection: Connection,
    dump: Utf8PathBuf,
    part: Archive,
}

impl ListDrops {
    /// Of this part of a dump, by the connection's programs.
    pub fn new(connection: &Connection, dump: impl Into<Utf8PathBuf>, part: &Archive) -> Self {
        Self { connection: connection.clone(), dump: dump.into(), part: part.clone() }
    }
}

/// Where the transaction of a script begins. Nothing that somebody has named stands before.
const BEGINS: &str = "\nBEGIN;\n";

/// What stands between the beginning of the transaction and the first thing that is made,
/// each statement with `CASCADE` where it can have that. `None` for what is no such script.
///
/// A name may hold anything, line breaks and semicolons too: only what stands outside of
/// quotes ends a statement.
fn drops(script: &str) -> Option<Vec<String>> {
    let (_, mut rest) = script.split_once(BEGINS)?;
    let mut all = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.starts_with("--") || rest.is_empty() {
            return Some(all);
        }
        let end = statement(rest)?;
        all.extend(cascading(&rest[..end]));
        rest = &rest[end + 1..];
    }
}

/// Where a statement's semicolon is. There is none behind what psql would take for a command
/// of its own: these statements are not run under the script's `\restrict`.
fn statement(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (None, ';') => return Some(at),
            (None, '\\') => return None,
            (None, '"' | '\'') => quote = Some(letter),
            // A doubled one ends and begins.
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

/// A statement that takes others along; `None` for one that is not to run.
fn cascading(statement: &str) -> Option<String> {
    let can = statement.starts_with("DROP ") && !statement.starts_with("DROP USER MAPPING ")
        || statement.starts_with("ALTER ") && statement.contains(" DROP CONSTRAINT ");
    if can {
        return Some(format!("{statement} CASCADE;"));
    }
    // Its sequence or its table takes it along; of a column that has gone it would fail.
    let is_default = statement.starts_with("ALTER ") && statement.ends_with(" DROP DEFAULT");
    // With the script's warnings alone nobody would hear what goes along.
    let is_quiet = statement.starts_with("SET client_min_messages ");
    (!is_default && !is_quiet).then(|| format!("{statement};"))
}

impl Step for ListDrops {
    type Output = Vec<String>;

    fn label(&self) -> String {
        "see what the restore drops".into()
    }

    fn action(&self) -> Action<'_, Vec<String>> {
        let line = as_script(&self.connection, &self.part, "-")
            .args(["--clean", "--if-exists", "--section=pre-data", "--section=post-data"])
            .operand(self.dump.as_str())
            .effect(Effect::Read)
            .accept([0, 1])
            .timeout(Duration::from_secs(60))
            .capture_bytes(CAPTURE_BYTES)
            .stdout_is_data()
            .purpose("see what the restore drops");
        Action::command(line, |answer| {
            let script = read_answer(answer, "listing the dump")?;
            if answer.is_truncated() {
                return Err(answer.unreadable("a shorter script"));
            }
            let head = script.split_once(BEGINS).map_or("", |(head, _)| head);
            if !head.contains("\n\\restrict ") {
                return Err(Error::preflight(
                    "this pg_restore writes scripts in which a name could be a command of psql",
                )
                .hint(
                    "update PostgreSQL's programs: to 15.14, 16.10, 17.6 or newer; or drop by hand \
                     what is in the way",
                ));
            }
            drops(&script).ok_or_else(|| answer.unreadable("statements, each with its end"))
        })
    }

    fn assume(&self) -> Vec<String> {
        Vec::new()
    }

    fn summary(&self, drops: &Vec<String>) -> Summary {
        Summary::line(format!("{} statements", drops.len()))
    }
}

/// Writes a dump as the SQL that restores it in one transaction.
///
/// - Command: `pg_restore --single-transaction … --file=SCRIPT -- FILE`, with the part's
///   list on standard input.
/// - Exits: 0; others are read as errors.
/// - Touches: the script, which is larger than the dump: it is not compressed.
/// - Source: pg_restore(1).
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Archive, Connection, WriteScript}};
///
/// let database = Connection::new(&database_url::read("postgresql://talia@db.example/app")?);
/// let step = WriteScript::new(&database, "/srv/7.dump", &Archive::default(), "/srv/7.restore.partial");
/// assert_eq!(step.label(), "write the dump as SQL");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct WriteScript {
    connection: Connection,
    dump: Utf8PathBuf,
    part: Archive,
    script: Utf8PathBuf,
    timeout: Option<Duration>,
}

impl WriteScript {
    /// This part of a dump into this file, by the connection's programs.
    pub fn new(
        connection: &Connection,
        dump: impl Into<Utf8PathBuf>,
        part: &Archive,
        script: impl Into<Utf8PathBuf>,
    ) -> Self {
        Self {
            connection: connection.clone(),
            dump: dump.into(),
            part: part.clone(),
            script: script.into(),
            timeout: None,
        }
    }

    /// At most this long; the run's own limit unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl Step for WriteScript {
    type Output = ();

    fn label(&self) -> String {
        "write the dump as SQL".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let mut line = as_script(&self.connection, &self.part, self.script.as_str())
            .operand(self.dump.as_str())
            .accept([0, 1])
            .purpose("write the dump as SQL, to be restored in one transaction");
        if let Some(timeout) = self.timeout {
            line = line.timeout(timeout);
        }
        Action::command(line, |answer| match answer.exit() {
            0 => Ok(()),
            _ => Err(failed(answer, "writing the dump as SQL")),
        })
    }

    fn assume(&self) {}
}

/// What [`RunScript`] has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// How it has ended.
    pub restored: Restored,
    /// What went because it depended on what was replaced, as the server names it: `view
    /// public.newer`, `constraint newer_of_fkey on table public.newer`.
    pub dropped: Vec<String>,
}

/// Restores a script of [`WriteScript`], having dropped what [`ListDrops`] names together
/// with all that depends on it; all in one transaction.
///
/// - Command: `psql … --file=- --file=SCRIPT`, with the drops on standard input.
/// - Exits: 0; others are read: the dump's fault, or an error.
/// - Touches: the database, unless it fails.
/// - Errors: no connection, a full disk, no rights.
/// - Source: psql(1), *Dependency Tracking* in PostgreSQL's manual.
///
/// ```
/// use talia_pipeline::{Step, parse::database_url, steps::backup::{Connection, RunScript}};
///
/// let database = Connection::new(&database_url::read("postgresql://talia@db.example/app")?);
/// let step = RunScript::new(&database, "/srv/7.restore.partial", &[]);
/// assert_eq!(step.label(), "restore into app, dropping what depends on it");
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RunScript {
    connection: Connection,
    script: Utf8PathBuf,
    drops: Vec<String>,
    timeout: Option<Duration>,
}

impl RunScript {
    /// Into this database, this script, after these statements.
    pub fn new(connection: &Connection, script: impl Into<Utf8PathBuf>, drops: &[String]) -> Self {
        Self {
            connection: connection.clone(),
            script: script.into(),
            drops: drops.to_vec(),
            timeout: None,
        }
    }

    /// At most this long; the run's own limit unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// The script's own BEGIN is within this one; its COMMIT ends both. Whatever a role has set
/// for itself, what goes along is told, with its schema.
const BEGIN: &str = "BEGIN;\nSET client_min_messages = notice;\nSET statement_timeout = 0;\nSET search_path = '';\n";

/// What the server says to have dropped beside what it was told to. What is a part of a
/// table that these statements drop comes back with it.
fn dropped(said: &str, drops: &[String]) -> Vec<String> {
    let named = said.lines().filter_map(|line| match line.split_once("drop cascades to ") {
        // With more than one, a line has their number and the next ones have their names;
        // of very many, the first hundred.
        Some((_, name)) => (!name.ends_with(" other objects")).then(|| name.to_owned()),
        None => line
            .strip_prefix("and ")
            .filter(|_| line.contains(" other object"))
            .map(|more| format!("{} more", more.split(' ').next().unwrap_or_default())),
    });
    let tables = drops
        .iter()
        .filter_map(|drop| drop.strip_prefix("DROP TABLE IF EXISTS ")?.strip_suffix(" CASCADE;"));
    let parts: Vec<String> = tables.map(|table| format!(" table {table}")).collect();
    named.filter(|name| !parts.iter().any(|part| name.ends_with(part))).collect()
}

impl Step for RunScript {
    type Output = Replaced;

    fn label(&self) -> String {
        format!("restore into {}, dropping what depends on it", self.connection.database().name())
    }

    fn action(&self) -> Action<'_, Replaced> {
        let mut begin = BEGIN.to_owned();
        for drop in &self.drops {
            begin.push_str(drop);
            begin.push('\n');
        }
        let mut line = self
            .connection
            .psql()
            .option("--file", "-")
            .option("--file", self.script.as_str())
            .stdin(Stdin::Text(begin))
            .capture_bytes(CAPTURE_BYTES)
            .purpose("restore the dump, dropping what depends on what it replaces");
        if let Some(timeout) = self.timeout {
            line = line.timeout(timeout);
        }
        Action::command(line, |answer| {
            let said = answer.stderr();
            if answer.exit() == 0 {
                return Ok(Replaced {
                    restored: Restored::Whole,
                    dropped: dropped(&said, &self.drops),
                });
            }
            let error = said.lines().find_map(|line| line.split_once("ERROR:"));
            match error.filter(|_| !is_outside(&said)) {
                Some((_, reason)) => {
                    let restored = Restored::Broken(reason.trim().to_owned());
                    Ok(Replaced { restored, dropped: Vec::new() })
                }
                None => Err(failed(answer, "the restore")),
            }
        })
    }

    fn assume(&self) -> Replaced {
        Replaced { restored: Restored::Whole, dropped: Vec::new() }
    }

    fn summary(&self, replaced: &Replaced) -> Summary {
        Summary::line(match &replaced.restored {
            Restored::Whole if replaced.dropped.is_empty() => "restored".to_owned(),
            Restored::Whole => format!("restored; dropped: {}", replaced.dropped.join(", ")),
            Restored::Blocked(what) => format!("in the way: {}", what.join("; ")),
            Restored::Broken(reason) => format!("it does not restore: {reason}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        step::Answer,
        steps::{backup::samples, testing::check},
    };

    const HOSTILE: &str = "-7 $x\n.dump";

    #[test]
    fn list_drops_minimal() {
        let step = ListDrops::new(&samples::minimal(), "/srv/7.dump", &Archive::default());
        check("list_drops__minimal", &step);
    }
    #[test]
    fn list_drops_everything() {
        let step = ListDrops::new(&samples::full(), "/srv/7.dump", &Archive::default());
        check("list_drops__everything", &step);
    }
    #[test]
    fn list_drops_hostile() {
        let step = ListDrops::new(&samples::hostile(), HOSTILE, &Archive::default());
        check("list_drops__hostile", &step);
    }
    #[test]
    fn write_script_minimal() {
        let part = Archive::default();
        let step = WriteScript::new(&samples::minimal(), "/srv/7.dump", &part, "/srv/7.sql");
        check("write_script__minimal", &step);
    }
    #[test]
    fn write_script_everything() {
        let part = Archive::default();
        let step = WriteScript::new(&samples::full(), "/srv/7.dump", &part, "/srv/7.sql");
        check("write_script__everything", &step.timeout(Duration::from_secs(600)));
    }
    #[test]
    fn write_script_hostile() {
        let part = Archive::default();
        check(
            "write_script__hostile",
            &WriteScript::new(&samples::hostile(), HOSTILE, &part, "-$x"),
        );
    }
    #[test]
    fn run_script_minimal() {
        check("run_script__minimal", &RunScript::new(&samples::minimal(), "/srv/7.sql", &[]));
    }
    #[test]
    fn run_script_everything() {
        let drops = ["DROP TABLE IF EXISTS public.a CASCADE;".to_owned()];
        let step = RunScript::new(&samples::full(), "/srv/7.sql", &drops);
        check("run_script__everything", &step.timeout(Duration::from_secs(600)));
    }
    #[test]
    fn run_script_hostile() {
        let drops = ["DROP TABLE IF EXISTS public.\"it's $x\" CASCADE;".to_owned()];
        check("run_script__hostile", &RunScript::new(&samples::hostile(), HOSTILE, &drops));
    }

    #[test]
    fn what_can_take_others_along_does() {
        let script = "-- x\n\nBEGIN;\n\nSET client_min_messages = warning;\nSET row_security = off;\n\n\
            ALTER TABLE IF EXISTS ONLY app.t DROP CONSTRAINT IF EXISTS t_pkey;\n\
            ALTER TABLE IF EXISTS app.t ALTER COLUMN id DROP DEFAULT;\n\
            SELECT pg_catalog.lo_unlink(oid) FROM x WHERE oid = '77';\n\
            CREATE OR REPLACE VIEW public.v AS\nSELECT\n    NULL::integer AS id;\n\
            DROP USER MAPPING IF EXISTS FOR x SERVER y;\n\
            DROP TABLE IF EXISTS app.t;\n\
            --\n-- Name: app\n--\n\nCREATE FUNCTION f() AS '\nDROP TABLE u;\n';\n";
        assert_eq!(
            drops(script).unwrap(),
            [
                "SET row_security = off;",
                "ALTER TABLE IF EXISTS ONLY app.t DROP CONSTRAINT IF EXISTS t_pkey CASCADE;",
                "SELECT pg_catalog.lo_unlink(oid) FROM x WHERE oid = '77';",
                "CREATE OR REPLACE VIEW public.v AS\nSELECT\n    NULL::integer AS id;",
                "DROP USER MAPPING IF EXISTS FOR x SERVER y;",
                "DROP TABLE IF EXISTS app.t CASCADE;",
            ]
        );
        assert_eq!(drops(""), None);
    }

    #[test]
    fn a_name_cannot_become_a_statement_or_a_command_of_psql() {
        let script = "\nBEGIN;\n\n\
            DROP TABLE IF EXISTS public.\"a;\nb\";\n\
            DROP TABLE IF EXISTS public.\"\\! id > /tmp/x #\";\n\
            DROP TABLE IF EXISTS public.\"; COMMIT; \"\"--\n--\nx\";\n\
            --\n-- Name: x\n";
        assert_eq!(
            drops(script).unwrap(),
            [
                "DROP TABLE IF EXISTS public.\"a;\nb\" CASCADE;",
                "DROP TABLE IF EXISTS public.\"\\! id > /tmp/x #\" CASCADE;",
                "DROP TABLE IF EXISTS public.\"; COMMIT; \"\"--\n--\nx\" CASCADE;",
            ]
        );
        // What has no end is no statement, and what psql would run itself is none either.
        assert_eq!(drops("\nBEGIN;\nDROP TABLE \"a;\n--\n"), None);
        assert_eq!(drops("\nBEGIN;\nDROP FUNCTION f(a \\! id\n);\n--\n"), None);
    }

    #[test]
    fn a_pg_restore_that_could_be_told_commands_is_refused() {
        let step = ListDrops::new(&samples::minimal(), "/srv/7.dump", &Archive::default());
        let read = |stdout: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(0, stdout, ""))
        };
        assert_eq!(read("--\n\n\\restrict x\n\nBEGIN;\n\n--\n").unwrap(), [""; 0]);
        let named = "--\n\nBEGIN;\n\nDROP TABLE \"x\n\\restrict y\";\n--\n";
        for script in ["--\n\nBEGIN;\n\n--\n", named] {
            let error = read(script).unwrap_err();
            assert!(error.hint_text().unwrap().contains("15.14"), "{error}");
        }
    }

    #[test]
    fn what_went_along_is_told_by_name() {
        let drops = ["DROP TABLE IF EXISTS app.u CASCADE;".to_owned()];
        let step = RunScript::new(&samples::minimal(), "/srv/7.sql", &drops);
        let read = |exit: i32, stderr: &str| {
            let Action::Command { read, .. } = step.action() else { unreachable!("a command") };
            read(&Answer::new(exit, "", stderr))
        };
        let said = "psql:<stdin>:3: NOTICE:  drop cascades to view public.nv\n\
            psql:<stdin>:4: NOTICE:  view \"gone\" does not exist, skipping\n\
            psql:<stdin>:5: NOTICE:  drop cascades to default value for column id of table app.u\n\
            psql:<stdin>:5: NOTICE:  drop cascades to 2 other objects\n\
            DETAIL:  drop cascades to table app.t\ndrop cascades to view v\n\
            and 7 other objects (see server log for list)\n\
            and 1 other object (see server log for list)\n\
            psql:x.sql:10: WARNING:  there is already a transaction in progress\n";
        let replaced = read(0, said).unwrap();
        assert_eq!(
            replaced.dropped,
            ["view public.nv", "table app.t", "view v", "7 more", "1 more"]
        );
        let broken = "psql:/srv/7.sql:9: ERROR:  relation \"x\" does not exist\n";
        let restored = Restored::Broken("relation \"x\" does not exist".into());
        assert_eq!(read(3, broken).unwrap(), Replaced { restored, dropped: vec![] });
        read(3, "psql:x:9: ERROR:  could not extend file: No space left on device\n").unwrap_err();
        read(2, "psql: error: connection to server at \"x\" failed: refused\n").unwrap_err();
    }
}
