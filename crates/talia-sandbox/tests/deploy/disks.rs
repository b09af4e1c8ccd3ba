//! Disks that are full, or fill up: clients keep what they have.

use talia_pipeline::{
    protocol::{BackupState, Request},
    templates::Role,
};
use talia_sandbox::Balloon;

use crate::{
    kit::{Site, Yard, seen},
    load::Mix,
};

/// Leaves nothing free where `folder` is, whoever else writes there meanwhile.
fn full(site: &Site, folder: &str) -> Balloon {
    let balloon = site.droplet.fill_disk(folder, 4 << 20).unwrap();
    let rest = format!(
        "dd if=/dev/zero bs=4k oflag=append conv=notrunc status=none of={folder}/.balloon || :"
    );
    site.droplet.script(&rest).unwrap();
    balloon
}

/// Fills the engine's disk when the image is about to be pulled, then the journal's.
pub(crate) fn a_disk_that_is_full(yard: &Yard) {
    let site = yard.small().on_one_line();
    let (a, b) = site.pair();
    let load = site.load(Mix::light());
    let asking = site.stopped("stop before \"pull image\"", &b);
    let balloon = full(&site, "/var/lib/docker");
    site.go_on();
    let failed = asking.wait();
    println!("while it pulls: {}", failed.failure());
    failed.failed(1, &["no space left on device"]);
    let early = site.release(&b);
    println!("before it begins: {}", early.failure());
    early.failed(3, &["MB free"]);
    balloon.free().unwrap();
    site.is_settled_at(&a);

    let balloon = full(&site, "/opt");
    let refused = site.release(&b);
    println!("without a journal: {}", refused.failure());
    assert_ne!(refused.exit, Some(0));
    balloon.free().unwrap();
    site.is_settled_at(&a);
    let rerun = site.released(&b).live.revision;
    site.is_settled_at(&b);
    let served = load.stop().lost_nothing();
    for (injected, said) in [
        ("the engine's disk is full while the image is pulled", failed),
        ("the same before a release begins", early),
        ("the journal's disk is full", refused),
    ] {
        seen(
            "13",
            injected,
            format!("{}; clients: {served}; the rerun gets {} live", said.brief(), rerun.short()),
        );
    }
}

/// Fills the disk in the middle of a dump, and again when nothing but the switch and its
/// record is left of a release.
pub(crate) fn a_disk_that_fills_up_during_a_release(yard: &Yard) {
    let site = yard.small().on_one_line();
    let (a, b) = site.pair();
    let before = site.containers();
    let load = site.load(Mix::light());
    let sql = |text: &str| {
        let env = format!("{}/.env", site.folder());
        let psql = "psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1";
        site.droplet.script(&format!(". {env}; {psql} --command='{text}' -- \"$DATABASE_URL\""))
    };
    let backups = || {
        let find = format!("cd {}/backups && sha256sum -- $(ls -A)", site.folder());
        site.droplet.script(&find).unwrap()
    };
    // More than is left free, however well it is compressed.
    let heavy = "CREATE TABLE heavy AS SELECT md5(n::text) a, md5((-n)::text) b \
                 FROM generate_series(1, 100000) n";
    sql(heavy).unwrap();
    {
        let _database = site.policy("database", "\"DATABASE_URL\"");
        let kept: BackupState = site.ask(Role::Deploy, &Request::Backup).answer();
        assert!(kept.bytes > 2 << 20, "{kept:?}");
        let files = backups();
        let asking = site.stopped("stop before \"dump talia\"", &b);
        let balloon = site.droplet.fill_disk("/opt", 1 << 20).unwrap();
        site.go_on();
        let failed = asking.wait();
        println!("in the middle of the dump: {}", failed.failure());
        balloon.free().unwrap();
        failed.failed(1, &["No space left on device"]);
        assert_eq!(site.containers(), before);
        let now = backups();
        assert_eq!(now, files, "the last backup is there, and nothing half done");
        let bytes = kept.bytes;
        assert_eq!(site.status().backup, Some(kept));
        site.is_settled_at(&a);
        seen(
            "13",
            "the disk fills up in the middle of a dump",
            format!(
                "{}; same container; {} files of backups as before, the last one of {bytes} bytes",
                failed.brief(),
                now.lines().count(),
            ),
        );
    }
    sql("DROP TABLE heavy").unwrap();

    let asking = site.stopped("stop after \"wait for health\"", &b);
    let balloon = full(&site, "/opt");
    site.go_on();
    let failed = asking.wait();
    println!("before the switch: {}", failed.failure());
    balloon.free().unwrap();
    failed.failed(1, &["cannot be written"]);
    assert_eq!(site.containers(), before);
    assert_eq!(site.status().served, Ok(a.revision.clone()));
    let rerun = site.released(&b).live.revision;
    site.is_settled_at(&b);
    let served = load.stop().lost_nothing();
    seen(
        "13",
        "the disk fills up just before the switch",
        format!("{}; clients: {served}; the rerun gets {} live", failed.brief(), rerun.short()),
    );
}
