//! What an agent does with a real database: by the policy, from the live `.env`.

use std::fs;

use talia_pipeline::{
    Context, Finished, Pipeline, Result, World,
    flows::{
        Dependents,
        server::{Server, backup_now, backups, drill_now, maintenance, restore, restore_plan},
    },
    protocol::BackupList,
    secret::{Secret, SecretValue},
    server::Layout,
    settings::Policy,
    steps::backup::{BackupRecord, Drill},
};

use crate::{
    Collect,
    backup::{NAME, Setting, URL_NAME, names},
    drill::UNRESTORABLE,
    postgres::{PASSWORD, USER},
    server_plans::{NEW, OLD, live_is, released},
};

/// A server whose policy keeps one backup, and wants it drilled on the database's own
/// server.
fn server(setting: &Setting, now_ms: u64) -> Server {
    let text = "environment = \"staging\"\n[backup]\nkeep = 1\nkeep_days = 0\ndrill = true\n\
                scratch = \"TRY_OUT\"\n";
    let (_, policy) = Policy::parse(text, "/etc/talia/staging.toml".into()).unwrap();
    let layout = Layout::new(&"staging".parse().unwrap(), &policy).below(setting.folder.path());
    fs::create_dir_all(layout.folder()).unwrap();
    fs::create_dir_all(layout.maintenance().parent().unwrap()).unwrap();
    let env = format!(
        "DATABASE_URL='{}'\nTRY_OUT='{}'\n",
        setting.server.url(URL_NAME),
        setting.server.url("postgres")
    );
    fs::write(layout.env_file(), env).unwrap();
    let owner = USER.replace('"', "\"\"");
    setting.server.admin("postgres", &format!("ALTER ROLE \"{owner}\" CREATEDB"));
    Server { layout, policy, now_ms, run: "1".into(), by: "ana".parse().unwrap() }
}

fn run<T: Send>(flow: impl Fn(&Context) -> Result<T>) -> (Finished<T>, String) {
    let secret = Secret::given("password", SecretValue::new(PASSWORD));
    let heard = Collect::default();
    let pipeline = Pipeline::new("server", "/", World::real().unwrap());
    let finished = pipeline.secrets([secret]).report(heard.clone()).run(flow);
    let told = heard.events().iter().map(|event| event.to_json() + "\n").collect();
    (finished, told)
}

const NOW: u64 = 1_795_508_100_042;
const FIRST: &str = "20261124T081500Z-042";

#[test]
fn a_backup_is_made_tried_and_restored_while_a_client_is_at_work() {
    let setting = Setting::new(1);
    let server = |now| server(&setting, now);
    let first = server(NOW);
    let made = run(|cx| backup_now(cx, &first)).0.result.unwrap();
    assert_eq!((made.id.as_str(), made.drilled_ms), (FIRST, Some(NOW)));

    let drilled = run(|cx| drill_now(cx, &first, None)).0.result.unwrap();
    assert_eq!((drilled.backup.id.as_str(), drilled.rows > 1000), (FIRST, true));

    setting.server.ask(NAME, "DELETE FROM big WHERE id > 500");
    let later = server(NOW + 60_000);
    let plan = run(|cx| restore_plan(cx, &later, FIRST)).0.result.unwrap();
    assert!(plan.text.contains("public.big: 500 rows now, 1000 in the backup"), "{}", plan.text);

    // It holds a lock on what is to be replaced, for longer than anybody waits.
    let open = "BEGIN; DELETE FROM big WHERE id = 1; SELECT pg_sleep(600);";
    let _open = setting.server.again_and_again(NAME, open);
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while setting.server.admin(NAME, asleep) != "1" {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let page = later.layout.maintenance();
    let (finished, told) = run(|cx| restore(cx, &later, FIRST, false, Dependents::Refuse));
    let restored = finished.result.unwrap();
    assert_eq!(restored.before.id, "20261124T081600Z-042-before-restore");
    assert_eq!(restored.differences, Vec::<String>::new());
    assert_eq!(setting.server.ask(NAME, "SELECT count(*) FROM big"), "1000");
    assert_eq!(setting.server.admin(NAME, asleep), "0");
    assert!(told.contains("maintenance on") && !page.exists(), "{told}");
    assert!(!told.contains("can:ary"), "{told}");

    // Somebody's own maintenance stays.
    fs::write(&page, "").unwrap();
    run(|cx| restore(cx, &server(NOW + 120_000), FIRST, false, Dependents::Refuse))
        .0
        .result
        .unwrap();
    assert!(page.exists());
    // What was restored stays, whatever the retention says.
    let kept = names(&first.layout.backups());
    assert!(kept.contains(&format!("{FIRST}.dump")), "{kept:?}");
}

#[test]
fn a_backup_that_does_not_restore_pushes_no_other_one_out() {
    let setting = Setting::new(1);
    let first = server(&setting, NOW);
    run(|cx| backup_now(cx, &first)).0.result.unwrap();
    setting.server.ask(NAME, UNRESTORABLE);
    let second = server(&setting, NOW + 60_000);
    let (finished, _) = run(|cx| backup_now(cx, &second));
    assert_eq!(finished.exit_code.code(), 1);
    let error = finished.result.unwrap_err();
    assert!(error.to_string().contains("is none"), "{error}");
    let kept = names(&first.layout.backups());
    assert!(kept.contains(&format!("{FIRST}.dump")), "{kept:?}");
    // The next good one does.
    setting.server.ask(NAME, "DROP TABLE checked");
    let third = server(&setting, NOW + 120_000);
    let made = run(|cx| backup_now(cx, &third)).0.result.unwrap();
    let kept = names(&first.layout.backups());
    let own: Vec<String> = ["dump", "json", "sql"].map(|end| format!("{}.{end}", made.id)).into();
    assert_eq!(kept, own);
}

#[test]
fn backups_are_listed_with_what_they_are_worth_and_of_which_release_they_are() {
    let setting = Setting::new(1);
    let server = |now| Server { policy: Policy::default(), ..server(&setting, now) };
    let first = server(NOW);
    let layout = &first.layout;
    let list = || run(|cx| backups(cx, &first)).0.result.unwrap();
    assert_eq!(list(), BackupList::default());
    for at in 0..4 {
        run(|cx| backup_now(cx, &server(NOW + at * 60_000))).0.result.unwrap();
    }
    let change = |id: &str, change: &dyn Fn(&mut BackupRecord)| {
        let path = layout.backups().join(format!("{id}.json"));
        let mut record = BackupRecord::from_json(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut record);
        fs::write(path, record.to_json()).unwrap();
    };
    let reason = "it does not restore: x";
    change("20261124T081600Z-042", &|record| {
        record.drill = Some(Drill::Failed { at_ms: NOW, reason: reason.into() });
    });
    change("20261124T081700Z-042", &|record| {
        let (tables, rows) = (1, 2);
        record.drill = Some(Drill::Passed { at_ms: NOW, tables, rows, not_drilled: vec![] });
    });
    fs::write(layout.backups().join("20261124T081800Z-042.json"), "{").unwrap();
    for (id, backup) in [(OLD, FIRST), (NEW, "20261124T081700Z-042")] {
        released(layout, id, "blue", "A=1\n");
        let path = layout.release(&id.parse().unwrap()).join("record.json");
        let text = fs::read_to_string(&path).unwrap();
        let named = format!("\"backup\":\"{backup}\",\"fate\"");
        fs::write(path, text.replace("\"fate\"", &named)).unwrap();
    }
    let list = list();
    let told: Vec<_> = list
        .backups
        .iter()
        .map(|kept| {
            let releases: Vec<&str> = kept.releases.iter().map(AsRef::as_ref).collect();
            let backup = &kept.backup;
            (backup.id.as_str(), backup.drilled_ms, kept.failed.as_deref(), releases)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("20261124T081700Z-042", Some(NOW), None, vec![NEW]),
            ("20261124T081600Z-042", None, Some(reason), vec![]),
            (FIRST, None, None, vec![OLD]),
        ]
    );
    assert!(list.backups.iter().all(|kept| kept.read_verified && kept.backup.bytes > 0));
    let [broken] = list.broken.as_slice() else { panic!("{:?}", list.broken) };
    assert!(broken.starts_with("20261124T081800Z-042: it is no record"), "{broken}");
    // One that is none is asked for: the way to those that are.
    let (finished, _) = run(|cx| restore(cx, &first, "20261124T0815", false, Dependents::Refuse));
    assert_eq!(finished.exit_code.code(), 2);
    let error = finished.result.unwrap_err();
    assert_eq!(error.hint_text(), Some("`cargo xtask backups` lists them"), "{error}");
}

#[test]
fn sessions_of_before_a_killed_restore_are_ended_by_whoever_mends_it() {
    let setting = Setting::new(1);
    let server = server(&setting, NOW);
    let page = server.layout.maintenance();
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let open = || {
        let open = setting.server.again_and_again(NAME, "SELECT pg_sleep(600);");
        while setting.server.admin(NAME, asleep) != "1" {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        open
    };
    // As its agent has left it. The next one fails at once, for there is no such backup.
    let mend = || {
        fs::write(&page, "a backup is restored\n").unwrap();
        let (finished, told) =
            run(|cx| restore(cx, &server, "20261124T0815", false, Dependents::Refuse));
        assert_eq!(finished.exit_code.code(), 2, "{told}");
        assert!(!page.exists(), "{told}");
        told
    };
    let first = open();
    let told = mend();
    assert!(told.contains("end the sessions of") && !told.contains("are not ended"), "{told}");
    assert_eq!(setting.server.admin(NAME, asleep), "0");
    assert_eq!(names(&server.layout.backups()), [""; 0], "no password is left");
    drop(first);
    let second = open();
    fs::write(&page, "a backup is restored\n").unwrap();
    run(|cx| maintenance(cx, &server, false)).0.result.unwrap();
    assert_eq!(setting.server.admin(NAME, asleep), "0");
    assert!(!page.exists());
    drop(second);
    setting.server.stop_at_once();
    assert!(mend().contains("the app's sessions are not ended"));
}

#[test]
fn what_the_env_file_lacks_is_said() {
    let setting = Setting::new(1);
    let server = server(&setting, NOW);
    fs::write(server.layout.env_file(), "A=1\n").unwrap();
    let (finished, _) = run(|cx| backup_now(cx, &server));
    assert_eq!(finished.exit_code.code(), 3);
    let error = finished.result.unwrap_err();
    assert!(error.to_string().contains("has no `DATABASE_URL`"), "{error}");
    assert!(!server.layout.backups().exists());
}

#[test]
fn the_database_of_what_is_live_counts_and_not_that_of_what_was_pushed_since() {
    let setting = Setting::new(1);
    let owner = USER.replace('"', "\"\"");
    setting.server.admin("postgres", &format!("CREATE DATABASE moved OWNER \"{owner}\""));
    let server = |now| Server { policy: Policy::default(), ..server(&setting, now) };
    let (first, later) = (server(NOW), server(NOW + 60_000));
    let layout = &first.layout;
    let before = fs::read_to_string(layout.env_file()).unwrap();
    let moved = format!("DATABASE_URL='{}'\n", setting.server.url("moved"));
    released(layout, OLD, "blue", &before);
    live_is(layout, "blue");
    fs::write(layout.env_file(), &moved).unwrap();
    run(|cx| backup_now(cx, &first)).0.result.unwrap();
    let plan = run(|cx| restore_plan(cx, &later, FIRST)).0.result.unwrap();
    assert!(plan.database.starts_with(NAME), "{}", plan.database);

    // The service has moved: what was of the old database is not written into the new one.
    released(layout, NEW, "green", &moved);
    live_is(layout, "green");
    let (finished, _) = run(|cx| restore(cx, &later, FIRST, false, Dependents::Refuse));
    assert_eq!(finished.exit_code.code(), 4);
    let error = finished.result.unwrap_err();
    assert!(error.to_string().contains("what is live uses moved at"), "{error}");
    assert_eq!(names(&layout.backups()).len(), 3, "nothing was backed up for it");
    let restored = run(|cx| restore(cx, &later, FIRST, true, Dependents::Refuse)).0.result.unwrap();
    assert!(restored.database.starts_with("moved at"), "{}", restored.database);
    assert_eq!(setting.server.ask("moved", "SELECT count(*) FROM big"), "1000");
}
