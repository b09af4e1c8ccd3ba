//! A database as it was in a backup.

use std::{collections::BTreeSet, fmt};

use camino::Utf8Path;

use crate::{
    context::Context,
    error::{Error, Result},
    parse::database_url::Database,
    steps::{
        backup::{
            Archive, AskServer, BackupId, BackupPlace, BackupRecord, CheckBackup, Connection,
            Contents, CountRows, EndSessions, ExtensionsThere, ListArchive, ListDrops, MakePlace,
            PgRestore, RemovePartials, Replaced, Restored, RunScript, SchemasThere, TEXT_PER_DUMP,
            WriteScript, compatible,
        },
        install::FreeSpace,
    },
};

use super::backup::{BackupOrder, backup, connect, versions};

/// What a restore would do, for a person to say yes to. `Display` is that text.
#[derive(Debug, Clone)]
pub struct RestoreOutlook {
    /// The database that would be overwritten.
    pub database: String,
    /// The backup.
    pub backup: BackupRecord,
    /// What is there now.
    pub now: Contents,
}

impl RestoreOutlook {
    /// What differs between what is there now and the backup.
    pub fn differences(&self) -> Vec<String> {
        self.now.differences(&self.backup.contents, &BTreeSet::new())
    }
}

impl fmt::Display for RestoreOutlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "overwritten: {} ({})", self.database, self.now.amount())?;
        writeln!(
            f,
            "by the backup {} of {} ({})",
            self.backup.id,
            self.backup.database,
            self.backup.contents.amount()
        )?;
        let title = |contents: &Contents| -> BTreeSet<String> {
            contents.tables.iter().map(|table| table.title()).collect()
        };
        let (now, then) = (title(&self.now), title(&self.backup.contents));
        for table in now.difference(&then) {
            writeln!(f, "stays as it is, it is not in the backup: {table}")?;
        }
        for table in then.difference(&now) {
            writeln!(f, "comes back: {table}")?;
        }
        let rows = |contents: &Contents, name: &str| {
            contents.tables.iter().find(|table| table.title() == name).map(|table| table.rows)
        };
        for table in now.intersection(&then) {
            let (now, then) = (rows(&self.now, table), rows(&self.backup.contents, table));
            if let (Some(now), Some(then)) = (now, then)
                && now != then
            {
                writeln!(f, "{table}: {now} rows now, {then} in the backup")?;
            }
        }
        Ok(())
    }
}

/// What becomes of what is newer than a backup and depends on what its restore replaces:
/// a view of a table, a foreign key to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dependents {
    /// The restore is refused and names it.
    Refuse,
    /// It is dropped, in the same transaction: of a newer table its foreign key, or a column
    /// of a type that is replaced; a newer table itself where it inherits from an older one.
    /// [`RestoreReport::dropped`] names it all. What is in schemas that no backup has is not
    /// in the backup before either.
    Drop,
}

/// What a restore has done.
#[derive(Debug, Clone)]
pub struct RestoreReport {
    /// The backup that was restored.
    pub restored: BackupRecord,
    /// The backup that was made before.
    pub before: BackupRecord,
    /// What was dropped with what was replaced, as the server names it.
    pub dropped: Vec<String>,
    /// How the tables differ from the backup's, where something wrote meanwhile or a
    /// newer table stays.
    pub differences: Vec<String>,
}

/// Looks at what [`restore`] would overwrite. It changes nothing in the database.
///
/// # Errors
/// As [`restore`].
pub fn restore_outlook(
    cx: &Context,
    place: &BackupPlace,
    id: &BackupId,
    database: &Database,
    order: &BackupOrder,
) -> Result<RestoreOutlook> {
    cx.group("what a restore would do", |cx| {
        let backup = usable(cx, place, id)?;
        database.one_session()?;
        cx.run(MakePlace::new(place))?;
        let connection = connect(cx, place, order.id(), database, order.programs())?;
        let now = cx.run(count(&connection, &backup, order))?;
        Ok(RestoreOutlook { database: database.to_string(), backup, now })
    })
}

/// Makes a database what it was in a backup. It backs the database up first, by
/// `order`, then replaces everything that the backup has in one transaction: when it
/// fails, nothing is changed. Tables that are not in the backup stay; extensions that
/// are there stay too, and schemas.
///
/// Sessions of others in the database are ended before and after: no open transaction
/// is waited for, and no connection goes on with what it knew of the old tables. Those
/// of users whose rights this one lacks stay.
///
/// Whoever calls it has asked (see [`restore_outlook`]), holds the environment's lock,
/// and lets the app do as little as possible: where it writes meanwhile, the restore
/// may have to be made again.
///
/// ```no_run
/// use talia_pipeline::{
///     Pipeline, World,
///     flows::{BackupOrder, Dependents, restore},
///     parse::database_url,
///     steps::backup::{BackupId, BackupPlace},
/// };
///
/// let database = database_url::read("postgresql://talia:s3cr3t-word@db.example/app")?;
/// let (place, id) = (BackupPlace::new("/srv/backups"), BackupId::new("20260102T030405Z")?);
/// let world = World::real()?;
/// let before = BackupOrder::new(&BackupId::new("20260103T000000Z-before-restore")?, world.now_ms());
/// let mut pipeline = Pipeline::new("restore", "/", world).secrets(database.secret());
/// let report = pipeline.run(|cx| {
///     restore(cx, &place, &id, &database, &before, Dependents::Refuse)
/// }).result?;
/// println!("the state before is in {}", report.before.id);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
///
/// # Errors
/// Refused for a backup that does not count, and where something newer is in the way (see
/// [`Dependents`]); a step error where it does not restore,
/// with the name of the backup that was made before.
pub fn restore(
    cx: &Context,
    place: &BackupPlace,
    id: &BackupId,
    database: &Database,
    order: &BackupOrder,
    dependents: Dependents,
) -> Result<RestoreReport> {
    cx.group("restore", |cx| {
        let record = usable(cx, place, id)?;
        let versions = versions(cx, order.programs())?;
        compatible(record.pg_dump, versions.pg_restore, record.contents.server)?;
        // What this backup replaces is in the one before, though new ones leave its schema out.
        let first = order.clone().without_at_most(&record.contents.without.schemas);
        // Retention must not take what is about to be restored.
        let before = backup(cx, place, database, &first.keeping(id))?;
        let restored = cx.group("overwrite", |cx| {
            let connection = connect(cx, place, order.id(), database, order.programs())?;
            if dependents == Dependents::Drop {
                can_drop(cx, place, &connection, &record)?;
            }
            let dump = place.full(id);
            let there = cx.run(ExtensionsThere::new(&connection))?;
            let archive = cx.run(ListArchive::new(order.programs().pg_restore(), &dump))?;
            // Dropping an extension takes along what needs it and is newer than the dump.
            let (part, _) = archive.without(&there, &BTreeSet::new());
            // So does dropping a schema.
            let schemas = cx.run(SchemasThere::new(&connection))?;
            let part = part.without_schemas(&schemas, &record.contents.roles);
            if cx.run(EndSessions::new(&connection))?.others > 0 {
                cx.note("sessions of other users stay: what they have open is waited for");
            }
            let replaced = match dependents {
                Dependents::Refuse => replace(cx, &connection, &dump, &part, order),
                Dependents::Drop => replace_and_drop(cx, place, &connection, &dump, &part, order),
            }?;
            match replaced.restored {
                Restored::Whole => {}
                Restored::Blocked(what) => {
                    return Err(Error::refused(format!(
                        "something newer than the backup {id} depends on what it replaces: {}",
                        what.join("; ")
                    ))
                    .hint(format!(
                        "nothing is changed, and the state before is in the backup {}; \
                         to have that dropped with it: `--drop-dependents`{}",
                        before.id,
                        lost(&before)
                    )));
                }
                Restored::Broken(reason) => {
                    return Err(Error::step(format!("the backup {id} does not restore: {reason}")));
                }
            }
            for what in &replaced.dropped {
                cx.note(format!("dropped, it depended on what was replaced: {what}"));
            }
            // It is done by now, whatever comes of what follows.
            let ended = cx.run(EndSessions::new(&connection));
            let now = ended.and_then(|_| cx.run(count(&connection, &record, order)));
            now.map(|now| (now, replaced.dropped)).map_err(|error| {
                let done =
                    format!("the data is that of {id}, and nobody has compared it: {error}");
                Error::step(done).hint(format!("the state before is in the backup {}", before.id))
            })
        });
        let (now, dropped) = restored.map_err(|error| {
            let kept = format!(
                "it was one transaction, so nothing is changed; the state before is in the backup {}",
                before.id
            );
            match error.hint_text().map(str::to_owned) {
                // It says already what has become of the data.
                Some(hint) if hint.contains(before.id.as_str()) => error,
                Some(hint) => error.hint(format!("{hint}; {kept}")),
                None => error.hint(kept),
            }
        })?;
        let differences = record.contents.differences(&now, &BTreeSet::new());
        for difference in &differences {
            cx.note(format!("not as in the backup: {difference}"));
        }
        Ok(RestoreReport { restored: record, before, dropped, differences })
    })
}

/// Replaces what the dump has, unless something else needs it.
fn replace(
    cx: &Context,
    connection: &Connection,
    dump: &Utf8Path,
    part: &Archive,
    order: &BackupOrder,
) -> Result<Replaced> {
    let mut step = PgRestore::new(connection, dump).part(part).replacing();
    if let Some(timeout) = order.limit() {
        step = step.timeout(timeout);
    }
    Ok(Replaced { restored: cx.run(step)?, dropped: Vec::new() })
}

/// Refuses to drop what could not be named, or where there is no room for the script.
fn can_drop(
    cx: &Context,
    place: &BackupPlace,
    connection: &Connection,
    record: &BackupRecord,
) -> Result<()> {
    let server = cx.run(AskServer::new(connection))?;
    if !server.is_english {
        return Err(Error::refused(
            "the server's messages are not in English: what would be dropped could not be named",
        )
        .hint(format!(
            "as its superuser: `ALTER DATABASE \"{}\" SET lc_messages = 'C'`; then restore again",
            connection.database().name()
        )));
    }
    // The rows as text, and no index: of what is there now, and of what is to come.
    let dumped = record.full.bytes.saturating_mul(TEXT_PER_DUMP);
    cx.run(FreeSpace::new(place.folder(), server.database_bytes.max(dumped)))?;
    Ok(())
}

/// What of the things that a restore drops is in no backup.
fn lost(before: &BackupRecord) -> String {
    match before.contents.without.schemas.as_slice() {
        [] => String::new(),
        schemas => format!("; what of it is in {} is in no backup", schemas.join(", ")),
    }
}

/// Replaces what the dump has, and drops whatever needs it. `pg_restore` cannot do that
/// itself, so it is written as SQL first.
fn replace_and_drop(
    cx: &Context,
    place: &BackupPlace,
    connection: &Connection,
    dump: &Utf8Path,
    part: &Archive,
    order: &BackupOrder,
) -> Result<Replaced> {
    let script = place.script(order.id());
    let drops = cx.run(ListDrops::new(connection, dump, part))?;
    cx.finally(RemovePartials::new(place).only(order.id()));
    let mut write = WriteScript::new(connection, dump, part, &script);
    let mut run = RunScript::new(connection, &script, &drops);
    if let Some(timeout) = order.limit() {
        (write, run) = (write.timeout(timeout), run.timeout(timeout));
    }
    cx.run(write)?;
    cx.run(run)
}

/// The backup, when a restore may begin from it.
fn usable(cx: &Context, place: &BackupPlace, id: &BackupId) -> Result<BackupRecord> {
    let record = cx.run(CheckBackup::new(place, id))?;
    if record.counts() {
        return Ok(record);
    }
    Err(Error::refused(format!(
        "the backup {id} does not count: it was not read back, or its drill has failed"
    ))
    .hint("restore from another one: `cargo xtask backups` lists them"))
}

/// Counts what a backup has counted.
fn count(connection: &Connection, backup: &BackupRecord, order: &BackupOrder) -> CountRows {
    let without = &backup.contents.without.schemas;
    let step = CountRows::new(connection).without_schemas(without);
    match order.limit() {
        Some(timeout) => step.timeout(timeout),
        None => step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, CommandLine, ErrorKind, Fake, Pipeline, World, parse::database_url};

    /// Whether a restore may drop, where the server says this and so much is free.
    fn may_drop(server: &'static str, free: u64) -> Result<()> {
        let database = database_url::read("postgresql://talia@db.example/app").unwrap();
        let (place, connection) = (BackupPlace::new("/srv/backups"), Connection::new(&database));
        let mut record = BackupRecord::planned(&BackupId::new("7").unwrap());
        record.full.bytes = 1000;
        let answers = move |line: &CommandLine| match line.words().starts_with("psql") {
            true => Answer::new(0, server, ""),
            false => Answer::new(0, format!("Avail\n{free}\n"), ""),
        };
        let pipeline = Pipeline::new("restore", "/", World::fixed("/", []));
        pipeline.fake(Fake::new(answers), |cx| can_drop(cx, &place, &connection, &record)).0
    }

    #[test]
    fn what_could_not_be_named_is_not_dropped() {
        let error = may_drop("150018|1000|de_DE.UTF-8\n", 1 << 40).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.hint_text().unwrap().contains("ALTER DATABASE \"app\" SET lc_messages"));
        may_drop("150018|1000|en_US.UTF-8\n", 1 << 40).unwrap();
    }

    #[test]
    fn there_is_room_for_the_script_of_a_database_that_is_nearly_empty() {
        let least = 1000 * TEXT_PER_DUMP;
        may_drop("150018|10|C\n", least - 1).unwrap_err();
        may_drop("150018|10|C\n", least + (64 << 20)).unwrap();
    }
}
