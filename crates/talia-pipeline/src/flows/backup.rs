//! A database's backup, proven: dumped, read back, checksummed, then recorded.

use std::time::Duration;

use crate::{
    context::Context,
    error::{Error, ErrorKind, Result},
    parse::database_url::Database,
    steps::{
        backup::{
            AskServer, BackupId, BackupPlace, BackupRecord, Backups, ClientVersion, Clients,
            Connection, Dump, MakePlace, PassFile, PgVersion, Prune, ReadBack, RemovePartials,
            RemovePassFile, Retention, Seal, Server, WriteRecord, compatible,
        },
        install::FreeSpace,
    },
};

/// What a backup is to be called, and how it is made.
///
/// ```
/// use talia_pipeline::{flows::BackupOrder, steps::backup::{BackupId, Retention}};
///
/// let order = BackupOrder::new(&BackupId::new("20260102T030405Z")?, 1_767_323_045_000)
///     .retention(Retention::new(7, 14));
/// # let _ = order;
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BackupOrder {
    id: BackupId,
    now_ms: u64,
    clients: Clients,
    excluded: Vec<String>,
    timeout: Option<Duration>,
    retention: Option<Retention>,
    kept: Vec<BackupId>,
}

impl BackupOrder {
    /// A backup of this name, at this time in milliseconds since 1970.
    pub fn new(id: &BackupId, now_ms: u64) -> Self {
        Self {
            id: id.clone(),
            now_ms,
            clients: Clients::on_path(),
            excluded: Vec::new(),
            timeout: None,
            retention: None,
            kept: Vec::new(),
        }
    }

    /// By these programs; those along `PATH` unless set.
    #[must_use]
    pub fn clients(mut self, clients: Clients) -> Self {
        self.clients = clients;
        self
    }

    /// Without these schemas, such as those that a provider keeps for itself.
    #[must_use]
    pub fn without_schemas<I: IntoIterator<Item = impl Into<String>>>(mut self, names: I) -> Self {
        self.excluded = names.into_iter().map(Into::into).collect();
        self
    }

    /// Without those of its schemas alone that are among these.
    pub(super) fn without_at_most(mut self, names: &[String]) -> Self {
        self.excluded.retain(|name| names.contains(name));
        self
    }

    /// How long the dump and its reading may take; the run's limit for one step
    /// unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Removes outdated backups when the new one counts; none unless set.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Never removes this one, such as that of a release that is kept.
    #[must_use]
    pub fn keeping(mut self, id: &BackupId) -> Self {
        self.kept.push(id.clone());
        self
    }

    pub(super) fn id(&self) -> &BackupId {
        &self.id
    }
    pub(super) fn programs(&self) -> &Clients {
        &self.clients
    }
    pub(super) fn limit(&self) -> Option<Duration> {
        self.timeout
    }
}

/// Backs a database up into a folder, and proves that the dump can be read.
///
/// Whoever calls it holds the environment's lock: half-written backups in the folder
/// are those of dead runs and are removed. A backup counts when its record is there,
/// which is written last; when anything fails before, the folder is as it was.
/// Declare [`Database::secret`] to the pipeline, so that all output is masked.
///
/// ```no_run
/// use talia_pipeline::{
///     Pipeline, World,
///     flows::{BackupOrder, backup},
///     parse::database_url,
///     steps::backup::{BackupId, BackupPlace},
/// };
///
/// let database = database_url::read("postgresql+asyncpg://talia:s3cr3t-word@db.example/app")?;
/// let place = BackupPlace::new("/srv/backups");
/// let world = World::real()?;
/// let order = BackupOrder::new(&BackupId::new("20260102T030405Z")?, world.now_ms());
/// let mut pipeline = Pipeline::new("backup", "/", world).secrets(database.secret());
/// let finished = pipeline.run(|cx| backup(cx, &place, &database, &order));
/// println!("{} bytes", finished.result?.full.bytes);
/// # Ok::<(), talia_pipeline::Error>(())
/// ```
///
/// # Errors
/// Refused where a program is older than the server, and where the name is taken;
/// usage for a pooler that has no sessions; otherwise the step that failed, with the
/// way out.
pub fn backup(
    cx: &Context,
    place: &BackupPlace,
    database: &Database,
    order: &BackupOrder,
) -> Result<BackupRecord> {
    cx.group("backup", |cx| make(cx, place, database, order))
}

fn make(
    cx: &Context,
    place: &BackupPlace,
    database: &Database,
    order: &BackupOrder,
) -> Result<BackupRecord> {
    database.one_session()?;
    let id = &order.id;
    let versions = versions(cx, &order.clients)?;
    let before = cx.observe(Backups::new(place))?;
    if before.records.iter().any(|record| record.id == *id) {
        return Err(Error::refused(format!("there is a backup {id} already"))
            .hint("give the new one another name"));
    }
    for broken in &before.broken {
        cx.note(format!("a backup that does not count: {broken}"));
    }
    cx.run(MakePlace::new(place))?;
    cx.run(RemovePartials::new(place))?;
    let connection = connect(cx, place, id, database, &order.clients)?;
    let server = cx.run(AskServer::new(&connection))?;
    compatible(versions.pg_dump, versions.pg_restore, server.version)?;
    let needed = needed_bytes(before.last(), server);
    cx.run(FreeSpace::new(place.folder(), needed))?;
    cx.finally(RemovePartials::new(place).only(id));
    let full = BackupPlace::partial(&place.full(id));
    let schema = BackupPlace::partial(&place.schema(id));
    let mut dump = Dump::new(&connection, &full, schema).without_schemas(&order.excluded);
    let mut read_back = ReadBack::new(order.clients.pg_restore(), &full);
    if let Some(timeout) = order.timeout {
        (dump, read_back) = (dump.timeout(timeout), read_back.timeout(timeout));
    }
    let contents = cx.run(dump)?;
    cx.run(read_back)?;
    let sealed = cx.run(Seal::new(place, id))?;
    let mut record = BackupRecord::verified(
        id,
        order.now_ms,
        database.to_string(),
        versions.pg_dump,
        (sealed.full, sealed.schema),
        sealed.schema_hash,
        contents,
    );
    record.database_bytes = server.database_bytes;
    cx.run(WriteRecord::new(place, &record))?;
    if let Some(retention) = order.retention {
        let prune = Prune::new(place, retention, order.now_ms).keeping(id);
        cx.run(order.kept.iter().fold(prune, |prune, id| prune.keeping(id)))?;
    }
    Ok(record)
}

/// The versions of the programs.
pub(super) struct Versions {
    pub(super) pg_dump: PgVersion,
    pub(super) pg_restore: PgVersion,
}

/// Asks the programs, `psql` too: that it is not there is found before anything is done.
pub(super) fn versions(cx: &Context, clients: &Clients) -> Result<Versions> {
    let version = |program| {
        cx.observe(ClientVersion::new(program)).map_err(|error| match error.kind() {
            ErrorKind::Preflight => {
                error.hint("install PostgreSQL's programs: `apt-get install postgresql-client`")
            }
            _ => error,
        })
    };
    version(clients.psql())?;
    Ok(Versions {
        pg_dump: version(clients.pg_dump())?,
        pg_restore: version(clients.pg_restore())?,
    })
}

/// A connection with its password in a file that is gone when the flow ends.
pub(super) fn connect(
    cx: &Context,
    place: &BackupPlace,
    id: &BackupId,
    database: &Database,
    clients: &Clients,
) -> Result<Connection> {
    let connection = Connection::new(database).clients(clients);
    let Some(password) = database.password() else { return Ok(connection) };
    let path = place.pass_file(id);
    cx.finally(RemovePassFile::new(&path));
    cx.run(PassFile::new(&path, password))?;
    Ok(connection.pass_file(path))
}

/// What the new dump may need: a fifth more than the last one, or as much as the
/// database has on its own disk, which is more than a compressed dump.
fn needed_bytes(last: Option<&BackupRecord>, server: Server) -> u64 {
    match last {
        Some(last) => (last.full.bytes + last.schema.bytes).saturating_mul(6) / 5,
        None => server.database_bytes,
    }
}

#[cfg(test)]
mod tests;
