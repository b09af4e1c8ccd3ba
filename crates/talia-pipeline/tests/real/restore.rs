//! A real database, made what it was.

use std::fs;

use talia_pipeline::{
    Context, Finished, Pipeline, World,
    flows::{
        BackupOrder, Dependents, DrillOrder, DrillPlace, RestoreReport, backup, drill, restore,
        restore_outlook,
    },
    steps::backup::{Drill, Retention},
};

use crate::{
    backup::{self, NAME, Setting, id},
    drill::UNRESTORABLE,
    support::{command, said},
};

fn run(setting: &Setting, name: &str, before: BackupOrder) -> Finished<RestoreReport> {
    let database = setting.database();
    let mut pipeline =
        Pipeline::new("restore", "/", World::real().unwrap()).secrets(database.secret());
    pipeline
        .run(|cx| restore(cx, &setting.place, &id(name), &database, &before, Dependents::Refuse))
}

fn before(name: &str) -> BackupOrder {
    BackupOrder::new(&id(name), 9000)
}

/// Everything of a database as text, with a stable order.
fn state(setting: &Setting) -> String {
    setting.server.ask(NAME, "SELECT 'big', count(*), sum(id) FROM big UNION ALL SELECT 'part', count(*), sum(at) FROM part")
}

#[test]
fn a_database_becomes_what_it_was_and_what_it_became_is_kept() {
    let setting = Setting::new(2);
    setting.server.admin(NAME, "CREATE EXTENSION citext");
    setting.server.ask(NAME, "CREATE TABLE texts (a citext); INSERT INTO texts VALUES ('A')");
    setting.backup("1").result.unwrap();
    let then = state(&setting);
    setting.server.ask(
        NAME,
        "DELETE FROM big WHERE id > 500; ALTER TABLE big DROP COLUMN noise; DROP TABLE part;
         CREATE TABLE part (at int); CREATE TABLE newer (a int); INSERT INTO newer VALUES (1);
         ALTER TABLE texts ADD COLUMN b int",
    );
    let now = state(&setting);
    assert_ne!(then, now);

    let database = setting.database();
    let mut pipeline =
        Pipeline::new("restore", "/", World::real().unwrap()).secrets(database.secret());
    let outlook = pipeline
        .run(|cx| restore_outlook(cx, &setting.place, &id("1"), &database, &before("2")))
        .result
        .unwrap();
    let text = outlook.to_string();
    for line in [
        "stays as it is, it is not in the backup: public.newer",
        "comes back: public.part_1",
        "public.big: 500 rows now, 2000 in the backup",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(state(&setting), now, "a look changes nothing");
    assert_eq!(setting.names(), ["1.dump", "1.json", "1.sql"]);

    // Retention keeps what is about to be restored.
    let order = before("2").retention(Retention::new(1, 0));
    let report = run(&setting, "1", order).result.unwrap();
    assert_eq!(state(&setting), then);
    assert_eq!(setting.server.ask(NAME, "SELECT a FROM texts"), "A");
    assert_eq!(report.before.id, id("2"));
    assert_eq!(report.differences, ["public.newer is there and was not dumped"]);
    assert_eq!(setting.names(), ["1.dump", "1.json", "1.sql", "2.dump", "2.json", "2.sql"]);
    // And back again, to what it became.
    run(&setting, "2", before("3")).result.unwrap();
    assert_eq!(setting.server.ask(NAME, "SELECT count(*) FROM big"), "500");
}

#[test]
fn what_is_newer_and_in_the_way_is_named_and_dropped_when_asked() {
    let setting = Setting::new(1);
    let ask = |sql: &str| setting.server.ask(NAME, sql);
    ask("CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('a');
         CREATE TABLE app.old (id int PRIMARY KEY, m app.mood); INSERT INTO app.old VALUES (1, 'a');
         CREATE VIEW app.old_view AS SELECT * FROM app.old; SELECT lo_create(77);
         CREATE VIEW looped AS SELECT id, m FROM app.old GROUP BY id;
         CREATE TABLE \"a;\nb\" (); CREATE TABLE \"\\! touch /tmp/never #\" ();
         CREATE TABLE \"; COMMIT; --\" (id serial)");
    setting.backup("1").result.unwrap();
    ask("DELETE FROM app.old; INSERT INTO app.old VALUES (2, 'a');
         CREATE TABLE app.newer (old int REFERENCES app.old); INSERT INTO app.newer VALUES (2);
         CREATE VIEW newer_view AS SELECT * FROM app.old_view");
    let state = || ask("SELECT count(*), (SELECT id FROM app.old) FROM app.newer, newer_view");
    assert_eq!(state(), "1|2");

    let finished = run(&setting, "1", before("2"));
    assert_eq!(finished.exit_code.code(), 4);
    let error = finished.result.unwrap_err();
    let all = format!("{error} {:?}", error.hint_text());
    for part in ["newer_old_fkey on table app.newer", "nothing is changed", "--drop-dependents"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert_eq!(state(), "1|2");

    let database = setting.database();
    let drop = |name: &str, of: &str| {
        let (place, of, before) = (&setting.place, id(of), before(name));
        let mut pipeline =
            Pipeline::new("restore", "/", World::real().unwrap()).secrets(database.secret());
        pipeline.run(|cx| restore(cx, place, &of, &database, &before, Dependents::Drop)).result
    };
    let report = drop("3", "1").unwrap();
    assert_eq!(
        report.dropped,
        ["constraint newer_old_fkey on table app.newer", "view public.newer_view"]
    );
    assert_eq!(report.differences, ["app.newer is there and was not dumped"]);
    assert_eq!(ask("SELECT old FROM app.newer"), "2", "of a newer table the key alone goes");
    assert_eq!(ask("SELECT id FROM app.old_view"), "1");
    assert_eq!(ask("SELECT m FROM looped"), "a");
    assert_eq!(ask("SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 77"), "1");
    // The state before is whole again; and with nothing in the way nothing is dropped.
    ask("DROP TABLE app.newer");
    assert_eq!(drop("4", "2").unwrap().dropped, [""; 0]);
    assert_eq!(state(), "1|2");
    assert!(!setting.names().iter().any(|name| name.ends_with(".partial")));
}

#[test]
fn what_new_backups_leave_out_is_kept_before_an_older_one_replaces_it() {
    let setting = Setting::new(1);
    let ask = |sql: &str| setting.server.ask(NAME, sql);
    ask("CREATE SCHEMA auth; CREATE TABLE auth.users (id int); INSERT INTO auth.users VALUES (1);
         CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
    setting.backup("1").result.unwrap();
    ask("INSERT INTO auth.users VALUES (2)");
    let left_out = |name: &str| before(name).without_schemas(["auth"]);
    let report = run(&setting, "1", left_out("2")).result.unwrap();
    assert_eq!(ask("SELECT count(*) FROM auth.users"), "1");
    assert_eq!(report.before.contents.without.schemas, [""; 0]);
    // From the one before it comes back.
    run(&setting, "2", left_out("3")).result.unwrap();
    assert_eq!(ask("SELECT count(*) FROM auth.users"), "2");

    // What is in the way and in no backup is not said to be in one.
    let database = setting.database();
    backup::run(&setting.place, &database, &left_out("4")).result.unwrap();
    ask("CREATE TRIGGER greet BEFORE INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION welcome()");
    let error = run(&setting, "4", left_out("5")).result.unwrap_err();
    let hint = error.hint_text().unwrap();
    assert!(hint.ends_with("what of it is in auth is in no backup"), "{error} {hint}");
}

#[test]
fn a_restore_that_drops_and_fails_changes_nothing() {
    let setting = Setting::new(1);
    setting.server.ask(NAME, UNRESTORABLE);
    setting.backup("1").result.unwrap();
    setting.server.ask(NAME, "CREATE VIEW newer AS SELECT * FROM big");
    let now = state(&setting);
    let (database, before) = (setting.database(), before("2"));
    let mut pipeline =
        Pipeline::new("restore", "/", World::real().unwrap()).secrets(database.secret());
    let flow =
        |cx: &Context| restore(cx, &setting.place, &id("1"), &database, &before, Dependents::Drop);
    let error = pipeline.run(flow).result.unwrap_err();
    let all = format!("{error} {:?}", error.hint_text());
    assert!(all.contains("does not restore") && all.contains("nothing is changed"), "{all}");
    assert_eq!(state(&setting), now);
    assert_eq!(setting.server.ask(NAME, "SELECT count(*) > 0 FROM newer"), "t");
}

#[test]
fn a_role_that_has_gone_since_is_asked_for_and_nothing_is_changed() {
    let setting = Setting::new(1);
    setting.server.admin(NAME, "CREATE ROLE reader");
    setting.server.ask(NAME, "CREATE TABLE one (a int); GRANT SELECT ON one TO reader");
    setting.backup("1").result.unwrap();
    setting.server.admin(NAME, "DROP OWNED BY reader; DROP ROLE reader");
    setting.server.ask(NAME, "DELETE FROM big WHERE id > 500");
    let now = state(&setting);
    let error = run(&setting, "1", before("2")).result.unwrap_err();
    let all = format!("{error} {:?}", error.hint_text());
    for part in
        ["role \"reader\" does not exist", "make that role", "nothing is changed", "backup 2"]
    {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert_eq!(state(&setting), now);
    setting.server.admin(NAME, "CREATE ROLE reader");
    run(&setting, "1", before("3")).result.unwrap();
    assert_eq!(setting.server.ask(NAME, "SELECT count(*) FROM big"), "1000");
}

#[test]
fn a_restore_that_fails_changes_nothing() {
    let setting = Setting::new(1);
    setting.server.ask(
        NAME,
        "CREATE TABLE known (a int); INSERT INTO known VALUES (1);
         CREATE FUNCTION is_known(int) RETURNS boolean LANGUAGE plpgsql AS
           'BEGIN RETURN EXISTS (SELECT FROM known WHERE a = $1); END';
         CREATE TABLE checked (a int CHECK (is_known(a))); INSERT INTO checked VALUES (1);",
    );
    setting.backup("1").result.unwrap();
    setting.server.ask(NAME, "DELETE FROM big WHERE id > 500");
    let now = state(&setting);
    let error = run(&setting, "1", before("2")).result.unwrap_err();
    let all = format!("{error} {:?}", error.hint_text());
    assert!(all.contains("does not restore") && all.contains("nothing is changed"), "{all}");
    assert!(all.contains("the backup 2"), "{all}");
    assert_eq!(state(&setting), now);
    assert_eq!(setting.server.ask(NAME, "SELECT a FROM checked"), "1");
}

#[test]
fn a_backup_that_does_not_count_is_refused() {
    let setting = Setting::new(1);
    let mut record = setting.backup("1").result.unwrap();
    record.drill = Some(Drill::Failed { at_ms: 1, reason: "x".into() });
    fs::write(setting.place.record(&record.id), record.to_json()).unwrap();
    let finished = run(&setting, "1", before("2"));
    assert_eq!(finished.exit_code.code(), 4);
    assert_eq!(setting.names(), ["1.dump", "1.json", "1.sql"], "no backup was made for it");
    record.drill = None;
    fs::write(setting.place.record(&record.id), record.to_json()).unwrap();
    said(command("truncate").args(["--size=-1", "--"]).arg(setting.place.full(&record.id)));
    let error = run(&setting, "1", before("2")).result.unwrap_err();
    assert!(error.to_string().contains("its record says"), "{error}");
    let finished = run(&setting, "none", before("2"));
    assert_eq!(finished.exit_code.code(), 2);
}

#[test]
fn plans_of_all_three_change_nothing() {
    let setting = Setting::new(1);
    setting.backup("1").result.unwrap();
    let (database, place) = (setting.database(), &setting.place);
    let before = crate::support::state_of(setting.folder.path());
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'talia-backup'";
    let pipeline = Pipeline::new("plan", "/", World::real().unwrap()).secrets(database.secret());
    let order = BackupOrder::new(&id("2"), 9000).retention(Retention::default());
    let text = |plan: talia_pipeline::Result<talia_pipeline::Plan>| plan.unwrap().to_string();
    let backup = text(pipeline.plan(|cx| backup(cx, place, &database, &order)));
    let at = DrillPlace::local(setting.folder.path().join("drill"));
    let drill = text(pipeline.plan(|cx| drill(cx, place, &id("1"), &at, &DrillOrder::new(1))));
    let restore = text(
        pipeline.plan(|cx| restore(cx, place, &id("1"), &database, &order, Dependents::Refuse)),
    );
    for (plan, parts) in [
        (&backup, ["pg_dump --version", "--file=/dev/null", "2.json", "older than 14 days"]),
        (&drill, ["initdb", "pg_ctl", "CREATE DATABASE", "1.json"]),
        (&restore, ["--snapshot=", "--single-transaction", "--use-list=/dev/stdin", "2.json"]),
    ] {
        for part in parts {
            assert!(plan.contains(part), "{part}: {plan}");
        }
        assert!(!plan.contains("can:ary"), "{plan}");
    }
    assert_eq!(crate::support::state_of(setting.folder.path()), before);
    assert_eq!(setting.server.ask(NAME, asked), "0");
}
