//! What happens when nothing goes wrong.

use talia_pipeline::{
    landing::LandingStrategy,
    protocol::{LandingFile, LandingIndex, LandingRelease, LandingReleased, LandingRequest},
};

use super::{
    crawler::Crawler,
    page::{Page, asset},
};
use crate::kit::Yard;

/// Files as people leave them: of several owners, old, and not all for all to read.
const BY_HAND: &str = "\
    mkdir -p 'about us' old .well-known/acme-challenge; \
    echo '<!doctype html><p>by hand</p>' > index.html; \
    printf about > 'about us/ü.html'; printf gone > old/gone.html; \
    printf token > .well-known/acme-challenge/t; \
    ln -s index.html latest; \
    chown -R www-data:www-data .; chmod 664 'about us/ü.html'; chmod 775 old; \
    find . -exec touch -h -d '2020-02-02 02:02:02 UTC' {} +";

pub(crate) fn a_folder_made_by_hand_becomes_the_first_release(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.by_hand(BY_HAND);
    let list = "find . -printf '%p %T@ %U %m %s\\n' | sort";
    let before = page.script(&format!("cd {}; {list}", page.web()));
    page.version("one");
    let index = page.index(Some(page.tree().hash()));
    assert!(index.live.is_none() && index.drift.is_empty(), "{index:#?}");
    assert_eq!(index.notes.len(), 1, "that it is a folder: {:?}", index.notes);
    let names: Vec<String> =
        index.tree.unwrap().iter().map(|(path, _)| path.as_str().to_owned()).collect();
    assert_eq!(
        names,
        ["about us", "about us/ü.html", "index.html", "latest", "old", "old/gone.html"],
        "what is the server's own is no part of it"
    );

    let id = page.opened();
    let asset = asset("one");
    assert_eq!(
        page.pushed(),
        [
            "*deleting   old/",
            "*deleting   old/gone.html",
            &format!("<f+++++++++ {asset}"),
            "<f+++++++++ only-in-one.html",
            "<fcsT...... index.html",
            "cd+++++++++ assets/",
        ]
    );
    let released: LandingReleased = page.commit(&id).answer();
    println!("    {:?}", released.verified);
    assert_eq!(released.verified.files, 6, "one had another mode; and `/`, and the version");
    assert_eq!(released.verified.gone, 1);
    let found = released.before.unwrap();
    assert_eq!((found.revision, released.live.release.clone()), (None, id.clone()));
    page.is_settled_at("one");
    assert_eq!(page.served("/.well-known/acme-challenge/t"), (200, "token".into()));
    assert_eq!(page.served("/old/gone.html").0, 404);

    // It is kept with its times, owners and modes.
    let kept = format!("{}/releases/{}", page.trees(), found.release);
    assert_eq!(page.script(&format!("cd {kept}; {list}")), before);
    // What did not change is as old as it was, so that nobody loads it again.
    let old = "stat -c %Y 'about us/ü.html'";
    assert_eq!(page.script(&format!("cd {}; {old}", page.web())), "1580608922");

    // The same again: one question, and nothing to do.
    let index = page.index(Some(page.tree().hash()));
    assert!(index.tree.is_none() && index.notes.is_empty(), "{index:#?}");
    assert_eq!(index.live.as_ref().map(|live| &live.release), Some(&id));
    let again: LandingReleased = page.commit(&id).answer();
    assert!(again.unchanged, "a connection that was lost is asked again");

    // And back to what was made by hand.
    let back: LandingReleased = page.rollback(None).answer();
    assert_eq!(back.live.release, found.release);
    assert!(page.served("/").1.contains("by hand"));
    assert_eq!(page.served("/old/gone.html"), (200, "gone".into()));
    let released: LandingReleased = page.rollback(Some(id)).answer();
    assert_eq!(released.before.unwrap().release, found.release);
    page.is_settled_at("one");
}

pub(crate) fn changes_are_released_and_rolled_back(yard: &Yard) {
    let site = yard.site();
    let page = Page::new(&site);
    page.have("one");
    let inode = |path: &str| page.script(&format!("stat -c %i '{}/{path}'", page.web()));
    let (same, changed) = (inode("about us/ü.html"), inode("index.html"));
    let crawler = Crawler::start(site.target());

    page.version("two");
    let released = page.released();
    page.is_settled_at("two");
    assert_eq!(inode("about us/ü.html"), same, "what did not change is the same file");
    assert_ne!(inode("index.html"), changed);
    assert_eq!((released.kept_assets, released.reloaded), (1, false));
    assert_eq!(page.served("/only-in-one.html").0, 404);
    // A page that is open may still ask for its asset.
    assert_eq!(page.served(&format!("/{}", asset("one"))), (200, "one".into()));

    // A renamed file, and every kind in the place of another.
    page.write(&[
        (
            "index.html",
            &format!("<!doctype html><link href=\"/{}\"><p>three</p>\n", asset("three")),
        ),
        (&asset("three"), "three"),
        ("x", "three"),
        ("about us", "a file now"),
        ("latest/a folder now.html", "f"),
        ("only-in-two.html", "->x"),
    ]);
    let released = page.released();
    assert_eq!(released.live.tree, page.index(None).hash);
    assert_eq!(page.served("/about%20us"), (200, "a file now".into()));
    assert_eq!(page.served("/only-in-two.html"), (200, "three".into()));
    assert_eq!(page.served(&format!("/{}", asset("two"))), (200, "two".into()));

    page.script(&format!(
        "mkdir --parents {0}/.well-known; printf 'by hand' > {0}/.well-known/later",
        page.web()
    ));
    // Asked twice, it leads back once.
    let from = page.index(None).live.unwrap().release;
    let rollback =
        || LandingRequest::Rollback { to: None, from: from.clone(), by: "test".parse().unwrap() };
    let back: LandingReleased = page.ask(rollback()).answer();
    let again: LandingReleased = page.ask(rollback()).answer();
    assert!(!back.unchanged && again.unchanged);
    page.version("two");
    page.is_settled_at("two");
    assert_eq!(page.served("/.well-known/later"), (200, "by hand".into()), "no release's");
    let further: LandingReleased = page.rollback(None).answer();
    page.is_settled_at("one");
    crawler.missed_nothing();
    let releases: Vec<LandingRelease> = page.ask(LandingRequest::Releases).answer();
    let live: Vec<&LandingRelease> = releases.iter().filter(|one| one.is_live).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].taken, further.live);
    let status = site.status().landing.unwrap();
    assert_eq!(status.live, Some(further.live));

    let paths = ["about us/ü.html", "latest", "assets", "none"];
    let paths = paths.map(|path| path.parse().unwrap()).to_vec();
    let read: Vec<LandingFile> = page.ask(LandingRequest::Read(paths)).answer();
    let (text, link) = ("about".into(), "index.html".into());
    let (text, link) = (LandingFile::Text { text }, LandingFile::Link { target: link });
    assert_eq!(read, [text, link, LandingFile::Folder, LandingFile::Missing]);

    // Many more than are kept.
    for version in ["four", "five", "six", "seven"] {
        page.version(version);
        page.released();
    }
    page.is_settled_at("seven");
    let count = page.script(&format!("ls {}/releases | wc -l", page.trees()));
    assert_eq!(count, "5", "as the policy says");
    assert_eq!(page.served(&format!("/{}", asset("four"))), (200, "four".into()));
    assert_eq!(page.served(&format!("/{}", asset("one"))).0, 404, "too long ago");
}

/// Plain rsync into the live folder, as somebody may want it.
pub(crate) fn a_release_in_place(yard: &Yard) {
    let site = yard.staging();
    let page = Page::new(&site);
    page.by_hand(
        "mkdir -p .well-known; echo old > index.html; printf o > .well-known/own; \
                  printf gone > gone.html; chown -R www-data .",
    );
    let policy = format!("/etc/talia/{}.toml", site.environment);
    let strategy = "s/^\\[landing\\]/[landing]\\nstrategy = \"in-place\"/";
    page.script(&format!("sed -i '{strategy}' {policy}"));
    page.version("one");
    let index: LandingIndex = page.index(None);
    assert_eq!((index.strategy, index.live), (LandingStrategy::InPlace, None));
    let id = page.opened();
    let push = || {
        let arguments = [&super::page::PUSH[..], &["--delay-updates"]].concat();
        let said = page.rsync(&arguments, &format!("{}/", page.source()), "staging/");
        assert!(said.status.success(), "{said:?}");
    };
    push();
    let released: LandingReleased = page.commit(&id).answer();
    assert_eq!(released.verified.gone, 1);
    assert!(page.served("/").1.contains("<p>one</p>"));
    assert_eq!(page.served("/.well-known/own"), (200, "o".into()), "rsync did not see it");
    assert_eq!(
        page.script(&format!("find {} ! -user root", page.web())),
        format!("{0}/.well-known\n{0}/.well-known/own", page.web())
    );
    assert!(page.index(Some(page.tree().hash())).tree.is_none());
    // One that did not end is no edit by hand, wherever it has ended.
    page.version("two");
    let aborted = page.opened();
    push();
    page.script(&format!(
        "mkdir {0}/.~tmp~; touch {0}/.~tmp~/x {0}/.index.html.aB3dE6",
        page.web()
    ));
    assert_eq!(page.ask(LandingRequest::Abort(aborted)).exit, Some(0));
    let index = page.index(None);
    assert_eq!((index.drift, index.live.unwrap().release), (vec![], id.clone()));
    let aborted = page.opened();
    push();
    site.faults("die after \"fetch from\"");
    assert_eq!(page.commit(&aborted).exit, Some(137));
    site.no_faults();
    assert_eq!(page.ask(LandingRequest::Abort(aborted)).exit, Some(0));
    page.version("one");
    let id = page.opened();
    push();
    site.faults("die before \"end the transaction\"");
    assert_eq!(page.commit(&id).exit, Some(137));
    site.no_faults();
    let again: LandingReleased = page.commit(&id).answer();
    assert!(again.unchanged, "it was live");
    assert_eq!(page.script(&format!("ls -d {}/.*tmp* || :", page.web())), "");
    assert!(page.index(Some(page.tree().hash())).tree.is_none());
    // By hand, and seen.
    page.script(&format!("echo x >> {}/index.html", page.web()));
    page.open().failed(4, &["changed by hand", "index.html was edited"]);
    page.rollback(None).failed(4, &["in place"]);
    // And from then on as releases, which keep the folder.
    page.script(&format!("sed -i '/^strategy = \"in-place\"/d' {policy}"));
    page.script(&format!("rm {}/index.html; cp {0}/latest {0}/index.html || :", page.web()));
    let script = format!("printf '%s\\n' '{}' > {}/index.html", page_of("one"), page.web());
    page.script(&script);
    page.version("two");
    page.released();
    page.is_settled_at("two");
    let back: LandingReleased = page.rollback(None).answer();
    assert_eq!(back.live.release, id);
    assert!(page.served("/").1.contains("<p>one</p>"));
}

fn page_of(version: &str) -> String {
    format!("<!doctype html><link href=\"/{}\"><p>{version}</p>", asset(version))
}
