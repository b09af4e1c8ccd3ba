//! Backups tried on real servers: one that is given, and one that is thrown away.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use camino::{Utf8Path, Utf8PathBuf};
use talia_pipeline::{
    Finished, Pipeline, World,
    flows::{BackupOrder, Dependents, DrillOrder, DrillPlace, drill, restore},
    parse::database_url,
    process::Cancel,
    steps::backup::{
        BackupPlace, BackupRecord, Backups, Drill, Prune, ReadBack, Retention, TableRows,
    },
};

use crate::{
    alone,
    backup::{NAME, Setting, id, run as backup},
    postgres::{PASSWORD, Postgres, USER, as_user},
    support::{command, said},
};

fn try_out(setting: &Setting, name: &str, at: &DrillPlace) -> Finished<BackupRecord> {
    try_until(setting, name, at, Cancel::new())
}

fn try_until(
    setting: &Setting,
    name: &str,
    at: &DrillPlace,
    cancel: Cancel,
) -> Finished<BackupRecord> {
    let order = DrillOrder::new(5000);
    let mut pipeline = Pipeline::new("drill", "/", World::real().unwrap()).cancel(cancel);
    pipeline.run(|cx| drill(cx, &setting.place, &id(name), at, &order))
}

/// A server thrown away after the drill, in a folder with a blank in its name.
fn local(setting: &Setting) -> (DrillPlace, Utf8PathBuf) {
    let folder = setting.folder.path().join("dr ill");
    let place = DrillPlace::local(&folder);
    let place = match as_user() {
        Some((user, _)) => place.run_as(user),
        None => place,
    };
    (place, folder)
}

fn recorded(setting: &Setting, name: &str) -> BackupRecord {
    let text = fs::read_to_string(setting.place.record(&id(name))).unwrap();
    BackupRecord::from_json(&text).unwrap()
}

/// Processes whose arguments name this folder.
fn processes_of(folder: &Utf8Path) -> usize {
    let entries = Utf8Path::new("/proc").read_dir_utf8().unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(folder.as_str())).count()
}

const GRANTS: &str = "
    CREATE TABLE granted (a int);
    INSERT INTO granted SELECT generate_series(1, 7);
    GRANT SELECT ON granted TO \"o'ther \"\"role\";
    ALTER TABLE granted ENABLE ROW LEVEL SECURITY;
    CREATE POLICY p ON granted TO \"o'ther \"\"role\" USING (true);
    CREATE INDEX ON granted (a);
    SELECT lo_from_bytea(0, 'large');";

#[test]
fn a_backup_passes_on_a_server_that_is_thrown_away() {
    let setting = Setting::new(1);
    setting.server.admin(NAME, "CREATE ROLE \"o'ther \"\"role\"");
    setting.server.ask(NAME, GRANTS);
    let made = setting.backup("1").result.unwrap();
    assert_eq!(made.contents.large_objects, 1);
    let (at, folder) = local(&setting);
    // What a killed drill has left.
    fs::create_dir_all(folder.join("data/old")).unwrap();
    let record = try_out(&setting, "1", &at).result.unwrap();
    let rows = made.contents.rows();
    let passed = Drill::Passed { at_ms: 5000, tables: 5, rows, not_drilled: vec![] };
    assert_eq!(record.drill, Some(passed));
    assert_eq!(recorded(&setting, "1"), record);
    assert!(!folder.exists(), "nothing is left in {folder}");
    assert_eq!(processes_of(&folder), 0);
}

#[test]
fn a_backup_passes_on_a_server_that_is_given_and_nothing_stays_there() {
    let setting = Setting::new(1);
    setting.server.admin(NAME, "CREATE ROLE \"o'ther \"\"role\"");
    setting.server.ask(NAME, GRANTS);
    setting.backup("1").result.unwrap();
    let scratch = Postgres::start();
    scratch.admin("postgres", "CREATE DATABASE talia_drill");
    let before = scratch.admin("postgres", "SELECT rolname FROM pg_roles ORDER BY 1");
    let password = "can%3Aary%5C9f31%20%27%22%24p";
    let url = format!("postgresql://postgres:{password}@127.0.0.1:{}/postgres", scratch.port());
    let at = DrillPlace::server(&database_url::read(&url).unwrap());
    let record = try_out(&setting, "1", &at).result.unwrap();
    assert!(record.is_drilled());
    let left = "SELECT datname FROM pg_database WHERE NOT datistemplate";
    assert_eq!(scratch.admin("postgres", left), "postgres");
    assert_eq!(scratch.admin("postgres", "SELECT rolname FROM pg_roles ORDER BY 1"), before);
    assert_eq!(setting.names(), ["1.dump", "1.json", "1.sql"], "no password file is left");
    // A server that is not there says nothing of the backup.
    scratch.stop_at_once();
    let finished = try_out(&setting, "1", &at);
    let error = finished.result.unwrap_err();
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(!format!("{error:?}").contains(PASSWORD));
    assert_eq!(recorded(&setting, "1"), record);
}

/// On this server, as a user with these rights.
fn as_drill(scratch: &Postgres, rights: &str) -> DrillPlace {
    let role = format!("CREATE ROLE drill LOGIN {rights} PASSWORD 'drill-password'");
    scratch.admin("postgres", &role);
    let url = format!("postgresql://drill:drill-password@127.0.0.1:{}/postgres", scratch.port());
    DrillPlace::server(&database_url::read(&url).unwrap())
}

#[test]
fn an_app_whose_only_role_is_its_owner_is_drilled_by_a_user_with_createdb_alone() {
    let setting = Setting::new(1);
    let quoted = NAME.replace('"', "\"\"");
    setting.server.admin(NAME, &format!("ALTER SCHEMA public OWNER TO \"{USER}\""));
    setting.server.ask(
        NAME,
        &format!(
            "CREATE TABLE plain (id serial PRIMARY KEY); CREATE TYPE mood AS ENUM ('a');
             CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
             REVOKE ALL ON FUNCTION f() FROM PUBLIC; GRANT SELECT ON plain TO PUBLIC;
             GRANT UPDATE ON SEQUENCE plain_id_seq TO PUBLIC; GRANT SELECT (id) ON plain TO PUBLIC;
             GRANT ALL ON plain TO \"{USER}\"; GRANT ALL ON SCHEMA public TO \"{USER}\";
             REVOKE CONNECT ON DATABASE \"{quoted}\" FROM PUBLIC; SELECT lo_create(7)"
        ),
    );
    let made = setting.backup("1").result.unwrap();
    assert_eq!(made.contents.roles, [USER, "postgres"]);
    assert_eq!(made.contents.needed_roles(), [""; 0]);
    let scratch = Postgres::with_superuser_alone();
    let at = as_drill(&scratch, "CREATEDB");
    assert!(try_out(&setting, "1", &at).result.unwrap().is_drilled());
}

#[test]
fn roles_that_are_named_are_made_by_a_user_with_createrole_or_it_is_asked_for() {
    let setting = Setting::new(1);
    for name in ["reader", "keeper", "mapped", "idle"] {
        setting.server.admin(NAME, &format!("CREATE ROLE {name}"));
    }
    setting.server.admin(NAME, &format!("GRANT keeper, idle TO \"{USER}\""));
    setting.server.ask(
        NAME,
        "CREATE TABLE one (a int); CREATE POLICY p ON one TO reader USING (true);
         CREATE TABLE two (a int); REVOKE INSERT ON two FROM CURRENT_USER;
         CREATE TABLE idles (a int); GRANT CREATE ON SCHEMA \"o'dd \"\"s\" TO idle;
         ALTER DEFAULT PRIVILEGES FOR ROLE keeper GRANT SELECT ON TABLES TO PUBLIC",
    );
    setting.server.ask(NAME, "REVOKE CREATE ON SCHEMA \"o'dd \"\"s\" FROM idle");
    let made = setting.backup("1").result.unwrap();
    assert_eq!(made.contents.needed_roles(), ["keeper", USER, "reader"]);
    let scratch = Postgres::with_superuser_alone();
    let error = try_out(&setting, "1", &as_drill(&scratch, "CREATEDB")).result.unwrap_err();
    let all = format!("{error} / {:?}", error.hint_text());
    assert!(all.contains("permission denied to create role"), "{all}");
    assert!(all.contains("CREATEROLE") && all.contains("`scratch`"), "{all}");
    assert_eq!(recorded(&setting, "1"), made, "it says nothing of the backup");
    assert_eq!(scratch.admin("postgres", ROLES), "0");
    scratch.admin("postgres", "DROP ROLE drill");
    let at = as_drill(&scratch, "CREATEDB CREATEROLE");
    assert!(try_out(&setting, "1", &at).result.unwrap().is_drilled());
    assert_eq!(scratch.admin("postgres", ROLES), "0");
}

/// How many roles there are beside PostgreSQL's own and a user `drill`.
const ROLES: &str = "SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', 'drill')";

#[test]
fn roles_of_another_drill_stay_and_those_of_a_killed_one_go() {
    let setting = Setting::new(1);
    setting.backup("1").result.unwrap();
    setting.server.admin(NAME, "CREATE ROLE reader");
    setting.server.ask(NAME, "CREATE TABLE one (a int); GRANT SELECT ON one TO reader");
    setting.backup("2").result.unwrap();
    let scratch = Postgres::with_superuser_alone();
    let at = as_drill(&scratch, "CREATEDB CREATEROLE");
    // As another drill has it at work.
    scratch.admin(
        "postgres",
        "SET ROLE drill; CREATE ROLE reader;
         COMMENT ON ROLE reader IS 'made by a drill of talia-pipeline, which drops it again';
         CREATE DATABASE other",
    );
    scratch.admin("postgres", "GRANT CONNECT ON DATABASE other TO reader");
    assert!(try_out(&setting, "2", &at).result.unwrap().is_drilled());
    assert_eq!(scratch.admin("postgres", ROLES), "1");
    // It was killed. The next drill needs no role at all.
    scratch.admin("postgres", "DROP DATABASE other");
    assert!(try_out(&setting, "1", &at).result.unwrap().is_drilled());
    assert_eq!(scratch.admin("postgres", ROLES), "0");
    // What somebody else has made is left alone.
    scratch.admin("postgres", "CREATE ROLE reader");
    assert!(try_out(&setting, "2", &at).result.unwrap().is_drilled());
    assert_eq!(scratch.admin("postgres", ROLES), "1");
}

#[test]
fn two_environments_drill_at_once_on_one_server() {
    let setting = Setting::new(1);
    setting.server.admin(NAME, "CREATE ROLE \"o'ther \"\"role\"; CREATE ROLE \"$do$ %s\"");
    setting.server.ask(NAME, GRANTS);
    setting.server.ask(NAME, "GRANT SELECT ON granted TO \"$do$ %s\"");
    setting.backup("1").result.unwrap();
    let other = BackupPlace::new(setting.folder.path().join("other"));
    said(command("cp").arg("-r").args([setting.place.folder(), other.folder()]));
    let scratch = Postgres::with_superuser_alone();
    let at = as_drill(&scratch, "CREATEDB CREATEROLE");
    thread::scope(|scope| {
        for (place, name) in [(&setting.place, "talia_drill_a"), (&other, "talia_drill \"b")] {
            let at = at.clone().database_name(name);
            scope.spawn(move || {
                for _ in 0..8 {
                    let mut pipeline = Pipeline::new("drill", "/", World::real().unwrap());
                    let order = DrillOrder::new(5000);
                    let tried = pipeline.run(|cx| drill(cx, place, &id("1"), &at, &order));
                    assert!(tried.result.unwrap().is_drilled());
                }
            });
        }
    });
    assert_eq!(scratch.admin("postgres", ROLES), "0");
}

#[test]
fn a_role_that_goes_during_the_drill_says_nothing_of_the_backup() {
    let setting = Setting::new(1);
    setting.server.admin(NAME, "CREATE ROLE reader");
    setting.server.ask(NAME, "CREATE TABLE one (a int); GRANT SELECT ON one TO reader");
    let mut made = setting.backup("1").result.unwrap();
    // As if it had gone just after it was looked for.
    made.contents.named_roles = Some(Vec::new());
    fs::write(setting.place.record(&made.id), made.to_json()).unwrap();
    let (at, _) = local(&setting);
    let error = try_out(&setting, "1", &at).result.unwrap_err();
    let all = format!("{error} / {:?}", error.hint_text());
    assert!(
        all.contains("role \"reader\" does not exist") && all.contains("make that role"),
        "{all}"
    );
    assert_eq!(recorded(&setting, "1"), made);
}

/// A check that looks into another table by its bare name: it can be dumped, listed
/// and read, and no restore takes the rows.
pub(crate) const UNRESTORABLE: &str = "
    CREATE TABLE known (a int);
    INSERT INTO known VALUES (1);
    CREATE FUNCTION is_known(int) RETURNS boolean LANGUAGE plpgsql AS
      'BEGIN RETURN EXISTS (SELECT FROM known WHERE a = $1); END';
    CREATE TABLE checked (a int CHECK (is_known(a)));
    INSERT INTO checked VALUES (1);";

#[test]
fn what_leads_to_a_schema_that_is_left_out_is_not_drilled() {
    let setting = Setting::new(1);
    let ask = |sql: &str| setting.server.ask(NAME, sql);
    ask("CREATE SCHEMA auth; CREATE TABLE auth.users (id int PRIMARY KEY);
         CREATE TYPE auth.level AS ENUM ('a'); INSERT INTO auth.users VALUES (1);
         CREATE TABLE profiles (id int PRIMARY KEY REFERENCES auth.users, n int CHECK (n > 0));
         CREATE INDEX ON profiles (n); INSERT INTO profiles VALUES (1, 7);
         CREATE VIEW names AS SELECT p.n FROM profiles p JOIN auth.users USING (id);
         CREATE TABLE levels (a auth.level); INSERT INTO levels VALUES ('a');
         CREATE TABLE apart (a int); INSERT INTO apart VALUES (1), (2)");
    setting.server.admin(
        NAME,
        "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; GRANT USAGE ON SCHEMA ext TO PUBLIC",
    );
    ask("CREATE TABLE texts (a ext.citext)");
    let order = BackupOrder::new(&id("1"), 1000).without_schemas(["auth", "ext"]);
    let made = backup(&setting.place, &setting.database(), &order).result.unwrap();
    assert_eq!(made.contents.without.schemas, ["auth", "ext"]);
    let titles: Vec<String> = made.contents.tables.iter().map(TableRows::title).collect();
    assert!(titles.contains(&"public.profiles".to_owned()), "{titles:?}");
    assert!(!titles.contains(&"auth.users".to_owned()), "{titles:?}");
    let (at, _) = local(&setting);
    let record = try_out(&setting, "1", &at).result.unwrap();
    let Some(Drill::Passed { rows, not_drilled, .. }) = record.drill else {
        panic!("{:?}", record.drill)
    };
    // All but the one row of the table that has a type of that schema.
    assert_eq!(rows, made.contents.rows() - 1);
    assert_eq!(not_drilled[0], "what leads to the schemas auth, ext");
    assert_eq!(not_drilled[1], "the table public.levels");
    assert_eq!(not_drilled[2], "the table public.texts");
    // The key, the view, the tables with their rows, the extension and what is said of it.
    assert_eq!(not_drilled[3], "8 entries of the dump in all");

    // A real restore has that schema, counts without it, and brings the key back.
    ask("DELETE FROM profiles");
    let database = setting.database();
    let before = BackupOrder::new(&id("2"), 2000).without_schemas(["auth", "ext"]);
    let mut pipeline =
        Pipeline::new("restore", "/", World::real().unwrap()).secrets(database.secret());
    let report = pipeline
        .run(|cx| restore(cx, &setting.place, &id("1"), &database, &before, Dependents::Refuse))
        .result
        .unwrap();
    assert_eq!(report.differences, [""; 0]);
    assert_eq!(ask("SELECT n FROM names"), "7");
    let keys = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'profiles'::regclass";
    assert_eq!(ask(keys), "1");
}

#[test]
fn a_dump_that_lists_and_does_not_restore_never_counts() {
    let setting = Setting::new(1);
    let sound = setting.backup("1").result.unwrap();
    setting.server.ask(NAME, UNRESTORABLE);
    let later = BackupOrder::new(&id("2"), 2000);
    let made = backup(&setting.place, &setting.database(), &later).result.unwrap();
    assert!(made.read_verified && made.counts());
    let dump = setting.place.full(&id("2"));
    alone("/".into(), || ReadBack::new("pg_restore", &dump)).result.unwrap();
    let (at, folder) = local(&setting);
    let finished = try_out(&setting, "2", &at);
    assert_eq!(finished.exit_code.code(), 1);
    let error = finished.result.unwrap_err();
    let all = format!("{error} {:?}", error.hint_text());
    assert!(
        all.contains("the backup 2 is none") && all.contains("\"known\" does not exist"),
        "{all}"
    );
    assert!(all.contains("make a new backup"), "{all}");
    let record = recorded(&setting, "2");
    assert!(matches!(record.drill, Some(Drill::Failed { at_ms: 5000, .. })) && !record.counts());
    let listing = || alone("/".into(), || Backups::new(&setting.place)).result.unwrap();
    assert_eq!(listing().last(), Some(&sound));
    // One may stay: it is the one that counts, and not the newer one.
    let far = 100 * 24 * 60 * 60 * 1000;
    let prune = || Prune::new(&setting.place, Retention::new(1, 1), far);
    assert_eq!(alone("/".into(), prune).result.unwrap(), ["2"]);
    assert_eq!(listing().last(), Some(&sound));
    assert!(!folder.exists());
}

#[test]
fn rows_that_are_not_there_fail_the_drill() {
    let setting = Setting::new(1);
    let mut record = setting.backup("1").result.unwrap();
    record.contents.tables.iter_mut().find(|table| table.name == "big").unwrap().rows += 1;
    fs::write(setting.place.record(&record.id), record.to_json()).unwrap();
    let (at, _) = local(&setting);
    let error = try_out(&setting, "1", &at).result.unwrap_err();
    assert!(error.to_string().contains("public.big has 1000 rows, 1001 were dumped"), "{error}");
    assert!(!recorded(&setting, "1").counts());
}

/// What needs an extension that only a superuser can have, in every way that a dump
/// can name it, beside as much that does not.
const FOREIGN: &str = "
    CREATE TABLE places (id serial PRIMARY KEY, at earth);
    INSERT INTO places (at) VALUES (ll_to_earth(1, 2)), (ll_to_earth(3, 4));
    COMMENT ON TABLE places IS 'x'; COMMENT ON COLUMN places.at IS 'y';
    GRANT SELECT ON places TO PUBLIC;
    CREATE VIEW seen_places AS SELECT id FROM places WHERE earth_distance(at, at) = 0;
    CREATE FUNCTION far(earth) RETURNS boolean LANGUAGE sql AS 'SELECT false';
    CREATE TABLE defaulted (a float8 DEFAULT earth_distance(ll_to_earth(0, 0), ll_to_earth(0, 1)));
    CREATE TABLE checked (a float8 CHECK (a < sec_to_gc(a)));
    CREATE TABLE visits (place int REFERENCES places, at date);
    INSERT INTO visits VALUES (1, '2026-01-02');
    CREATE TABLE plain (a int);
    INSERT INTO plain SELECT generate_series(1, 5);
    CREATE TABLE texts (a citext);
    INSERT INTO texts VALUES ('A');";

#[test]
fn what_needs_an_extension_that_cannot_be_had_is_left_out_and_said() {
    let setting = Setting::new(1);
    for extension in ["cube", "earthdistance", "citext"] {
        setting.server.admin(NAME, &format!("CREATE EXTENSION {extension}"));
    }
    setting.server.ask(NAME, FOREIGN);
    let made = setting.backup("1").result.unwrap();
    assert_eq!(made.contents.extensions.len(), 3);
    let scratch = Postgres::start();
    let at = as_drill(&scratch, "CREATEDB CREATEROLE");
    let record = try_out(&setting, "1", &at).result.unwrap();
    let Some(Drill::Passed { tables, rows, not_drilled, .. }) = record.drill else {
        panic!("{:?}", record.drill)
    };
    assert_eq!(not_drilled[0], "the extension earthdistance 1.1");
    assert_eq!(
        not_drilled[1..4],
        ["the table public.checked", "the table public.defaulted", "the table public.places"]
    );
    // Four of the setting, visits, plain and texts.
    assert_eq!((tables, rows), (7, made.contents.rows() - 2));
    // Where all can be had, all is tried.
    let (at, _) = local(&setting);
    let record = try_out(&setting, "1", &at).result.unwrap();
    let all =
        Drill::Passed { at_ms: 5000, tables: 10, rows: made.contents.rows(), not_drilled: vec![] };
    assert_eq!(record.drill, Some(all));
}

#[test]
fn a_database_that_does_not_fit_on_the_disk_is_not_restored_there() {
    let setting = Setting::new(1);
    let mut made = setting.backup("1").result.unwrap();
    assert!(made.database_bytes > 1_000_000, "{}", made.database_bytes);
    made.database_bytes = 7_000_000_000_000_000;
    fs::write(setting.place.record(&made.id), made.to_json()).unwrap();
    let (at, folder) = local(&setting);
    let error = try_out(&setting, "1", &at).result.unwrap_err();
    let all = format!("{error} / {:?}", error.hint_text());
    assert!(all.contains("8400000400 MB are needed") && all.contains("scratch server"), "{all}");
    assert!(!folder.exists());
    assert_eq!(recorded(&setting, "1"), made, "it says nothing of the backup");
}

#[test]
fn an_interrupted_drill_leaves_no_server_and_no_outcome() {
    let setting = Setting::new(10);
    let made = setting.backup("1").result.unwrap();
    assert_eq!(made.contents.roles, [USER, "postgres"]);
    let (at, folder) = local(&setting);
    let cancel = Cancel::new();
    let finished = thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            let runs = || folder.join("s/.s.PGSQL.5432").exists();
            while !runs() && began.elapsed() < Duration::from_secs(60) {
                thread::sleep(Duration::from_millis(2));
            }
            cancel.interrupt();
        });
        try_until(&setting, "1", &at, cancel.clone())
    });
    assert_eq!(finished.exit_code.code(), 130);
    assert!(!folder.exists(), "{:?}", crate::backup::names(&folder));
    assert_eq!(processes_of(&folder), 0);
    assert_eq!(recorded(&setting, "1"), made);
}
