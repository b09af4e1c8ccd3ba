//! The proof of a backup: it is restored somewhere else, and its rows are counted.

use std::{collections::BTreeSet, time::Duration};

use camino::Utf8PathBuf;

use crate::{
    context::Context,
    error::{Error, Result},
    parse::database_url::Database,
    steps::{
        backup::{
            AskServer, BackupId, BackupPlace, BackupRecord, CheckBackup, ClientVersion, Clients,
            Cluster, Connection, CountRows, CreateRoles, CreateScratch, Drill, DropRoles,
            DropScratch, InitCluster, ListArchive, MakeClusterFolders, MissingRoles, PgRestore,
            Restored, ServerFolders, StartCluster, StopCluster, TryExtensions, TuneCluster,
            WriteRecord, compatible,
        },
        install::{FreeSpace, Privilege, RemoveTrees},
    },
};

use super::backup::connect;

/// The one database that a drill makes. Where several environments share a scratch
/// server the name must tell them apart; see [`DrillPlace::database_name`].
const SCRATCH: &str = "talia_drill";

/// Where a backup is tried.
///
/// ```
/// use talia_pipeline::{flows::DrillPlace, parse::database_url};
///
/// let here = DrillPlace::local("/var/lib/talia/staging/drill").run_as("postgres");
/// let there = DrillPlace::server(&database_url::read("postgresql://drill@scratch.example/postgres")?)
///     .database_name("talia_drill_staging");
/// # let _ = (here, there);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DrillPlace {
    at: At,
    database_name: String,
}

#[derive(Debug, Clone)]
enum At {
    Server(Box<Database>),
    Local { folder: Utf8PathBuf, user: Option<String> },
}

impl DrillPlace {
    /// On this server, in a database of the drill's own, which is dropped again. The
    /// one that the URL names is only where the connection begins.
    pub fn server(database: &Database) -> Self {
        Self { at: At::Server(Box::new(database.clone())), database_name: SCRATCH.into() }
    }

    /// On a server of the drill's own on this machine, made in this folder, which is
    /// the drill's alone, and removed again.
    pub fn local(folder: impl Into<Utf8PathBuf>) -> Self {
        let at = At::Local { folder: folder.into(), user: None };
        Self { at, database_name: SCRATCH.into() }
    }

    /// As which user of the system a server on this machine runs. Root needs one;
    /// PostgreSQL refuses to run as root.
    #[must_use]
    pub fn run_as(mut self, name: impl Into<String>) -> Self {
        if let At::Local { user, .. } = &mut self.at {
            *user = Some(name.into());
        }
        self
    }

    /// The name of the drill's database. What a killed drill has left under it is
    /// dropped by the next one, so no two may use one name at once.
    #[must_use]
    pub fn database_name(mut self, name: impl Into<String>) -> Self {
        self.database_name = name.into();
        self
    }
}

/// When a drill is, and how long it may take.
///
/// ```
/// use talia_pipeline::flows::DrillOrder;
///
/// let order = DrillOrder::new(1_767_323_045_000).timeout(std::time::Duration::from_secs(600));
/// # let _ = order;
/// ```
#[derive(Debug, Clone)]
pub struct DrillOrder {
    now_ms: u64,
    clients: Clients,
    timeout: Option<Duration>,
}

impl DrillOrder {
    /// At this time, in milliseconds since 1970.
    pub fn new(now_ms: u64) -> Self {
        Self { now_ms, clients: Clients::on_path(), timeout: None }
    }

    /// By these programs; those along `PATH` unless set.
    #[must_use]
    pub fn clients(mut self, clients: Clients) -> Self {
        self.clients = clients;
        self
    }

    /// How long the restore and the count may take each; the run's limit for one step
    /// unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// What a try has shown.
enum Tried {
    Passed { tables: u64, rows: u64, not_drilled: Vec<String> },
    Failed(String),
}

/// Restores a backup somewhere else, compares its tables and rows with those that
/// were counted in the dump's own snapshot, and writes the outcome into its record.
///
/// Roles that the dump names beside its owners and the server lacks are made, for nobody to
/// log in as: a user of a scratch server needs `CREATEDB`, and `CREATEROLE` for these. Several
/// drills may be at work on one server at once.
/// Of extensions that the server cannot have, and of schemas that the backup was made
/// without, all that needs them is left out, and said: nothing else may fail. A backup whose drill has failed is none: it does not
/// count for retention, and no restore begins from it. A drill that could not be made
/// (no server, a full disk) says nothing of the backup and leaves its record alone.
///
/// ```no_run
/// use talia_pipeline::{
///     Pipeline, World,
///     flows::{DrillOrder, DrillPlace, drill},
///     steps::backup::{BackupId, BackupPlace},
/// };
///
/// let (place, id) = (BackupPlace::new("/srv/backups"), BackupId::new("20260102T030405Z")?);
/// let scratch = DrillPlace::local("/var/tmp/talia-drill").run_as("postgres");
/// let world = World::real()?;
/// let order = DrillOrder::new(world.now_ms());
/// let finished = Pipeline::new("drill", "/", world)
///     .run(|cx| drill(cx, &place, &id, &scratch, &order));
/// assert!(finished.result?.is_drilled());
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
///
/// # Errors
/// A step error that says what of the backup cannot be restored; otherwise whatever
/// kept the drill from being made.
pub fn drill(
    cx: &Context,
    place: &BackupPlace,
    id: &BackupId,
    at: &DrillPlace,
    order: &DrillOrder,
) -> Result<BackupRecord> {
    cx.group("drill", |cx| {
        let mut record = cx.run(CheckBackup::new(place, id))?;
        // A group of its own: all that was made is gone before the outcome is told.
        let tried = cx.group("scratch", |cx| {
            let server = server(cx, place, at, &record, order)?;
            try_out(cx, place, &server, &at.database_name, &record, order)
        })?;
        let (drill, failed) = match tried {
            Tried::Passed { tables, rows, not_drilled } => {
                (Drill::Passed { at_ms: order.now_ms, tables, rows, not_drilled }, None)
            }
            Tried::Failed(reason) => {
                (Drill::Failed { at_ms: order.now_ms, reason: reason.clone() }, Some(reason))
            }
        };
        record.drill = Some(drill);
        cx.run(WriteRecord::new(place, &record))?;
        match failed {
            None => Ok(record),
            Some(reason) => Err(Error::step(format!("the backup {id} is none: {reason}"))
                .hint("make a new backup and drill that; this one counts no more")),
        }
    })
}

/// A connection to a server to try the dump on, made where it has to be.
fn server(
    cx: &Context,
    place: &BackupPlace,
    at: &DrillPlace,
    record: &BackupRecord,
    order: &DrillOrder,
) -> Result<Connection> {
    match &at.at {
        At::Server(database) => connect(cx, place, &record.id, database, &order.clients),
        At::Local { folder, user } => {
            let found = cx.observe(ServerFolders::new())?;
            let wanted = record.contents.server.major();
            // The same version, or the next one above it.
            let bin = found.iter().find(|(major, _)| *major >= wanted).map(|(_, bin)| bin);
            let beside = || cx.find_program("initdb")?.parent().map(camino::Utf8Path::to_owned);
            let Some(bin) = bin.cloned().or_else(beside) else {
                let wanted = record.contents.server;
                return Err(Error::preflight(format!(
                    "there is no server here that takes a dump of PostgreSQL {wanted}"
                ))
                .hint("`apt-get install postgresql`, or name a scratch server in the settings"));
            };
            let mut cluster = Cluster::new(folder, bin)?;
            if let Some(user) = user {
                cluster = cluster.run_as(user);
            }
            let clear =
                || RemoveTrees::new(Privilege::Root, [folder]).named("remove the drill's folder");
            // What a killed drill has left.
            cx.run(StopCluster::new(&cluster))?;
            cx.run(clear())?;
            cx.finally(clear());
            cx.run(MakeClusterFolders::new(&cluster))?;
            // The disk may be the one that the service writes to.
            let room = FreeSpace::new(folder, needed_bytes(record));
            cx.run(room.way_out("free some disk space, or name a scratch server in the settings"))?;
            cx.run(InitCluster::new(&cluster))?;
            cx.run(TuneCluster::new(&cluster))?;
            cx.finally(StopCluster::new(&cluster));
            cx.run(StartCluster::new(&cluster))?;
            Ok(Connection::new(&cluster.database()).clients(&order.clients))
        }
    }
}

/// What a new server and its log of changes take, whatever is restored there.
const SERVER_BYTES: u64 = 400_000_000;

/// What a server of a drill's own may need: a fifth more than the database has on its own
/// disk, as sorting for its indexes takes room too, and the server itself.
fn needed_bytes(record: &BackupRecord) -> u64 {
    (record.restored_bytes().saturating_mul(6) / 5).saturating_add(SERVER_BYTES)
}

fn try_out(
    cx: &Context,
    place: &BackupPlace,
    server: &Connection,
    scratch: &str,
    record: &BackupRecord,
    order: &DrillOrder,
) -> Result<Tried> {
    let contents = &record.contents;
    let pg_restore = cx.observe(ClientVersion::new(order.clients.pg_restore()))?;
    let there = cx.run(AskServer::new(server))?.version;
    compatible(record.pg_dump, pg_restore, contents.server)?;
    if there.is_known() && there.major() < contents.server.major() {
        return Err(Error::refused(format!(
            "the scratch server is {there}, the backup is of {}: an older server may not take it",
            contents.server
        ))
        .hint("name a scratch server of the same version or a newer one"));
    }
    // Whether or not this one makes any: a killed one may have left some.
    cx.finally(DropRoles::new(server));
    cx.run(DropScratch::new(server, scratch))?;
    cx.finally(DropScratch::new(server, scratch));
    cx.run(CreateScratch::new(server, scratch, &contents.encoding))?;
    let missing = cx.run(MissingRoles::new(server, contents.needed_roles()))?;
    if !missing.is_empty() {
        cx.run(CreateRoles::new(server, &missing, scratch))?;
        cx.note(format!("roles made for the drill: {}", missing.join(", ")));
    }
    let database = server.to(scratch);
    let names: Vec<String> = contents.extensions.iter().map(|e| e.name.clone()).collect();
    let lacking = match names.is_empty() {
        true => Vec::new(),
        false => cx.run(TryExtensions::new(&database, &names))?,
    };
    let dump = place.full(&record.id);
    let mut restore = PgRestore::new(&database, &dump).elsewhere();
    let mut count = CountRows::new(&database);
    if let Some(timeout) = order.timeout {
        (restore, count) = (restore.timeout(timeout), count.timeout(timeout));
    }
    let mut left_out = LeftOut::of(record, &lacking);
    if !left_out.said.is_empty() {
        let archive = cx.run(ListArchive::new(order.clients.pg_restore(), &dump))?;
        let (part, entries) = archive.without(&lacking, &left_out.objects);
        restore = restore.part(&part);
        left_out.said.push(format!("{entries} entries of the dump in all"));
        cx.note(format!("not drilled: {}", left_out.said.join(", ")));
    }
    match cx.run(restore)? {
        Restored::Whole => {}
        Restored::Blocked(what) => return Ok(Tried::Failed(what.join("; "))),
        Restored::Broken(reason) => {
            return Ok(Tried::Failed(format!("it does not restore: {reason}")));
        }
    }
    let restored = cx.run(count)?;
    let differences = contents.differences(&restored, &left_out.tables);
    if !differences.is_empty() && there.is_known() {
        return Ok(Tried::Failed(format!(
            "what was restored is not what was dumped: {}",
            differences.join("; ")
        )));
    }
    let tables = u64::try_from(restored.tables.len()).unwrap_or(u64::MAX);
    Ok(Tried::Passed { tables, rows: restored.rows(), not_drilled: left_out.said })
}

/// What needs extensions that the scratch server cannot have, or schemas that were not
/// dumped.
#[derive(Default)]
struct LeftOut {
    objects: BTreeSet<String>,
    tables: BTreeSet<String>,
    said: Vec<String>,
}

impl LeftOut {
    fn of(record: &BackupRecord, lacking: &[String]) -> Self {
        let contents = &record.contents;
        let gone = contents.extensions.iter().filter(|e| lacking.contains(&e.name));
        let mut objects = contents.without.objects.clone();
        objects.extend(gone.clone().flat_map(|e| e.objects.clone()));
        let tables: BTreeSet<String> = contents
            .tables
            .iter()
            .filter(|table| objects.contains(&format!("1259/{}", table.oid)))
            .map(|table| table.title())
            .collect();
        let mut said: Vec<String> =
            gone.map(|e| format!("the extension {} {}", e.name, e.version)).collect();
        let schemas = &contents.without.schemas;
        if !contents.without.objects.is_empty() {
            said.push(format!("what leads to the schemas {}", schemas.join(", ")));
        }
        said.extend(tables.iter().map(|table| format!("the table {table}")));
        Self { objects, tables, said }
    }
}
