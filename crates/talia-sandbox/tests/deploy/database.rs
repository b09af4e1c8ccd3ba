//! The database's part in a release, and what an admin's client does over ssh.

use std::{fs, thread, time::Duration};

use talia_pipeline::{
    flows::Dependents,
    protocol::{Accepted, BackOutlook, BackupState, LogQuery, Request},
    templates::{AGENT, Role},
};

use crate::{
    kit::{Before, Project, Site, Yard, agent, seen, until},
    load::Mix,
    support::unique,
};

const SOON: Duration = Duration::from_secs(20);

/// Ends whoever reads the rows of a table for a dump, as soon as anybody does.
const END_A_DUMP: &str = "\
DO $$
DECLARE ended int;
BEGIN
    FOR nth IN 1..10000 LOOP
        PERFORM pg_stat_clear_snapshot();
        SELECT count(pg_terminate_backend(pid)) INTO ended FROM pg_stat_activity
            WHERE state = 'active' AND query LIKE 'COPY public.heavy %';
        IF ended > 0 THEN RETURN; END IF;
        PERFORM pg_sleep(0.002);
    END LOOP;
    RAISE EXCEPTION 'nobody has dumped that table';
END $$";

/// A check that looks into another table by its bare name: it can be dumped, listed
/// and read, and no restore takes the rows.
const UNRESTORABLE: &str = "
CREATE TABLE known (a int);
INSERT INTO known VALUES (1);
CREATE FUNCTION is_known(int) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN RETURN EXISTS (SELECT FROM known WHERE a = $1); END';
CREATE TABLE checked (a int CHECK (is_known(a)));
INSERT INTO checked VALUES (1);";

/// Asks the database as the app's own user; gives what it says.
#[track_caller]
fn sql(site: &Site, text: &str) -> String {
    let script = format!(
        ". {}/.env; psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 -- \
         \"$DATABASE_URL\" <<'SQL'\n{text};\nSQL",
        site.folder()
    );
    site.droplet.script(&script).unwrap()
}

/// The names of all files of backups.
fn backups(site: &Site) -> String {
    site.droplet.said(["ls", "-A", &format!("{}/backups", site.folder())]).unwrap()
}

/// The server's policy with this in its `[backup]`, until the result is dropped.
fn with_backups<'a>(site: &'a Site, more: &str) -> Before<'a> {
    let policy = site.before(&format!("/etc/talia/{}.toml", site.environment));
    let edit = format!("s/^database = .*/database = \"DATABASE_URL\"\\n{more}/");
    site.droplet.said(["sed", "-i", &edit, policy.path()]).unwrap();
    policy
}

#[track_caller]
fn push_env(site: &Site, env: &[u8]) {
    let pushed = site.begin(Role::Admin, &Request::EnvPush, env).wait();
    assert_eq!(pushed.exit, Some(0), "{}", pushed.failure());
}

pub(crate) fn a_dump_that_fails_stops_a_release(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    let _backups = with_backups(&site, "");
    sql(&site, "CREATE TABLE heavy AS SELECT md5(n::text) a FROM generate_series(1, 100000) n");
    let kept: BackupState = site.ask(Role::Deploy, &Request::Backup).answer();
    let (before, files) = (site.containers(), backups(&site));
    let load = site.load(Mix::light());

    let cut = thread::scope(|scope| {
        let ends = scope.spawn(|| sql(&site, END_A_DUMP));
        let cut = site.release(&b);
        ends.join().unwrap();
        cut
    });
    println!("cut: {}", cut.failure());
    cut.failed(1, &["the dump has failed", "Dumping the contents of table \"heavy\" failed"]);
    assert_eq!((site.containers(), backups(&site)), (before, files.clone()));
    site.is_settled_at(&a);

    let env = site.droplet.read(&format!("{}/.env", site.folder())).unwrap();
    let text = String::from_utf8(env.clone()).unwrap();
    let url = text.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap();
    let password = url.trim_matches(['\'', '"']).split([':', '@']).nth(2).unwrap();
    let before = site.containers();
    push_env(&site, text.replacen(password, "another-one", 1).as_bytes());
    let refused = site.release(&b);
    push_env(&site, &env);
    println!("refused: {}", refused.failure());
    refused.failed(1, &["password authentication failed"]);
    let shows = format!("{refused:?}").matches("another-one").count();
    assert_eq!(shows, 0, "{refused:?}");
    assert_eq!((site.containers(), backups(&site)), (before, files));
    assert_eq!(site.status().backup, Some(kept));
    site.is_settled_at(&a);

    sql(&site, "DROP TABLE heavy");
    let rerun = site.released(&b).live.revision;
    site.is_settled_at(&b);
    let served = load.stop().lost_nothing();
    for (injected, said) in [
        ("the database's server ends `pg_dump` in the middle of a table", cut),
        ("a pushed .env has another password for the database", refused),
    ] {
        seen(
            "18",
            injected,
            format!(
                "{}; same container, backups as before; clients: {served}; the rerun gets {} live",
                said.brief(),
                rerun.short()
            ),
        );
    }
}

pub(crate) fn a_backup_that_does_not_restore_stops_a_release(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, b) = site.pair();
    let _backups = with_backups(&site, "drill = true");
    let kept: BackupState = site.ask(Role::Deploy, &Request::Backup).answer();
    assert!(kept.drilled_ms.is_some(), "{kept:?}");
    let before = site.containers();
    let load = site.load(Mix::light());
    sql(&site, UNRESTORABLE);
    let said = site.release(&b);
    sql(&site, "DROP TABLE checked, known; DROP FUNCTION is_known");
    println!("{}", said.failure());
    said.failed(1, &["is none", "\"known\" does not exist"]);
    assert_eq!(site.containers(), before);
    // It is there, and counts for nothing.
    let (made, last) = (backups(&site), site.status().backup);
    let dumps = made.lines().filter(|name| name.ends_with(".dump"));
    let newer = dumps.filter(|name| *name > format!("{}.dump", kept.id).as_str()).count();
    assert_eq!((newer, last.as_ref()), (1, Some(&kept)), "{made}");
    site.is_settled_at(&a);
    let next: BackupState = site.ask(Role::Deploy, &Request::Backup).answer();
    assert!(next.id > kept.id && next.drilled_ms.is_some(), "{next:?}");
    assert_eq!(site.status().backup.as_ref(), Some(&next));
    let served = load.stop().lost_nothing();
    seen(
        "19",
        "a table that can be dumped and not restored",
        format!(
            "{}; same container; {newer} newer dump, `status` counts the one before; clients: \
             {served}; without that table the next one passes and counts",
            said.brief()
        ),
    );
}

/// With its drill, which makes a database of its own and drops it again.
pub(crate) fn a_backup_that_is_killed_at_any_step(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, _) = site.pair();
    let _backups = with_backups(&site, "drill = true");
    let kept: BackupState = site.ask(Role::Deploy, &Request::Backup).answer();
    let steps = site.last_steps();
    println!("{} steps: {}", steps.len(), steps.join(", "));
    assert!(steps.iter().any(|step| step.starts_with("restore into")), "{steps:?}");
    let (lock, faults) =
        (format!("{}/lock", site.folder()), format!("/etc/talia/{}.faults", site.environment));
    for n in 1..steps.len() {
        // The lock is free after the one before.
        let next = format!("flock --nonblock {lock} true && echo 'die after {n}' > {faults}");
        site.droplet.script(&next).unwrap();
        let dying = site.ask(Role::Deploy, &Request::Backup);
        let told = format!("killed after {}", steps[n - 1]);
        assert_eq!(dying.exit, Some(137), "{told}: {dying:#?}");
    }
    site.droplet.script(&format!("flock --nonblock {lock} true && rm {faults}")).unwrap();
    // Whatever has been killed, one that counts is never taken for one that does not.
    assert!(site.status().backup.unwrap().id >= kept.id);
    let next: BackupState = site.ask(Role::Deploy, &Request::Backup).answer();
    assert!(next.id > kept.id && next.drilled_ms.is_some(), "{next:?}");
    let left = backups(&site);
    assert!(!left.contains("partial"), "{left}");
    let scratch = "SELECT count(*) FROM pg_database WHERE datname LIKE 'talia_drill%'";
    assert_eq!(sql(&site, scratch), "0", "a database of a drill is left");
    site.is_settled_at(&a);
    seen(
        "3",
        &format!("SIGKILL of the agent after {} steps of a backup with its drill", steps.len() - 1),
        "the lock free after each; the next one passes, and nothing half made is left".to_owned(),
    );
}

pub(crate) fn a_rollback_says_what_it_knows_of_the_schema(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (_, b) = site.pair();
    let _backups = with_backups(&site, "");
    site.released(&b);
    let changed = || {
        let plan = Request::RollbackPlan { to: None, accepted: Accepted::default() };
        let back: BackOutlook = site.ask(Role::Deploy, &plan).answer();
        back.to.unwrap().schema_changed
    };
    sql(&site, "CREATE TABLE migrated (a int)");
    assert_eq!(changed(), None, "nobody has looked since");
    let live = site.status().live.unwrap().release;
    let back = |accepted| {
        let by = "test".parse().unwrap();
        let request = Request::Rollback { to: None, from: live.clone(), by, run: None, accepted };
        site.ask(Role::Deploy, &request)
    };
    let without = Accepted { no_backup: true, ..Accepted::default() };
    let blind = back(without);
    blind.failed(4, &["nobody can tell whether the database's schema has changed"]);
    back(Accepted::default()).failed(4, &["schema has changed since"]);
    assert_eq!(changed(), Some(true), "the backup before it has looked");
    back(without).failed(4, &["schema has changed since"]);
    sql(&site, "DROP TABLE migrated");
    site.ask(Role::Deploy, &Request::Backup).answer::<BackupState>();
    assert_eq!(changed(), Some(false));
    site.is_settled_at(&b);
}

pub(crate) fn an_admin_brings_rows_back(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, _) = site.pair();
    let _backups = with_backups(&site, "");
    let rows = || sql(&site, "SELECT coalesce(sum(n), 0) FROM kept");
    sql(&site, "CREATE TABLE kept AS SELECT generate_series(1, 4) n");
    let made = site.as_admin(|cx, remote| remote.backup(cx));
    let drilled = site.as_admin(|cx, remote| remote.drill(cx, None));
    assert_eq!(drilled.backup.id, made.id);
    assert!(drilled.tables >= 1 && drilled.rows >= 4, "{drilled:?}");
    let last = site.status().backup.unwrap();
    assert_eq!((&last.id, last.drilled_ms.is_some()), (&made.id, true));

    sql(&site, "DELETE FROM kept WHERE n > 1");
    assert_eq!(rows(), "1");
    let restored =
        site.as_admin(|cx, remote| remote.restore(cx, &made.id, false, Dependents::Refuse));
    assert_eq!(restored.backup.id, made.id);
    assert_eq!(rows(), "10");
    // What was deleted is deleted in the backup that was made before.
    site.as_admin(|cx, remote| remote.restore(cx, &restored.before.id, false, Dependents::Refuse));
    assert_eq!(rows(), "1");
    assert!(!site.status().maintenance);
    site.load(Mix::light()).stop().lost_nothing();
    // It writes to the database.
    crate::hosts::webhook_is_answered(&site, a.revision.as_str());
    site.is_settled_at(&a);
    sql(&site, "DROP TABLE kept");
}

pub(crate) fn an_admin_reads_logs_and_closes_the_site(yard: &Yard) {
    let site = yard.site().on_one_line();
    let (a, _) = site.pair();
    let target = site.target();
    let id = unique();
    let status = |path: &str| target.get(path).unwrap().status;
    let logs = |since: &str, id: &str| {
        let query = LogQuery {
            follow: false,
            since: Some(since.parse().unwrap()),
            request_id: Some(id.parse().unwrap()),
        };
        site.as_admin(|cx, remote| remote.logs(cx, &query))
    };
    let headers = [("X-Request-ID", id.as_str())];
    let path = "/api/openapi.json";
    let asked = target.connect().unwrap().request("GET", path, &headers, &[]).unwrap();
    assert_eq!(asked.status, 200);
    let mut records = Vec::new();
    until("the app has logged it", SOON, || {
        records = logs("5m", &id);
        !records.is_empty()
    });
    for record in &records {
        assert!(record.contains(&id) && record.contains("openapi.json"), "{records:?}");
    }
    assert_eq!(logs("5m", &unique()), [""; 0]);
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(logs("1s", &id), [""; 0]);

    site.as_admin(|cx, remote| remote.maintenance(cx, true));
    let closed = target.get(path).unwrap();
    let seen = (closed.status, closed.retry_after.as_deref(), status("/"), status("/api/health"));
    assert!(site.status().maintenance);
    site.as_admin(|cx, remote| remote.maintenance(cx, false));
    assert_eq!(seen, (503, Some("120"), 503, 200));
    let open = target.get(path).unwrap();
    assert_eq!((open.status, open.retry_after, status("/api/health")), (200, None, 200));
    site.is_settled_at(&a);
}

pub(crate) fn an_agent_is_replaced_over_ssh(yard: &Yard) {
    // Where environments share an agent, none of their admins may replace it.
    let site = yard.small().on_one_line();
    let (a, _) = site.pair();
    let told = || {
        let script = format!("stat -c '%a %U' {AGENT}; sha256sum {AGENT}; stat -c %i {AGENT}");
        let told = site.droplet.script(&script).unwrap();
        let (what, inode) = told.rsplit_once('\n').unwrap();
        (what.to_owned(), inode.to_owned())
    };
    let before = told();
    let file = agent::build();
    let version = site.as_admin(|cx, remote| remote.install_agent(cx, &file));
    assert_eq!(version, talia_pipeline::protocol::Version::own());
    let now = told();
    assert_eq!(now.0, before.0, "the same agent, with the same rights");
    assert_ne!(now.1, before.1, "it is the file of before");
    site.is_settled_at(&a);

    // A program that is no agent is not put there.
    let other = fs::read("/bin/true").unwrap();
    let refused = site.begin(Role::Admin, &Request::AgentInstall, &other).wait();
    println!("{}", refused.failure());
    refused.failed(1, &["expected an agent's version"]);
    assert_eq!(told(), now);
    site.is_settled_at(&a);
}

/// A droplet whose sshd has another key than clients have pinned, until this is dropped.
struct AnotherKey<'a>(&'a Site);

const HOST_KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

impl<'a> AnotherKey<'a> {
    fn new(site: &'a Site) -> Self {
        let own = Self(site);
        let make = format!(
            "for end in '' .pub; do mv {HOST_KEY}$end {HOST_KEY}.own$end; done; \
             ssh-keygen -q -t ed25519 -N '' -f {HOST_KEY}; systemctl reload ssh"
        );
        site.droplet.script(&make).unwrap();
        until("sshd has another key", SOON, || !own.is_pinned());
        own
    }

    /// Whether a client gets as far as to a request.
    fn is_pinned(&self) -> bool {
        self.0.ask(Role::Deploy, &Request::Status).exit == Some(0)
    }
}

impl Drop for AnotherKey<'_> {
    fn drop(&mut self) {
        let put_back = format!(
            "for end in '' .pub; do mv -f {HOST_KEY}.own$end {HOST_KEY}$end; done; \
             systemctl reload ssh"
        );
        drop(self.0.droplet.script(&put_back));
        crate::kit::within(SOON, || self.is_pinned());
    }
}

pub(crate) fn a_changed_host_key_stops_a_client(yard: &Yard) {
    let site = yard.site();
    let (a, _) = site.pair();
    let project = Project::new(&site);
    let env_path = format!("{}/.env", site.folder());
    let (env, canary) = (site.droplet.read(&env_path).unwrap(), format!("canary{}", unique()));
    let file = project.target().join("pushed.env");
    let text = format!("{}CANARY={canary}\n", String::from_utf8(env.clone()).unwrap());
    fs::write(&file, text).unwrap();
    let accepted = || {
        let count = "journalctl --quiet --unit=ssh | grep --count Accepted || :";
        site.droplet.script(count).unwrap()
    };
    let environment = ["--env", &site.environment];
    let deploy: &[&str] = &["deploy", "backend", "--yes"];
    let push = ["server", "env", "push", file.as_str()];
    let commands = [("a deploy", deploy), ("a push of secrets", &push)];
    let another = AnotherKey::new(&site);
    let before = accepted();
    let ran = commands.map(|(_, command)| project.run(&[command, &environment].concat()));
    assert_eq!(accepted(), before, "nobody has logged in");
    drop(another);
    for ((what, _), ran) in commands.iter().zip(ran) {
        println!("{}", ran.told());
        let ran = ran.ended(4);
        let told = ran.told();
        let refusal = ran.refusal().replace(site.sandbox.known_hosts().as_str(), "known_hosts");
        assert!(
            told.contains("is another one than") && told.contains("nothing was sent"),
            "{told}"
        );
        seen(
            "23",
            &format!("the host key has changed before {what}"),
            format!("exit {}: \"{}\"; logins that sshd took: none", ran.exit.unwrap(), refusal),
        );
    }
    // That would have seen one.
    site.status();
    until("the login is in the journal", SOON, || accepted() != before);
    assert_eq!(site.droplet.read(&env_path).unwrap(), env);
    site.is_settled_at(&a);
}
