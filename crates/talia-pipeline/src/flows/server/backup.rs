//! The database of an environment: backed up, tried, and made what it was.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    flows::{self, BackupOrder, Dependents, DrillOrder, DrillPlace, backup::connect},
    parse::database_url::Database,
    protocol::{BackupKept, BackupList, BackupState, Drilled, RestorePlan, Restored, compact_time},
    server::PushedFile,
    steps::{
        backup::{
            BackupId, BackupPlace, BackupRecord, Backups, Drill, EndSessions, MakePlace, Prune,
            Retention,
        },
        server::{LiveSlot, ReadDatabase, ReadRecords, SetMaintenance},
    },
};

use super::{Server, look::Seen};

/// Why there is a maintenance page.
const RESTORES: &str = "a backup is restored\n";

/// Whom PostgreSQL's server runs as where it is installed, for a drill on this machine.
const POSTGRES: &str = "postgres";

/// The backups that are kept, the newest first, with the releases that each was made
/// before. Changes nothing.
///
/// # Errors
/// When they cannot be listed.
pub fn backups(cx: &Context, server: &Server) -> Result<BackupList> {
    let listing = cx.observe(Backups::new(&place(server)))?;
    let releases = cx.observe(ReadRecords::new(&server.layout))?.all;
    let kept = |record: &BackupRecord| {
        let id = Some(record.id.as_str());
        let own = releases.iter().rev().filter(|release| release.backup.as_deref() == id);
        let failed = match &record.drill {
            Some(Drill::Failed { reason, .. }) => Some(reason.clone()),
            _ => None,
        };
        BackupKept::new(state(record), &record.database, record.read_verified)
            .failed(failed)
            .releases(own.map(|release| release.id.clone()).collect())
    };
    Ok(BackupList::new(listing.records.iter().map(kept).collect(), listing.broken))
}

/// Backs the database up, proves that the backup can be read, and tries it out where
/// the policy asks for that; only then do outdated backups go.
///
/// # Errors
/// Refused where the policy names no database; otherwise as
/// [`backup`](crate::flows::backup) and [`drill`](crate::flows::drill).
pub fn backup_now(cx: &Context, server: &Server) -> Result<BackupState> {
    let env = live_env(cx, server)?;
    prove(cx, server, &env).map(|record| state(&record))
}

/// Restores a backup somewhere else and compares it; without an id, the last one that
/// counts.
///
/// # Errors
/// As [`drill`](crate::flows::drill); refused where there is no backup.
pub fn drill_now(cx: &Context, server: &Server, id: Option<&str>) -> Result<Drilled> {
    let id = match id {
        Some(id) => BackupId::new(id)?,
        None => match cx.observe(Backups::new(&place(server)))?.last() {
            Some(last) => last.id.clone(),
            None => {
                return Err(Error::refused("there is no backup that counts, so none to drill")
                    .hint("make one: `cargo xtask backup`"));
            }
        },
    };
    let record = try_out(cx, server, &id, &live_env(cx, server)?)?;
    let backup = state(&record);
    let (tables, rows, not_drilled) = match record.drill {
        Some(Drill::Passed { tables, rows, not_drilled, .. }) => (tables, rows, not_drilled),
        _ => (0, 0, Vec::new()),
    };
    Ok(Drilled { backup, tables, rows, not_drilled })
}

/// What [`restore`] would overwrite. It changes nothing in the database.
///
/// # Errors
/// As [`restore`].
pub fn restore_plan(cx: &Context, server: &Server, id: &str) -> Result<RestorePlan> {
    let database = database(cx, server, &live_env(cx, server)?)?;
    let (id, order) = (BackupId::new(id)?, order(server, "-before-restore")?);
    let outlook = flows::restore_outlook(cx, &place(server), &id, &database, &order)?;
    Ok(RestorePlan {
        text: outlook.to_string(),
        database: outlook.database,
        backup: state(&outlook.backup),
    })
}

/// Makes the database what it was in a backup, having backed it up first. Clients get
/// the maintenance page meanwhile; the app goes on, but its connections are ended when
/// the data is replaced, and once more after that: what it had cached of the old
/// tables would be wrong.
///
/// # Errors
/// Refused where the backup is another database's and `accept_database` is not set; as
/// [`restore`](crate::flows::restore). What is in the database is then as it was.
pub fn restore(
    cx: &Context,
    server: &Server,
    id: &str,
    accept_database: bool,
    dependents: Dependents,
) -> Result<Restored> {
    let database = database(cx, server, &live_env(cx, server)?)?;
    let id = BackupId::new(id)?;
    if !accept_database {
        refuse_other(cx, server, &id, &database)?;
    }
    let order = order(server, "-before-restore")?.retention(retention(server));
    let order = kept(cx, server)?.iter().fold(order, BackupOrder::keeping);
    mend_restore(cx, server)?;
    let page = server.layout.maintenance();
    if page.exists() {
        cx.note("clients get the maintenance page already; it stays");
    } else {
        cx.finally(SetMaintenance::new(&page, false));
        cx.run(SetMaintenance::new(&page, true).because(RESTORES))?;
    }
    let report = flows::restore(cx, &place(server), &id, &database, &order, dependents)?;
    Ok(Restored {
        database: database.to_string(),
        backup: state(&report.restored),
        before: state(&report.before),
        dropped: report.dropped,
        differences: report.differences,
    })
}

/// Refuses another database's backup: where the service has moved to a new one, say.
fn refuse_other(cx: &Context, server: &Server, id: &BackupId, database: &Database) -> Result<()> {
    let backups = cx.observe(Backups::new(&place(server)))?.records;
    let other = backups.iter().find(|record| record.id == *id);
    match other.filter(|record| record.database != database.to_string()) {
        Some(record) => Err(Error::refused(format!(
            "the backup {id} is of {}, and what is live uses {database}",
            record.database
        ))
        .hint("if it is to be written there all the same: `--accept-database`")),
        None => Ok(()),
    }
}

/// Why there is a maintenance page, where a flow has made it: a person gives no reason.
pub(super) fn maintenance_reason(server: &Server) -> Option<String> {
    let why = std::fs::read(server.layout.maintenance()).ok()?;
    (why == RESTORES.as_bytes()).then(|| RESTORES.trim_end().to_owned())
}

/// Ends the sessions that may know the tables of before a killed restore, then takes the
/// maintenance page away that it has left. One that a person has put there stays.
///
/// # Errors
/// When the page cannot be removed.
pub(super) fn mend_restore(cx: &Context, server: &Server) -> Result<()> {
    if maintenance_reason(server).is_none() {
        return Ok(());
    }
    cx.note("a restore ended before its end: its maintenance page is taken away");
    match end_sessions(cx, server) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
        // Better clients that may see an error than none at all.
        Err(error) => cx.note(format!(
            "the app's sessions are not ended, and may know tables that are gone: {error}"
        )),
    }
    cx.run(SetMaintenance::new(server.layout.maintenance(), false))
}

fn end_sessions(cx: &Context, server: &Server) -> Result<()> {
    let (place, order) = (place(server), order(server, "-mended")?);
    let database = database(cx, server, &live_env(cx, server)?)?;
    cx.group("end the sessions of before", |cx| {
        cx.run(MakePlace::new(&place))?;
        let connection = connect(cx, &place, order.id(), &database, order.programs())?;
        cx.run(EndSessions::new(&connection)).map(drop)
    })
}

/// The last backup that counts.
///
/// # Errors
/// When the run is cancelled.
pub(super) fn last_backup(cx: &Context, server: &Server) -> Result<Option<BackupState>> {
    let listing = cx.probe(Backups::new(&place(server)))?.unwrap_or_default();
    Ok(listing.last().map(state))
}

/// The schema that the last backup found, if it was made after this time.
///
/// # Errors
/// When the run is cancelled.
pub(super) fn schema_since(cx: &Context, server: &Server, at_ms: u64) -> Result<Option<String>> {
    let listing = cx.probe(Backups::new(&place(server)))?.unwrap_or_default();
    let last = listing.last().filter(|last| last.at_ms > at_ms);
    Ok(last.map(|last| last.schema_hash.clone()))
}

/// What a backup proved.
pub(super) struct Proven {
    pub(super) id: String,
    pub(super) schema_hash: Option<String>,
}

/// Makes the backup that a release or a rollback needs, of the database that its `.env`
/// names; `None` where the policy names no database.
///
/// # Errors
/// As [`backup_now`]; nothing that runs was touched then.
pub(super) fn backup_gate(cx: &Context, server: &Server, env: &Utf8Path) -> Result<Option<Proven>> {
    if server.policy.backup.database.is_none() {
        cx.skip("the policy names no database, so there is no backup");
        return Ok(None);
    }
    let record = prove(cx, server, env)?;
    // What the schema will be, a plan cannot know: it must not look like a change.
    let schema_hash = (!record.is_planned()).then_some(record.schema_hash);
    Ok(Some(Proven { id: record.id.to_string(), schema_hash }))
}

/// The `.env` that the live release runs with: what is pushed counts from the next one
/// on. By the disk alone, because a backup needs no engine.
fn live_env(cx: &Context, server: &Server) -> Result<Utf8PathBuf> {
    let seen = Seen {
        live_slot: cx.observe(LiveSlot::new(&server.layout, &server.policy))?,
        records: cx.observe(ReadRecords::new(&server.layout))?,
        ..Seen::default()
    };
    Ok(match seen.live() {
        Some(live) => server.layout.release(&live.id).join(PushedFile::Env.name_in_release()),
        None => server.layout.env_file(),
    })
}

fn database(cx: &Context, server: &Server, env: &Utf8Path) -> Result<Database> {
    let Some(name) = &server.policy.backup.database else {
        return Err(Error::usage("the server's policy says that there is no database").hint(
            "set `database` in [backup] of the policy to the name in .env that holds its URL",
        ));
    };
    cx.observe(ReadDatabase::new(env, name))
}

fn place(server: &Server) -> BackupPlace {
    BackupPlace::new(server.layout.backups())
}

fn retention(server: &Server) -> Retention {
    Retention::new(server.policy.backup.keep, server.policy.backup.keep_days)
}

/// A name by the time; two of one second differ in their milliseconds.
fn order(server: &Server, end: &str) -> Result<BackupOrder> {
    let (time, rest) = (compact_time(server.now_ms), server.now_ms % 1000);
    let id = BackupId::new(format!("{time}-{rest:03}{end}"))?;
    let without = &server.policy.backup.exclude_schemas;
    Ok(BackupOrder::new(&id, server.now_ms).without_schemas(without))
}

/// The backups that were made before the releases that are kept.
fn kept(cx: &Context, server: &Server) -> Result<Vec<BackupId>> {
    let records = cx.observe(ReadRecords::new(&server.layout))?.all;
    let own = records.into_iter().filter_map(|record| BackupId::new(record.backup?).ok());
    Ok(own.collect())
}

fn prove(cx: &Context, server: &Server, env: &Utf8Path) -> Result<BackupRecord> {
    let (place, database) = (place(server), database(cx, server, env)?);
    let mut record = flows::backup(cx, &place, &database, &order(server, "")?)?;
    if server.policy.backup.drill {
        record = try_out(cx, server, &record.id, env)?;
    }
    // Only now: of a backup that does not restore, nothing may go in its favour.
    let prune = Prune::new(&place, retention(server), server.now_ms).keeping(&record.id);
    cx.run(kept(cx, server)?.iter().fold(prune, Prune::keeping))?;
    Ok(record)
}

fn try_out(cx: &Context, server: &Server, id: &BackupId, env: &Utf8Path) -> Result<BackupRecord> {
    let at = match &server.policy.backup.scratch {
        Some(name) => {
            let scratch = cx.observe(ReadDatabase::new(env, name))?;
            let own = server.layout.environment().as_str().replace('-', "_");
            // Environments may share the scratch server.
            DrillPlace::server(&scratch).database_name(format!("talia_drill_{own}"))
        }
        None => DrillPlace::local(server.layout.drill()).run_as(POSTGRES),
    };
    flows::drill(cx, &place(server), id, &at, &DrillOrder::new(server.now_ms))
}

fn state(record: &BackupRecord) -> BackupState {
    let drilled_ms = match &record.drill {
        Some(Drill::Passed { at_ms, .. }) => Some(*at_ms),
        _ => None,
    };
    BackupState {
        id: record.id.to_string(),
        at_ms: record.at_ms,
        bytes: record.full.bytes,
        drilled_ms,
    }
}
