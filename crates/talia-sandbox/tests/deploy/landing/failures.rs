//! What is refused or undone, and costs readers nothing.

use std::time::Duration;

use talia_pipeline::{
    protocol::{
        Area, Cancelled, LandingAborted, LandingBegun, LandingReleased, LandingRequest, Request,
        Who,
    },
    templates::Role,
};

use super::{crawler::Crawler, page::Page};
use crate::kit::{Yard, seen, until};

const SOON: Duration = Duration::from_secs(40);

pub(crate) fn two_landing_releases_at_once(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    page.version("two");
    let index = page.index(None);
    let begin = |by: &str| {
        let (request, changes) = page.order(&index, by);
        page.begin(request, &changes).wait()
    };
    let first: LandingBegun = begin("ana").answer();
    let lost = begin("ben");
    lost.failed(4, &["ana releases the landing page", "not committed yet", "may begin"]);
    seen(
        "7",
        "landing page: two releases at once",
        format!("one begins, the other: {}", lost.brief()),
    );
    let status = site.status().landing.unwrap().transaction.unwrap();
    assert_eq!((status.by.as_str(), status.id), ("ana", first.transaction.clone()));
    // The same again, such as after a lost connection: at once.
    let again: LandingBegun = begin("ana").answer();
    assert_eq!(again.replaced, Some(first.transaction.clone()));
    page.commit(&first.transaction).failed(4, &["there is no transaction"]);

    // While an rsync works, nobody may take over, nor commit.
    page.script(&format!(
        "nohup flock --exclusive {}/rsync.lock sleep 60 > /dev/null 2>&1 & \
         until ! flock --nonblock --exclusive {0}/rsync.lock true; do sleep 0.05; done",
        page.own()
    ));
    begin("ana").failed(4, &["its rsync works"]);
    page.commit(&again.transaction).failed(4, &["an rsync still works"]);
    let cancel =
        |by: &str| Request::Cancel { area: None, whose: Some(by.parse::<Who>().unwrap().into()) };
    // Whoever cancels ends both.
    let cancelled = page.request(Role::Deploy, &cancel("ben"));
    assert_eq!(cancelled.answer::<Cancelled>(), Cancelled::NothingRan);
    let cancelled = page.request(Role::Deploy, &cancel("ana"));
    assert_eq!(cancelled.answer::<Cancelled>(), Cancelled::Undone);
    page.version("one");
    page.is_settled_at("one");
    assert!(page.index(Some(page.tree().hash())).tree.is_none(), "nothing is to be read again");

    // One that nothing is heard of gives way.
    page.version("two");
    let first: LandingBegun = begin("ana").answer();
    until("another one may begin", SOON, || begin("ben").exit == Some(0));
    let aborted = page.ask(LandingRequest::Abort(first.transaction));
    assert_eq!(aborted.answer::<LandingAborted>(), LandingAborted::NothingOpen);
    let open = site.status().landing.unwrap().transaction.unwrap();
    assert_eq!(open.by.as_str(), "ben");
    // What was planned before another release went live is refused.
    page.pushed();
    let released: LandingReleased = page.commit(&open.id).answer();
    begin("ana").failed(4, &["is live, and this was decided on when"]);
    let aborted = page.ask(LandingRequest::Abort(released.live.release));
    aborted.failed(4, &["is live already"]);

    // A backend release may be under way all the while.
    page.script(&format!(
        "nohup flock --exclusive {}/lock sleep 60 > /dev/null 2>&1 & echo $! > /tmp/holder",
        site.folder()
    ));
    page.version("one");
    // Of two that run, none is ended by chance.
    let open = page.opened();
    let cancel = |area| page.request(Role::Deploy, &Request::Cancel { area, whose: None });
    cancel(None).failed(4, &["two run here", open.as_str()]);
    let cancelled = cancel(Some(Area::Landing));
    assert_eq!(cancelled.answer::<Cancelled>(), Cancelled::Undone);
    page.released();
    page.is_settled_at("one");
    page.script("pkill --parent $(cat /tmp/holder) || :; rm /tmp/holder");
}

pub(crate) fn what_was_edited_by_hand_is_not_lost_by_chance(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    let web = page.web();
    page.script(&format!(
        "cd {web}; echo by hand >> index.html; touch new.html; rm only-in-one.html; \
         touch -d '2020-01-01' 'about us/ü.html'"
    ));
    let index = page.index(None);
    let told: Vec<String> = index.drift.iter().map(|drift| drift.told()).collect();
    assert_eq!(
        told,
        [
            "index.html was edited on the server",
            "new.html was put on the server by hand",
            "only-in-one.html was removed from the server",
        ],
        "another time alone is no change"
    );
    page.version("two");
    let (request, changes) = page.order(&index, "test");
    let refused = page.begin(request.clone(), &changes).wait();
    refused.failed(4, &["3 published files were changed"]);
    seen(
        "24",
        &format!("landing page: {} files are edited on the server", told.len()),
        format!("{}; acknowledged, they go with the next release", refused.brief()),
    );
    // The client's plan is made from what is there, so it says what goes.
    let LandingRequest::Begin { tree, revision, after, by, .. } = request else {
        unreachable!("it begins")
    };
    let accepted = LandingRequest::Begin { tree, revision, after, by, accept_drift: true };
    let begun: LandingBegun = page.begin(accepted, &changes).wait().answer();
    assert!(page.pushed().contains(&"*deleting   new.html".to_owned()));
    assert_eq!(page.commit(&begun.transaction).exit, Some(0));
    page.is_settled_at("two");
    // The edited one cannot be published again as if it was the release.
    page.rollback(None).failed(4, &["were changed by hand", "index.html was edited"]);
    page.is_settled_at("two");

    // Something that changes between the plan and the release.
    let index = page.index(None);
    page.version("three");
    let (request, changes) = page.order(&index, "test");
    page.script(&format!("echo x > {web}/meanwhile.html"));
    page.begin(request, &changes).wait().failed(4, &["changed by hand"]);
    page.script(&format!("rm {web}/meanwhile.html"));
}

pub(crate) fn a_release_that_clients_do_not_get_is_undone(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    let site_file = format!("/etc/nginx/sites-available/talia-{}.conf", site.environment);
    let edit = |from: &str, to: &str| {
        page.script(&format!("sed -i 's@{from}@{to}@' {site_file}; systemctl reload nginx"));
    };
    let blocked = "location = /only-in-two.html { return 200 \"something else\"; }";
    edit("    location / {$", &format!("    {blocked}\\n&"));
    until("the new configuration is used", SOON, || {
        page.served("/only-in-two.html").1 == "something else"
    });
    page.version("three");
    assert!(page.released().reloaded, "its configuration has changed since the last release");
    page.is_settled_at("three");
    let crawler = Crawler::start(site.target());
    page.version("two");
    let said = page.release();
    println!("    {}", said.failure());
    said.failed(1, &["clients do not get this release", "/only-in-two.html: another content"]);
    page.version("three");
    page.is_settled_at("three");
    crawler.missed_nothing();
    edit("    location = /only-in-two.*", "    # Nothing is put in its place.");
    until("the new configuration is used", SOON, || page.served("/only-in-two.html").0 == 404);
    page.version("two");
    assert!(page.released().reloaded);
    page.is_settled_at("two");
    page.version("three");
    assert!(!page.released().reloaded);

    // Pages of errors that nobody gets by their names.
    edit(
        "    # Nothing is put in.*",
        &format!(
            "    error_page 404 /404.html; error_page 500 /50x.html; \
             location ~ ^/(404|50x) {{ internal; root {}; }}",
            page.web()
        ),
    );
    page.write(&[("index.html", "home"), ("404.html", "no such page"), ("50x.html", "broken")]);
    let verified = page.released().verified;
    assert_eq!((verified.error_pages, verified.unverified.len()), (1, 1), "{verified:?}");
    assert_eq!(page.served("/404.html").0, 404);
    assert_eq!(page.served("/nowhere"), (404, "no such page".to_owned()));
    page.write(&[("index.html", "home"), ("404.html", "another page"), ("50x.html", "broken")]);
    assert_eq!(page.released().verified.error_pages, 1);
    page.version("three");
    page.released();

    // Old pages that are cached open would be served on: so it is reloaded.
    page.script(
        "echo 'open_file_cache max=100; open_file_cache_valid 1h;' > /etc/nginx/conf.d/cache.conf; \
         systemctl reload nginx",
    );
    assert!(page.served("/").1.contains("three"));
    page.version("four");
    let index = page.index(None);
    assert!(index.notes.iter().any(|note| note.contains("open_file_cache")), "{:?}", index.notes);
    assert!(page.released().reloaded);
    page.is_settled_at("four");
    page.script("echo 'disable_symlinks on;' > /etc/nginx/conf.d/cache.conf");
    page.version("five");
    page.open().failed(4, &["disable_symlinks"]);
    page.script("rm /etc/nginx/conf.d/cache.conf; systemctl reload nginx");
}

/// With `reload = "always"`, nothing is switched to that could not be served.
pub(crate) fn nginx_that_refuses_its_configuration_stops_a_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    let policy = format!("/etc/talia/{}.toml", site.environment);
    page.script(&format!("sed -i 's/^\\[landing\\]/[landing]\\nreload = \"always\"/' {policy}"));
    page.version("two");
    assert!(page.released().reloaded);
    page.is_settled_at("two");
    page.script("echo 'nonsense on;' > /etc/nginx/conf.d/nonsense.conf");
    let crawler = Crawler::start(site.target());
    page.version("three");
    let said = page.release();
    println!("    {}", said.failure());
    said.failed(1, &["Nginx refuses its configuration", "nonsense"]);
    page.version("two");
    page.is_settled_at("two");
    let readers = crawler.missed_nothing();
    seen("21", "landing page: `nginx -t` fails", format!("{}; {readers}", said.brief()));
    assert_eq!(page.script("cat /etc/nginx/conf.d/nonsense.conf"), "nonsense on;");
    page.script("rm /etc/nginx/conf.d/nonsense.conf");
    page.script(&format!("sed -i '/^reload = \"always\"/d' {policy}"));
}

/// Fills the disk when rsync sends, and when the tree is completed.
pub(crate) fn a_disk_that_is_full_costs_nothing(yard: &Yard) {
    let site = yard.small();
    let page = Page::new(&site);
    page.have("one");
    let crawler = Crawler::start(site.target());
    let big = "x".repeat(8 << 20);
    let both = |page: &Page<'_>| {
        page.version("two");
        std::fs::write(page.source().join("big"), &big).unwrap();
    };
    both(&page);
    let full = || {
        let balloon = site.droplet.fill_disk("/var/www", 1 << 20).unwrap();
        page.script(
            "dd if=/dev/zero bs=4k oflag=append conv=notrunc status=none of=/var/www/.balloon || :",
        );
        balloon
    };
    let balloon = full();
    let early = page.open();
    println!("    before it begins: {}", early.failure());
    early.failed(3, &["MB free"]);
    balloon.free().unwrap();

    let id = page.opened();
    let balloon = full();
    let said = page.push();
    let rsync = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    println!("    while it is sent: {rsync}");
    assert!(rsync.contains("No space left"), "{said:?}");
    let sent = page.commit(&id);
    sent.failed(4, &["is not what was announced"]);
    balloon.free().unwrap();
    page.version("one");
    page.is_settled_at("one");

    both(&page);
    let id = page.opened();
    page.pushed();
    let balloon = full();
    let said = page.commit(&id);
    println!("    while it is completed: {}", said.failure());
    said.failed(1, &[".talia-version.json cannot be written"]);
    balloon.free().unwrap();
    page.version("one");
    page.is_settled_at("one");
    both(&page);
    page.released();
    page.is_settled_at("two");
    let readers = crawler.missed_nothing();
    for (when, said) in
        [("before it begins", early), ("while it is sent", sent), ("while it is completed", said)]
    {
        seen(
            "13",
            &format!("landing page: the disk is full {when}"),
            format!("{}; {readers}", said.brief()),
        );
    }
}
