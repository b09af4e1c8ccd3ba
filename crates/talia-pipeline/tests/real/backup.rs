//! Backups of a real PostgreSQL: that they hold what they say, and what happens when
//! they cannot be made.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use talia_pipeline::{
    Error, Finished, Pipeline, World,
    flows::{BackupOrder, backup},
    parse::database_url::{self, Database},
    steps::backup::{
        BackupId, BackupPlace, BackupRecord, Backups, CheckBackup, Clients, ReadBack, Retention,
    },
};

use crate::{
    Collect, alone,
    postgres::{PASSWORD, Postgres, bin},
    support::{Temp, command, output, said},
};

/// A name with all that a shell, a connection string or SQL could stumble over.
pub(crate) const NAME: &str = "a\"p'p $x=1";
pub(crate) const URL_NAME: &str = "a%22p%27p%20%24x=1";

pub(crate) fn id(name: &str) -> BackupId {
    BackupId::new(name).unwrap()
}

/// What the tests work with: a server with a database, and a folder for backups.
pub(crate) struct Setting {
    pub(crate) server: Postgres,
    pub(crate) folder: Temp,
    pub(crate) place: BackupPlace,
}

impl Setting {
    /// The database has so many thousand rows of half a kilobyte that do not compress.
    pub(crate) fn new(thousands: u32) -> Self {
        let server = Postgres::start();
        let quoted = NAME.replace('"', "\"\"");
        let owner = crate::postgres::USER;
        server.admin("postgres", &format!("CREATE DATABASE \"{quoted}\" OWNER \"{owner}\""));
        server.ask(
            NAME,
            &format!(
                "CREATE TABLE big (id int PRIMARY KEY, noise bytea);
                 INSERT INTO big SELECT i, (SELECT decode(string_agg(md5(i || '-' || g), ''), 'hex')
                   FROM generate_series(1, 32) g) FROM generate_series(1, {thousands} * 1000) i;
                 CREATE SCHEMA \"o'dd \"\"s\";
                 CREATE TABLE \"o'dd \"\"s\".\"Tä'\"\"b\" (\"c \"\"d\" text);
                 INSERT INTO \"o'dd \"\"s\".\"Tä'\"\"b\" VALUES ('x'), (E'\\ny');
                 CREATE TABLE part (at int) PARTITION BY RANGE (at);
                 CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
                 INSERT INTO part VALUES (1), (2), (3);
                 CREATE VIEW seen AS SELECT id FROM big;
                 CREATE TABLE late (at timestamptz DEFAULT clock_timestamp());"
            ),
        );
        let folder = Temp::new();
        let place = BackupPlace::new(folder.path().join("back ups"));
        Self { server, folder, place }
    }

    pub(crate) fn database(&self) -> Database {
        self.server.database(URL_NAME)
    }

    pub(crate) fn backup(&self, name: &str) -> Finished<BackupRecord> {
        run(&self.place, &self.database(), &BackupOrder::new(&id(name), 1000))
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.place.folder())
    }
}

pub(crate) fn names(folder: &Utf8Path) -> Vec<String> {
    let entries = folder.read_dir_utf8().into_iter().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

pub(crate) fn run(
    place: &BackupPlace,
    database: &Database,
    order: &BackupOrder,
) -> Finished<BackupRecord> {
    let world = World::real().unwrap();
    let mut pipeline = Pipeline::new("backup", "/", world).secrets(database.secret());
    pipeline.run(|cx| backup(cx, place, database, order))
}

fn error(finished: Finished<BackupRecord>) -> Error {
    let Err(error) = finished.result else { panic!("the backup was made") };
    assert!(!format!("{error:?} {:?}", error.last_lines()).contains(PASSWORD));
    error
}

/// The rows of a table in a dump, counted by nothing of ours.
fn rows_in(dump: &Utf8Path, table: &str) -> u64 {
    let restore = ["--data-only", &format!("--table={table}"), "--file=-", dump.as_str()];
    let text = said(command("pg_restore").args(restore));
    let lines = text.lines().skip_while(|line| !line.starts_with("COPY "));
    lines.skip(1).take_while(|line| *line != "\\.").count().try_into().unwrap()
}

/// Programs that are `scripts` here, and the real ones otherwise.
fn programs(folder: &Utf8Path, scripts: &[(&str, &str)]) -> Clients {
    let programs = folder.join("programs");
    fs::create_dir_all(&programs).unwrap();
    for name in ["psql", "pg_dump", "pg_restore"] {
        let script = scripts.iter().find(|(of, _)| *of == name).map(|(_, script)| *script);
        let script = script.unwrap_or("exec \"$real\" \"$@\"");
        let real = bin().join(name);
        let path = programs.join(name);
        fs::write(&path, format!("#!/bin/sh\nreal='{real}'\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Clients::in_folder(programs)
}

#[test]
fn a_dump_and_its_counts_are_of_one_moment() {
    let setting = Setting::new(20);
    let writing = setting.server.again_and_again(
        NAME,
        "WITH gone AS (DELETE FROM big WHERE id = (SELECT max(id) FROM big))
             INSERT INTO late SELECT clock_timestamp()",
    );
    // It has begun.
    while setting.server.ask(NAME, "SELECT count(*) FROM late") == "0" {
        thread::sleep(Duration::from_millis(10));
    }
    let record = setting.backup("7").result.unwrap();
    let after: u64 = setting.server.ask(NAME, "SELECT count(*) FROM late").parse().unwrap();
    drop(writing);
    let rows = |name: &str| {
        let tables = &record.contents.tables;
        tables.iter().find(|table| table.name == name).map(|table| table.rows).unwrap()
    };
    let dump = setting.place.full(&record.id);
    assert!(rows("late") > 0 && after > rows("late"), "{} {after}", rows("late"));
    assert_eq!(rows("late"), rows_in(&dump, "late"));
    assert_eq!(rows("big"), rows_in(&dump, "big"));
    assert_eq!(rows("Tä'\"b"), 2);
    assert_eq!(rows("part_1"), 3);
    assert_eq!(record.contents.tables.len(), 4, "no view, no parent of partitions");
}

#[test]
fn a_backup_is_three_files_for_their_owner_alone() {
    let setting = Setting::new(1);
    // What a dead run has left.
    fs::create_dir_all(setting.place.folder()).unwrap();
    fs::write(setting.place.folder().join("6.dump.partial"), "x").unwrap();
    fs::write(setting.place.folder().join("mine.txt"), "x").unwrap();
    let record = setting.backup("7").result.unwrap();
    assert_eq!(setting.names(), ["7.dump", "7.json", "7.sql", "mine.txt"]);
    let mode = |path: &Utf8Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(setting.place.folder()), 0o700);
    let (full, schema) = (setting.place.full(&record.id), setting.place.schema(&record.id));
    assert_eq!((mode(&full), mode(&schema)), (0o600, 0o600));
    for (path, file) in [(&full, &record.full), (&schema, &record.schema)] {
        let told = said(command("sha256sum").arg("--").arg(path));
        assert!(told.contains(&file.sha256), "{told} {file:?}");
        assert_eq!(fs::metadata(path).unwrap().len(), file.bytes);
    }
    assert!(record.read_verified && record.contents.server.major() >= 10);
    assert_eq!(record.contents.roles, [crate::postgres::USER, "postgres"]);
    let json = fs::read_to_string(setting.place.record(&record.id)).unwrap();
    assert_eq!(BackupRecord::from_json(&json).unwrap(), record);
    assert!(!json.contains("can:ary"));
    // The same again, over the socket: another name, the same schema.
    let database = database_url::read(&setting.server.socket_url(URL_NAME)).unwrap();
    let again = run(&setting.place, &database, &BackupOrder::new(&id("8"), 2000)).result.unwrap();
    assert_eq!(again.schema_hash, record.schema_hash);
    assert_ne!(again.schema.sha256, record.schema.sha256, "pg_dump marks each dump by a token");
    setting.server.ask(NAME, "ALTER TABLE big ADD COLUMN more int");
    let order = BackupOrder::new(&id("9"), 3000).retention(Retention::new(2, 0));
    let changed = run(&setting.place, &setting.database(), &order).result.unwrap();
    assert_ne!(changed.schema_hash, record.schema_hash);
    assert_eq!(
        setting.names(),
        ["8.dump", "8.json", "8.sql", "9.dump", "9.json", "9.sql", "mine.txt"]
    );
    let taken = error(setting.backup("9"));
    assert_eq!(taken.exit_code().code(), 4);
}

#[test]
fn the_password_is_in_no_argument_and_no_output() {
    let setting = Setting::new(20);
    let done = AtomicBool::new(false);
    // A planted one shows that the search finds what is there.
    let planted = crate::postgres::Running::sleeping("planted-can:ary\\9f31");
    let (hits, planted_hits, looks) = thread::scope(|scope| {
        let searching = scope.spawn(|| {
            let (mut hits, mut planted, mut looks) = (Vec::new(), 0_u32, 0_u32);
            while !done.load(Ordering::Relaxed) {
                looks += 1;
                for entry in Utf8Path::new("/proc").read_dir_utf8().unwrap().flatten() {
                    let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if line.contains("planted-can:ary") {
                        planted += 1;
                    } else if line.contains("can:ary") || line.contains("can%3Aary") {
                        hits.push(line);
                    }
                }
            }
            (hits, planted, looks)
        });
        let collect = Collect::default();
        let database = setting.database();
        let order = BackupOrder::new(&id("7"), 1000);
        let world = World::real().unwrap();
        let mut pipeline =
            Pipeline::new("backup", "/", world).secrets(database.secret()).report(collect.clone());
        let finished = pipeline.run(|cx| backup(cx, &setting.place, &database, &order));
        done.store(true, Ordering::Relaxed);
        finished.result.unwrap();
        let events = format!("{:?}", collect.events());
        assert!(!events.contains("can:ary") && events.contains("PGPASSFILE"));
        searching.join().unwrap()
    });
    drop(planted);
    assert!(looks > 10 && planted_hits > 10, "{looks} {planted_hits}");
    assert_eq!(hits, [""; 0]);
}

#[test]
fn a_cut_or_changed_dump_is_found_by_reading_all_of_it() {
    let setting = Setting::new(4);
    let record = setting.backup("7").result.unwrap();
    let whole = fs::read(setting.place.full(&record.id)).unwrap();
    let lists = |path: &Utf8Path| {
        output(command("pg_restore").args(["--list", "--file=/dev/null"]).arg(path))
            .status
            .success()
    };
    let reads = |path: &Utf8Path| alone("/".into(), || ReadBack::new("pg_restore", path)).result;
    let copy = setting.folder.path().join("copy.dump");
    fs::write(&copy, &whole).unwrap();
    reads(&copy).unwrap();
    for percent in [5, 50, 99] {
        fs::write(&copy, &whole[..whole.len() * percent / 100]).unwrap();
        assert!(lists(&copy), "at {percent} % its own list says nothing");
        reads(&copy).unwrap_err();
    }
    for percent in [20, 50, 90] {
        let mut changed = whole.clone();
        changed[whole.len() * percent / 100] ^= 0x10;
        fs::write(&copy, &changed).unwrap();
        assert!(lists(&copy), "at {percent} % its own list says nothing");
        reads(&copy).unwrap_err();
        // And later, by its checksum.
        fs::write(setting.place.full(&record.id), &changed).unwrap();
        let checked = alone("/".into(), || CheckBackup::new(&setting.place, &record.id)).result;
        assert!(checked.unwrap_err().to_string().contains("checksum differs"));
    }
}

/// Makes a first backup, then one that must fail: the folder is as it was before.
fn fails(setting: &Setting, order: BackupOrder, message: &str, hint: &str) {
    let before = setting.backup("1").result.unwrap();
    let found = error(run(&setting.place, &setting.database(), &order));
    let all = format!("{found} / {:?}", found.hint_text());
    assert!(all.contains(message) && all.contains(hint), "{all}");
    assert_eq!(setting.names(), ["1.dump", "1.json", "1.sql"]);
    let listing = alone("/".into(), || Backups::new(&setting.place)).result.unwrap();
    assert_eq!(listing.last(), Some(&before), "the last verified one is there");
}

#[test]
fn a_dump_that_is_cut_on_its_way_leaves_nothing() {
    let setting = Setting::new(1);
    let script = "\"$real\" \"$@\" || exit
case \"$*\" in *custom*) truncate --size=-1000 -- \"$TALIA_FULL\";; esac";
    let clients = programs(setting.folder.path(), &[("pg_dump", script)]);
    let order = BackupOrder::new(&id("2"), 2000).clients(clients);
    fails(&setting, order, "reading the dump back has failed", "");
}

#[test]
fn a_schema_that_is_cut_on_its_way_leaves_nothing() {
    let setting = Setting::new(1);
    let script = "\"$real\" \"$@\" || exit
case \"$*\" in *plain*) truncate --size=-100 -- \"$TALIA_SCHEMA\";; esac";
    let clients = programs(setting.folder.path(), &[("pg_dump", script)]);
    let order = BackupOrder::new(&id("2"), 2000).clients(clients);
    fails(&setting, order, "is cut off", "");
}

#[test]
fn a_full_disk_leaves_nothing() {
    let setting = Setting::new(1);
    let script = "case \"$*\" in *custom*) ln -sf /dev/full \"$TALIA_FULL\";; esac
exec \"$real\" \"$@\"";
    let clients = programs(setting.folder.path(), &[("pg_dump", script)]);
    let order = BackupOrder::new(&id("2"), 2000).clients(clients);
    fails(&setting, order, "No space left on device", "free some disk space");
}

#[test]
fn a_failing_pg_dump_leaves_nothing() {
    let setting = Setting::new(1);
    let script = "case \"$*\" in *--version*) exec \"$real\" \"$@\";; esac
echo 'pg_dump: error: query failed: ERROR:  permission denied for table x' >&2; exit 1";
    let clients = programs(setting.folder.path(), &[("pg_dump", script)]);
    let order = BackupOrder::new(&id("2"), 2000).clients(clients);
    fails(&setting, order, "permission denied for table x", "pg_read_all_data");
}

#[test]
fn a_server_newer_than_pg_dump_is_refused_before_anything_is_dumped() {
    let setting = Setting::new(1);
    let script = "case \"$1\" in --version) echo 'pg_dump (PostgreSQL) 9.6.24' ;; \
                  *) echo 'it must not run' >&2; exit 9 ;; esac";
    let clients = programs(setting.folder.path(), &[("pg_dump", script)]);
    let order = BackupOrder::new(&id("1"), 1000).clients(clients);
    let finished = run(&setting.place, &setting.database(), &order);
    assert_eq!(finished.exit_code.code(), 4);
    let error = error(finished);
    let all = format!("{error} {:?}", error.hint_text());
    assert!(all.contains("9.6.24") && all.contains("postgresql-client-"), "{all}");
    assert_eq!(setting.names(), Vec::<String>::new());
}

#[test]
fn a_table_that_may_not_be_read_fails_the_backup() {
    let setting = Setting::new(1);
    setting.server.admin(NAME, "CREATE ROLE reader LOGIN PASSWORD 'reader-password'");
    let url = format!(
        "postgresql://reader:reader-password@127.0.0.1:{}/{URL_NAME}",
        setting.server.port()
    );
    let database = database_url::read(&url).unwrap();
    let found = error(run(&setting.place, &database, &BackupOrder::new(&id("1"), 1)));
    assert!(found.to_string().contains("permission denied"), "{found}");
    assert_eq!(setting.names(), [""; 0]);
    setting.server.admin(NAME, "GRANT pg_read_all_data TO reader");
    run(&setting.place, &database, &BackupOrder::new(&id("1"), 1)).result.unwrap();
}

#[test]
fn a_server_that_ends_during_the_dump_leaves_nothing() {
    let setting = Setting::new(40);
    let before = setting.backup("1").result.unwrap();
    let partial = BackupPlace::partial(&setting.place.full(&id("2")));
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            let size = || fs::metadata(&partial).map_or(0, |data| data.len());
            let began = Instant::now();
            while size() < 1 << 20 && began.elapsed() < Duration::from_secs(60) {
                thread::sleep(Duration::from_millis(2));
            }
            setting.server.stop_at_once();
        });
        error(setting.backup("2"))
    });
    let all = format!("{found} / {:?}", found.hint_text());
    assert!(all.contains("the dump has failed") && all.contains("server's own log"), "{all}");
    assert_eq!(setting.names(), ["1.dump", "1.json", "1.sql"]);
    let listing = alone("/".into(), || Backups::new(&setting.place)).result.unwrap();
    assert_eq!(listing.last(), Some(&before));
    // And when it is not there at all.
    let found = error(setting.backup("2"));
    assert!(found.to_string().contains("Connection refused"), "{found}");
    assert!(found.hint_text().unwrap().contains("whether the database server runs"));
}

#[test]
fn a_wrong_password_is_told_as_one() {
    let setting = Setting::new(1);
    let url = setting.server.url(URL_NAME).replace("can%3Aary", "not%3Ait");
    let database = database_url::read(&url).unwrap();
    let found = error(run(&setting.place, &database, &BackupOrder::new(&id("1"), 1)));
    assert!(found.to_string().contains("password authentication failed"), "{found}");
    assert!(found.hint_text().unwrap().contains("DATABASE_URL"));
    assert_eq!(setting.names(), [""; 0]);
}

#[test]
fn a_schema_of_the_provider_can_be_left_out() {
    let setting = Setting::new(1);
    setting.server.ask(NAME, "CREATE SCHEMA \"v*t\"; CREATE TABLE \"v*t\".k (a int); CREATE SCHEMA vault; CREATE TABLE vault.k (a int);");
    let order = BackupOrder::new(&id("1"), 1).without_schemas(["v*t", "o'dd \"s"]);
    let record = run(&setting.place, &setting.database(), &order).result.unwrap();
    let titles: Vec<String> = record.contents.tables.iter().map(|table| table.title()).collect();
    assert_eq!(titles, ["public.big", "public.late", "public.part_1", "vault.k"]);
    let list = said(command("pg_restore").arg("--list").arg(setting.place.full(&record.id)));
    assert!(list.contains("vault k") && !list.contains("v*t") && !list.contains("o'dd"), "{list}");
}
